"""Sources of rows: what they say of themselves, what they give, and what they refuse."""

import contextlib
import csv
import io
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn import datasets

from specnet.errors import DataError
from specnet.parts.data import Csv, CsvFile, Npz
from specnet.parts.data.csv_places import faulty_record
from specnet.parts.registry import built_in_registry

REGISTRY = built_in_registry()
FROM_FILES = {"csv", "npz"}
PARTS = [part for part in REGISTRY.of_kind("data") if part.part_name() not in FROM_FILES]
GENERATED = [part for part in PARTS if part.part_name().startswith("make_")]
VARIANTS = {
    "make_moons": {"n_samples": 31, "noise": 0.3, "shuffle": False},
    "make_circles": {"n_samples": 40, "noise": 0.1, "factor": 0.3},
    "make_blobs": {"n_samples": 33, "n_features": 5, "centers": 4, "cluster_std": 2.0, "center_box": (-1.0, 2.0)},
    "make_classification": {
        "n_samples": 60,
        "n_features": 9,
        "n_informative": 4,
        "n_redundant": 1,
        "n_repeated": 2,
        "n_classes": 3,
        "weights": [0.5, 0.3],
        "flip_y": 0.0,
        "class_sep": 2.0,
        "hypercube": False,
        "shift": 1.0,
        "scale": 3.0,
    },
    "make_regression": {
        "n_samples": 20,
        "n_features": 6,
        "n_informative": 3,
        "n_targets": 2,
        "bias": 4.0,
        "noise": 1.0,
        "effective_rank": 2,
        "tail_strength": 0.1,
    },
    "digits": {"n_class": 3},
    "diabetes": {"scaled": False},
}


def made(name, **fields):
    part = REGISTRY.find("data", name)
    return part.model_validate({"type": part.part_name(), **fields})


def problems_of(name, **fields):
    with pytest.raises(ValidationError) as caught:
        made(name, **fields)
    return {".".join(map(str, error["loc"])): error["msg"] for error in caught.value.errors()}


@pytest.mark.parametrize("fields", [False, True], ids=["defaults", "fields"])
@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.part_name())
def test_rows_are_scikit_learns(part, fields):
    """The fields' names and defaults are scikit-learn's, and a part says its sizes before it has any rows."""
    name = part.part_name()
    fields = VARIANTS.get(name, {}) if fields else {}
    source = made(name, **fields)
    sizes = source.sizes()
    table = source.with_defaults(7, sizes.target).load(Path(), sizes.target)
    if part in GENERATED:
        X, y = getattr(datasets, name)(**fields, random_state=7)
    else:
        X, y = getattr(datasets, f"load_{name}")(**fields, return_X_y=True)
        assert len(table.feature_names) == X.shape[1]
    np.testing.assert_array_equal(table.X, X)
    np.testing.assert_array_equal(table.y, y)
    assert table.X.shape[1] == sizes.inputs
    if sizes.target == "classes":
        assert sorted(set(table.y.tolist())) == list(range(sizes.classes))
        assert sizes.outputs is None
    else:
        assert (1 if table.y.ndim == 1 else table.y.shape[1]) == sizes.outputs
        assert sizes.classes is None


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.part_name())
def test_classes_can_be_had_as_numbers(part):
    source = made(part.part_name()).with_defaults(0, "values")
    assert source.load(Path(), "values").y.dtype == np.float64


def test_defaults_that_follow_from_the_spec():
    filled = made("make_moons", split={"random_state": 5}).with_defaults(3, "classes")
    assert (filled.random_state, filled.split.random_state, filled.split.stratify) == (3, 5, True)
    filled = made("diabetes").with_defaults(3, "values")
    assert (filled.split.random_state, filled.split.stratify) == (3, False)
    assert filled.with_defaults(9, "classes") == filled


