"""The benchmark of coverage counts what files of predictions cover, and holds it against metrics.json."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas
import pytest

from tests.benchmarks.tables import coverage
from tests.cli.conftest import called


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = pandas.DataFrame({"a": rng.normal(size=150), "place": np.array(["north", "south"])[np.arange(150) % 2]})
    rows.assign(size=2 * rows.a + rng.normal(size=150)).to_csv(tmp_path / "sizes.csv", index=False)
    rows.assign(kind=np.where(rows.a > 0, "1", "no")).to_csv(tmp_path / "kinds.csv", index=False)
    known = {"sizes": {"kind": "values", "target": "size"}, "kinds": {"kind": "classes", "target": "kind"}}
    (tmp_path / "tables.json").write_text(json.dumps(known))
    return tmp_path


def test_rows_that_depend_on_others_are_held_out_together(folder: Path):
    known = {"target": "y", "kind": "values"}
    about = {"a": known, "b": known | {"group": "brand", "time": "day"}, "c": known | {"time": "day"}}
    (folder / "tables.json").write_text(json.dumps(about))
    plain, grouped, random, later = coverage.covered_tables([folder], [])
    assert plain.settings(3, "quick") == ["seed=3", "data.split.random_state=3"]
    assert grouped.settings(1, "recipe") == ["seed=1", 'data.split.group="brand"', "data.split.random_state=1"]
    assert random.settings(2, "recipe") == ["seed=2", "data.split.random_state=2"]
    assert later.settings(0, "quick") == ["seed=0", 'data.split.time="day"']
    assert later.settings(0, "recipe")[2:] == [
        "data.split.validation_size=0.1",
        'training.ensemble={members=5, validation="split"}',
    ]
    assert [table.rows for table in (plain, grouped, random, later)] == ["values"] * 3 + ["values, later"]
    assert [len(table.splits) for table in (plain, grouped, random, later)] == [5, 5, 5, 1]


@pytest.mark.trains
@pytest.mark.slow
def test_coverage_is_that_of_the_files(folder: Path, tmp_path: Path):
    def call_here(folder: Path, *arguments: str) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            assert called(*arguments, "-q") == 0

    (table,) = coverage.covered_tables([folder], ["sizes"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coverage, "_specnet", call_here)
        found = table.covered(tmp_path, 1, "quick")
    y, low, high = (
        np.array([float(row[name]) for row in csv.DictReader((tmp_path / file).read_text().splitlines())])
        for file, name in (("test.csv", "size"), ("out.csv", "lower"), ("out.csv", "upper"))
    )
    assert len(y) == len(low) == 30
    assert found[3, :2].tolist() == [np.mean((low <= y) & (y <= high)), pytest.approx(np.mean(high - low) / y.std())]
    assert found[3, 0] >= found[2, 0]
    assert 0.2 < found[0, 0] <= found[1, 0] <= found[2, 0]
    metrics = tmp_path / "run/metrics.json"
    evaluation = json.loads(metrics.read_text())
    evaluation["tables"]["test"]["coverage"][0]["covered"] = [0.123]
    metrics.write_text(json.dumps(evaluation))
    (tmp_path / "out.csv").unlink()  # a process of its own writes it again
    with pytest.raises(ValueError, match=r"metrics.json says 0.123"):
        table.covered(tmp_path, 1, "quick")


def test_what_misses_its_bound_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    made = np.array([[0.5, 1, 0, 0, 0], [0.8, 1, 0, 0, 0], [0.87, 2, 0.95, 0.9, 0.7], [0.95, 3, 1, 1, 1]])
    monkeypatch.setattr(coverage.CoveredTable, "covered", lambda *_: made)
    assert coverage.main([str(folder), "sizes", "kinds", "--mode", "quick"]) == 1
    printed = capsys.readouterr().out
    assert "| sizes | values | quick | 50.0% (1) | 80.0% (1) | 87.0% (2) | 95.0% (3) | 95.0% 90.0% 70.0% |" in printed
    assert "Missed: sizes, quick: 70.0% of a third for 90%" in printed
    assert "Missed: mean of classes, quick: 87.0% for 90%" in printed
    made[2] = [0.9, 2, 0.95, 0.9, 0.85]
    assert coverage.main([str(folder), "sizes", "kinds"]) == 0
