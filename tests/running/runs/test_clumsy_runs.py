"""Tables from file to model: clumsy ones train or are one mistake, warnings are right, bytes are the same."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import NormalDist
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

import specnet
from specnet import Observer, SpecnetError
from tests.running.specs import csv_file, spec_on

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


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("settings", [(), ("data.target=sex", "data.missing_target=drop")])
def test_penguins_give_no_warning(seed: int, settings: tuple[str, ...]):
    overrides = [f"seed={seed}", "training.epochs=1", *settings]
    assert codes(specnet.run("specs/penguins.toml", overrides=overrides, observer=Observer())) == []


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


def test_a_fraction_in_row_30001_is_a_number(tmp_path: Path):
    content = lines("a,y", lambda row: 0.5 if row == 30_000 else row % 9, label, rows=30_002)
    assert run(tmp_path, content).model.spec.data.columns["a"] == "numeric"


def test_early_stopping_may_watch_the_rows_that_a_column_says(tmp_path: Path):
    content = lines("a,y,part", number, label, lambda row: ("train", "validation", "test")[row % 4 % 3])
    stopping = {"split": BY_COLUMN, "training": {"early_stopping": True}}
    assert list(run(tmp_path, content, **stopping).metrics) == ["train", "validation", "test"]
    with pytest.raises(specnet.DataError, match="validation rows"):
        run(tmp_path, content.replace("validation", "train"), **stopping)


ZONE = "America/St_Johns"
"""Whose hours exist twice, or never, and begin with no hour of Greenwich; that of this process is another one."""
SPLITS: dict[str, Any] = {
    "random": {"test_size": 0.25},
    "group": {"group": "city", "test_size": 0.25},
    "time": {"time": "sent", "test_size": 0.25},
}
CHILD = """
import os, pathlib, sys
os.fsync = lambda descriptor: None
from tests.running.runs.test_clumsy_runs import train_all
train_all(*map(pathlib.Path, sys.argv[1:]))
"""
SAME = ("model.safetensors", "history.jsonl", "metrics.json", "findings.json", "layers.jsonl", "spec.resolved.json")


def moments() -> Iterator[dict[str, str]]:
    """Yield a table with gaps, categories, booleans and moments, some in hours that clocks skip."""
    rng = np.random.default_rng(6)
    for row in range(120):
        moment = np.datetime64("2024-03-10T00:15:00") + np.timedelta64(int(rng.integers(0, 1000)) * 15, "m")
        yield {
            "size": f"{NormalDist().inv_cdf(rng.random()):.6g}" if row % 7 else "",
            "count": str(rng.integers(0, 9)),
            "city": f"city {rng.integers(0, 12)}" if row % 11 else "",
            "late": str(rng.random() < 0.5).lower(),
            "day": str(moment.astype("datetime64[D]")),
            "when": str(moment),
            "sent": f"{moment}+05:30",
            "y": "yes" if rng.random() < 0.5 else "no",
        }


def document(folder: Path, suffix: str, split: str, **training: Any) -> dict[str, Any]:
    data = {"type": suffix, "path": str(folder / f"rows.{suffix}"), "target": "y", "split": SPLITS[split]}
    return {"seed": 3, **spec_on(data, 4, epochs=6, metrics=["accuracy"], **training)}


def train_all(folder: Path, out: Path) -> None:
    """Run in this process, whose time zone counts: each kind of file, alone and as an ensemble."""
    for split in SPLITS:
        for suffix in ("csv", "parquet"):
            specnet.run(document(folder, suffix, split), out / split / suffix, observer=Observer(), report=False)
    ensemble = document(folder, "csv", "random", ensemble=3)
    specnet.run(ensemble, out / "random" / "ensemble", observer=Observer(), report=False)


@pytest.fixture(scope="module")
def outs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of runs in each time zone."""
    folder = tmp_path_factory.mktemp("zones")
    table = list(moments())
    csv_file(folder / "rows.csv", ",".join(table[0]), (row.values() for row in table))
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            f"""COPY (SELECT size::DOUBLE size, count::INTEGER count, city, late::BOOLEAN late, day::DATE AS day,
            "when"::TIMESTAMP AS "when", sent::TIMESTAMPTZ sent, y
            FROM read_csv('{folder}/rows.csv', all_varchar = true, nullstr = ''))
            TO '{folder}/rows.parquet' (FORMAT parquet)"""
        )
    here, there = folder / "here", folder / "there"
    command = [sys.executable, "-c", CHILD, str(folder), str(there)]
    subprocess.run(command, env={**os.environ, "TZ": ZONE}, check=True, timeout=600)
    train_all(folder, here)
    return [here, there]


def tensors(folder: Path) -> tuple[dict[str, Any], bytes]:
    """Return a model without the spec in it: what its tensors are, and their bytes."""
    content = (folder / "model.safetensors").read_bytes()
    stop = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:stop])
    del header["__metadata__"]
    return header, content[stop:]


def test_a_time_zone_changes_no_byte(outs: list[Path]):
    one, other = outs
    folders = [path.parent.relative_to(one) for path in one.rglob("run.json")]
    assert len(folders) == 2 * len(SPLITS) + 1
    for folder in folders:
        for name in SAME:
            assert (one / folder / name).read_bytes() == (other / folder / name).read_bytes(), (folder, name)
        facts = [json.loads((out / folder / "run.json").read_text()) for out in outs]
        assert facts[0]["data_sha256"] == facts[1]["data_sha256"]


@pytest.mark.parametrize("split", SPLITS)
def test_a_table_is_the_same_from_csv_and_from_parquet(outs: list[Path], split: str):
    csv, parquet = outs[0] / split / "csv", outs[0] / split / "parquet"
    assert tensors(csv) == tensors(parquet)
    for name in ("history.jsonl", "metrics.json"):
        assert (csv / name).read_bytes() == (parquet / name).read_bytes(), name
