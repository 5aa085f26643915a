"""Documents written with other values, for another folder."""

import json
import os
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from specnet import SpecError, parse_spec, parts
from specnet.parts.fields import FilePath
from specnet.parts.part import Section
from specnet.spec.reading.reader import document_of, read
from specnet.spec.reading.source_document import Document
from specnet.spec.spec_writing import Change, SpecWriter, TomlText
from tests.random_specs import random_spec
from tests.registry import REGISTRY
from tests.spec.cases import GOOD, files

TEXT = """\
# A spec.
name = "a"
sweep.trials = 3 # of the sweep
[network]
layer_sizes = [2, 3, 1] # three
[training]
loss = "mse"
early_stopping = false
"""
CHANGED = """\
# A spec.
[network]
layer_sizes = [2, 8, 1] # three
[training]
loss = { type = "huber" }
early_stopping = { monitor = "loss" }
epochs = 7
optimizer = { type = "adam", learning_rate = 0.001 }
"""
TABLE = """\
[data]
type = "csv"
path = "{path}" # rows
target = "y"
split.test = "more/test.csv"
[network]
hidden_layer_sizes = [3]
[training]
loss = "mse"
"""


def writer(document: Document) -> SpecWriter:
    return SpecWriter(document, REGISTRY)


def written(source: str, *changes: Change, overrides: tuple[str, ...] = (), folder: Path | None = None) -> str:
    document = read(source, overrides)
    return writer(document).text(changes, document.folder or Path() if folder is None else folder)


def test_a_text_is_the_document_with_changes_and_without_the_sweep():
    text = written(
        TEXT,
        Change(("network", "layer_sizes", 1), 8),
        Change(("training", "optimizer", "learning_rate"), 1e-3),
        Change(("training", "early_stopping", "monitor"), "loss"),
        Change(("name",), removed=True),
        overrides=("training.epochs=7", "training.loss.type=huber"),
    )
    assert text == CHANGED


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_a_document_without_changes_stays_as_it_is(path: Path):
    document = read(path)
    text = writer(document).text([], path.parent)
    if document.format == "toml":
        before, _, _ = path.read_text(encoding="utf-8").partition("\n[sweep]\n")  # which stands last
        assert text == before
    else:
        assert list(json.loads(text)) == list(document.data)


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_every_good_spec_can_be_written_with_another_seed(text: str):
    document = document_of(text.encode(), "good")
    changed = writer(document).text([Change(("seed",), 12345)], Path())
    again = document_of(changed.encode(), "good")
    assert parse_spec(again).seed == 12345
    assert "sweep" not in again.data
    assert not changed.startswith("\N{BYTE ORDER MARK}")


@pytest.mark.parametrize("seed", range(5))
def test_mappings_and_json_give_json(seed: int, tmp_path: Path):
    data = random_spec(np.random.default_rng(seed), seed)
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    for source in (data, path):
        as_json = writer(read(source))
        text = as_json.text([Change(("training", "optimizer", "learning_rate"), 0.5)], tmp_path)
        data["training"]["optimizer"] = {"type": "sgd", "learning_rate": 0.5}
        assert (as_json.format, text) == ("json", json.dumps(data, indent=2, ensure_ascii=False) + "\n")


MOVED = """
rows.csv ../../specs/rows.csv, ./rows.csv ../../specs/rows.csv, deep/../*.csv ../../specs/deep/../*.csv,
../rows.csv ../../rows.csv, ../../rows.csv ../../../rows.csv, ../runs/rows.csv ../../runs/rows.csv, /rows.csv /rows.csv
"""


