"""What a command line may name, and what it gets wrong."""

import json

import pytest

from tests.cli.conftest import CSV_SPEC, KINDS, MOONS, process

LINES = ["show {}", "show {} --resolved", "show {} --code"]
LINES += ["predict {} rows.npz", "evaluate {} rows.npz", "export {} --to c"]


@pytest.mark.slow
@pytest.mark.usefixtures("moons")
@pytest.mark.parametrize("line", LINES)
def test_a_run_is_its_model(specnet, line):
    force = " --force" if line.startswith("export") else ""
    assert specnet(line.format("moons/model.safetensors")).ok() == specnet(line.format("moons") + force)


@pytest.mark.slow
@pytest.mark.usefixtures("moons")
@pytest.mark.parametrize("line", ["run {} -q", "validate {}", "check {} -q", "show {} --schedule", "show {}"])
def test_settings_and_limits_are_taken_wherever_a_spec_is(specnet, line):
    for source in ("moons", "moons.toml"):  # a run is its spec
        command = line.format(source)
        specnet(command).ok()
        specnet(f"{command} --set training.epochs=2 --set name=other --limit parameters=21").ok()
        changed = specnet(f"{command} --set training.optimizer=adem")
        assert changed.status == 1
        assert changed.err.startswith("--set #1:1:20: error[unknown-part]: ")
        shown = specnet(f"show {source} --set network.layer_sizes.1=7").out
        assert shown.startswith("moons   2 → 7 relu → 1 sigmoid   29 ")


@pytest.mark.parametrize("text", [MOONS, json.dumps({"network": {"layer_sizes": [2, 1]}, "training": {"loss": "bce"}})])
@pytest.mark.parametrize("verb", ["validate", "show", "check"])
def test_a_spec_is_read_from_standard_input(specnet, folder, type_in, text, verb):
    (folder / "same.toml").write_text(text)
    type_in(text)
    assert specnet(f"{verb} -").ok().out == specnet(f"{verb} same.toml").out.replace("same.toml", "<stdin>")


def test_a_run_reads_standard_input_and_paths_from_the_working_folder(specnet, kinds, folder, type_in):
    type_in(CSV_SPEC)
    specnet("run - -o again -q").ok()
    assert (folder / "again/model.safetensors").read_bytes() == (folder / "kinds/model.safetensors").read_bytes()
    assert (folder / "again/spec.toml").read_text() == CSV_SPEC


@pytest.mark.usefixtures("kinds")
def test_rows_are_read_from_standard_input(specnet, type_in):
    for verb in ("predict", "evaluate"):
        type_in(KINDS)
        read = specnet(f"{verb} kinds -").ok()
        assert ("warning[training-rows]" in read.err) == (verb == "evaluate"), "they are the run's own rows"
        assert read.out.split() == specnet(f"{verb} kinds table.csv").out.replace("table.csv", "<stdin>").split()


@pytest.mark.slow
def test_standard_input_that_is_empty(folder):
    process("validate", "-", folder=folder, PYTHONSTARTUP="").failed(1, "<stdin>:1:1: error[missing-key]: ")


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["predict", "evaluate"])
@pytest.mark.parametrize("model", ["model.safetensors", "moons.onnx", "ended"])
@pytest.mark.parametrize("data", ["rows.csv", "rows.npz", "-"])
def test_a_model_and_data_that_are_swapped_are_told(specnet, ran, verb, model, data):
    ran("ended")
    assert specnet(f"{verb} {data} {model}").failed(2, "error[usage]: ").endswith(f": {model} {data}\n")
