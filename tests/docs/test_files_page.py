"""The page of files names every file that runs, sweeps and models have, and no other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import specnet
from specnet import Observer
from tests.made import tensors_in

pytestmark = pytest.mark.slow  # it trains some networks, though of a few units

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "files.md").read_text("utf-8")
FILE = re.compile(r"`(\w[\w.]*\.(?:json|jsonl|toml|csv|html|safetensors|journal))`")
FOLDER = re.compile(r"`(\w+)/?`")
NUMBERED = re.compile(r"(?<=seed|fold)\d+|^\d{4}$")
SPEC = """
name = "small"
data = { type = "make_moons", n_samples = 60, split = { test_size = 0.2, validation_size = 0.2 } }
network = { hidden_layer_sizes = [2], preprocessing = ["standardize"] }
training = { loss = "binary_crossentropy", metrics = ["accuracy"], epochs = 2 }
sweep = { trials = 2, sampler = "random", space = { "training.l2" = [0.0, 0.1] } }
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
        specnet.run(SPEC, out / "interrupted", observer=Interrupting())
    document = tomllib.loads(SPEC)
    specnet.run({**document, "expect": [{"metric": "loss", "at_most": 100}]}, out / "alone")
    members = "training.ensemble={ members = 2, validation = 'split' }"
    specnet.run(SPEC, out / "ensemble", overrides=[members])
    specnet.run_many(document, out / "many", folds=2, seeds=2, jobs=1)
    specnet.sweep(SPEC, out / "search", jobs=1)
    specnet.nested_sweep(document, out / "nested", folds=2, jobs=1)
    return out


def test_every_file_is_named_and_every_named_file_is_there(folder: Path) -> None:
    assert {path.name for path in folder.rglob("*") if path.is_file()} == set(FILE.findall(PAGE))


def test_every_folder_within_is_named(folder: Path) -> None:
    within = {path.name for path in folder.glob("*/**/") if path.parent != folder} - {folder.name}
    named = {NUMBERED.sub("0", name) for name in FOLDER.findall(PAGE)}
    assert {NUMBERED.sub("0", name) for name in within} <= named


def test_tensors_of_a_model_are_named(folder: Path) -> None:
    models = [folder / name / "model.safetensors" for name in ("alone", "ensemble", "search/team")]
    names = [name for path in models for name in tensors_in(path)]
    kinds = {re.sub(r"\d+", "N", re.sub(r"^(members|models)\.\d+\.", "", name)) for name in names}
    named = {re.sub(r"\d+", "N", name) for name in re.findall(r"`([a-z_.\d]+)`", PAGE)}
    assert kinds - named == {"preprocessing.N.N.scale"}
    assert {name.partition(".")[0] for name in names} >= {"layers", "preprocessing", "members"}