CLASH = "n_informative + n_redundant + n_repeated = 4, more than n_features = 3"


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        ("make_classification", {"n_features": 3}, {"n_features": CLASH}),
        ("make_classification", {"n_informative": 20}, {"n_informative": "= 22, more than n_features = 20"}),
        ("make_classification", {"n_repeated": 20}, {"n_repeated": "= 24, more than n_features = 20"}),
        ("make_classification", {"n_classes": 3}, {"n_classes": "n_classes × n_clusters_per_class = 6 are needed"}),
        ("make_classification", {"n_informative": 1}, {"n_informative": "a cube of 2 corners"}),
        ("make_classification", {"n_samples": 3}, {"n_samples": "3 rows leave some of the 4 clouds without any"}),
        ("make_classification", {"weights": [0.1, 0.1, 0.1]}, {"weights": "3 weights for 2 classes"}),
        ("make_classification", {"weights": [0.9, 0.3]}, {"weights": "their sum is at most 1"}),
        (
            "make_classification",
            {"n_features": 3, "n_classes": 3, "weights": [1.0]},
            {"n_features": CLASH, "n_classes": "6 are needed", "weights": "1 weights for 3 classes"},
        ),
        ("make_blobs", {"centers": 200}, {"centers": "100 rows leave some of the 200 clouds"}),
        ("make_blobs", {"n_samples": 2}, {"n_samples": "2 rows leave some of the 3 clouds"}),
        ("make_blobs", {"center_box": [1.0, -1.0]}, {"center_box": "the lowest coordinate comes first"}),
        ("make_blobs", {"n_samples": 10**7, "n_features": 1000}, {"n_samples": "more than 100000000 numbers"}),
        ("make_moons", {"noise": -1.0}, {"noise": "greater than or equal to 0"}),
        ("make_moons", {"n_samples": 0}, {"n_samples": "greater than or equal to 1"}),
        ("make_moons", {"n_samples": 10**12}, {"n_samples": "less than or equal to 10000000"}),
        ("make_circles", {"factor": 1.0}, {"factor": "less than 1"}),
        ("make_regression", {"tail_strength": 1.5}, {"tail_strength": "less than or equal to 1"}),
        ("digits", {"n_class": 11}, {"n_class": "less than or equal to 10"}),
        ("iris", {"split": {"test_size": 1.0}}, {"split.test_size": "less than 1"}),
        (
            "iris",
            {"split": {"test_size": 0.5, "validation_size": 0.5}},
            {"split.validation_size": "leave no rows to train on"},
        ),
        ("iris", {"split": {"validation_size": 0.75}}, {"split.validation_size": "leave no rows"}),
        ("diabetes", {"split": {"stratify": True}}, {"split.stratify": "stratify needs classes"}),
        ("csv", {"path": "a", "target": "y", "features": []}, {"features": "at least 1 item"}),
        (
            "csv",
            {"path": "a", "target": "y", "features": ["a", "y", "a"]},
            {"features.1": '"y" is the target', "features.2": '"a" is named twice'},
        ),
        ("csv", {"path": "", "target": ""}, {"path": "at least 1 character", "target": "at least 1 character"}),
    ],
)
def test_what_cannot_be_is_said_at_the_field_that_was_written(name, fields, expected):
    found = problems_of(name, **fields)
    assert found.keys() == expected.keys()
    for place, message in expected.items():
        assert message in found[place]


@given(
    st.fixed_dictionaries(
        {"n_features": st.integers(1, 6), "n_informative": st.integers(1, 4), "n_redundant": st.integers(0, 3)},
        optional={"n_classes": st.integers(2, 5), "n_clusters_per_class": st.integers(1, 4)},
    )
)
@settings(max_examples=100, deadline=None)
def test_make_classification_refuses_what_scikit_learn_refuses(fields):
    try:
        source = made("make_classification", **fields)
    except ValidationError:
        with pytest.raises(ValueError, match="must"):
            datasets.make_classification(**fields)
    else:
        source.with_defaults(0, "classes").load(Path(), "classes")


# CSV


@pytest.fixture
def file(tmp_path):
    def written(content):
        path = tmp_path / "rows.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


def load(path, kind="classes", target="y", **fields):
    return Csv(path=path.name, target=target, **fields).load(path.parent, kind)


