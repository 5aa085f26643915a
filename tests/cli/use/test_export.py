"""`specnet export` and `specnet import`: what they print and write, and how well it agrees."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.importing.answers import FILES, stored
from tests.importing.onnx.graphs import policy_file


@pytest.mark.usefixtures("moons")
def test_a_line_says_what_was_written_and_how_well_it_agrees(specnet):
    ended = specnet("export moons --to numpy -o m.py").ok()
    assert re.fullmatch(r"m\.py   float32   .* 256 .* (0|\d\.?\d*e-\d+)\n", ended.out)
    assert Path("m.py").is_file()
    document = specnet("export moons --to onnx --format json").document
    assert 0 <= document.pop("difference") <= 2e-6
    assert document == {"errors": [], "files": ["moons.onnx"], "dtype": "float32", "rows": 256, "note": None}


@pytest.mark.parametrize(("model", "rows"), [("moons", "rows.npz"), ("kinds", "table.csv")])
def test_an_export_gets_the_same_table_by_columns_found_by_name(specnet, request, model, rows):
    request.getfixturevalue(model)
    specnet(f"export {model} --to onnx -o m.onnx").ok()
    table = specnet(f"evaluate {model} {rows} -q").out
    assert "accuracy" in table
    assert specnet(f"evaluate m.onnx {rows}").out == table
    found, expected = (specnet(f"predict {each} {rows}").out.splitlines() for each in ("m.onnx", model))
    assert found[0] == expected[0]
    assert [row.split(",")[0] for row in found] == [row.split(",")[0] for row in expected]


@pytest.fixture
def network(folder):
    return shutil.copy(FILES / "sklearn_words.onnx", folder / "network.onnx")


def test_spec_and_model_are_written_and_work(specnet, folder, network):
    plan, files = specnet("import", network, "-o", "words.toml").went().splitlines()
    assert plan == "network   4 → 6 tanh → 5 tanh → 3 softmax   83 parameters, 332 B   float32"
    compared = "words.toml, words.safetensors   compared with onnxruntime on 240 rows: max difference "
    assert files.startswith(compared)
    assert float(files.removeprefix(compared)) < 2e-6
    assert (folder / "words.toml").read_text(encoding="utf-8").startswith('name = "network"')
    specnet("validate words.toml").ok()
    answers = stored(FILES / "sklearn_words.onnx")
    np.savez(folder / "rows.npz", X=answers["X"], y=answers["label"])
    assert specnet("predict words.safetensors rows.npz").out.splitlines()[1].startswith(f"{answers['label'][0]},")
    assert "loss" in specnet("evaluate words.safetensors rows.npz").out


def test_one_of_two_outputs_is_chosen_by_its_name(specnet, folder):
    policy_file(folder)
    command = "import policy.onnx -o policy.toml"
    reported = specnet(command).failed(1, "policy.onnx: error[file]: the graph has 2 outputs of numbers: 'action', ")
    assert "choose one, such as --output action" in reported
    reported = specnet(f"{command} --output vlaue").failed(1, "policy.onnx: error[file]: the graph has no output ")
    assert "choose from 'action', 'value'" in reported
    assert not (folder / "policy.toml").exists()
    specnet(f"{command} --output value").went()
    assert 'loss = "mean_squared_error"' in (folder / "policy.toml").read_text()
