"""What is made of tables beside reading one: files of a split, of a model, of predictions, and hints about them."""

import duckdb
import numpy as np
import pytest

from specnet import DataError
from specnet.parts.data import Column, ColumnCells, Csv, Jsonl, Parquet, Split, Table
from specnet.parts.data.tables.parquet_files import parquet_pieces
from specnet.parts.data.tables.roles import below_each_other
from specnet.parts.data.tables.setting_hints import how_to_convert, longer, no_header, setting, settings_as_options
from tests.cases.reading import source
from tests.registry import part
from tests.texts.pinned import Pinned, Refused


def test_a_parquet_file_has_the_columns_that_are_given_part_by_part(tmp_path, refused: Refused):
    names = ["n", 'a "b"', "d"]
    parts = [
        dict(zip(names, map(ColumnCells, cells, ("DOUBLE", "VARCHAR", "INTEGER")), strict=True))
        for cells in (([1.5, None], ["x", "ä"], ["7", "8"]), ([3.0], [None], ["9"]))
    ]
    path = tmp_path / "made.parquet"
    path.write_bytes(b"".join(parquet_pieces(parts)))
    assert duckdb.read_parquet(str(path)).fetchall() == [(1.5, "x", 7), (None, "ä", 8), (3.0, None, 9)]
    described = duckdb.read_parquet(str(path))
    assert described.columns == names
    assert [str(kind) for kind in described.types] == ["DOUBLE", "VARCHAR", "INTEGER"]
    with refused(DataError):
        list(parquet_pieces([{"b": ColumnCells([]), "Ab": ColumnCells([]), "aB": ColumnCells([])}]))


def test_tables_below_each_other_share_the_texts_of_their_categories():
    def table(cells, texts, y, weight=None):
        X = np.array([*zip(range(len(cells)), cells, strict=True)], float).reshape(-1, 2)
        columns = (Column("n", "numeric"), Column("c", "category", np.array(texts)))
        return Table(X, np.array(y), "classes", sample_weight=weight, columns=columns, kinds={"n": "numeric"})

    parts = {
        "train": table([0, np.nan, 1], ["b", "d"], [0, 1, 0], np.array([1.0, 2, 3])),
        "test": table([1, 0], ["a", "b"], ["x", "1"]),
    }
    whole = below_each_other(parts)
    assert whole.columns[1].texts.tolist() == ["a", "b", "d"]
    np.testing.assert_array_equal(whole.X, [[0, 1], [1, np.nan], [2, 2], [0, 1], [1, 0]])
    assert whole.y.tolist() == ["0", "1", "0", "x", "1"]
    assert whole.sample_weight.tolist() == [1, 2, 3, 1, 1]
    assert whole.split_by.tolist() == ["train"] * 3 + ["test"] * 2
    assert (whole.target, whole.kinds, whole.warnings) == ("classes", {"n": "numeric"}, ())
    assert below_each_other(dict(reversed(parts.items()))).sample_weight is None
    alike = below_each_other({"train": parts["train"], "test": parts["train"]})
    assert alike.y.tolist() == [0, 1, 0] * 2


def test_files_of_one_split_are_read_by_the_kinds_of_the_first(tmp_path, refused: Refused):
    (tmp_path / "rows.csv").write_text("a,kind,w,y\n" + "1,red,2,0\n2,blue,1,1\n" * 10)
    (tmp_path / "test.jsonl").write_text('{"y": 1, "w": 3, "kind": "green", "a": 9}\n')
    source = Csv(path="rows.csv", target="y", sample_weight="w", split=Split(test="test.jsonl"))
    table = source.load(tmp_path, "classes")
    assert table.columns[1].texts.tolist() == ["blue", "green", "red"]
    assert table.X[-1].tolist() == [9, 1]
    assert table.sample_weight[-2:].tolist() == [1, 3]
    with refused(DataError, at="split.validation"):
        Csv(path="rows.csv", target="y", split=Split(validation="rows.xlsx")).load(tmp_path, "classes")


