"""The page of files names every file that runs, sweeps and models have, and no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import specnet
from specnet import Observer
from specnet.files.tensors import decode

pytestmark = pytest.mark.slow  # it trains some networks, though of a few units

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "files.md").read_text("utf-8")
FILE = re.compile(r"`(\w[\w.]*\.(?:json|jsonl|toml|csv|html|safetensors|journal))`")
FOLDER = re.compile(r"`(\w+)/?`")
NUMBERED = re.compile(r"(?<=seed|fold)\d+|^\d{4}$")
SPEC: dict[str, Any] = {
    "name": "small",
    "data": {"type": "make_moons", "n_samples": 60, "split": {"test_size": 0.2, "validation_size": 0.2}},
    "network": {"hidden_layer_sizes": [2], "preprocessing": ["standardize"]},
    "training": {"loss": "binary_crossentropy", "metrics": ["accuracy"], "epochs": 2},
    "sweep": {"trials": 2, "sampler": "random", "space": {"training.l2": [0.0, 0.1]}},
}
TOML = """
data = { type = "make_moons", split.validation_size = 0.2 }
sweep = { trials = 2, sampler = "random", space = { "training.l2" = [0.0, 0.1] } }
network.hidden_layer_sizes = [2]
training = { loss = "binary_crossentropy", epochs = 3 }
"""


class Interrupting(Observer):
    """Ends a run as Ctrl-C does, after its first epoch."""

    def logged(self, epoch: int, record: object) -> None:
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with runs of every kind, one of them interrupted."""
    out = tmp_path_factory.mktemp("files")
    with pytest.raises(KeyboardInterrupt):
        specnet.run(TOML, out / "interrupted", observer=Interrupting())
    specnet.run(SPEC, out / "alone")
    specnet.run(
        SPEC | {"training": SPEC["training"] | {"ensemble": {"members": 2, "validation": "split"}}}, out / "ensemble"
    )
    specnet.run_many(SPEC, out / "many", folds=2, seeds=2, jobs=1)
    specnet.sweep(TOML, out / "search", jobs=1)
    specnet.nested_sweep(SPEC, out / "nested", folds=2, jobs=1)
    return out


def test_every_file_is_named_and_every_named_file_is_there(folder: Path) -> None:
    assert {path.name for path in folder.rglob("*") if path.is_file()} == set(FILE.findall(PAGE))


def test_every_folder_within_is_named(folder: Path) -> None:
    within = {path.name for path in folder.glob("*/**/") if path.parent != folder} - {folder.name}
    named = {NUMBERED.sub("0", name) for name in FOLDER.findall(PAGE)}
    assert {NUMBERED.sub("0", name) for name in within} <= named


def test_tensors_of_a_model_are_named(folder: Path) -> None:
    names = [
        name
        for path in ("alone/model.safetensors", "ensemble/model.safetensors", "search/team/model.safetensors")
        for name in decode((folder / path).read_bytes())[1]
    ]
    kinds = {re.sub(r"\d+", "N", re.sub(r"^(members|models)\.\d+\.", "", name)) for name in names}
    named = {re.sub(r"\d+", "N", name) for name in re.findall(r"`([a-z_.\d]+)`", PAGE)}
    assert kinds - named == {"preprocessing.N.N.scale"}
    assert {name.partition(".")[0] for name in names} >= {"layers", "preprocessing", "members"}