@pytest.mark.parametrize(
    ("text", "X", "y"),
    [
        ("a,b,y\n1,2,0\n3,4,1\n", [[1, 2], [3, 4]], [0, 1]),
        ("a,y,b\n1,0,2\n3,1,4", [[1, 2], [3, 4]], [0, 1]),
        ("\N{BYTE ORDER MARK}a,y\r\n1,0\r\n", [[1]], [0]),
        ('"a","y"\n"1","0"\n', [[1]], [0]),
        ('"a\nb","y,z",y\n1,2,0\n', [[1, 2]], [0]),
        ("a,y\n1,0\n\n\n2,1\n\n", [[1], [2]], [0, 1]),
        ("a,y\n 1 ,0\n+2.50,1\n-.5e-1,2\n3.,3\n", [[1], [2.5], [-0.05], [3]], [0, 1, 2, 3]),
        ("a,y\n00123,00123\n1,7\n", [[123], [1]], ["00123", "7"]),
        ("a,y\n1,1.0\n", [[1]], ["1.0"]),
        ("a,y\n1,-3\n2,5\n", [[1], [2]], [-3, 5]),
        ("a,y\n1,99999999999999999999\n", [[1]], ["99999999999999999999"]),
        ('a,y\n1,"say ""hi"", you"\n', [[1]], ['say "hi", you']),
        ("a,y\n1,NA\n2,#x\n3,nan\n", [[1], [2], [3]], ["NA", "#x", "nan"]),
        ("A,a,y\n1,2,ä\n", [[1, 2]], ["ä"]),
    ],
)
def test_what_a_csv_file_says(file, text, X, y):
    table = load(file(text))
    np.testing.assert_array_equal(table.X, X)
    assert table.y.tolist() == y


def test_columns_are_found_by_name(file):
    path = file("a,text,b,y\n1,hello,2,0.5\n3,,4,-1e3\n")
    table = load(path, "values", features=["b", "a"])
    np.testing.assert_array_equal(table.X, [[2, 1], [4, 3]])
    np.testing.assert_array_equal(table.y, [0.5, -1000])
    assert table.feature_names == ("b", "a")


def test_features_that_were_found_can_be_kept(file):
    path = file("a,y,b\n1,0,2\n")
    source = Csv(path=path.name, target="y")
    assert source.sizes().inputs is None
    kept = source.with_columns(source.load(path.parent, "classes"))
    assert kept.features == ("a", "b")
    assert kept.sizes().inputs == 2


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_numbers_come_back_bit_for_bit(file, numbers):
    path = file("a,y\n" + "".join(f"{number!r},{number!r}\n" for number in numbers))
    table = load(path, "values")
    np.testing.assert_array_equal(table.X[:, 0], numbers)
    np.testing.assert_array_equal(table.y, numbers)


def test_nothing_is_guessed_far_down_and_rows_keep_their_order(file):
    """DuckDB's own guess reads the 1.5 in row 30 001 as 2."""
    rows = [["1", f"{row:05}"] for row in range(70_000)]
    rows[30_000][0] = "1.5"
    text = io.StringIO()
    csv.writer(text).writerows([["a", "y"], *rows])
    table = load(file(text.getvalue()))
    assert table.X.sum() == 70_000.5
    assert table.X[30_000, 0] == 1.5
    assert table.y.tolist() == [label for _, label in rows]


