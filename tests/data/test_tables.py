"""Rows of specs, and rows that models are asked about, from files of every kind."""

from typing import Any

import numpy as np
import pandas
import pytest

from specnet import DataError, FileError, SpecError, data, parse_spec, resolve
from specnet.data import load_table, read_cells, read_inputs, read_table
from specnet.data.raw_columns import raw_columns
from specnet.errors import render
from tests.texts.mistakes import mistake
from tests.texts.pinned import Pinned, Refused

ARRAYS = {"X": np.arange(12.0).reshape(6, 2), "y": np.array([0, 1, 0, 1, 0, 1]), "sample_weight": np.arange(6.0)}


@pytest.fixture
def spec_of(tmp_path):
    """Return a function that writes a spec beside its data and reads it."""

    def made(section, loss="binary_crossentropy"):
        text = f'seed = 3\n[data]\n{section}\n[network]\nhidden_layer_sizes = [2]\n[training]\nloss = "{loss}"\n'
        (tmp_path / "spec.toml").write_text(text)
        return parse_spec(tmp_path / "spec.toml")

    return made


def csv_spec(spec_of, tmp_path, text, loss="binary_crossentropy", more=""):
    (tmp_path / "rows.csv").write_text(text)
    return spec_of(f'type = "csv"\npath = "rows.csv"\ntarget = "y"\n{more}', loss)


def test_paths_start_at_the_specs_folder(spec_of, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path.parent)
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data" / "rows.npz", **ARRAYS)
    table = load_table(spec_of('type = "npz"\npath = "data/rows.npz"'))
    np.testing.assert_array_equal(table.X, ARRAYS["X"])
    np.testing.assert_array_equal(table.sample_weight, ARRAYS["sample_weight"] / ARRAYS["sample_weight"][1:].mean())
    assert table.X.dtype == np.float64
    assert table.y.dtype == np.int64


@pytest.mark.parametrize(
    ("y", "loss", "expected", "kind"),
    [
        ([0, 1, 1], "binary_crossentropy", [0, 1, 1], "i"),
        ([[2], [3], [2]], "binary_crossentropy", [2, 3, 2], "i"),
        (["a", "b", "a"], "binary_crossentropy", ["a", "b", "a"], "U"),
        ([[0, 1], [1, 0], [1, 1]], "binary_crossentropy", [[0, 1], [1, 0], [1, 1]], "f"),
        ([0, 1, 1], "mean_squared_error", [0, 1, 1], "f"),
        ([[0.5, 1], [2, 3], [4, 5]], "mean_squared_error", [[0.5, 1], [2, 3], [4, 5]], "f"),
    ],
)
def test_the_loss_says_what_the_target_is(spec_of, tmp_path, y, loss, expected, kind):
    np.savez(tmp_path / "rows.npz", X=np.eye(3), y=np.array(y))
    spec = spec_of('type = "npz"\npath = "rows.npz"', loss)
    table = load_table(spec)
    assert table.y.tolist() == expected
    assert table.y.dtype.kind == kind
    assert table.target == spec.target_kind == ("values" if loss == "mean_squared_error" else "classes")


def test_a_spec_without_data_cannot_give_rows(refused: Refused):
    spec = parse_spec({"network": {"layer_sizes": [2, 1]}, "training": {"loss": "mean_squared_error"}})
    with refused(SpecError, code="missing-key"):
        load_table(spec)


CELLS: list[tuple[Any, Any]] = [
    *(([[1, np.nan]], [0]), ([1, 2], [0, 1]), ([["a"]], [0]), ([[1], [2]], [0]), ([[1], [2]], np.zeros((2, 1, 1)))),
    *(([[1], [2]], [0, 0.5]), (np.zeros((0, 2)), []), (np.array([[1, np.longdouble("1e400")]]), [0])),
]
ODD = [*({"X": X, "y": y} for X, y in CELLS), {"X": [[1], [2]], "y": [0, 1], "sample_weight": [1, -1]}]


@pytest.mark.parametrize("arrays", ODD)
def test_arrays_that_do_not_fit_are_marked_at_their_path(spec_of, tmp_path, arrays, refused: Refused):
    np.savez(tmp_path / "rows.npz", **{name: np.array(array) for name, array in arrays.items()})
    with refused(DataError, at="data.path", varying=r"(1e\+400|inf) at row 0, column 1.*") as caught:
        load_table(spec_of('type = "npz"\npath = "rows.npz"'))
    (problem,) = caught.value.diagnostics
    assert problem.line_text == 'path = "rows.npz"'
    assert problem.path == ("data", "path")


