"""The table of a model's figures."""

from specnet.report.terminal.scores import scores_table
from tests.registry import find

TRAIN, TEST = {"loss": 0.29931, "accuracy": 0.8541}, {"loss": 0.26671, "accuracy": 0.85}
METRICS = (find("metric", "accuracy")(),)
INTERVALS = {
    "test": {
        "loss": {"low": 0.21, "high": 0.34, "method": "bootstrap"},
        "accuracy": {"low": 0.7389, "high": 0.9190, "method": "wilson"},
        "roc_auc": None,
    }
}
BASELINES = {
    "linear": {"validation": {"loss": 0.33, "accuracy": 0.85}, "test": {"loss": 0.31, "accuracy": 0.8833}},
    "constant": {"validation": {"loss": 0.7, "accuracy": 0.5}, "test": {"loss": 0.69, "accuracy": 0.3833}},
    "neighbours": {"test": {"loss": 0.5, "accuracy": 0.5}},
}


def test_one_metric_stands_beside_its_interval_and_baselines() -> None:
    table = scores_table({"train": TRAIN, "test": TEST}, INTERVALS, BASELINES, METRICS)
    assert table.lines() == [
        "          loss   accuracy      95 %   constant   linear",
        "train   0.2993     85.4 %",
        "test    0.2667     85.0 %   74–92 %     38.3 %   88.3 %",
    ]


def test_validation_rows_are_compared_too() -> None:
    assert scores_table({"train": TRAIN, "validation": TEST, "test": TEST}, INTERVALS, BASELINES, METRICS).lines() == [
        "               loss   accuracy      95 %   constant   linear",
        "train        0.2993     85.4 %",
        "validation   0.2667     85.0 %               50.0 %   85.0 %",
        "test         0.2667     85.0 %   74–92 %     38.3 %   88.3 %",
    ]
    scores = {"train": {**TRAIN, "f1": 0.5}, "validation": {**TEST, "f1": 0.5}}
    loss = scores_table(scores, {}, BASELINES, METRICS).lines()[1]
    assert loss == "loss       0.2993       0.2667     0.7000   0.3300"


def test_without_a_metric_the_loss_is_compared() -> None:
    table = scores_table({"test": {"loss": 0.26671}}, INTERVALS, BASELINES, METRICS)
    assert table.lines() == [
        "         loss        95 %   constant   linear",
        "test   0.2667   0.21–0.34     0.6900   0.3100",
    ]


def test_the_best_baseline_stands_beside_the_constant() -> None:
    best = {"loss": 0.2, "accuracy": 0.9}
    baselines = {**BASELINES, "neighbours": {"test": {**best}}}
    expected = {"": "test", "loss": "0.2667", "accuracy": "85.0 %", "constant": "38.3 %", "neighbours": "90.0 %"}
    table = scores_table({"test": TEST}, {}, baselines, METRICS)
    assert dict(zip(table.header, table.rows[0], strict=True)) == expected
    loss = scores_table({"test": {"loss": 0.26671}}, {}, baselines, METRICS)
    assert loss.rows == [("test", "0.2667", "0.6900", "0.2000")]
    several = scores_table({"test": {**TEST, "neg_log_loss": -0.2}}, {}, baselines, METRICS)
    assert several.header == ["", "test", "constant", "neighbours"]
    unknown = {"constant": BASELINES["constant"], "linear": {"test": {"loss": 0.3, "accuracy": None}}}
    assert "linear" not in scores_table({"test": TEST}, {}, unknown, METRICS).header


def test_several_metrics_have_rows_of_their_own() -> None:
    areas = {"train": 0.94, "validation": None, "test": 1}
    scores = {split: {**(TRAIN if split == "train" else TEST), "roc_auc": area} for split, area in areas.items()}
    assert scores_table(scores, INTERVALS, BASELINES, METRICS).lines() == [
        "            train   validation     test        95 %   constant   linear",
        "loss       0.2993       0.2667   0.2667   0.21–0.34     0.6900   0.3100",
        "accuracy   85.4 %       85.0 %   85.0 %     74–92 %     38.3 %   88.3 %",
        "roc_auc    0.9400            –   1.0000",
    ]


def test_metrics_have_as_many_digits_as_their_interval_leaves() -> None:
    scores = {"train": {"loss": 0.1234, "r2": 0.93456}, "test": {"loss": 0.2, "r2": 0.81234}}
    bounds = {"test": {"r2": {"low": 0.72, "high": 0.88, "method": "bootstrap"}}}
    constant = {"constant": {"test": {"loss": 1.0, "r2": -4.026e-06}}}
    assert scores_table(scores, bounds, constant, [find("metric", "r2")()]).lines() == [
        "          loss     r2        95 %   constant",
        "train   0.1234   0.93",
        "test    0.2000   0.81   0.72–0.88       0.00",
    ]


def test_what_there_is_not_has_no_column() -> None:
    assert scores_table({"train": TRAIN}).lines() == ["          loss   accuracy", "train   0.2993     85.4 %"]
    assert scores_table({"test": TEST}, {"test": {"accuracy": None}}).header == ["", "loss", "accuracy"]