def mistakes(path, kind="classes", **fields):
    with pytest.raises(DataError) as caught:
        load(path, kind, **fields)
    return [
        (problem.code, problem.position and (problem.position.line, problem.position.column, problem.position.length))
        for problem in caught.value.diagnostics
    ]


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("", "classes", [("missing-header", (1, 1, 1))]),
        ("\n1,2\n", "classes", [("missing-header", (1, 1, 1))]),
        ("1,2\n3,4\n", "classes", [("missing-header", (1, 1, 1))]),
        ("a,,y\n1,2,0\n", "classes", [("missing-header", (1, 3, 1))]),
        ('a,"",y,a\n1,2,0,1\n', "classes", [("missing-header", (1, 3, 2)), ("repeated-column", (1, 8, 1))]),
        ("a,y\n", "classes", [("empty", None)]),
        ("y\n1\n", "classes", [("no-features", None)]),
        ("a,y\n1,0\n2\n", "classes", [("ragged-row", (3, 1, 1))]),
        ("a,y\n1,0\n2,1,3\n", "classes", [("ragged-row", (3, 1, 5))]),
        ("a,y\n1,0\n,1\n", "classes", [("missing-cell", (3, 1, 1))]),
        ("a,y\n1,0\n2,\n", "classes", [("missing-cell", (3, 3, 1))]),
        ('a,y\n1,0\n"",1\n', "classes", [("missing-cell", (3, 1, 2))]),
        ("a,y\n1,0\nabc,1\n", "classes", [("not-a-number", (3, 1, 3))]),
        ("a,y\n1,0\n2,abc\n", "values", [("not-a-number", (3, 3, 3))]),
        (
            "a,b,y\n1,2,0\nx,2,0\ny,z,\n",
            "classes",
            [("not-a-number", (3, 1, 1)), ("not-a-number", (4, 3, 1)), ("missing-cell", (4, 5, 1))],
        ),
        ('a,b,y\n1,"2\n3",0\n', "classes", [("not-a-number", (2, 3, 2))]),
        ('t,b,y\n"1\n\n2",x,0\n', "classes", [("not-a-number", (2, 1, 2)), ("not-a-number", (4, 4, 1))]),
        ("a,y\n\n1,0\n\n\nx,1\n", "classes", [("not-a-number", (6, 1, 1))]),
        ('a,y\n1,"x"z\n', "classes", [("csv-syntax", (2, 1, 6))]),
        ('a,y\n1,"x\n', "classes", [("csv-syntax", (2, 1, 4))]),
        (b"a,y\n1,\xe4\n", "classes", [("encoding", (2, 3, 1))]),
        (b"a,\xe4,y\n1,2,0\n", "classes", [("encoding", (1, 3, 1))]),
        (b"a,y\n1,0\n\x00,1\n", "classes", [("not-a-number", (3, 1, 1))]),
        *(
            (f"a,y\n1,0\n{cell},1\n", "classes", [("not-a-number", (3, 1, len(cell)))])
            for cell in ("nan", "inf", "1e999", "1_0", "0x1", "1 2", "1;5", "−1", "٣", "1e", "--1", " ")
        ),
    ],
)
def test_mistakes_in_a_file_are_found_at_their_places(file, text, kind, expected):
    assert mistakes(file(text), kind) == expected


def test_a_line_end_that_differs_is_found_where_duckdb_refuses_it(file):
    """Some versions of DuckDB read such a file, and others refuse it without saying where."""
    problem = faulty_record(file("a,y\n1,0\r\n2,1\n"), 2)
    assert problem.message == r"this line ends in '\r\n', and the first one in '\n'"
    assert problem.position.line == 2
    assert faulty_record(file('a,y\r\n1,"x\ny"\r\n2,1'), 2) is None


def test_a_mistake_far_down_is_found_at_its_line(file):
    path = file("a,y\n" + "1,0\n\n" * 25_000 + "x,0\n")
    assert mistakes(path) == [("not-a-number", (50_002, 1, 1))]


def test_the_row_is_counted_and_the_column_named(file):
    with pytest.raises(DataError, match='row 2 has "x" in column "b", which is not a finite number'):
        load(file("a,b,y\n1,2,0\n\n1,x,0\n"))
    with pytest.raises(DataError, match='row 1 has nothing in column "a"'):
        load(file("a,b,y\n,2,0\n"))


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        ("a,b,yy", 'did you mean "yy"?'),
        ("a,b,target", "its columns are a, b, target"),
        ("a;b;y", "cells are separated by commas"),
        (",".join(f"column_{number}" for number in range(20)), "column_11, …"),
    ],
)
def test_a_target_that_is_not_there(file, header, hint):
    with pytest.raises(DataError, match='has no column "y"') as caught:
        load(file(header + "\n"))
    (problem,) = caught.value.diagnostics
    assert problem.path == ("target",)
    assert hint in problem.hint


@pytest.mark.parametrize(
    "name", ["it's.csv", "sp ace%20.csv", "b{a,c}.csv", "x=1.csv", "ü.csv", "file:x.csv", "a[1].csv"]
)
def test_names_of_files_are_taken_literally(tmp_path, name):
    (tmp_path / name).write_text("a,y\n1,0\n")
    np.testing.assert_array_equal(CsvFile(tmp_path / name).read(["a"])[0], [[1]])