def test_names_that_a_file_lacks_are_marked_in_the_spec(spec_of, tmp_path):
    spec = csv_spec(spec_of, tmp_path, "a,b,z\n1,2,0\n", more='features = ["a", "bb", "c"]')
    with pytest.raises(DataError) as caught:
        load_table(spec)
    problems = caught.value.diagnostics
    assert [problem.line_text for problem in problems] == ['target = "y"', *['features = ["a", "bb", "c"]'] * 2]
    assert [problem.path[1:] for problem in problems] == [("target",), ("features", 1), ("features", 2)]
    assert '"b"' in problems[1].hint


def test_columns_that_a_file_lacks_are_one_mistake(spec_of, tmp_path, refused: Refused):
    spec = csv_spec(spec_of, tmp_path, "a,b,y\n1,2,0\n", more='features = ["a", "left", "right"]')
    with refused(DataError, code="unknown-column", at="data.features") as caught:
        load_table(spec)
    assert caught.value.diagnostics[0].hint == "choose from a, b, y"


def test_a_missing_file_is_named(spec_of, tmp_path):
    spec = spec_of('type = "npz"\npath = "none.npz"')
    assert mistake(FileError, lambda: load_table(spec)).source == str(tmp_path / "none.npz")


def test_rows_that_do_not_fit_into_memory_are_an_error(spec_of, monkeypatch, refused: Refused):
    def load(self, folder, target):
        raise MemoryError

    spec = spec_of('type = "make_moons"')
    monkeypatch.setattr(type(spec.data), "load", load)
    with refused(DataError, code="too-large", at="data"):
        load_table(spec)


@pytest.fixture
def wine(spec_of, tmp_path):
    """Return the resolved spec of a model of two columns and two labels of text."""
    spec = csv_spec(spec_of, tmp_path, "a,b,y\n1,2,red\n3,4,white\n5,6,red\n")
    table = load_table(spec)
    resolved = resolve(spec, inputs=2, outputs=1, data=spec.data.with_columns(table))
    assert (resolved.spec.data.type, resolved.spec.data.feature_names) == ("csv", ("a", "b"))
    return resolved


def test_a_model_finds_its_columns_by_name(wine, tmp_path):
    (tmp_path / "NEW.CSV").write_text('note,b,a\n"hello, you",2,1\n,4,3\n')
    read = read_inputs(tmp_path / "NEW.CSV", wine)
    np.testing.assert_array_equal(read.X, [[1, 2], [3, 4]])
    assert kinds_of(read) == [("a", "numeric"), ("b", "numeric")]
    (tmp_path / "known.csv").write_text("y,b,a\nwhite,2,1\n")
    table = read_table(tmp_path / "known.csv", wine)
    np.testing.assert_array_equal(table.X, [[1, 2]])
    assert table.y.tolist() == ["white"]


def test_a_models_text_labels_stay_text(wine, tmp_path, refused: Refused):
    (tmp_path / "known.csv").write_text("y,b,a\n1,2,1\n2,2,1\n")
    assert read_table(tmp_path / "known.csv", wine).y.tolist() == [1, 2]
    assert read_table(tmp_path / "known.csv", wine, np.array(["1", "2", "x"])).y.tolist() == ["1", "2"]
    assert read_table(tmp_path / "known.csv", wine, np.array([1, 2])).y.tolist() == [1, 2]
    with refused(DataError, code="unknown-label", at="known.csv"):
        read_table(tmp_path / "known.csv", wine, np.arange(1, 9) * 2)
    np.savez(tmp_path / "several.npz", X=np.zeros((2, 2)), y=[[0, 1], [7, 1]])
    assert read_table(tmp_path / "several.npz", wine, np.array([0.0, 1.0])).y.tolist() == [[0, 1], [7, 1]]