def test_cells_of_every_format_are_handed_on_as_they_are(tmp_path):
    """With the types of a file that has some; and a number is found where it stands."""
    rows = "SELECT i + 1 AS n, 'p' || i AS t, i * 0.5::DOUBLE AS x FROM range(3) t(i)"
    duckdb.execute(f"COPY ({rows}) TO '{tmp_path / 'rows.parquet'}' (FORMAT parquet)")
    lines = ['{"n": 1, "t": "p0", "x": 0.0}', '{"x": 0.5, "n": 2, "t": "p1"}', '{"t": "p2", "x": 1.0, "n": 3}']
    (tmp_path / "rows.jsonl").write_text("\n\n".join(lines))
    (tmp_path / "rows.csv").write_text("n,t,x\n1,p0,0.0\n2,p1,0.5\n3,p2,1.0\n")
    for kind, typed in ((Csv, False), (Jsonl, False), (Parquet, True)):
        table = kind(path=f"rows.{kind.suffixes[0][1:]}", target="x")
        first, last = table.read_cells(tmp_path, ["t", "n"], 2)
        assert [list(first["t"].texts), list(first["n"].texts)] == [["p0", "p1"], ["1", "2"]]
        assert [list(last["t"].texts), list(last["n"].texts)] == [["p2"], ["3"]]
        assert (first["t"].type, first["n"].type) == ("VARCHAR", "BIGINT" if typed else "VARCHAR")
        problem = table.cell_problem(tmp_path, "n", 3.0, "message", "hint")
        assert (problem.code, problem.message, problem.hint) == ("too-large", "message", "hint")
        line = {Csv: 4, Jsonl: 5, Parquet: None}[kind]
        assert (problem.source, problem.position and problem.position.line) == (str(tmp_path / table.path), line)
        assert table.cell_problem(tmp_path, "n", 7.0, "message", "hint") is None


def test_damage_that_is_met_while_cells_are_handed_on_is_an_error_of_the_file(tmp_path):
    """DuckDB's own error says neither which file it is nor that the file is to blame."""
    path = tmp_path / "rows.parquet"
    duckdb.execute(f"COPY (SELECT 'text ' || i AS t, 1 AS y FROM range(60000) r(i)) TO '{path}' (FORMAT parquet)")
    content = path.read_bytes()
    middle = len(content) // 2
    for start, length in ((middle, 4000), (4, 40)):
        path.write_bytes(content[:start] + b"\xff" * length + content[start + length :])
        with pytest.raises(DataError) as caught:
            for _ in Parquet(path=path.name, target="y").read_cells(tmp_path, ["t"], 1000):
                pass
        (problem,) = caught.value.diagnostics
        assert (problem.code, problem.source) == ("parquet", str(path))


NOTATIONS = [
    ("1e300 kg", {"unit": "kg"}, 1e300),
    ("1.234,5", {"decimal": ","}, 1234.5),
    ("1.234,5", None, 1234.5),
    ("$9,999,999", None, 9_999_999.0),
]


@pytest.mark.parametrize(("cell", "kind", "number"), NOTATIONS)
def test_a_number_is_found_where_it_is_written_in_a_notation(tmp_path, cell, kind, number):
    (tmp_path / "rows.csv").write_text(f'a;y\n2;1\n"{cell}";0\n')
    columns = {"a": {"type": "numeric", **kind}} if kind else {}
    table = part("data", "csv", path="rows.csv", target="y", columns=columns)
    assert table.cell_problem(tmp_path, "a", number, "message", "hint").position.line == 3


def test_types_of_several_files_are_the_wider_ones(tmp_path, refused: Refused):
    def written(name, value):
        duckdb.execute(f"COPY (SELECT {value} AS a, 1 AS y FROM range(2)) TO '{tmp_path / name}' (FORMAT parquet)")

    for one, other, expected in (("1::TINYINT", "2::BIGINT", [1, 1, 2, 2]), ("1::TINYINT", "0.5", [1, 1, 0.5, 0.5])):
        written("1.parquet", one)
        written("2.parquet", other)
        assert Parquet(path="*.parquet", target="y").load(tmp_path, "values").X[:, 0].tolist() == expected
    written("2.parquet", "'x'")
    with refused(DataError, code="column-type", at="2.parquet"):
        Parquet(path="*.parquet", target="y").load(tmp_path, "values")


