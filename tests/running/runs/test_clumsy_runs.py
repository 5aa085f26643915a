"""Clumsy tables from the file to the model and back: each is trained, saved and loaded, or is one mistake."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import specnet
from specnet import Observer, SpecnetError
from tests.running.specs import spec_on

pytestmark = [pytest.mark.slow, pytest.mark.trains]

ROWS = 40
BY_COLUMN = {"column": "part"}
ALONE = {"test_size": 0.0}
FEATURES = ("numeric", "boolean", "datetime", "category")
CELLS = {"numeric": ("5", "6"), "boolean": ("yes", "no"), "datetime": ("2024-01-31", "2024-02-29")}
CELLS["category"] = ("red", "blue")


def lines(header: str, *cells: Any, rows: int = ROWS) -> str:
    """Return a table; each cell is a text, or a function of the row's number."""
    made = (",".join(str(cell(row)) if callable(cell) else cell for cell in cells) for row in range(rows))
    return "\n".join([header, *made]) + "\n"


def part(row: int) -> str:
    return "train" if row < 30 else "test"


def number(row: int) -> int:
    return row * row % 7


def day(row: int) -> str:
    return "2024-02-30" if row == 35 else f"2024-01-{1 + row % 28:02}"


def label(row: int) -> int:
    return row % 3 % 2


def run(
    folder: Path,
    content: str,
    loss: str = "categorical_crossentropy",
    *,
    network: Any = (),
    training: Any = None,
    **data: Any,
) -> Any:
    """Train on a table as a spec in a file says; return the result, once what was saved answers as it does."""
    path = folder / "rows.csv"
    path.write_text(content)
    given = {"type": "csv", "path": str(path), "target": "y", "split": ALONE, **data}
    training = {"loss": loss, "epochs": 2, **(training or {})}
    result = specnet.run(spec_on(given, 3, network, **training), folder / "out", observer=Observer(), force=True)
    saved = specnet.load_model(folder / "out")
    assert saved.to_bytes() == result.model.to_bytes()
    assert np.isfinite([figure for figures in result.metrics.values() for figure in figures.values()]).all()
    return result


def codes(result: Any) -> list[str]:
    return [warning.code for warning in result.warnings]


def refused(folder: Path, content: str, **given: Any) -> Any:
    with pytest.raises(SpecnetError) as caught:
        run(folder, content, **given)
    (problem,) = caught.value.diagnostics
    return problem


def test_one_class(tmp_path: Path):
    content = lines("a,y", number, "red")
    problem = refused(tmp_path, content)
    assert (problem.code, problem.path) == ("loss-target", ("training", "loss"))
    assert problem.message.endswith("needs two classes or more, but the target has one: red")
    problem = refused(tmp_path, content, loss="binary_crossentropy")
    assert problem.message.endswith("needs two classes, but the target has one: red")
    content = lines("a,y", number, "0")
    assert codes(run(tmp_path, content, "binary_crossentropy")) == ["one-class"]


def test_one_row(tmp_path: Path):
    assert codes(run(tmp_path, "a,b,y\n1,2,0.5\n", "mean_squared_error")) == []
    problem = refused(tmp_path, "a,b,y\n1,2,0.5\n", loss="mean_squared_error", split={"test_size": 0.25})
    assert (problem.code, problem.path) == ("split", ("data", "split", "test_size"))


def test_a_category_that_appears_only_in_test(tmp_path: Path):
    content = lines("a,b,y,part", number, lambda row: "xyz"[row % 3] if row < 30 else "new", label, part)
    model = run(tmp_path, content, split=BY_COLUMN).model
    asked = [{"a": 3.0, "b": text} for text in ("new", "never seen", "x")]
    with pytest.warns(specnet.SpecnetWarning, match='"b": 2 of 3 cells'):
        new, unseen, known = model.predict_proba(pd.DataFrame(asked))
    np.testing.assert_array_equal(new, unseen)
    assert (new != known).any()


@pytest.mark.parametrize("steps", [None, ["one_hot"], [{"type": "embedding", "size": 2}]])
def test_a_category_that_is_all_rare(tmp_path: Path, steps: Any):
    content = lines("a,b,y", number, lambda row: f"c{row}", label)
    network = {"preprocessing": [{"columns": ["b"], "steps": steps}]} if steps else {}
    result = run(tmp_path, content, "binary_crossentropy", network=network, columns={"b": "category"})
    assert codes(result) == ["identifier"]
    with pytest.warns(specnet.SpecnetWarning, match='"b": 2 of 2 cells'):
        one, other = result.model.predict_proba(pd.DataFrame([{"a": 3.0, "b": "c1"}, {"a": 3.0, "b": "else"}]))
    np.testing.assert_array_equal(one, other)


def test_nothing_but_rare_categories(tmp_path: Path):
    problem = refused(tmp_path, lines("b,y", lambda row: f"c{row}", label), columns={"b": "category"})
    assert (problem.code, problem.path) == ("no-features", ("network", "preprocessing"))
    assert "minimum_count" in problem.hint