def test_a_model_takes_arrays_in_the_order_of_its_columns(wine, tmp_path):
    np.savez(tmp_path / "rows.npz", **ARRAYS)
    np.testing.assert_array_equal(read_inputs(tmp_path / "rows.npz", wine).X, ARRAYS["X"])
    table = read_table(tmp_path / "rows.npz", wine)
    np.testing.assert_array_equal(table.y, ARRAYS["y"])
    np.testing.assert_array_equal(table.sample_weight, ARRAYS["sample_weight"] / ARRAYS["sample_weight"][1:].mean())


def test_cells_too_large_for_a_model_are_found_in_their_file(wine, tmp_path, pinned: Pinned):
    path = tmp_path / "new.csv"
    path.write_text("b,a\n1,2\n1e300,3\n")
    raw = read_inputs(path, wine)
    pinned(render(data.large_cell_in(path, wine, raw, [data.Preparation()])))
    assert data.large_cell_in(path, wine, raw.part(slice(1)), [data.Preparation()]) is None
    assert data.large_cell_in(path, wine, data.RawColumns(raw.X), [data.Preparation()]) is None
    assert data.large_cell_in(tmp_path / "new.npz", wine, raw, [data.Preparation()]) is None
    path.write_text("b,a\n1,2\n")
    assert data.large_cell_in(path, wine, raw, [data.Preparation()]) is None


def test_cells_are_read_as_the_file_has_them(wine, tmp_path):
    (tmp_path / "new.csv").write_text("note,b,a\nx,2,1\n,04,3\ny,6,5\n")
    found = read_cells(tmp_path / "new.csv", wine, ["b", "note"], 2)
    parts = [{name: list(column.texts) for name, column in part.items()} for part in found]
    assert parts == [{"b": ["2", "04"], "note": ["x", None]}, {"b": ["6"], "note": ["y"]}]


def cells(path, wine):
    return read_cells(path, wine, ["b", "c"], 2)


@pytest.mark.parametrize(
    ("name", "content", "read", "code", "at"),
    [
        ("new.csv", "a,c\n1,2\n", read_inputs, "unknown-column", "new.csv"),
        ("new.csv", "a,b\n1,2\n", read_table, "unknown-column", "new.csv"),
        ("new.csv", "a,b\n1,?\n", read_inputs, "not-a-number", "new.csv:2:3"),
        *(("new.txt", "", read, "data", "new.txt") for read in (read_inputs, read_table, cells)),
        ("new.parquet", "a,b\n1,2\n", read_inputs, "parquet", "new.parquet"),
        ("new.jsonl", "a,b\n1,2\n", read_inputs, "json", "new.jsonl:1:1"),
        ("new.csv", "a,b,y\n1,2,red\n1,2,\n", read_table, "missing-target", "new.csv:3:5"),
        ("new.csv", "1,2\n3,4\n", read_inputs, "missing-header", "new.csv:1:1"),
        ("new.csv", "a,b\n1,2\n", cells, "unknown-column", "new.csv"),
        ("new.npz", {"X": np.zeros((2, 2))}, cells, "data", "new.npz"),
        ("new.npz", {"X": np.zeros((2, 3))}, read_inputs, "data", "new.npz"),
        ("new.npz", {"X": np.zeros((2, 3)), "y": [0, 1]}, read_table, "data", "new.npz"),
        ("new.npz", {"Z": np.zeros((2, 3))}, read_inputs, "data", "new.npz"),
        ("new.npz", {"X": np.zeros((2, 2))}, read_table, "data", "new.npz"),
        ("new.npz", {"X": [[np.inf, 0]], "y": [1]}, read_table, "data", "new.npz"),
    ],
)
def test_files_that_do_not_fit_a_model_are_named(wine, tmp_path, name, content, read, code, at, refused: Refused):
    path = tmp_path / name
    if isinstance(content, str):
        path.write_text(content)
    else:
        np.savez(path, **content)
    with refused(DataError, code=code, at=at) as caught:
        read(path, wine)
    for problem in caught.value.diagnostics:
        assert problem.source == str(path)
        assert problem.path == ()


def test_a_model_without_names_cannot_read_a_csv(spec_of, tmp_path, refused: Refused):
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    unnamed = resolve(spec_of('type = "make_moons"'))
    for read in (read_inputs, read_table, cells):
        with refused(DataError, at="rows.csv"):
            read(tmp_path / "rows.csv", unnamed)