def test_what_a_model_may_hand_on_of_its_files():
    assert Csv(path="/home/me/rows.csv", target="y").handed_on().path == "rows.csv"
    assert Csv(path=("/home/me/a.csv", "b/c.csv"), target="y").handed_on().path == ("a.csv", "c.csv")
    roles = {"target": "y", "features": ("a",), "sample_weight": "w", "missing_target": "drop"}
    other = Csv(path="rows.csv", **roles).for_file("x.jsonl")
    assert other == Jsonl(path="x.jsonl", columns={"a": "numeric"}, **roles)
    assert Csv(path="rows.csv", target="y", delimiter=";").for_file("new.tsv.gz").delimiter == ";"
    assert Csv(path="rows.csv", target="y").for_file("rows.npz") is None


def test_all_columns_of_a_file_are_read_with_the_target(tmp_path, refused: Refused):
    (tmp_path / "rows.csv").write_text("a,text,y,b\n1,p,0,x\n2,q,1,x\n")
    table = Csv(path="rows.csv", target="y", columns={"b": "ignore"}).read_all(tmp_path)
    assert table.kinds == {"a": "numeric", "text": "ignore", "y": "numeric", "b": "ignore"}
    with refused(DataError, code="unknown-column"):
        Csv(path="rows.csv", target="z").read_all(tmp_path)


def test_settings_are_told_of_as_a_spec_or_an_option_has_them(pinned: Pinned):
    def hints():
        yield from (setting("delimiter", "';'", '"a b"'), setting("skip", "1"), setting("columns.a", '"ignore"'))
        yield from (setting('columns."a b"', '"x"', '"1"', '"\\t"', '"é"'), no_header(), no_header(2))
        yield from (longer("missing_values", ["", "NA"], ["?", "-"], ["x"]), longer("missing_values", [], ["a'b"]))

    pinned("\n".join(hints()))
    with settings_as_options("new"):
        pinned("\n".join(hints()))
    suffixes = "parquet xlsx XLS xlsm ods json json.gz txt dat data tab docx"
    pinned("\n".join(how_to_convert(f"/some/rows.{suffix}") for suffix in suffixes.split()))


WORDS = [
    ("YES Yes No no no -", ("no", "YES")),  # the most frequent ones, then by code point
    *((cells, None) for cells in ("yes yes No 1", "yes false", "yes no t", "yes yes", "0 1.0")),
]


@pytest.mark.parametrize(("cells", "words"), WORDS)
def test_the_words_of_several_targets_are_those_of_their_cells(file, cells, words):
    cells = cells.replace("-", "").split(" ")
    path = file("".join(f"{cell}\n" for cell in ["x,y,z", *(f"{row},{cell},1" for row, cell in enumerate(cells))]))
    source = Csv(path=path.name, target=["y", "z"], missing_target="drop")
    found = source.load(path.parent, "classes")
    assert source.with_columns(found).target_words == ({"y": words} if words else {})
    assert found.y[:, 0].tolist() == [float(cell.lower() in ("yes", "1", "1.0", "t")) for cell in cells if cell]


@pytest.mark.parametrize(
    ("kind", "target"), [("classes", "species"), ("values", "mass"), ("classes", ["flag", "other"])]
)
def test_rows_with_their_target_apart_are_those_that_are_loaded(tmp_path, kind, target):
    """Labels are numbers there: equal ones where the labels are."""
    words = (f"{'ab c'[row % 4]}{row % 3},{row % 7}.5,{row % 2},{(row + 1) % 2},id{row}" for row in range(60))
    (tmp_path / "rows.csv").write_text("\n".join(["species,mass,flag,other,name", *words, ",,,,x", ""]))
    data = source(kind=kind, type="csv", path="rows.csv", target=target, missing_target="drop")
    loaded, apart = data.load(tmp_path, kind), data.with_target(data.read_all(tmp_path), kind)
    np.testing.assert_array_equal(apart.X, loaded.X)
    assert [column.name for column in apart.columns] == [column.name for column in loaded.columns]
    assert dict(apart.kinds) == dict(loaded.kinds)
    assert apart.y.shape == loaded.y.shape
    labels = [np.unique(table.y, axis=0, return_inverse=True)[1].reshape(-1) for table in (apart, loaded)]
    np.testing.assert_array_equal(*labels)
