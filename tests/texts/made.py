"""The texts that users read, as one document: help, mistakes in specs, and what commands and calls refuse.

The JSON Schema, which is generated and pinned too, has the descriptions of parts and fields; they are not repeated
here. A case is a line of ``commands.txt`` or ``calls.txt``. What tests meet (`pinned.py`) is a part of its own.
"""

import contextlib
import os
import shlex
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

import specnet
from specnet import SpecError, SpecnetWarning, parse_spec
from specnet.cli.application import specnet_command
from specnet.spec import parse_sweep
from tests.spec.cases import DOCUMENTS, NETWORKS, SEARCHES, TEXTS, marked
from tests.texts.calling import called

FOLDER = Path(__file__).parent

MOONS = """\
name = "moons"
[data]
type = "make_moons"
n_samples = 60
noise = 0.2
[network]
layer_sizes = [2, 3, 1]
[training]
loss = "binary_crossentropy"
epochs = 2
"""
TABLE = """\
name = "table"
[data]
type = "csv"
path = "rows.csv"
target = "kind"
split = { test_size = 0 }
[network]
hidden_layer_sizes = [2]
[training]
loss = "categorical_crossentropy"
epochs = 1
"""
NUMBERS = TABLE.replace("categorical_crossentropy", "mean_squared_error")
ROWS = "a,b,kind\n" + "1,2,x\n2,1,y\n3,2,z\n" * 4
CSV = {
    "blank": b"",
    "headless": b"1,2,3\n4,5,6\n",
    "header": b"a,b,kind\n",
    "unnamed": b"a,,kind\n1,2,x\n",
    "twice": b"a,a,kind\n1,2,x\n",
    "semicolons": b"a;b;kind\n1;2;x\n",
    "ragged": b"a,b,kind\n1,2\n",
    "gap": b"a,b,kind\n1,2,x\n1,,y\n",
    "word": b"a,b,kind\n1,much,x\n",
    "latin": b"a,b,kind\n1,2,caf\xe9\n",
    "endings": b"a,b,kind\n1,2,x\r\n1,2,y\n",
    "other": b"a,c,kind\n1,2,x\n",
    "foreign": b"a,b,kind\n1,2,w\n",
}
"""Tables that cannot be read, or do not fit."""


def document() -> str:
    """Return all texts."""
    lines = []
    with patch.dict(os.environ, COLUMNS="80"):
        for title, cases in [("Help", _help()), ("Specs", _specs()), ("Commands", _commands()), ("Calls", _calls())]:
            lines += [f"# {title}", ""]
            for name, text in cases:
                lines += [f"== {name}", text.rstrip("\n"), ""]
    return "\n".join(lines)


def _help() -> Iterator[tuple[str, str]]:
    for verb in ("", *specnet_command().commands):
        yield f"specnet {verb} --help".replace("  ", " "), called(*verb.split(), "--help").out


def _specs() -> Iterator[tuple[str, str]]:
    for name, text in (TEXTS | DOCUMENTS | NETWORKS | SEARCHES).items():
        with tempfile.TemporaryDirectory() as folder:
            source: str | Path = marked(text).text
            if name == "list-alone":
                source = Path(folder) / "list.json"
                source.write_text(marked(text).text)
            try:
                (parse_sweep if name in SEARCHES else parse_spec)(source)
            except SpecError as error:
                told = dict.fromkeys(_told(diagnostic) for diagnostic in error.diagnostics)
                yield name, "\n".join(told)


def _told(diagnostic: Any, label: str = "") -> str:
    text = f"{label or diagnostic.code}: {diagnostic.message}"
    if diagnostic.hint:
        text += f"\n    {diagnostic.hint}"
    return "\n".join([text, *(_told(note, "    note") for note in diagnostic.notes)])


def _commands() -> Iterator[tuple[str, str]]:
    with _working_folder():
        for line in _lines("commands.txt"):
            ended = called(*shlex.split(line))
            # What a run prints when it goes well has times in it.
            shown = ended.err if ended.status else ended.out * (not line.startswith("run"))
            yield f"specnet {line}", f"{shown}exit status {ended.status}"


def _calls() -> Iterator[tuple[str, str]]:
    with _working_folder():
        for line in _lines("calls.txt"):
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always", SpecnetWarning)
                try:
                    eval(line, _names())
                    told = []
                except Exception as error:
                    told = [f"{type(error).__name__}: {error}"]
            yield line, "\n".join([*(str(warning.message) for warning in warned), *told])


def _names() -> dict[str, Any]:
    """Return what a call can use."""
    X = np.arange(24.0).reshape(12, 2)
    y = np.arange(12) % 2
    network = specnet.build(_spec(MOONS))
    return {
        "np": np,
        "specnet": specnet,
        "spec": _spec,
        "MOONS": MOONS,
        "X": X,
        "y": y,
        "network": network,
        "theta": network.initial_parameters(),
        "model": specnet.load_model("model.safetensors"),
        "values": specnet.load_model("values.safetensors"),
        "without": lambda name: X[:, :0] if name == "columns" else X[:0],
        "table": pd.DataFrame(X, columns=["a", "b"]),
    }


def _spec(text: str, *settings: str) -> specnet.Spec:
    return specnet.parse_spec(text, overrides=settings)


@contextlib.contextmanager
def _working_folder() -> Iterator[None]:
    """Work in a folder with specs, rows, models and files that are none of these."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        folder = Path(name)
        (folder / "taken").mkdir()
        texts = {"moons.toml": MOONS, "table.toml": TABLE, "numbers.toml": NUMBERS, "rows.csv": ROWS}
        files = {name: text.encode() for name, text in texts.items()} | {
            f"{name}.csv": text for name, text in CSV.items()
        }
        files |= {"taken/notes.txt": b"", "empty.safetensors": b"", "page.safetensors": b"<html></html>"}
        files |= {"wrong.onnx": b"none", "latin.toml": b'name = "caf\xe9"\n'}
        for file, content in files.items():
            (folder / file).write_bytes(content)
        X = np.arange(24.0).reshape(12, 2)
        np.savez(folder / "rows.npz", X=X, y=np.arange(12) % 2)
        np.savez(folder / "three.npz", X=np.zeros((4, 3)))
        np.savez(folder / "objects.npz", X=np.array([[None]]))
        np.save(folder / "single.npy", X)
        (folder / "single.npy").rename(folder / "single.npz")
        specnet.run(_spec(MOONS), out=folder / "done")
        specnet.fit(_spec(MOONS), X, np.arange(12) % 2).save(folder / "model.safetensors")
        specnet.fit(_spec(MOONS, "training.loss=mean_squared_error"), X, X[:, 0]).save(folder / "values.safetensors")
        yield


def _lines(name: str) -> list[str]:
    return [line for line in (FOLDER / name).read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
