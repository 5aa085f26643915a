"""The folder of a run in place of its spec and of its model."""

import json
import os
from pathlib import Path

import pytest

import specnet
from specnet.importing import open_model
from tests.made import run_copied
from tests.running.moons import MOONS
from tests.texts.mistakes import mistake


@pytest.fixture
def ended(tmp_path):
    """The folder of a run that ended."""
    return run_copied(MOONS, tmp_path / "ended")


def test_a_run_is_its_model(ended):
    wanted = (ended / "model.safetensors").read_bytes()
    assert specnet.load_model(ended).to_bytes() == wanted
    assert specnet.load_model(str(ended)).to_bytes() == wanted
    assert open_model(ended).to_bytes() == wanted


def test_a_suffix_does_not_make_a_folder_a_file(ended):
    renamed = ended.rename(ended.with_name("ended.onnx"))
    assert open_model(renamed).to_bytes() == (renamed / "model.safetensors").read_bytes()


@pytest.mark.parametrize("name", ["spec.toml", "spec.json"])
def test_a_run_is_its_spec_as_written(tmp_path, name):
    text = MOONS if name.endswith("toml") else json.dumps(dict(specnet.parse_spec(MOONS).document.data))
    (tmp_path / name).write_text(text)
    specnet.run(tmp_path / name, tmp_path / "ended")
    spec = specnet.parse_spec(tmp_path / "ended")
    assert spec == specnet.parse_spec(MOONS)
    assert spec.document.text is not None
    assert spec.document.text.content == text
    assert spec.document.text.name == str(tmp_path / "ended" / name)


def test_settings_are_part_of_what_was_run(tmp_path):
    specnet.run(MOONS, tmp_path / "ended", overrides=["training.epochs=2", "seed=5"])
    spec = specnet.parse_spec(tmp_path / "ended", overrides=["training.batch_size=7"])
    assert (spec.training.epochs, spec.seed, spec.training.batch_size) == (2, 5, 7)
    assert specnet.run(tmp_path / "ended").model.to_bytes() == specnet.load_model(tmp_path / "ended").to_bytes()


def test_a_run_can_be_run_built_and_changed(ended):
    assert specnet.run(ended).model.to_bytes() == specnet.load_model(ended).to_bytes()
    assert specnet.parse_spec(ended, overrides=["seed=2"]).seed == 2
    assert specnet.build(ended).inputs == 2


@pytest.mark.parametrize("read", [specnet.load_model, specnet.parse_spec, open_model])
def test_another_folder_is_none_of_them(tmp_path, read, refused):
    (tmp_path / "spec.toml").write_text(MOONS)
    with refused(specnet.FileError) as no:
        read(tmp_path)
    assert no.value.diagnostics[0].source == str(tmp_path)


@pytest.mark.parametrize("above", ["moons", "."])
def test_a_folder_of_runs_is_told_which_there_are(tmp_path, monkeypatch, above):
    monkeypatch.chdir(tmp_path)
    for number in range(4):
        (tmp_path / "moons" / str(number)).mkdir(parents=True)
        facts = tmp_path / "moons" / str(number) / "run.json"
        facts.write_text("{}")
        os.utime(facts, (number, number))
    for read in (specnet.load_model, specnet.parse_spec):
        with pytest.raises(specnet.FileError) as no:
            read(Path(above))
        hint = no.value.diagnostics[0].hint
        assert hint == f"choose one of its runs: {', '.join(str(Path('moons', n)) for n in '321')}, …"


def test_the_team_of_a_sweep_is_offered_as_a_model_before_the_best_run(tmp_path):
    for name in ("sweep.json", "best/run.json", "team/team.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    best, team = tmp_path / "best", tmp_path / "team"
    assert mistake(specnet.FileError, lambda: specnet.load_model(tmp_path)).hint == (
        f"choose one of its models: {team}, {best}"
    )
    assert mistake(specnet.FileError, lambda: specnet.parse_spec(tmp_path)).hint == f"choose one of its runs: {best}"


def test_a_run_that_has_lost_a_file_names_it(ended):
    (ended / "model.safetensors").unlink()
    assert mistake(specnet.FileError, lambda: specnet.load_model(ended)).source == str(ended / "model.safetensors")
    (ended / "run.json").write_text("[]")
    assert mistake(specnet.FileError, lambda: specnet.parse_spec(ended)).source == str(ended / "run.json")
