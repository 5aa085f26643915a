"""How pages begin: a run in a sentence, a strip of scores, the terminal's table of them; and the best of many runs."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

import specnet
from specnet.report.pages import answer_charts, comparison_page, headline
from specnet.saved import metrics_file, saved_run
from tests.registry import find

Range = tuple[float, float, float]


def ranges(**ends: Range) -> dict[str, Any]:
    return {name: dict(zip(("low", "value", "high"), each, strict=True)) for name, each in ends.items()}


def both(loss: float, accuracy: float) -> dict[str, float]:
    return {"loss": loss, "accuracy": accuracy}


EVALUATION: dict[str, Any] = {
    "rows": {"train": 455, "test": 114},
    "train": both(0.05, 0.98),
    "test": both(0.117, 108 / 114),
    "baselines": {
        "constant": {"test": both(0.66, 0.63)},
        "linear": {"test": both(0.081, 111 / 114)},
        "neighbours": {"test": both(0.13, 107 / 114)},
    },
    "intervals": {"test": {"loss": None, "accuracy": {"low": 0.89, "high": 0.98, "method": "wilson"}}},
    "gains": {
        "constant": ranges(loss=(0.4, 0.543, 0.6), accuracy=(0.2, 0.32, 0.4)),
        "linear": ranges(loss=(-0.075, -0.036, -0.004), accuracy=(-0.06, -3 / 114, 0.0)),
        "neighbours": ranges(loss=(-0.02, 0.013, 0.04), accuracy=(-0.03, 1 / 114, 0.04)),
    },
}
NONE = (0.0, 0.0, 0.0)
LITTLE = {"loss": (-0.01, 0.001, 0.02), "accuracy": NONE}
"""What is gained where one class has 99.8 % of the rows, and all predictors find it."""
LINEAR = "a linear model: 94.7 % against 97.4 % of 114 test rows."
LINEAR_LOSS = "a linear model: a loss of 0.117 against 0.081 on 114 test rows."


def with_gains(**gains: dict[str, Range] | None) -> dict[str, Any]:
    """Return the evaluation where gains over baselines are others, or unknown."""
    changed = deepcopy(EVALUATION)
    for baseline, ends in gains.items():
        if ends is None:
            del changed["gains"][baseline]
        else:
            changed["gains"][baseline] |= ranges(**ends)
    return changed


def linear(loss: Range, accuracy: Range) -> dict[str, Any]:
    return with_gains(linear={"loss": loss, "accuracy": accuracy}, neighbours=None)


UP, DOWN = (0.01, 0.02, 0.03), (-0.06, -0.03, 0.0)
RARE = {"test": both(0.041, 0.998)}
RARE_BASELINES = {"baselines": EVALUATION["baselines"] | {"constant": {"test": both(0.0015, 0.998)}}}
VALUES = {
    "rows": {"train": 300, "test": 80},
    "test": {"loss": 0.2, "r2": 0.812345},
    "baselines": {"constant": {"test": {"loss": 1.0, "r2": -4.026e-06}}},
}
TRAINED = {"rows": {"train": 9}, "train": both(0.5, 1.0)}
WATCHED = TRAINED | {"rows": {"train": 9, "validation": 6}, "validation": both(0.5, 0.9)}
UNKNOWN = {**EVALUATION, "gains": {}}
VERDICTS = [
    (EVALUATION, f"Worse than {LINEAR}"),
    (with_gains(linear={"loss": (-0.075, -0.036, 0.0)}), f"As good as {LINEAR}"),
    # The linear model is the best one, and the neighbours are worse than it; only these are surely better.
    (with_gains(linear={"loss": (-0.075, -0.036, 0.004)},
                neighbours={"loss": (-0.2, -0.1, -0.01), "accuracy": (-0.03, -0.01, 0.04)}),
     "Worse than the 15 nearest neighbours: a loss of 0.12 against 0.13 on 114 test rows."),
    # The main metric decides, and else the loss, which is shown where the metric says little.
    (linear(UP, (0.01, 0.03, 0.05)), f"Better than {LINEAR}"),
    (linear((-0.2, -0.1, 0.1), (0.01, 0.03, 0.05)), f"Better than {LINEAR}"),
    (linear((-0.2, -0.1, -0.05), (0.01, 0.03, 0.05)), f"Better than {LINEAR}"),
    (linear(UP, (-0.02, 0.011, 0.02)), f"Better than {LINEAR}"),
    (linear(UP, (-0.02, 0.009, 0.02)), f"Better than {LINEAR_LOSS}"),
    (linear(UP, DOWN), f"Better than {LINEAR_LOSS}"),
    (linear((-0.03, -0.02, -0.01), NONE), f"Worse than {LINEAR_LOSS}"),
    (linear(NONE, NONE), f"As good as {LINEAR}"),
    # One class has 99.8 % of the rows: worse than a constant is the first thing to say; no better than it is said
    # unless a simple model is better.
    (with_gains(constant={"loss": (-0.06, -0.0395, -0.02), "accuracy": NONE}) | RARE | RARE_BASELINES,
     "Worse than a constant answer: a loss of 0.041 against 0.002 on 114 test rows."),
    (with_gains(constant=LITTLE, linear=LITTLE, neighbours=LITTLE),
     "As good as a constant answer: 94.7 % against 63.0 % of 114 test rows."),
    (with_gains(constant=LITTLE), f"Worse than {LINEAR}"),
    # Figures have as many digits as chance leaves.
    (VALUES | {"gains": {"constant": ranges(r2=(0.7, 0.812, 0.9), loss=(0.6, 0.8, 1))}},
     "Better than a constant answer: R² 0.81 against 0.00 on 80 test rows."),
    (VALUES | {"gains": {"constant": ranges(r2=(0.811, 0.812, 0.813), loss=(0.6, 0.8, 1))}},
     "Better than a constant answer: R² 0.8123 against 0.0000 on 80 test rows."),
    # Without intervals there is no verdict.
    (UNKNOWN | {"baselines": {}}, "94.7 % of 114 test rows are right."),
    (UNKNOWN | {"rows": {}, "baselines": {}}, "94.7 % of test rows are right."),
    (UNKNOWN | {"gains": {"linear": {"loss": {"value": -0.1, "low": None, "high": None}}}},
     "94.7 % of 114 test rows are right."),
    (UNKNOWN | {"test": {"loss": 0.2667, "roc_auc": None}, "baselines": {}}, "ROC AUC – on 114 test rows."),
    (UNKNOWN | {"test": {"loss": -1.5}, "baselines": {}}, "A loss of −1.5000 on 114 test rows."),
    # Without test rows other rows are named.
    (TRAINED, "100.0 % of 9 training rows are right. No rows were held out for testing."),
    (TRAINED | {"out_of_fold": both(0.5, 0.8)}, "80.0 % of 9 training rows out of fold are right. No rows were held "
     "out for testing."),
    (WATCHED | {"baselines": {"linear": {"validation": both(0.4, 0.8)}}},
     "90.0 % of 6 validation rows are right. No rows were held out for testing."),
]  # fmt: skip


@pytest.mark.parametrize(("evaluation", "told"), VERDICTS, ids=range(len(VERDICTS)))
def test_a_run_in_a_sentence(evaluation: dict[str, Any], told: str) -> None:
    assert headline.verdict(evaluation) == told


def test_a_network_that_loses_beyond_chance_is_compared_by_its_metric_though_that_alone_may_be_chance() -> None:
    assert headline.comparison(EVALUATION) == (-1, "linear", "accuracy")


def test_a_page_begins_with_a_strip_of_all_predictors_and_the_table_of_the_terminal() -> None:
    beside = {"linear": {"accuracy": {"low": 0.925, "high": 0.991, "method": "wilson"}}}
    begins = answer_charts.beginning_of(
        {**EVALUATION, "baseline_intervals": beside}, [find("metric", "accuracy")()], "network"
    )
    assert begins["verdict"].startswith("Worse than a linear model")
    chart = begins["strip"].chart
    told = "Test accuracy: network 94.7 %, linear 97.4 %, neighbours 93.9 %, constant 63.0 %"
    assert f'aria-label="{told}"' in chart
    assert chart.count("<circle") == 4
    assert "network 94.7 %, 95 % interval 89.0–98.0 %" in chart
    assert "linear 97.4 %, 95 % interval 92.5–99.1 %" in chart
    assert begins["scores"].lines() == [
        "          loss   accuracy          95 %   constant   linear",
        "train   0.0500     98.0 %",
        "test    0.1170     94.7 %   89.0–98.0 %     63.0 %   97.4 %",
    ]


def test_errors_and_minus_signs_in_the_table_are_as_pages_have_them() -> None:
    bounds = {"low": 2.6, "high": 4.0, "method": "bootstrap"}
    evaluation = {
        "rows": {"train": 9, "test": 4},
        "train": {"loss": -0.5, "root_mean_squared_error": 3.05},
        "test": {"loss": -0.25, "root_mean_squared_error": 3.31},
        "intervals": {"test": {"loss": None, "root_mean_squared_error": bounds}},
    }
    begins = answer_charts.beginning_of(evaluation, [find("metric", "root_mean_squared_error")()], "network")
    assert begins["scores"].rows[1] == ["test", "−0.2500", "3.3", "2.6–4.0"]
    assert begins["scores"].header[2] == "root mean squared error"
    assert begins["verdict"] == "Root mean squared error 3.3 on 4 test rows."


def test_figures_of_a_strip_are_not_cut_off() -> None:
    scores = {
        name: answer_charts.Score(-0.0979, -0.2, 0.1, text, text)
        for name, text in [("neighbours", "−1.234e+05"), ("a", "1")]
    }
    assert "…" not in answer_charts.score_strip("test", "r2", scores, "").chart


@pytest.mark.parametrize("split", ["validation", "train"])
def test_without_test_rows_the_strip_is_of_others_without_intervals(split: str) -> None:
    figure = answer_charts.beginning_of(
        TRAINED | {split: {"accuracy": 0.9}}, [find("metric", "accuracy")()], "ensemble"
    )["strip"]
    assert (figure.title, figure.note) == (f"{split.capitalize()} accuracy", "The network beside simpler predictors.")
    assert figure.chart.count("<circle") == 1


def test_the_best_of_negative_scores_is_told_with_minus_signs() -> None:
    data = {"type": "make_regression", "n_samples": 20, "n_features": 2}
    training = {"loss": "mean_squared_error", "epochs": 1}
    spec = specnet.parse_spec({"data": data, "network": {"hidden_layer_sizes": [2]}, "training": training})
    runs = []
    for name, score in {"one": -0.0625, "two": -0.188, "three": -0.3724}.items():
        run = saved_run.SavedRun(name)  # of which nothing is on the disk
        run.spec, run.document, run.facts = spec, {}, {"finished": True, "data_sha256": "0"}
        run.evaluation = metrics_file.Evaluation({}, {"test": {"loss": 1.0, "r2": score}})
        runs.append(run)
    told = "one reaches the best test R², −0.0625; the other 2: −0.3724 to −0.1880."
    assert comparison_page.best_run(runs, [spec] * 3) == told
