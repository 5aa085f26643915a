"""How pages begin: a run in a sentence, its gains on one axis, the terminal's table; and the best of many runs."""

from __future__ import annotations

import re
import tomllib
from copy import deepcopy
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest

from specnet.report.pages import comparison_page, headline, page_beginning
from specnet.saved import saved_run
from tests.benchmarks.verdicts import MAX_FALSE, false_verdicts
from tests.registry import find

CASES = tomllib.loads(Path(__file__).with_name("verdicts.toml").read_text("utf-8"))


def plain(value: Any) -> Any:
    """Return a value of verdicts.toml as evaluations have it."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        if len(value) < 3:  # names, or the confusion of two classes
            return value
        return dict(zip(("low", "value", "high", "p_value"), value, strict=False))
    return None if value == "none" else value


EVALUATION = plain(CASES["evaluation"])
TRAINED = {"rows": {"train": 9}, "train": {"loss": 0.5, "accuracy": 1.0}}


def evaluation_of(case: dict[str, Any]) -> dict[str, Any]:
    """Return the evaluation of a case."""
    if "evaluation" in case:
        return plain(case["evaluation"])
    changed = deepcopy(EVALUATION)
    for path in [*case.get("set", {}), *case.get("removed", [])]:
        *tables, key = path.split(".")
        table = reduce(getitem, tables, changed)
        if path in case.get("set", {}):
            table[key] = plain(case["set"][path])
        else:
            del table[key]
    return changed


@pytest.mark.parametrize("name", CASES["verdicts"])
def test_a_run_in_a_sentence(name: str) -> None:
    case = CASES["verdicts"][name]
    assert headline.verdict(evaluation_of(case)) == case["verdict"]


def test_a_network_that_loses_beyond_chance_is_compared_by_the_statistic_that_decides() -> None:
    assert headline.comparison(EVALUATION) == (-1, "linear", "loss")


def test_a_network_as_good_as_its_baselines_is_rarely_called_better_or_worse() -> None:
    assert false_verdicts(60, 500) <= MAX_FALSE


def test_a_page_begins_with_gains_in_the_statistic_that_decides_and_the_table_of_the_terminal() -> None:
    begins = page_beginning.beginning_of(EVALUATION, [find("metric", "accuracy")()], "network")
    assert begins["verdict"].startswith("Worse than a linear model: a loss of 0.1170")
    figure = begins["strip"]
    assert figure.note.startswith("Loss of the network on test rows: 0.1170. Lines are 95")
    told = "linear 0.0810: −0.0360, neighbours 0.1300: +0.0130, constant 0.6600: +0.5430"
    assert f'aria-label="Gain over simpler predictors: {told}"' in figure.chart
    assert "← worse · reduction of loss · better →" in figure.chart
    assert "linear 0.0810: −0.0360, 95 % interval −0.0750 to −0.0040" in figure.chart
    # The gain over the constant is beyond the axis, which has 0 in its middle.
    assert figure.chart.count("<circle") == 2
    assert figure.chart.count('class="arrow whisker"') == 1
    x = {each: float(at) for at, each in re.findall(r'<text[^>]* x="([\d.]+)"[^>]*>([−\d.]+)</text>', figure.chart)}
    assert x["0"] - x["−0.2"] == pytest.approx(x["0.2"] - x["0"], abs=0.2)
    assert begins["scores"].lines() == [
        "          loss   accuracy   95 % interval   constant   linear",
        "train   0.0500     98.0 %",
        "test    0.1170     94.7 %     89.0–98.0 %     63.0 %   97.4 %",
    ]


def test_gains_are_in_points_of_accuracy_if_accuracy_decides() -> None:
    case = CASES["verdicts"]["better by both"]
    figure = page_beginning.strip_of(evaluation_of(case), "network")
    assert figure is not None
    assert "linear 97.4 %: +3.0 points, 95 % interval +1.0 to +5.0 points" in figure.chart
    assert "← worse · points of accuracy · better →" in figure.chart


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("balanced_accuracy", "points of balanced accuracy · better →"),
        ("root_mean_squared_error", "← worse · reduction · better →"),
    ],
)
def test_the_axis_of_gains_always_says_what_its_numbers_are(name: str, label: str) -> None:
    gains = {"linear": page_beginning.Gain(0.702, 0.05)}
    figure = page_beginning.gains_chart("Gain", "", name, gains, "linear", is_reduction=name.endswith("error"))
    assert f">{label}</text>" in figure.chart


def test_gains_from_the_intervals_of_both_scores_are_not_called_paired() -> None:
    evaluation = evaluation_of(CASES["verdicts"]["better by both"])
    for each in evaluation["gains"].values():
        for gain in each.values():
            gain["method"] = headline.UNPAIRED
    figure = page_beginning.strip_of(evaluation, "team")
    assert figure is not None
    assert "intervals from those of both scores" in figure.note
    assert "paired differences" not in figure.note


def test_errors_and_minus_signs_in_the_table_are_as_pages_have_them() -> None:
    bounds = {"low": 2.6, "high": 4.0, "method": "bootstrap"}
    evaluation = {
        "rows": {"train": 9, "test": 4},
        "train": {"loss": -0.5, "root_mean_squared_error": 3.05},
        "test": {"loss": -0.25, "root_mean_squared_error": 3.31},
        "intervals": {"test": {"loss": None, "root_mean_squared_error": bounds}},
    }
    begins = page_beginning.beginning_of(evaluation, [find("metric", "root_mean_squared_error")()], "network")
    assert begins["scores"].rows[1] == ["test", "−0.2500", "3.310", "2.600–4.000"]
    assert begins["scores"].header[2] == "root mean squared error"
    assert begins["verdict"] == "Root mean squared error 3.310 on 4 test rows."


def test_a_gain_that_is_far_away_does_not_hide_the_others() -> None:
    """The axis ends where two of three gains are within it, however small the one to be read first is."""
    values = {"nearest": 0.001, "b": 0.2, "c": 0.25, "d": 0.3, "far": 40.0}
    gains = {name: page_beginning.Gain(1.0, value, 0.9 * value, 1.1 * value) for name, value in values.items()}
    chart = page_beginning.gains_chart("Gain", "", "r2", gains, "nearest", is_reduction=False).chart
    assert chart.count('class="arrow whisker"') == 1


def test_texts_of_gains_are_not_cut_off() -> None:
    gains = {
        name: page_beginning.Gain(its, -0.0979, -0.2, 0.1) for name, its in [("neighbours", -123_400.0), ("a", 1.0)]
    }
    assert "…" not in page_beginning.gains_chart("Gain", "", "r2", gains, "a", is_reduction=False).chart


@pytest.mark.parametrize("split", ["validation", "train"])
def test_without_test_rows_gains_have_no_intervals(split: str) -> None:
    evaluation = TRAINED | {split: {"accuracy": 0.9}, "baselines": {"linear": {split: {"accuracy": 0.95}}}}
    figure = page_beginning.strip_of(evaluation, "ensemble")
    assert figure is not None
    assert figure.note.endswith("90.0 %. The dots have no intervals: no rows were held out for testing.")
    assert "linear 95.0 %: −5.0 points" in figure.chart
    assert figure.chart.count("<circle") == 1
    assert "interval" not in figure.chart


def test_without_other_predictors_there_are_no_gains() -> None:
    assert page_beginning.strip_of(TRAINED, "network") is None


def test_the_best_of_negative_scores_is_told_with_minus_signs() -> None:
    """The two others are worse if both p-values are small enough for three pairs of runs."""
    scores = {"two": -0.188, "three": -0.372}
    runs = [saved_run.SavedRun(name) for name in ("one", *scores)]  # of which nothing is on the disk
    for p_values, told in {
        (
            0.02,
            0.01,
        ): "Run one is better than all 2 other runs: test R² −0.062 against at best −0.188, on 40 test rows.",
        (0.04, 0.01): "Run one is better than 1 of the 2 other runs, with no clear difference from two: test R² −0.062 "
        "against −0.188 of two, on 40 test rows.",
        (0.02, 0.03): "No clear difference: one has the best test R², −0.062, two −0.188; on 40 test rows the gain may "
        "be −0.075 to +0.321.",
    }.items():
        gains = {}
        for (name, score), p_value in zip(scores.items(), p_values, strict=True):
            gain = {"value": -0.0625 - score, "low": -0.0625 - score - 0.2, "high": -0.0625 - score + 0.195}
            gains[name] = {"r2": gain | {"p_value": p_value, "model": -0.0625, "baseline": score}}
        compared = {"r2": {"best": "one", "rows": {"test": 40}, "gains": gains}}
        assert comparison_page.best_run(runs, compared) == told
