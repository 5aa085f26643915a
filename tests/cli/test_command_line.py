"""What a command line may name, and what it gets wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import CSV_SPEC, MOONS, Ran, Specnet, TypeIn, process


@pytest.fixture
def ended(specnet: Specnet, ran: Ran) -> str:
    """The folder of a run that ended, and rows for its model in ``rows.npz``."""
    ran("ended")
    np.savez("rows.npz", X=np.random.default_rng(0).normal(size=(5, 2)), y=[0, 1, 0, 1, 1])
    return "ended"


@pytest.fixture
def kinds(specnet: Specnet, folder: Path) -> str:
    """The text of the CSV file on which the model in ``kinds/`` was trained."""
    rows = [f'{i},{i * 2 % 7},"kind {"abc"[i % 3]}",{i % 5}' for i in range(30)]
    (folder / "table.csv").write_text("\n".join(["first,second,kind,third", *rows]) + "\n")
    (folder / "kinds.toml").write_text(CSV_SPEC)
    assert specnet("run", "kinds.toml", "-o", "kinds", "-q").status == 0
    return (folder / "table.csv").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        *("show {}", "show {} --resolved", "show {} --code", "predict {} rows.npz", "evaluate {} rows.npz"),
        "export {} --to c --force",
    ],
)
def test_a_run_is_its_model(specnet: Specnet, ended: str, arguments: str) -> None:
    by_file = specnet(*arguments.format(f"{ended}/model.safetensors").split())
    by_folder = specnet(*arguments.format(ended).split())
    assert by_file.status == 0
    assert by_folder == by_file


@pytest.mark.slow
@pytest.mark.parametrize("arguments", ["run {} -q", "validate {}", "check {} -q", "show {} --schedule", "show {}"])
def test_a_run_is_its_spec(specnet: Specnet, ended: str, arguments: str) -> None:
    assert specnet(*arguments.format(ended).split()).status == 0
    changed = specnet(*arguments.format(ended).split(), "--set", "training.optimizer=adem")
    assert changed.status == 1
    assert changed.err.startswith("--set #1:1:20: error[unknown-part]: ")


def test_a_run_is_repeated_with_a_change(specnet: Specnet, ended: str, folder: Path) -> None:
    assert specnet("run", ended, "-o", "again", "-q").status == 0
    assert (folder / "again/model.safetensors").read_bytes() == (folder / "ended/model.safetensors").read_bytes()
    assert specnet("run", ended, "-o", "other", "-q", "--set", "seed=2").status == 0
    assert specnet("run", "other", "-o", "others", "-q").status == 0
    assert json.loads((folder / "others/spec.resolved.json").read_text())["seed"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["run", "validate", "check", "show"])
def test_settings_and_limits_are_taken_wherever_a_spec_is(specnet: Specnet, verb: str) -> None:
    assert specnet(verb, "moons.toml", "-q", "--set", "training.epochs=2", "--set", "name=other").status == 0
    assert specnet(verb, "moons.toml", "--limit", "parameters=21", "-q").status == 0


def test_what_is_shown_is_what_was_set(specnet: Specnet, ended: str) -> None:
    for source in ("moons.toml", ended):
        shown = specnet("show", source, "--set", "network.layer_sizes.1=7").out
        assert shown.startswith("moons   2 → 7 relu → 1 sigmoid   29 ")


@pytest.mark.parametrize("text", [MOONS, json.dumps({"network": {"layer_sizes": [2, 1]}, "training": {"loss": "bce"}})])
@pytest.mark.parametrize("verb", ["validate", "show", "check"])
def test_a_spec_is_read_from_standard_input(
    specnet: Specnet, folder: Path, type_in: TypeIn, text: str, verb: str
) -> None:
    (folder / "same.toml").write_text(text)
    type_in(text)
    read = specnet(verb, "-")
    assert read.status == 0
    assert read.out == specnet(verb, "same.toml").out.replace("same.toml", "<stdin>")


def test_a_run_reads_standard_input_and_paths_from_the_working_folder(
    specnet: Specnet, kinds: str, folder: Path, type_in: TypeIn
) -> None:
    type_in(CSV_SPEC)
    assert specnet("run", "-", "-o", "again", "-q").status == 0
    assert (folder / "again/model.safetensors").read_bytes() == (folder / "kinds/model.safetensors").read_bytes()
    assert (folder / "again/spec.toml").read_text() == CSV_SPEC


@pytest.mark.parametrize(
    ("text", "start"),
    [
        (MOONS.replace("make_moons", "make_moon"), "<stdin>:3:8: error[unknown-part]: "),
        ("name = ", "<stdin>:1:8: error[syntax]: "),
        ('{"network": 3}', "<stdin>:1:"),
        (b"\xff", "<stdin>:1:1: error[encoding]: "),
        (b"#" * 1_000_001, "<stdin>: error[too-large]: "),
        ("", "<stdin>:1:1: error[missing-key]: "),
    ],
)
def test_mistakes_on_standard_input_have_its_name(
    specnet: Specnet, type_in: TypeIn, text: str | bytes, start: str
) -> None:
    for verb in ("run", "validate", "show", "check"):
        type_in(text)
        specnet(verb, "-").failed(1, start)


def test_rows_are_read_from_standard_input(specnet: Specnet, kinds: str, type_in: TypeIn) -> None:
    for verb in ("predict", "evaluate"):
        type_in(kinds)
        read = specnet(verb, "kinds", "-")
        assert read.status == 0
        assert ("warning[training-rows]" in read.err) == (verb == "evaluate"), "they are the run's own rows"
        assert read.out.split() == specnet(verb, "kinds", "table.csv").out.replace("table.csv", "<stdin>").split()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("first,second,third\n1,2,3\n4,five,6\n", "<stdin>:3:3: error["),
        ("first,second\n1,2\n", "<stdin>: error[unknown-column]: "),
        ("", "<stdin>:1:1: error[missing-header]: "),
        ("first,second,third\n", "<stdin>: error[empty]: "),
    ],
)
def test_mistakes_in_rows_on_standard_input_have_its_name(
    specnet: Specnet, kinds: str, type_in: TypeIn, text: str, start: str
) -> None:
    for options in ([], ["--format", "json"]):
        type_in(text)
        ended = specnet("predict", "kinds", "-", *options)
        assert ended.status == 1
        if options:
            assert ended.document["errors"][0]["source"] == "<stdin>"
        else:
            assert ended.err.startswith(start)


@pytest.mark.slow
def test_standard_input_that_cannot_be_is_a_faulty_command_line(specnet: Specnet, folder: Path) -> None:
    assert specnet("validate", "-", "-").status == 2
    for verb in ("predict", "evaluate"):
        specnet(verb, "-", "rows.csv").failed(2, "-: error[usage]: ")
    ended = process("validate", "-", folder=folder, PYTHONSTARTUP="")
    assert ended.status == 1
    assert ended.err.startswith("<stdin>:1:1: error[missing-key]: ")


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["predict", "evaluate"])
@pytest.mark.parametrize("model", ["model.safetensors", "moons.onnx", "ended"])
@pytest.mark.parametrize("data", ["rows.csv", "rows.npz", "-"])
def test_a_model_and_data_that_are_swapped_are_told(
    specnet: Specnet, ended: str, verb: str, model: str, data: str
) -> None:
    refused = specnet(verb, data, model)
    refused.failed(2, "error[usage]: ")
    assert refused.err.endswith(f": {model} {data}\n")
