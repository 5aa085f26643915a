"""The benchmark of sweeps compares the same folds, and goes on where it was stopped."""

import json
from dataclasses import asdict, replace

import pytest

from tests.benchmarks.tables import sweep_worth
from tests.benchmarks.tables.recipe import TABLES
from tests.benchmarks.tables.sweep_worth import RANDOM, RECIPE, SWEEP, Case, Outcome, planned, read_results, tell

CASE = Case("wine", 11, 0, SWEEP)


def test_ways_are_judged_on_the_same_folds():
    cases = planned(2)
    assert len(set(cases)) == len(cases)
    for way in (RANDOM, RECIPE):
        assert {replace(case, way=SWEEP) for case in cases if case.way == way} == {
            case for case in cases if case.way == SWEEP
        }
    assert {case.table for case in cases[: len(TABLES) * 3]} == {*TABLES}
    assert replace(CASE, way=RANDOM).settings()[:2] == CASE.settings() == replace(CASE, way=RECIPE).settings()


def test_differences_are_those_of_folds_that_all_ways_have_finished(capsys):
    scores = {SWEEP: (0.9, 0.8, 1.0, 0.1), RANDOM: (0.8, 0.8, 0.8, 0.2), RECIPE: (0.9, 0.9, 0.9, None)}
    found = {
        replace(CASE, fold=fold, way=way): Outcome(score, score and 1 - score, 2.0)
        for way, each in scores.items()
        for fold, score in enumerate(each)
    }
    tell(found)
    rows = capsys.readouterr().out.splitlines()[3:]
    # Differences from random trials of 0.1, 0 and 0.2; their mean is 0.1, and its standard error 0.1 / √3.
    assert rows == [
        f"| wine | 3 | {SWEEP} | 0.9000 | – | 0.1000 | – | 2.0 |",
        f"| wine | 3 | {RANDOM} | 0.8000 | +0.1000 ± 0.0577 | 0.2000 | -0.1000 ± 0.0577 | 2.0 |",
        f"| wine | 3 | {RECIPE} | 0.9000 | +0.0000 ± 0.0577 | 0.1000 | +0.0000 ± 0.0577 | 2.0 |",
    ]


def test_what_is_there_is_not_computed_again(tmp_path, monkeypatch):
    other = replace(CASE, way=RECIPE)
    outcomes = {CASE: [Outcome(None, None, 3.0), Outcome(0.9, 0.1, 2.0)], other: [Outcome(0.8, 0.2, 1.0)]}
    monkeypatch.setattr(sweep_worth, "planned", lambda _: [CASE, other])
    monkeypatch.setattr(sweep_worth, "write_spec", lambda *_: None)
    monkeypatch.setattr(sweep_worth, "computed", lambda case, *_: outcomes[case].pop(0))
    with pytest.raises(SystemExit):
        sweep_worth.compute(tmp_path, 1)
    sweep_worth.compute(tmp_path, 1)
    sweep_worth.compute(tmp_path, 1)
    lines = (tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["case"] for line in lines] == [asdict(CASE)] * 2 + [asdict(other)]
    assert read_results(lines) == {CASE: Outcome(0.9, 0.1, 5.0), other: Outcome(0.8, 0.2, 1.0)}