def test_a_name_that_stands_for_another_file_reads_neither(tmp_path):
    (tmp_path / "x[1].csv").write_text("a\n1\n")
    (tmp_path / "x1.csv").write_text("a\n2\n")
    with pytest.raises(DataError, match=r"\* \? and \[ may stand for other files"):
        CsvFile(tmp_path / "x[1].csv").read(["a"])


def test_duckdb_opens_the_one_file_and_nothing_else(file, tmp_path, monkeypatch):
    import duckdb

    path, other = file("a,y\n1,0\n"), tmp_path / "other.csv"
    other.write_text("a,y\n2,0\n")
    refused = []
    connect = duckdb.connect

    class Prying:
        """A connection that, once it has been locked, tries to get at more."""

        def __init__(self, *args, **settings):
            self.connection = connect(*args, **settings)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.connection.close()

        def execute(self, query, parameters=None):
            if "read_csv" in query:
                attempts = [
                    f"SELECT * FROM read_csv('{other}')",
                    f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
                    f"ATTACH '{tmp_path}/out.db'",
                    "SET enable_external_access = true",
                    "INSTALL httpfs",
                ]
                for attempt in attempts:
                    with pytest.raises(duckdb.Error):
                        self.connection.execute(attempt)
                    refused.append(attempt)
            return self.connection.execute(query, parameters)

    monkeypatch.setattr(duckdb, "connect", Prying)
    assert load(path).X.tolist() == [[1]]
    assert len(refused) == 5
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["other.csv", "rows.csv"]


# npz