@pytest.mark.parametrize(("path", "expected"), [pair.split() for pair in MOVED.split(",")])
def test_relative_paths_lead_where_they_led(path: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "specs"
    for each in (folder / "deep", tmp_path / "runs" / "1"):
        each.mkdir(parents=True)
    text = TABLE.format(path=path)
    (folder / "a.toml").write_text(text, encoding="utf-8")
    target = tmp_path / "runs" / "1"
    moved = text.replace(f'"{path}"', f'"{expected}"').replace("more/test", "../../specs/more/test")
    assert written(str(folder / "a.toml"), folder=target) == moved
    monkeypatch.chdir(folder)
    assert written(text, folder=target) == moved  # no folder of its own: the working directory
    assert written(text, folder=Path()) == text
    assert os.path.normpath(target / expected) == os.path.normpath(folder / path)


def test_paths_do_not_take_steps_up_behind_a_link_together(tmp_path: Path):
    (tmp_path / "far" / "specs").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "specs")
    (tmp_path / "far" / "rows.csv").touch()
    path = tmp_path / "link" / "a.toml"
    path.write_text(TABLE.format(path="../rows.csv"), encoding="utf-8")
    (tmp_path / "runs").mkdir()
    data: Any = read(written(str(path), folder=tmp_path / "runs")).data
    assert os.path.samefile(tmp_path / "runs" / data["data"]["path"], tmp_path / "far" / "rows.csv")


def test_each_path_of_a_list_is_moved_and_so_is_a_path_that_is_set(tmp_path: Path):
    text = TABLE.replace('"{path}"', '["a.csv", "/b.csv"]')
    changes = [Change(("data", "split"), {"validation": "v.csv"})]
    data: Any = read(writer(replace(read(text), folder=tmp_path)).text(changes, tmp_path / "runs")).data
    assert data["data"]["path"] == ("../a.csv", "/b.csv")
    assert data["data"]["split"] == {"validation": "../v.csv"}


def test_changes_that_are_no_spec_have_their_mistakes():
    with pytest.raises(SpecError) as caught:
        written(TEXT, Change(("training", "epochs"), 0))
    assert [problem.code for problem in caught.value.diagnostics] == ["out-of-bounds"]


def test_a_text_that_says_something_else_is_not_returned(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(TomlText, "with_data", lambda self, old, new: TEXT.replace("sweep.trials = 3", ""))
    with pytest.raises(AssertionError, match="differs from the changed document"):
        writer(read(TEXT)).text([Change(("training", "l2"), 0.1)], Path())


def test_the_order_of_columns_counts():
    """A key that can only stand before tables makes other columns of it than a setting does."""
    columns = '[data.columns.day]\ntype = "datetime"\nformat = "%Y"\n[network]'
    text = TABLE.replace('split.test = "more/test.csv"\n', "").replace("[network]", columns)
    parse_spec(text)
    with pytest.raises(AssertionError):
        written(text, Change(("data", "columns", "x"), "numeric"))


class Chart(Section):
    path: FilePath


class Charted(parts.Activation):
    """Holds files at several depths."""

    type: Literal["charted"] = "charted"
    charts: dict[str, Chart]
    pairs: tuple[Chart, ...]


def test_paths_of_a_plugin_are_moved_wherever_they_stand(tmp_path: Path):
    charts = {"charts": {"a": {"path": "a.csv"}, "b": {"path": "/b.csv"}}, "pairs": [{"path": "c.csv"}]}
    network = {"layer_sizes": [2, 1], "activations": {"type": "charted", **charts}}
    data = {"network": network, "training": {"loss": "mse"}}
    document = replace(read(data), folder=tmp_path)
    text = SpecWriter(document, REGISTRY.with_parts([Charted])).text([], tmp_path / "runs")
    moved = json.loads(text)["network"]["activations"]
    assert moved["charts"] == {"a": {"path": "../a.csv"}, "b": {"path": "/b.csv"}}
    assert moved["pairs"] == [{"path": "../c.csv"}]


class Dated(parts.Activation):
    """An activation with a field that is no plain data."""

    type: Literal["dated"] = "dated"
    day: date = date(2024, 1, 2)


def test_a_spec_with_a_field_that_is_no_plain_data_is_written_as_json():
    network = {"layer_sizes": [2, 1], "activations": ["dated"]}
    spec = parse_spec({"network": network, "training": {"loss": "mse"}}, parts=[Dated])
    assert json.loads(spec.to_json())["network"]["activations"][0]["day"] == "2024-01-02"
