"""How pages begin: a run in a sentence, a strip of scores, the terminal's table of them; and the best of many runs."""

from __future__ import annotations

import tomllib
from copy import deepcopy
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest

import specnet
from specnet.report.pages import comparison_page, headline
from specnet.saved import metrics_file, saved_run
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


def test_a_page_begins_with_a_strip_of_all_predictors_and_the_table_of_the_terminal() -> None:
    beside = {"linear": {"accuracy": {"low": 0.925, "high": 0.991, "method": "wilson"}}}
    begins = headline.beginning_of(
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
    begins = headline.beginning_of(evaluation, [find("metric", "root_mean_squared_error")()], "network")
    assert begins["scores"].rows[1] == ["test", "−0.2500", "3.3", "2.6–4.0"]
    assert begins["scores"].header[2] == "root mean squared error"
    assert begins["verdict"] == "Root mean squared error 3.3 on 4 test rows."


def test_figures_of_a_strip_are_not_cut_off() -> None:
    scores = {
        name: headline.Score(-0.0979, -0.2, 0.1, text, text)
        for name, text in [("neighbours", "−1.234e+05"), ("a", "1")]
    }
    assert "…" not in headline.score_strip("test", "r2", scores, "").chart


@pytest.mark.parametrize("split", ["validation", "train"])
def test_without_test_rows_the_strip_is_of_others_without_intervals(split: str) -> None:
    figure = headline.beginning_of(TRAINED | {split: {"accuracy": 0.9}}, [find("metric", "accuracy")()], "ensemble")[
        "strip"
    ]
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
