"""How pages begin: a strip of scores, and the terminal's table of them."""

from __future__ import annotations

import pytest

from specnet.parts.metrics import Accuracy, RootMeanSquaredError
from specnet.report.pages.answer_charts import Score, beginning_of, score_strip
from tests.report.pages.test_headline import EVALUATION


def test_a_page_begins_with_a_strip_of_all_predictors_and_the_table_of_the_terminal() -> None:
    beside = {"linear": {"accuracy": {"low": 0.925, "high": 0.991, "method": "wilson"}}}
    begins = beginning_of({**EVALUATION, "baseline_intervals": beside}, [Accuracy()], "network")
    assert begins["verdict"].startswith("Worse than a linear model")
    strip = begins["strip"]
    told = "Test accuracy: network 94.7 %, linear 97.4 %, neighbours 93.9 %, constant 63.0 %"
    assert f'aria-label="{told}"' in strip.chart
    assert strip.chart.count("<circle") == 4
    assert "network 94.7 %, 95 % interval 89.0–98.0 %" in strip.chart
    assert "linear 97.4 %, 95 % interval 92.5–99.1 %" in strip.chart
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
    begins = beginning_of(evaluation, [RootMeanSquaredError()], "network")
    assert begins["scores"].rows[1] == ["test", "−0.2500", "3.3", "2.6–4.0"]
    assert begins["scores"].header[2] == "root mean squared error"
    assert begins["verdict"] == "Root mean squared error 3.3 on 4 test rows."


def test_figures_of_a_strip_are_not_cut_off() -> None:
    scores = {name: Score(-0.0979, -0.2, 0.1, text, text) for name, text in [("neighbours", "−1.234e+05"), ("a", "1")]}
    assert "…" not in score_strip("test", "r2", scores, "").chart


@pytest.mark.parametrize("split", ["validation", "train"])
def test_without_test_rows_the_strip_is_of_others_without_intervals(split: str) -> None:
    evaluation = {"rows": {"train": 9}, "train": {"loss": 0.5, "accuracy": 1.0}} | {split: {"accuracy": 0.9}}
    figure = beginning_of(evaluation, [Accuracy()], "ensemble")["strip"]
    assert (figure.title, figure.note) == (f"{split.capitalize()} accuracy", "The network beside simpler predictors.")
    assert figure.chart.count("<circle") == 1
