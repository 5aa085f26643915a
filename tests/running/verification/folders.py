"""Runs that are small, and what is changed in their folders."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from specnet import Observer, Verification, run, verify
from specnet.files.plain_data import with_hashes
from tests.made import tensors_in
from tests.running.moons import MOONS

SPEC = MOONS.replace("epochs = 12", 'epochs = 12\nmetrics = ["accuracy"]')
FILES = 10
"""Of its run: all but ``report.html``."""
TABLE = """
name = "table"
[data]
type = "csv"
path = "rows.csv"
target = "kind"
split = { test_size = 0.25 }
[network]
hidden_layer_sizes = [4]
[training]
loss = "binary_crossentropy"
epochs = 5
"""


def made(folder: Path, spec: str = SPEC, **options: Any) -> Path:
    """Run a spec, and return its folder."""
    run(spec, folder, report=False, observer=Observer(), **options)
    return folder


def only(found: Verification) -> Any:
    (verified,) = found.runs
    return verified


def verified(folder: Path, **options: Any) -> Any:
    return only(verify(folder, **options))


def run_table(top: Path) -> Path:
    """Run a spec on a table beside it, and return its folder."""
    write_rows(top / "rows.csv")
    (top / "spec.toml").write_text(TABLE)
    return made(top / "table", top / "spec.toml")


def write_rows(path: Path, rows: int = 60) -> None:
    """Write a table with a date, a text and gaps."""
    rng = np.random.default_rng(0)
    lines = ["day,size,city,kind"]
    for row in range(rows):
        size = "" if row % 7 == 0 else f"{rng.normal():.3f}"
        lines.append(f"2024-{1 + row % 12:02}-03,{size},{('rome', 'oslo', '')[row % 3]},{('yes', 'no')[row % 5 % 2]}")
    path.write_text("\n".join(lines) + "\n")


def change_facts(folder: Path, **facts: Any) -> None:
    """Change what ``run.json`` says, as if the run had written that."""
    path = folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))
    record(folder)


def record(folder: Path, name: str = "run.json") -> None:
    """Let the files of a folder be what the run has written: their SHA-256 are recorded anew."""
    hashes = json.loads((folder / name).read_text())["sha256"]
    contents = {each: (folder / each).read_bytes() for each in hashes if (folder / each).exists()}
    (folder / name).write_bytes(with_hashes(contents, name)[name].encode())


def without_hashes(folder: Path) -> None:
    """Let a folder be one of an earlier version, whose records had no SHA-256 of other files."""
    for path in [*folder.rglob("run.json"), *folder.rglob("sweep.json")]:
        facts = json.loads(path.read_text())
        path.write_text(json.dumps({key: value for key, value in facts.items() if key != "sha256"}, indent=2) + "\n")


def other_numpy(folder: Path) -> None:
    """Let the run be one of another version of NumPy."""
    versions = json.loads((folder / "run.json").read_text())["versions"]
    change_facts(folder, versions={**versions, "numpy": "1.0"})


def change_model(folder: Path, name: str, change: Callable[[Any], None], *, recorded: bool = True) -> None:
    """Change a tensor of the model, as if the run had come to that, or as if the file had been changed later."""
    path = folder / "model.safetensors"
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    tensors = tensors_in(path)
    change(tensors[name])
    path.write_bytes(save(tensors, metadata))
    if recorded:
        change_facts(folder, model_sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def one_ulp_up(array: Any) -> None:
    array[...] = np.nextafter(array, array.dtype.type(np.inf))
