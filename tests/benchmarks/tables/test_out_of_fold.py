"""The benchmark of out-of-fold losses trains the same members, but for what their preprocessing has seen."""

from pathlib import Path

import numpy as np
import pytest

from specnet import parse_spec
from specnet.running.data_rows import read_data
from tests.benchmarks.tables.out_of_fold import MADE, MEMBERS, compared, losses, own_answers, sampled, spec_on


@pytest.fixture(params=MADE)
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    (tmp_path / "rows.csv").write_text("\n".join(MADE[request.param](np.random.default_rng(0))) + "\n")
    return tmp_path / "rows.csv"


def test_classes_and_values_are_told_apart(table: Path):
    spec, values = spec_on(table, "y", 3), table.read_text().startswith("a,b,c,y")
    assert spec.training.loss.type == ("mean_squared_error" if values else "categorical_crossentropy")
    assert spec.seed == 3
    data = read_data(spec)
    assert len(data.splits["test"]) == max(np.bincount(data.splits["train"].folds))
    assert len(np.unique(data.splits["train"].folds)) == MEMBERS


def test_without_preprocessing_both_ways_are_the_same(tmp_path: Path):
    (tmp_path / "rows.csv").write_text("\n".join(MADE["noise"](np.random.default_rng(0))) + "\n")
    changes = ["network.preprocessing=[]", "network.dtype=float64", "training.epochs=2"]
    shared, own = compared(parse_spec(spec_on(tmp_path / "rows.csv", "y", 0), overrides=changes))
    np.testing.assert_allclose(own, shared, rtol=1e-9)
    assert len(shared) == 400


def test_preprocessing_of_a_fold_does_not_see_its_rows(tmp_path: Path):
    """A number far away in a member's own fold changes none of its other answers."""
    lines = MADE["noise"](np.random.default_rng(0))

    def answers(text: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        (tmp_path / "rows.csv").write_text(text)
        spec = parse_spec(spec_on(tmp_path / "rows.csv", "y", 0), overrides=["training.epochs=2"])
        data = read_data(spec)
        rows = data.splits["train"]
        return rows.chosen, rows.in_fold(1), losses(own_answers(spec, data, 1), None)

    data_rows, mine, before = answers("\n".join(lines) + "\n")
    row = int(data_rows[np.flatnonzero(mine)[0]])
    lines[row + 1] = "1e6" + lines[row + 1][lines[row + 1].index(",") :]
    *_, after = answers("\n".join(lines) + "\n")
    np.testing.assert_array_equal(after[1:], before[1:])
    assert after[0] != before[0]


def test_a_sample_has_the_header_and_some_of_the_lines(tmp_path: Path):
    (tmp_path / "rows.csv").write_text("a,y\n" + "".join(f"{row},1\n" for row in range(1000)))
    header, *lines = sampled(tmp_path / "rows.csv")(np.random.default_rng(0))
    assert header == "a,y"
    assert len(set(lines)) == 480
