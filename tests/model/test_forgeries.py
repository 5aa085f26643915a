"""Files that are damaged, forged or something else are refused with words, soon, and before memory is taken."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save

from specnet import FileError, load_model
from tests.model.models import make_model, refusal, saved
from tests.texts.pinned import Pinned

MANY = {"type": "block", "repeat": 10**15, "layers": [{"type": "dense", "units": 1}]}
CSV = {"type": "csv", "path": "a", "target": "y"}
Tensors = dict[str, np.ndarray]
Change = Callable[[Tensors, dict[str, Any]], None]


def forge(path: Path, kind: str, change: Change) -> None:
    """Save a model of a kind after changing its arrays and its metadata."""
    model = make_model(kind)
    model.save(path)
    tensors = load_file(path)
    with safe_open(path, framework="numpy") as file:
        metadata = json.loads(file.metadata()["specnet"])
    change(tensors, metadata)
    path.write_bytes(save(tensors, {"specnet": json.dumps(metadata)}))


def drop(name: str) -> Change:
    return lambda tensors, _: tensors.__delitem__(name)


def put(name: str, tensor: Any) -> Change:
    return lambda tensors, _: tensors.update({name: np.asarray(tensor)})


def both(quantiles: Any, knots: Any = None, low: Any = None) -> Change:
    """Put quantiles of errors, and what stands beside them."""

    def change(tensors: Tensors, _: dict[str, Any]) -> None:
        tensors["error_quantiles"] = np.asarray(quantiles)
        if knots is not None:
            tensors["error_knots"] = np.asarray(knots)
        if low is not None:
            tensors["not_negative"] = np.asarray(low, np.uint8)

    return change


def say(path: str, value: Any) -> Change:
    def change(_: Tensors, metadata: dict[str, Any]) -> None:
        table: Any = metadata["models"][0] if path.startswith("spec") else metadata
        *outer, last = path.split(".")
        for key in outer:
            table = table[int(key) if isinstance(table, list) else key]
        table[last] = value

    return change


DROPPED = {
    "classes": ["layers.0.bias", "preprocessing.0.0.scale", "labels"],
    "value": ["target_preprocessing.0.0.mean"],
    "classes, text": ["labels.bytes", "labels.offsets"],
}
PUT: dict[tuple[str, str], list[Any]] = {
    ("classes", "layers.9.bias"): [[0.0]],
    ("classes", "layers.0.weight"): [np.zeros((3, 4)), np.zeros((4, 3), np.float32)],
    ("classes", "layers.0.bias"): [[0, 0, np.nan, 0]],
    ("classes", "preprocessing.0.0.mean"): [[0, 0, np.inf]],
    ("classes", "labels"): [[0, 1], [0, 2, 1]],
    ("classes", "error_quantiles"): [[[0.5, 0.4]], [[-0.1, 0.4]], [[0.1, 1.4]], [0.1, 0.4]],
    ("classes, text", "labels"): [[1, 2, 3]],
    ("classes, text", "labels.offsets"): [[0, 1], [0, 9, 7, 14]],
    ("classes, text", "labels.bytes"): [np.zeros((2, 2), np.uint8), np.full(13, 255, np.uint8)],
    ("value", "labels"): [[1]],
    ("value", "error_quantiles"): [
        *(np.zeros(shape) for shape in ((1, 0), (1, 100), (2, 9))),
        *([[0.0, np.inf]], np.zeros((1, 9), np.float32)),
    ],
    ("value", "error_knots"): [[[0.0, 1.0]]],
    ("value", "not_negative"): [np.ones(1, np.uint8)],
    ("multilabel", "labels"): [[0, 1]],
    ("multilabel", "error_quantiles"): [np.zeros((1, 9))],
}
TWO, ONE = np.ones((1, 9, 2)), np.ones((1, 9))
QUANTILES = [
    ("value", both(TWO, [[1.0, 1.0]])),
    ("value", both(TWO, [[2.0, 1.0]])),
    ("value", both(TWO, [[0.0, 1.0, 2.0]])),
    ("value", both(np.ones((1, 9, 65)), [np.arange(65.0)])),
    ("value", both(ONE, [[0.0, 1.0]])),
    ("value", both(-TWO, [[0.0, 1.0]])),
    ("value", both(ONE, low=[0])),
    ("value", both(ONE, low=[2])),
    ("classes", both(ONE, low=[1])),
]
SAID: list[tuple[str, Any]] = [
    *(("needs", ["tokens"]), ("needs", "tokens"), ("models", []), ("format_version", 2), ("spec", []), ("more", 1)),
    *(("spec.network.layers.0.units", 5), ("spec.network.input_size", 4), ("spec.network.dtype", "float32")),
]


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        *((kind, drop(name)) for kind, names in DROPPED.items() for name in names),
        *((kind, put(name, tensor)) for (kind, name), tensors in PUT.items() for tensor in tensors),
        *QUANTILES,
        *(("classes", say(path, value)) for path, value in SAID),
    ],
)
def test_a_file_that_is_not_its_spec_s_is_refused(kind: str, change: Change, tmp_path: Path, pinned: Pinned) -> None:
    forge(tmp_path / "model", kind, change)
    pinned(refusal(tmp_path / "model"))


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("spec", {}, "network"),
        *(("spec.network.layers.0.units", units, "network.layers.0.units") for units in (0, 10**9, None)),
        ("spec.network.layers.0.type", "dens", "network.layers.0"),
        ("spec.training.optimizer.type", "os.system", "training.optimizer"),
        ("spec.network.output_size", 4, "network.layers.1.units"),
        ("spec.seed", -1, "seed"),
        ("spec.\x1b[31m", 1, "\\x1b[31m"),
        ("spec.network.layers", [MANY], "network.layers"),
    ],
)
def test_a_spec_inside_is_checked_like_any_other(path: str, value: Any, place: str, tmp_path: Path) -> None:
    forge(tmp_path / "model", "classes", say(path, value))
    with pytest.raises(FileError) as error:
        load_model(tmp_path / "model")
    assert any(f"'{place}" in diagnostic.message for diagnostic in error.value.diagnostics)
    assert all(diagnostic.source == str(tmp_path / "model") for diagnostic in error.value.diagnostics)
    assert all(line.isprintable() for line in str(error.value).split("\n"))


def test_a_spec_that_asks_for_much_gets_nothing(tmp_path: Path, pinned: Pinned) -> None:
    """A network within the limits, but without the numbers in the file: refused before room for them is made."""
    forge(tmp_path / "model", "classes", say("spec.network.layers.0.units", 10_000_000))
    tracemalloc.start()
    try:
        pinned(refusal(tmp_path / "model"))
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("network.layers", [{"type": "dense", "units": 1}] * 4_000),
        ("network", {f"key{index}": 1 for index in range(49_000)}),
        ("network.preprocessing", ["standardize"] * 5_000),
        ("training.metrics", ["acuracy"] * 5_000),
        ("training.metrics", ["accuracy"] * 60_000),
        ("data", {**CSV, "features": ["a"] * 5_000}),
        ("data", {**CSV, "features": [str(n) for n in range(5_000)]}),
        ("name", "n" * 1_000_000),
    ],
    ids=range(8),
)
def test_a_spec_full_of_mistakes_is_refused_in_few_words(path: str, value: Any, tmp_path: Path) -> None:
    forge(tmp_path / "model", "classes", say(f"spec.{path}", value))
    with pytest.raises(FileError) as error:
        load_model(tmp_path / "model")
    assert len(str(error.value)) < 50_000


@pytest.mark.parametrize(
    ("kind", "last", "shape"),
    [("classes, text", "labels.bytes", [2**40]), ("plain values", "error_quantiles", [2, 2**36])],
)
def test_a_sparse_file_of_a_terabyte_is_refused_unread(
    kind: str, last: str, shape: list[int], tmp_path: Path, pinned: Pinned
) -> None:
    """All is right with it but labels or quantiles, which come last and are as long as they say."""
    path, size = tmp_path / "model", 2**40
    content = saved(make_model(kind), path)
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    first, end = header[last]["data_offsets"]
    for entry in header.values():
        if entry.get("data_offsets", [0])[0] >= end:
            entry["data_offsets"] = [offset - end + first for offset in entry["data_offsets"]]
    begin = len(content) - 8 - length - end + first
    header[last] |= {"shape": shape, "data_offsets": [begin, begin + size]}
    text = json.dumps(header).encode()
    with open(path, "wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text + content[8 + length :])
        stream.truncate(8 + len(text) + begin + size)
    tracemalloc.start()
    try:
        pinned(refusal(path))
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()


def test_places_without_a_model(tmp_path: Path, pinned: Pinned) -> None:
    (tmp_path / "spec.toml").write_text('name = "moons"\n[network]\n')
    np.savez(tmp_path / "data.npz", X=np.ones(3))
    (tmp_path / "other.safetensors").write_bytes(save({"weight": np.ones(3)}, {"format": "pt"}))
    for name in ("absent", ".", "spec.toml", "data.npz", "other.safetensors"):
        pinned(refusal(tmp_path / name))
