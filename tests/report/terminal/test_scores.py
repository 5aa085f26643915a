"""The table of a model's figures."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from specnet.report.terminal.scores import scores_table, spread_table
from tests.registry import find

CASES = tomllib.loads(Path(__file__).with_name("scores.toml").read_text("utf-8"))


def plain(value: Any) -> Any:
    """Return a value of scores.toml, whose "none" is nothing."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return None if value == "none" else value


@pytest.mark.parametrize("name", CASES)
def test_a_table_of_scores(name: str) -> None:
    case = plain(CASES[name])
    metrics = [find("metric", case["metric"])()]
    table = scores_table(case["scores"], case.get("intervals", {}), case.get("baselines", {}), metrics)
    assert table.lines() == case["lines"].splitlines()


def test_splits_need_neither_intervals_nor_baselines() -> None:
    case = CASES["what there is not has no column"]
    assert scores_table(case["scores"]).lines() == case["lines"].splitlines()


def test_a_series_does_not_repeat_the_loss_with_a_minus() -> None:
    figures = {"loss": 0.5, "accuracy": 0.75, "neg_log_loss": -0.5}
    summary = {"test": {name: {"mean": value, "std": 0.1} for name, value in figures.items()}}
    assert spread_table(summary).header == ["", "loss", "accuracy"]


def test_the_rival_of_the_verdict_is_in_the_table_even_if_another_is_better_by_the_main_metric() -> None:
    scores = {"test": {"loss": 0.4, "accuracy": 0.8}}
    baselines = {
        name: {"test": {"loss": loss, "accuracy": accuracy}}
        for name, loss, accuracy in (("constant", 0.9, 0.5), ("linear", 0.6, 0.85), ("neighbours", 0.3, 0.7))
    }
    for rival, shown in {"": "linear", "constant": "linear", "neighbours": "neighbours"}.items():
        assert scores_table(scores, {}, baselines, [find("metric", "accuracy")()], rival).header[-1] == shown
