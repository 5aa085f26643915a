"""The options that raise a cap and that go on with an interrupted run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from typer.main import get_command

from specnet import Model
from specnet.cli.application import application
from tests.cli.conftest import Specnet
from tests.running.sweeps.searches import GRID
from tests.texts.pinned import Refused

NETWORK = Path(__file__).parents[2] / "importing/files/sklearn_words.onnx"
NETWORKLESS = {"new", "parts", "schema", "runs"}
"""Verbs that read no spec and no model."""

DEEP = """
[data]
type = "iris"
[network]
layers = [
    { type = "block", repeat = 1200, layers = [{ type = "activation", activation = "tanh" }] },
    { type = "dense", units = 3 },
]
[training]
loss = "categorical_crossentropy"
epochs = 1
"""


def test_a_cap_is_raised_as_its_error_says(specnet: Specnet, folder: Path, refused: Refused) -> None:
    (folder / "deep.toml").write_text(DEEP)
    assert "--limit layers=1201" in specnet("validate", "deep.toml").failed(1)
    assert specnet("validate", "deep.toml", "--limit", "layers=1201").status == 0


LOADING = {
    "validate": ["moons.toml", "moons"],
    "run": ["moons.toml -o run --no-report", "moons -o again --no-report", "moons.toml --seeds 2 -o many --no-report"],
    "sweep": ["grid.toml -o sweep --trials 1 --jobs 1 --no-report"],
    "show": [
        "moons",
        "moons/model.safetensors",
        *(f"moons --{how}" for how in ("code", "schedule", "explain", "resolved")),
    ],
    "report": ["moons"],
    "compare": ["moons moons"],
    "diff": ["moons moons", "moons.toml moons/model.safetensors"],
    "check": ["moons.toml"],
    "evaluate": ["moons rows.npz", "moons.skops rows.npz"],
    "verify": ["moons"],
    "predict": ["moons rows.npz", "moons.onnx rows.npz"],
    "export": ["moons --to numpy"],
    "import": [f"{NETWORK} -o network.toml"],
}
"""Arguments for each verb that reads specs or models."""


def test_a_cap_holds_wherever_a_network_is_read(specnet: Specnet, folder: Path, moons: Model) -> None:
    (folder / "grid.toml").write_text(GRID.replace("'grid'", "'random'"))
    for target, suffix in (("onnx", "onnx"), ("sklearn", "skops")):
        assert specnet("export", "moons", "--to", target, "-o", f"moons.{suffix}").status == 0
    for command in get_command(application()).commands.values():
        options = {name for option in command.params for name in option.opts}
        assert ("--limit" in options) == (command.name in LOADING) == (command.name not in NETWORKLESS), command.name
    for verb, commands in LOADING.items():
        for arguments in (command.split() for command in commands):
            said = specnet(verb, *arguments, "--limit", "parameters=10").failed(1)
            assert "parameters exceed the limit of 10" in said, (verb, arguments)
            assert "--limit parameters=" in said
            assert specnet(verb, *arguments).status == 0, (verb, arguments)


def test_a_model_above_a_cap_is_loaded_by_every_command(specnet: Specnet, folder: Path) -> None:
    (folder / "deep.toml").write_text(DEEP)
    limit = ("--limit", "layers=1201")
    assert specnet("run", "deep.toml", "-o", "deep", "-q", "--no-report", *limit).status == 0
    np.savez(folder / "rows.npz", X=np.ones((3, 4)), y=[0, 1, 2])
    for command in (
        ("evaluate", "deep", "rows.npz"),
        ("predict", "deep", "rows.npz"),
        ("export", "deep", "--to", "numpy", "-o", "deep_one.py"),
    ):
        assert " ".join(limit) in specnet(*command).failed(1)
        assert specnet(*command, *limit).status == 0


def test_resume_begins_and_then_leaves_what_is_finished(specnet: Specnet, folder: Path) -> None:
    arguments = ["run", "moons.toml", "--out", "out", "--resume", "--format", "json"]
    assert specnet(*arguments).status == 0
    before = {path.name: path.read_bytes() for path in (folder / "out").iterdir()}
    again = specnet(*arguments)
    assert again.status == 0
    assert again.document["metrics"] == json.loads(before["metrics.json"])
    assert {path.name: path.read_bytes() for path in (folder / "out").iterdir()} == before