@pytest.mark.parametrize("names", [("a", "b"), ("target", "target_")])
def test_a_model_of_named_columns_without_a_file_finds_them_in_one(names, tmp_path, refused: Refused):
    network = {"feature_names": list(names), "layer_sizes": [2, 1]}
    spec = resolve(parse_spec({"network": network, "training": {"loss": "mean_squared_error"}}))
    (tmp_path / "new.csv").write_text(f"{names[1]},note,{names[0]}\n2,x,1\n")
    np.testing.assert_array_equal(read_inputs(tmp_path / "new.csv", spec).X, [[1, 2]])
    np.savez(tmp_path / "rows.npz", **ARRAYS)
    np.testing.assert_array_equal(read_inputs(tmp_path / "rows.npz", spec).X, ARRAYS["X"])
    with refused(DataError, at="new.csv"):
        read_table(tmp_path / "new.csv", spec)


def kinds_of(columns):
    return [(column.name, column.kind) for column in columns.kinds]


FRAME = pandas.DataFrame({"b": [1.0, 2.0], "city": ["rome", None], "a": [3.0, np.nan]})


def test_columns_of_a_frame_are_those_of_the_model():
    kinds = {"a": "numeric", "city": "category"}
    found = raw_columns(FRAME, kinds, 2, tuple(kinds))
    assert kinds_of(found) == [("a", "numeric"), ("city", "category")]
    assert found.texts[0] is None
    assert [list(texts) for texts in found.texts[1:]] == [["rome"]]
    assert found.gaps().tolist() == [[False, False], [True, True]]
    assert len(found.part(np.array([False, True]))) == 1
    assert raw_columns(found, kinds, 2, None) is found
    for names in (("a", "b"), ("b", "a")):
        numbers = raw_columns(FRAME, None, 2, names)
        np.testing.assert_array_equal(numbers.X, FRAME[list(names)])
        assert kinds_of(numbers) == [(name, "numeric") for name in names]
    assert raw_columns(FRAME[["b"]], None, 1, ("b",)).kinds == ()
    array = raw_columns([[1, 2]], {"a": "numeric", "b": "boolean"}, 2, ("a", "b"))
    assert kinds_of(array) == [("a", "numeric"), ("b", "boolean")]
    empty = data.RawColumns(np.array([[0.0], [1.0]]), (found.kinds[1],))
    assert not empty.gaps().any()


AB, A_CITY = {"a": "numeric", "b": "numeric"}, {"a": "numeric", "city": "category"}
UNREADABLE: list[tuple[Any, list[tuple[Any, Any]]]] = [
    (data.RawColumns(np.zeros((3, 1))), [(None, None)]),
    ([[1.0, np.nan]], [(None, ("a", "b"))]),
    ([[1.0]], [(None, ("a", "b")), (AB, ("a", "b"))]),
    (FRAME, [(None, None), (None, ("a", "c")), (None, ("a", "city"))]),
    (FRAME, [({"a": "numeric", "c": "numeric"}, ("a", "c"))]),
    (FRAME[:0], [(AB, ("a", "b"))]),
    ([[1.0, 2.0]], [(A_CITY, ("a", "city"))]),
]


def test_columns_that_a_model_cannot_read(refused: Refused):
    for X, calls in UNREADABLE:
        for kinds, names in calls:
            with refused(DataError, code="data"):
                raw_columns(X, kinds, 2, names, "test X")
    with refused(DataError, code="not-a-number"):
        raw_columns(FRAME, A_CITY | {"city": "numeric"}, 2, ("a", "city"), "test X")


def test_columns_of_any_frame(refused: Refused):
    assert data.frame_columns(np.eye(2)) == (None, ())
    complete, _ = data.frame_columns(FRAME[["b"]])
    np.testing.assert_array_equal(complete.X, FRAME[["b"]])
    assert kinds_of(complete) == [("b", "numeric")]
    judged, warnings = data.frame_columns(FRAME)
    assert kinds_of(judged) == [("b", "numeric"), ("a", "numeric")]
    assert [warning.code for warning in warnings] == ["ignored-column"]
    asked, warnings = data.frame_columns(FRAME, {"city": "category"})
    assert kinds_of(asked) == [("city", "category")]
    assert warnings == ()
    for kinds in (None, {"b": "numeric"}):
        with refused(DataError):
            data.frame_columns(pandas.concat([FRAME, FRAME], axis=1), kinds)
