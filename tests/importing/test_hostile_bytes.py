"""Files whose bytes are cut off, changed or of another kind are refused, and nothing in them is executed."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import specnet
from specnet import export
from tests.exporting.models import spec_model
from tests.importing.answers import FILES
from tests.importing.onnx.graphs import graph_of
from tests.importing.onnx.test_hostile import reason_of
from tests.texts.pinned import Pinned, Refused


@pytest.mark.parametrize("name", ["sklearn_words.onnx", "torch_activations.onnx", "keras_functional.keras"])
def test_cut_off_at_every_kilobyte(tmp_path: Path, name: str):
    content = (FILES / name).read_bytes()
    path = tmp_path / name
    for size in [*range(0, 200, 7), *range(0, len(content), 1000), len(content) - 1]:
        path.write_bytes(content[:size])
        reason_of(path)


@pytest.mark.parametrize("name", ["sklearn_words.onnx", "keras_binary.keras"])
def test_bytes_turned_over_are_refused_or_harmless(tmp_path: Path, name: str):
    rng, content = np.random.default_rng(0), bytearray((FILES / name).read_bytes())
    path = tmp_path / name
    for _ in range(150):
        damaged = content.copy()
        for place in rng.integers(0, len(damaged), 3):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            specnet.import_model(path)
        except specnet.FileError as error:
            assert error.diagnostics[0].source == str(path)  # noqa: PT017 - not all are refused


@pytest.mark.slow
def test_empty_entries_do_not_become_objects(tmp_path: Path, pinned: Pinned):
    # A node of 2 bytes: 1 MB of them would be half a million objects.
    nodes = b"\x0a\x00" * 500_000
    length = len(nodes)
    size = bytes([length & 127 | 128, length >> 7 & 127 | 128, length >> 14])
    path = tmp_path / "network.onnx"
    path.write_bytes(b"\x08\x09" + b"\x3a" + size + nodes)
    pinned(reason_of(path))


class Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch executed",)


def test_pickles_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "objects.npz", X=np.array([Harmful()], dtype=object))
    (tmp_path / "object.pkl").write_bytes(pickle.dumps(Harmful()))
    with zipfile.ZipFile(tmp_path / "object.pt", "w") as archive:
        archive.writestr("object/data.pkl", pickle.dumps(Harmful()))
    for name in ("objects.npz", "object.pkl", "object.pt"):
        reason_of(tmp_path / name)
    assert not (tmp_path / "executed").exists()


def test_other_files(tmp_path: Path, refused: Refused, pinned: Pinned):
    (tmp_path / "text.onnx").write_text("a text\n" * 100)
    pinned(reason_of(tmp_path / "text.onnx"))
    (tmp_path / "empty.onnx").write_bytes(b"")
    pinned(reason_of(tmp_path / "empty.onnx"))
    with refused(specnet.FileError, at="missing.onnx"):
        specnet.import_model(tmp_path / "missing.onnx")
    with refused(specnet.FileError):
        specnet.import_model(tmp_path)


def test_a_graph_that_begins_like_another_kind_of_file_is_read(tmp_path: Path):
    model = graph_of("Gemm X W Y transB=1", {"W": np.ones((2, 3))})
    model.producer_name = "abc"
    for length in range(1, 60):
        model.graph.name = "g" * length
        if model.SerializeToString()[8:9] == b"{":  # as a safetensors header does
            break
    else:
        raise AssertionError("no length makes such a file")
    onnx.save(model, tmp_path / "m.onnx")
    assert specnet.import_model(tmp_path / "m.onnx").network.inputs == 3


@pytest.mark.slow
def test_damaged_graphs_meet_no_other_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    export(spec_model("iris.json"), "onnx", tmp_path / "iris.onnx")
    content, path, refusals = (tmp_path / "iris.onnx").read_bytes(), tmp_path / "damaged.onnx", 0
    structure = [place for place, byte in enumerate(content) if 0x20 <= byte < 0x7F]  # names, and what stands by them
    for seed in range(150):
        rng, damaged = np.random.default_rng(seed), bytearray(content)
        for place in rng.choice(structure, 2):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            specnet.import_model(path)
        except specnet.FileError:
            refusals += 1
    assert refusals > 50
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "content",
    [
        b"\x89HDF\r\n\x1a\n" + bytes(100),
        pickle.dumps([1.0] * 10),
        b"name = 'moons'\n" * 10,
        bytes([9, 0, 0, 0, 0, 0, 0, 0]) + b'{"a": 1}',
    ],
    ids=["HDF5", "pickle", "text", "safetensors"],
)
def test_files_of_other_kinds_are_known(content: bytes, tmp_path: Path, refused: Refused):
    path = tmp_path / "network.onnx"
    path.write_bytes(content)
    with refused(specnet.FileError, at="network.onnx"):
        specnet.import_model(path)
