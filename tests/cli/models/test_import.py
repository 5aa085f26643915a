"""`specnet import`: a spec and a model from another tool's file."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Specnet
from tests.importing.answers import FILES, stored
from tests.importing.onnx.test_onnx_outputs import policy_file


@pytest.fixture
def network(folder: Path) -> Path:
    return shutil.copy(FILES / "sklearn_words.onnx", folder / "network.onnx")


def test_spec_and_model_are_written_and_work(specnet: Specnet, folder: Path, network: Path) -> None:
    ended = specnet("import", network, "-o", "words.toml")
    ended.went()
    plan, files = ended.out.splitlines()
    assert plan == "network   4 → 6 tanh → 5 tanh → 3 softmax   83 parameters, 332 B   float32"
    said = "words.toml, words.safetensors   compared with onnxruntime on 240 rows: max difference "
    assert files.startswith(said)
    assert float(files.removeprefix(said)) < 2e-6
    assert specnet("validate", "words.toml").status == 0
    answers = stored(FILES / "sklearn_words.onnx")
    np.savez(folder / "rows.npz", X=answers["X"], y=answers["label"])
    assert specnet("predict", "words.safetensors", "rows.npz").out.splitlines()[1].startswith(f"{answers['label'][0]},")
    assert "loss" in specnet("evaluate", "words.safetensors", "rows.npz").out


def test_nothing_is_replaced_unless_it_is_forced(specnet: Specnet, folder: Path, network: Path) -> None:
    for name in ("words.toml", "words.safetensors"):
        (folder / name).write_text("mine", encoding="utf-8")
        specnet("import", network, "-o", "words.toml").failed(2, f"{name}: error[taken]: ")
        assert (folder / name).read_text(encoding="utf-8") == "mine"
        (folder / name).unlink()
    (folder / "words.toml").write_text("mine", encoding="utf-8")
    assert specnet("import", network, "-o", "words.toml", "--force", "--quiet").out == ""
    assert (folder / "words.toml").read_text(encoding="utf-8").startswith('name = "network"')


def test_what_is_not_understood_is_named_and_nothing_written(specnet: Specnet, folder: Path) -> None:
    shutil.copy(FILES / "sklearn_words_by_class.onnx", folder / "network.onnx")
    assert "'sdog'" in specnet("import", "network.onnx", "-o", "values.toml").failed(1, "network.onnx: error[file]: ")
    assert not list(folder.glob("values.*"))
    assert specnet("import", "network.onnx", "-o", "values.json").status == 2
    assert specnet("import", "missing.onnx", "-o", "values.toml").status == 1
    (document,) = json.loads(specnet("import", "network.onnx", "-o", "values.toml", "--format", "json").out)["errors"]
    assert document["source"] == "network.onnx"


def test_a_limit_is_one(specnet: Specnet, network: Path) -> None:
    said = specnet("import", network, "-o", "words.toml", "--limit", "parameters=80").failed(1)
    assert re.search(r"\b83\b.*\b80\b", said)


def test_one_of_two_outputs_is_chosen_by_its_name(specnet: Specnet, folder: Path) -> None:
    policy_file(folder)
    command = ["import", "policy.onnx", "-o", "policy.toml"]
    ended = specnet(*command)
    ended.failed(1, "policy.onnx: error[file]: the graph has 2 outputs of numbers: 'action', 'value'")
    assert "choose one, such as --output action" in ended.err
    ended = specnet(*command, "--output", "vlaue")
    ended.failed(1, "policy.onnx: error[file]: the graph has no output 'vlaue'")
    assert "choose from 'action', 'value'" in ended.err
    assert not (folder / "policy.toml").exists()
    specnet(*command, "--output", "value").went()
    assert 'loss = "mean_squared_error"' in (folder / "policy.toml").read_text()
