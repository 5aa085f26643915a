"""The benchmark of coverage counts what it says on the rows it says."""

import json
from pathlib import Path

import numpy as np
import pandas
import pytest
from sklearn.model_selection import train_test_split

from specnet import SpecRegressor
from tests.benchmarks.tables import coverage


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = pandas.DataFrame({"a": rng.normal(size=150), "place": np.array(["north", "south"])[np.arange(150) % 2]})
    rows.assign(size=2 * rows.a).to_csv(tmp_path / "sizes.csv", index=False)
    rows.assign(kind=np.where(rows.a > 0, "1", "no")).to_csv(tmp_path / "kinds.csv", index=False)
    known = {"sizes": {"kind": "values", "target": "size"}, "kinds": {"kind": "classes", "target": "kind"}}
    (tmp_path / "tables.json").write_text(json.dumps(known))
    return tmp_path


def test_tables_are_read_with_their_targets(folder: Path):
    sizes, kinds, diabetes = coverage.tables(folder, [])
    assert [table.name for table in (sizes, kinds, diabetes)] == ["sizes", "kinds", "diabetes"]
    assert [table.has_values for table in (sizes, kinds, diabetes)] == [True, False, True]
    assert list(sizes.X) == list(kinds.X) == ["a", "place"]
    assert set(kinds.y) == {"1", "no"}
    assert [table.name for table in coverage.tables(folder, ["kinds"])] == ["kinds"]


@pytest.mark.slow
def test_coverage_is_that_of_the_test_rows(folder: Path):
    sizes, kinds = coverage.tables(folder, ["sizes", "kinds"])
    found = sizes.covered(1, epochs=3)
    train, test = train_test_split(np.arange(150), test_size=0.2, random_state=1)
    made = SpecRegressor("recipe", random_state=1, epochs=3).fit(sizes.X.iloc[train], sizes.y[train])
    for (covered, width), level in zip(found, (0.8, 0.9, 0.95), strict=True):
        reach = made.model_.interval_reach(level)[0]
        errors = np.abs(made.predict(sizes.X.iloc[test]) - sizes.y[test])
        assert covered == pytest.approx(np.mean(errors <= reach))
        assert width == pytest.approx(2 * reach / sizes.y.std(), rel=1e-4)
    found = kinds.covered(0, epochs=3)
    assert ((found >= 0) & (found <= [1, 2])).all()
    assert (np.diff(found, axis=0) >= 0).all()


def test_what_misses_its_bound_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    monkeypatch.setattr(
        coverage.CoveredTable, "covered", lambda self, split: np.array([[0.8, 1], [0.83, 2], [0.95, 3]])
    )
    assert coverage.main([str(folder), "sizes", "kinds"]) == 1
    printed = capsys.readouterr().out
    assert "| sizes | intervals | 80.0% (1) | 83.0% (2) | 95.0% (3) |" in printed
    assert "Missed: sizes: 83.0% for 90%" in printed
    assert "Missed: mean of sets: 83.0% for 90%" in printed
    monkeypatch.setattr(
        coverage.CoveredTable, "covered", lambda self, split: np.array([[0.79, 1], [0.9, 2], [0.96, 3]])
    )
    assert coverage.main([str(folder), "sizes", "kinds"]) == 0