def archive(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as target:
        for name, content in members:
            target.writestr(name, content)
    return path


def npy(array, **fields):
    """Return the bytes of a .npy file, with some of its header's fields replaced."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array))
    content = stream.getvalue()
    for old, new in fields.items():
        content = content.replace(old.encode(), new.encode().ljust(len(old)))
    return content


ROWS = npy(np.eye(3))
TARGET = npy(np.arange(3))


def arrays_of(path):
    table = Npz(path=path.name).load(path.parent, "classes")
    return table.X, table.y, table.sample_weight


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    ("X", "y"),
    [
        (np.arange(6.0).reshape(3, 2), np.array([0, 1, 2])),
        (np.asfortranarray(np.arange(6, dtype=">f4").reshape(3, 2)), np.array(["a", "ü", "c"])),
        (np.zeros((1, 1), bool), np.array([[1]], np.uint8)),
        (np.zeros((0, 2)), np.array([], "U3")),
    ],
)
def test_arrays_come_back(tmp_path, save, X, y):
    save(tmp_path / "rows.npz", X=X, y=y, other=np.array([{}], object))
    X_read, y_read, weights = arrays_of(tmp_path / "rows.npz")
    np.testing.assert_array_equal(X_read, X)
    np.testing.assert_array_equal(y_read, y)
    assert weights is None
    save(tmp_path / "rows.npz", X=X, y=y, sample_weight=np.ones(3, np.float32))
    np.testing.assert_array_equal(arrays_of(tmp_path / "rows.npz")[2], np.ones(3))


class Dangerous:
    def __reduce__(self):
        return Path.touch, (Path("pickled"),)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("y.npy", TARGET)], 'there is no array "X" in it\n.*it has y'),
        ([("X.npy", ROWS)], 'there is no array "y" in it'),
        ([], 'there is no array "X" in it\n.*it has nothing'),
        ([("X.npy", ROWS), ("y.npy", TARGET), ("X.npy", ROWS)], "X is there twice"),
        ([("X.npy", b""), ("y.npy", TARGET)], "X is damaged"),
        ([("X.npy", b"hello world, this is no array"), ("y.npy", TARGET)], "X is damaged"),
        ([("X.npy", ROWS[:-8]), ("y.npy", TARGET)], "X is damaged: 72 bytes for shape .3, 3. of float64, and 64 are"),
        ([("X.npy", ROWS + b"more"), ("y.npy", TARGET)], "X is damaged: 72 bytes"),
        ([("X.npy", ROWS[:20]), ("y.npy", TARGET)], "X is damaged"),
        ([("X.npy", npy(np.eye(3), **{"(3, 3), }    ": "(10**9,), }"})), ("y.npy", TARGET)], "X is damaged"),
        ([("X.npy", npy(np.eye(3), **{"(3, 3), }    ": "(999999,9999),}"[:13]})), ("y.npy", TARGET)], "X is damaged"),
        ([("X.npy", npy(np.eye(3), **{"(3, 3)": "(3,-3)"})), ("y.npy", TARGET)], "X is damaged"),
        ([("X.npy", npy(np.eye(3), **{"'<f8'": "'|O8'"})), ("y.npy", TARGET)], "X holds Python objects"),
        ([("X.npy", npy(np.eye(3), **{"'<f8'": "'zzz'"})), ("y.npy", TARGET)], "X is damaged"),
        ([("X.npy", npy(np.zeros(3, "c16"))), ("y.npy", TARGET)], "X holds complex numbers"),
        ([("X.npy", npy(np.zeros(3, "S4"))), ("y.npy", TARGET)], "X holds bytes"),
        ([("X.npy", npy(np.zeros(3, "M8[s]"))), ("y.npy", TARGET)], "X holds dates"),
        ([("X.npy", npy(np.zeros(3, [("a", "f8")]))), ("y.npy", TARGET)], "X is damaged: its header is not that of"),
        (
            [("X.npy", ROWS.replace(b"\x93NUMPY\x01", b"\x93NUMPY\x03")), ("y.npy", TARGET)],
            "X is damaged: it does not begin as",
        ),
        ([("X.npy", b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535), ("y.npy", TARGET)], "X is damaged"),
    ],
)
def test_archives_that_are_refused(tmp_path, members, message):
    with pytest.warns(UserWarning, match="Duplicate name") if "twice" in message else contextlib.nullcontext():
        path = archive(tmp_path / "rows.npz", members)
    begin = time.perf_counter()
    with pytest.raises(DataError, match=message) as caught:
        arrays_of(path)
    assert time.perf_counter() - begin < 1
    assert {problem.source for problem in caught.value.diagnostics} == {str(path)}


def test_nothing_is_unpickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "rows.npz", X=np.array([[Dangerous()]], object), y=np.zeros(1))
    with pytest.raises(DataError, match="X holds Python objects, which only unpickling could read"):
        arrays_of(tmp_path / "rows.npz")
    (tmp_path / "rows.npz").write_bytes(np.array([Dangerous()], object).dumps())
    with pytest.raises(DataError, match=r"this is no \.npz archive"):
        arrays_of(tmp_path / "rows.npz")
    assert not (tmp_path / "pickled").exists()


def test_a_single_array_is_told_from_an_archive(tmp_path):
    (tmp_path / "rows.npz").write_bytes(ROWS)
    with pytest.raises(DataError, match=r"this is no \.npz archive\n.*and this is a single array"):
        arrays_of(tmp_path / "rows.npz")


def test_archives_as_numpy_does_not_write_them_are_refused(tmp_path):
    path = archive(tmp_path / "rows.npz", [("X.npy", ROWS), ("y.npy", TARGET)], zipfile.ZIP_LZMA)
    with pytest.raises(DataError, match="X is encrypted, or compressed as numpy does not"):
        arrays_of(path)
    path = archive(path, [("X.npy", ROWS), ("y.npy", TARGET)])
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="X is encrypted"):
        arrays_of(path)


def test_an_array_that_unpacks_to_too_much_is_not_unpacked(tmp_path):
    path = archive(tmp_path / "rows.npz", [("X.npy", ROWS), ("y.npy", TARGET)])
    content = path.read_bytes()
    at = content.index(b"PK\x01\x02") + 24
    path.write_bytes(content[:at] + (2**32 - 2).to_bytes(4, "little") + content[at + 4 :])
    with pytest.raises(DataError, match="X has 4294967294 bytes, and at most 2147483648 are read"):
        arrays_of(path)


@given(st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_of_any_kind_is_an_error_of_ours_or_harmless(tmp_path, data):
    path = tmp_path / "rows.npz"
    np.savez_compressed(path, X=np.arange(40.0).reshape(20, 2), y=np.arange(20))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))] if data.draw(st.booleans()) else content)
    with contextlib.suppress(DataError):
        arrays_of(path)
