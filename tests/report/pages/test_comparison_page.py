"""What the page of compared runs says of them."""

from __future__ import annotations

import specnet
from specnet import Spec
from specnet.report.pages.comparison_page import best_run
from specnet.saved.metrics_file import Evaluation
from specnet.saved.saved_run import SavedRun


def saved(name: str, spec: Spec, score: float) -> SavedRun:
    """Return a run with this score, of which nothing is on the disk."""
    run = SavedRun(name)
    run.spec, run.document = spec, {}
    run.facts = {"finished": True, "data_sha256": "0"}
    run.evaluation = Evaluation({}, {"test": {"loss": 1.0, "r2": score}})
    return run


def test_the_best_of_negative_scores_is_told_with_minus_signs() -> None:
    spec = specnet.parse_spec(
        {
            "data": {"type": "make_regression", "n_samples": 20, "n_features": 2},
            "network": {"hidden_layer_sizes": [2]},
            "training": {"loss": "mean_squared_error", "epochs": 1},
        }
    )
    runs = [saved(name, spec, score) for name, score in [("one", -0.0625), ("two", -0.188), ("three", -0.3724)]]
    assert best_run(runs, [spec] * 3) == "one reaches the best test R², −0.0625; the other 2: −0.3724 to −0.1880."
