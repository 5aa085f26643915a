"""The chart of losses: of simpler predictors beside those of a network, and which epochs are delivered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from specnet.report.pages.training_charts import training_figures
from tests.report.drawn import Drawn

TRAIN, OTHERS = {"loss": 0.3}, {"linear": 0.45, "constant": 0.7, "neighbours": 0.2}
LOSSES = np.linspace(0.9, 0.25, 11)


def chart(others: dict[str, float | None], delivered: list[int], members: int = 1, split: str = "test") -> Any:
    """The chart of losses that fall evenly, each member's one epoch longer than that before it."""
    history: list[dict[str, Any]] = [
        {"epoch": epoch, "loss": loss} | ({"member": member} if members > 1 else {})
        for member in range(members)
        for epoch, loss in enumerate([*LOSSES, *[LOSSES[-1]] * member], 1)
    ]
    baselines = {name: {split: {"loss": loss}} for name, loss in others.items()}
    evaluation = {"train": TRAIN, split: {"loss": 0.35}, "baselines": baselines}
    figure, *more = training_figures(history, [], evaluation, delivered, members)
    assert more == []
    return figure


def heights(drawn: Drawn, style: str) -> list[tuple[float, float]]:
    return [(first[1], last[1]) for first, *_, last in drawn.lines(style)]


@pytest.mark.parametrize(("split", "rows"), [("test", "test rows"), ("out_of_fold", "training rows out of fold")])
def test_losses_of_simpler_predictors_are_level_lines_at_their_values(split: str, rows: str) -> None:
    figure = chart(dict(OTHERS), [11], split=split)
    drawn = Drawn(figure.chart)
    ((first, last),) = heights(drawn, "quiet-line")
    # The height of a value, by two that are known: both ends of the curve.
    scale = (last - first) / (LOSSES[-1] - LOSSES[0])
    places = {name: first + scale * (loss - LOSSES[0]) for name, loss in OTHERS.items()}
    places["network"] = first + scale * (0.35 - LOSSES[0])
    lines = heights(drawn, "reference")
    assert len(lines) == 4
    for (left, right), name in zip(lines, ("network", "linear", "neighbours", "constant"), strict=True):
        assert left == right == pytest.approx(places[name], abs=0.11)
    of = {"test": "test", "out_of_fold": "out-of-fold"}[split]
    assert {"network", f"{of} 0.3500", "linear", f"{of} 0.4500", "neighbours", "constant", "train"} <= set(
        drawn.texts()
    )
    told = f"; on {rows} network 0.3500, linear 0.4500, neighbours 0.2000, constant 0.7000"
    assert told in drawn.root.attrib["aria-label"]
    assert f"Dotted lines: losses on {rows}. Compare simpler predictors with the network" in figure.note
    assert "Beyond" not in figure.note
    assert drawn.all("path", "guide") == []


def test_simpler_predictors_stand_beside_the_curve_of_their_rows() -> None:
    """With a validation curve the lines are of validation rows, and no line is of test rows."""
    history = [{"epoch": epoch, "loss": loss, "validation_loss": loss + 0.1} for epoch, loss in enumerate(LOSSES, 1)]
    baselines = {name: {"validation": {"loss": loss}, "test": {"loss": 0.111}} for name, loss in OTHERS.items()}
    evaluation = {"train": TRAIN, "validation": {"loss": 0.36}, "test": {"loss": 0.35}, "baselines": baselines}
    figure, *_ = training_figures(history, [], evaluation, [11], 1)
    drawn = Drawn(figure.chart)
    assert len(heights(drawn, "reference")) == 3
    assert {f"validation {loss:.4f}" for loss in OTHERS.values()} < set(drawn.texts())
    assert "test" not in figure.chart + figure.note
    assert "0.111" not in figure.chart + figure.note


def test_losses_far_beyond_the_curves_are_told_and_not_drawn() -> None:
    figure = chart({"linear": 40.0, "constant": 0.5, "trees": None}, [11])
    drawn = Drawn(figure.chart)
    assert len(heights(drawn, "reference")) == 2
    assert "linear" not in drawn.texts()
    assert figure.note.endswith("Beyond the chart, on test rows: linear 40.00.")
    assert "Beyond" not in chart({}, [11]).note


def test_the_epoch_whose_weights_are_restored_is_marked() -> None:
    figure = chart({}, [6])
    drawn = Drawn(figure.chart)
    ((x, top), (same, bottom)) = drawn.lines("guide")[0]
    ((left, _), *_, (right, _)) = drawn.lines("quiet-line")[0]
    assert x == same == pytest.approx((left + right) / 2, abs=0.11)
    assert top != bottom
    assert (
        "has the weights of epoch 6, the dashed line. The loss of the delivered network on the training rows is 0.3000."
        in figure.note
    )


def test_the_epochs_of_an_ensemble_are_marked_for_each_member() -> None:
    figure = chart(dict(OTHERS), [6, 12, 8], members=3)
    drawn = Drawn(figure.chart)
    assert len(drawn.lines("guide")) == 3
    assert "The delivered ensemble has the weights of epochs 6 to 12, the dashed lines." in figure.note
    assert {"ensemble", "test 0.3500"} < set(drawn.texts())
    assert "weights of" not in chart({}, [11, 12, 13], members=3).note