@pytest.mark.parametrize("kind", FEATURES)
@pytest.mark.parametrize(("empty", "told"), [("train", ["constant"]), ("test", [])])
def test_a_column_that_is_empty_in_one_part_only(tmp_path: Path, kind: str, empty: str, told: list[str]):
    content = lines(
        "a,b,y,part", number, lambda row: "" if part(row) == empty else CELLS[kind][row % 5 % 2], label, part
    )
    result = run(tmp_path, content, split=BY_COLUMN)
    assert codes(result) == told
    assert result.model.spec.data.columns["b"] == kind


def test_a_column_of_files_of_their_own_is_empty_in_training_only(tmp_path: Path):
    (tmp_path / "test.csv").write_text(lines("a,b,y", number, lambda row: str(row % 4), label))
    content = lines("a,b,y", number, "", label)
    split = {"test": str(tmp_path / "test.csv")}
    assert codes(run(tmp_path, content, split=split, columns={"b": "numeric"})) == ["constant"]


def test_a_target_with_gaps(tmp_path: Path):
    content = lines("a,y", number, lambda row: "" if row % 5 == 2 else label(row))
    for loss in ("categorical_crossentropy", "mean_squared_error"):
        problem = refused(tmp_path, content, loss=loss)
        assert (problem.code, problem.position.line) == ("missing-target", 4)
        assert Path(problem.source).name == "rows.csv"
        assert 'missing_target = "drop"' in problem.hint
        result = run(tmp_path, content, loss, missing_target="drop")
        assert result.evaluation["rows"]["train"] == ROWS - 8
    problem = refused(tmp_path, lines("a,y", number, ""), missing_target="drop")
    assert problem.code == "empty"


def test_names_that_differ_in_case(tmp_path: Path):
    content = lines("a,A,Y,y", number, lambda row: row % 5, lambda row: -(row % 4), label)
    result = run(tmp_path, content)
    assert codes(result) == []
    one, same, other = result.model.predict_proba(
        pd.DataFrame([{"Y": 0.0, "a": 1.0, "A": 4.0}, {"A": 4.0, "Y": 0.0, "a": 1.0}, {"a": 4.0, "A": 1.0, "Y": 0.0}])
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (lines("a,y", day, label), "not-a-datetime", 37),
        (lines("a,y", lambda row: "x" if row == 30_000 else row % 9, label, rows=30_002), "not-a-number", 30_002),
        (lines("a,y", lambda row: "007" if row == 30_000 else row % 9, label, rows=30_002), "not-a-number", 30_002),
    ],
)
def test_a_cell_that_does_not_fit_is_found_wherever_it_is(tmp_path: Path, content: str, code: str, line: int):
    problem = refused(tmp_path, content)
    assert (problem.code, problem.position.line) == (code, line)
    assert "columns.a" in problem.hint


def test_a_fraction_in_row_30001_is_a_number(tmp_path: Path):
    content = lines("a,y", lambda row: 0.5 if row == 30_000 else row % 9, label, rows=30_002)
    assert run(tmp_path, content).model.spec.data.columns["a"] == "numeric"


def test_dates_with_offsets_and_without_are_the_same_moments(tmp_path: Path):
    content = lines(
        "a,b,y",
        number,
        lambda row: f"2024-01-{1 + row % 28:02}{('T00:00Z', 'T02:00+02:00', '')[row % 3]}",
        label,
    )
    model = run(tmp_path, content).model
    assert model.spec.data.columns["b"] == "datetime"
    assert model.preprocessing.tensors()["1.0.kept"].size
    asked = [
        {"a": 3.0, "b": text} for text in ("2024-01-05T00:00Z", "2024-01-05 02:00+02:00", "2024-01-05", "2024-01-06")
    ]
    same, *others, later = model.predict_proba(pd.DataFrame(asked))
    np.testing.assert_array_equal(others, [same, same])
    assert (same != later).any()


def test_a_semicolon_file_is_one_mistake(tmp_path: Path):
    content = lines("a,b,y", number, number, label).replace(",", ";")
    kinds = {"columns": {"a": "numeric", "b": "numeric", "y": "category"}}
    for said in ({}, kinds, {"features": ["a", "b"]}, {**kinds, "sample_weight": "a", "split": {"group": "b"}}):
        problem = refused(tmp_path, content, delimiter=",", **said)
        assert (problem.code, problem.hint) == ("unknown-column", 'set data.delimiter = ";"')


def test_early_stopping_may_watch_the_rows_that_a_column_says(tmp_path: Path):
    content = lines("a,y,part", number, label, lambda row: ("train", "validation", "test")[row % 4 % 3])
    stopping = {"split": BY_COLUMN, "training": {"early_stopping": True}}
    assert list(run(tmp_path, content, **stopping).metrics) == ["train", "validation", "test"]
    with pytest.raises(specnet.DataError, match="validation rows"):
        run(tmp_path, content.replace("validation", "train"), **stopping)
