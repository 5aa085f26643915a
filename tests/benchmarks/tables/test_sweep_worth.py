"""The benchmark of sweeps compares the same folds, and goes on where it was stopped."""

import json
from dataclasses import asdict, replace

import pytest

from tests.benchmarks.tables import sweep_worth
from tests.benchmarks.tables.recipe import TABLES
from tests.benchmarks.tables.sweep_worth import (
    BEST,
    RECIPE,
    TEAM,
    Case,
    Outcome,
    Source,
    planned,
    read_results,
    sources,
    tell,
)

CASE = Case("wine", 11, 0, TEAM)


def test_ways_are_judged_on_the_same_folds():
    cases = planned(2, TABLES)
    assert len(set(cases)) == len(cases)
    for way in (BEST, RECIPE):
        assert {replace(case, way=TEAM) for case in cases if case.way == way} == {
            case for case in cases if case.way == TEAM
        }
    assert {case.table for case in cases[: len(TABLES) * 3]} == {*TABLES}
    assert replace(CASE, way=BEST).settings() == CASE.settings() == replace(CASE, way=RECIPE).settings()


def test_differences_are_those_of_folds_that_all_ways_have_finished(capsys):
    scores = {TEAM: (0.9, 0.8, 1.0, 0.1), BEST: (0.8, 0.8, 0.8, 0.2), RECIPE: (0.9, 0.9, 0.9, None)}
    found = {
        replace(CASE, fold=fold, way=way): Outcome(score, score and 2 - score, 2.0)
        for way, each in scores.items()
        for fold, score in enumerate(each)
    }
    tell(found, {"wine": Source("y", False)})
    rows = capsys.readouterr().out.splitlines()[3:]
    # The ratios of losses are the third roots of 1.1 · 1.2 · 1.0 / 1.2³ and of 1.1 · 1.2 · 1.0 / 1.1³.
    # Differences from the best trial of 0.1, 0 and 0.2; their mean is 0.1, and its standard error 0.1 / √3.
    assert rows == [
        f"| wine | 3 | {TEAM} | 0.9000 | – | 1.1000 | – | 2.0 |",
        f"| wine | 3 | {BEST} | 0.8000 | +0.1000 ± 0.0577 | 1.2000 | -0.1000 ± 0.0577 | 2.0 |",
        f"| wine | 3 | {RECIPE} | 0.9000 | +0.0000 ± 0.0577 | 1.1000 | -0.0000 ± 0.0577 | 2.0 |",
        "| all | 1 | best trial | – | – | – | 0.914 × | – |",
        "| all | 1 | recipe | – | – | – | 0.997 × | – |",
    ]


def test_what_is_there_is_not_computed_again(tmp_path, monkeypatch):
    other = replace(CASE, way=RECIPE)
    outcomes = {CASE: [Outcome(None, None, 3.0), Outcome(0.9, 0.1, 2.0)], other: [Outcome(0.8, 0.2, 1.0)]}
    monkeypatch.setattr(sweep_worth, "planned", lambda *_: [CASE, other])
    monkeypatch.setattr(sweep_worth, "computed", lambda case, *_: outcomes[case].pop(0))
    with pytest.raises(SystemExit):
        sweep_worth.compute(tmp_path, 1, {"wine": Source("y", False)})
    sweep_worth.compute(tmp_path, 1, {"wine": Source("y", False)})
    sweep_worth.compute(tmp_path, 1, {"wine": Source("y", False)})
    lines = (tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["case"] for line in lines] == [asdict(CASE)] * 2 + [asdict(other)]
    assert read_results(lines) == {CASE: Outcome(0.9, 0.1, 5.0), other: Outcome(0.8, 0.2, 1.0)}


def test_small_tables_of_a_folder_join_those_of_scikit_learn(tmp_path):
    about = {"small": {"kind": "classes", "target": "kind"}, "large": {"kind": "values", "target": "size"}}
    (tmp_path / "tables.json").write_text(json.dumps(about))
    for name, rows in (("small", 2000), ("large", 2001)):
        (tmp_path / f"{name}.csv").write_text("head\n" + "1\n" * rows)
    found = sources(tmp_path)
    assert found.keys() - {"small"} == {*TABLES} == sources(None).keys()
    assert found["small"] == Source("kind", False, tmp_path / "small.csv")
    assert [name for name, source in found.items() if source.is_values] == ["diabetes"]
