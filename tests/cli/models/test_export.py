"""`specnet export`: what it prints, and what it refuses."""

import re
from pathlib import Path

import numpy as np
import pytest

from specnet.exporting import TARGETS
from tests.cli.conftest import Ran, Specnet


@pytest.fixture
def model(specnet: Specnet, ran: Ran) -> str:
    ran("run")
    return "run/model.safetensors"


def test_a_line_says_what_was_written_and_how_well_it_agrees(specnet: Specnet, model: str):
    ended = specnet("export", model, "--to", "numpy", "-o", "m.py")
    assert ended.status == 0
    assert re.fullmatch(r"m\.py   float32   .* 256 .* (0|\d\.?\d*e-\d+)\n", ended.out)
    assert Path("m.py").is_file()


def test_as_data(specnet: Specnet, model: str):
    ended = specnet("export", model, "--to", "onnx", "--format", "json")
    document = ended.document
    assert 0 <= document.pop("difference") <= 2e-6
    assert document == {"errors": [], "files": ["moons.onnx"], "dtype": "float32", "rows": 256, "note": None}


def test_an_unknown_target_is_the_command_lines_fault(specnet: Specnet, model: str):
    ended = specnet("export", model, "--to", "cobol")
    assert ended.status == 2
    assert ended.err.startswith("--to: error[usage]: ")
    assert ", ".join(TARGETS) in ended.err
    assert '"onnx"' in specnet("export", model, "--to", "onx").err


@pytest.mark.parametrize(("target", "file"), [("onnx", "m.txt"), ("c", "m.h"), ("javascript", "m"), ("numpy", "m.c")])
def test_a_file_of_another_kind_is_the_command_lines_fault(specnet: Specnet, model: str, target: str, file: str):
    specnet("export", model, "--to", target, "-o", file).failed(2, f"{file}: error[usage]: ")
    assert not Path(file).exists()


def test_a_float32_form_is_refused_where_there_is_none(specnet: Specnet, folder: Path):
    specnet("run", "moons.toml", "--out", "wide", "--set", "network.dtype=float64")
    ended = specnet("export", "wide/model.safetensors", "--to", "numpy", "--float32")
    assert ended.status == 1
    assert ended.err.startswith("error[export]: ")
    ended = specnet("export", "wide/model.safetensors", "--to", "onnx", "--float32")
    assert ended.out.startswith("moons.onnx   float32   ")


def test_the_command_line_prints_the_same_table(specnet: Specnet, ran: Ran, folder: Path):
    ran("run")
    specnet("export", "run/model.safetensors", "--to", "onnx", "-o", "m.onnx")
    generator = np.random.default_rng(0)
    np.savez("rows.npz", X=generator.normal(size=(40, 2)), y=generator.integers(0, 2, 40))
    table = specnet("evaluate", "run/model.safetensors", "rows.npz").out
    assert "accuracy" in table
    assert specnet("evaluate", "m.onnx", "rows.npz").out == table
    header, *rows = specnet("predict", "m.onnx", "rows.npz").out.splitlines()
    wanted_header, *wanted = specnet("predict", "run/model.safetensors", "rows.npz").out.splitlines()
    assert header == wanted_header
    assert [row.split(",")[0] for row in rows] == [row.split(",")[0] for row in wanted]


def test_columns_of_a_csv_file_are_found_by_name(specnet: Specnet, folder: Path):
    (folder / "rows.csv").write_text(
        "b,y,a\n" + "".join(f"{k % 5},{'yes' if k % 3 else 'no'},{k}\n" for k in range(60))
    )
    (folder / "table.toml").write_text(
        'data = { type = "csv", path = "rows.csv", target = "y" }\n[network]\nhidden_layer_sizes = [4]\n'
        'preprocessing = ["standardize"]\n[training]\nloss = "binary_crossentropy"\nepochs = 2\n'
        'metrics = ["accuracy"]\n'
    )
    assert specnet("run", "table.toml", "--out", "run").status == 0
    assert specnet("export", "run/model.safetensors", "--to", "onnx", "-o", "m.onnx").status == 0
    table = specnet("evaluate", "run/model.safetensors", "rows.csv").out
    assert specnet("evaluate", "m.onnx", "rows.csv").out == table


@pytest.mark.slow
@pytest.mark.parametrize(("target", "file", "other"), [("c", "m.c", "m.h"), ("onnx", "m.onnx", "m.onnx")])
def test_a_file_that_is_there_is_not_replaced(target: str, file: str, other: str, specnet: Specnet, model: str):
    Path(other).write_text("mine")
    ended = specnet("export", model, "--to", target, "-o", file)
    assert ended.status == 2
    assert ended.err.startswith(f"{other}: error[taken]: ")
    assert "--force" in ended.err
    assert Path(other).read_text() == "mine"
    assert other == file or not Path(file).exists()
    assert specnet("export", model, "--to", target, "-o", file, "--force").status == 0
    assert Path(other).read_bytes() != b"mine"
