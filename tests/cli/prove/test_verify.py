"""`specnet verify`: a run made again, and compared with its folder."""

import json
import signal
from pathlib import Path

import pytest

from tests.running.verification.folders import change_facts, change_model, one_ulp_up, other_numpy

pytestmark = pytest.mark.usefixtures("moons")


def test_a_run_that_is_the_same(specnet):
    ended = specnet("verify moons")
    assert (ended.status, ended.out) == (0, "the same 10 files\n")
    assert "2 → 5 relu → 1 sigmoid" in ended.err
    assert specnet("verify moons -q").out == ""
    assert specnet("verify moons --epochs 3 --threads 1").out.startswith("the same 5 files up to epoch 3\n")


def test_what_differs_is_told_with_its_cause(specnet, folder):
    change_model(folder / "moons", "layers.0.weight", one_ulp_up)
    other_numpy(folder / "moons")
    ended = specnet("verify moons")
    assert ended.status == 1
    first, model, predictions, versions = ended.out.splitlines()
    assert first == "1 of 10 files differs"
    assert model.startswith("model.safetensors differs: layers.0.weight, 10 of 10 values, at most 1 ulp (")
    assert predictions.startswith("predictions of 60 rows: the same labels, probabilities differ by at most ")
    assert versions.startswith("numpy   1.0 → ")
    assert "moons: error[different]: 1 of 10 files differs; model.safetensors differs: layers.0.weight" in ended.err
    assert "rounding differs with numpy; use --tolerance 1e-" in ended.err
    specnet("verify moons -q").failed(1, "moons: error[different]: 1 of 10 files differs")
    tolerated = specnet("verify moons --tolerance 1e-6").ok()
    assert "only rounding differs, by at most " in tolerated.out


def test_no_tolerance_is_advised_where_none_is_enough(specnet, folder):
    change_model(folder / "moons", "layers.0.weight", one_ulp_up)
    change_model(folder / "moons", "layers.1.bias", lambda bias: bias.fill(0))
    other_numpy(folder / "moons")
    ended = specnet("verify moons")
    assert ended.status == 1
    assert "what else differs: numpy" in ended.err


def test_what_differs_without_a_cause_is_told_as_such(specnet, folder):
    change_model(folder / "moons", "layers.0.weight", one_ulp_up)
    ended = specnet("verify moons --tolerance 1e-6")
    assert ended.status == 1
    assert "spec, rows and machine are the same" in ended.err
    change_facts(folder / "moons", data_sha256="0" * 64)
    ended = specnet("verify moons --tolerance 1e-6")
    assert "data (SHA-256)   00000000… → " in ended.out
    assert "what else differs: data (SHA-256), training rows" in ended.err


def test_a_document(specnet, folder):
    same = specnet("verify moons --format json")
    same.went()
    files = ["spec.toml", "spec.resolved.json", "history.jsonl", "layers.jsonl", "snapshots.safetensors"]
    files += ["model.safetensors", "background.safetensors", "metrics.json", "findings.json", "run.json"]
    run = {"name": "", "same": True, "files": files, "predictions": None, "beginning": None, "message": ""}
    run |= {name: [] for name in ("differences", "inputs", "machine", "unchecked")}
    told = {"errors": [], "same": True, "holds": True, "tolerance": None, "total": 1, "runs": [run]}
    assert {name: value for name, value in same.document.items() if name in told} == told
    change_model(folder / "moons", "layers.0.weight", one_ulp_up)
    changed = specnet("verify moons --format json")
    assert (changed.status, changed.document["same"]) == (1, False)
    (run,) = changed.document["runs"]
    assert run.keys() == told["runs"][0].keys()
    assert (run["inputs"], run["machine"]) == ([], [])
    (difference,) = run["differences"]
    assert (difference["file"], difference["name"]) == ("model.safetensors", "layers.0.weight")
    assert difference["distance"]["ulps"] == 1
    assert run["predictions"]["rows"] == 60
    assert [error["code"] for error in changed.document["errors"]] == ["different"]


def test_many_runs_and_a_sample(specnet, folder):
    specnet("run moons.toml -o folds --folds 3 --set training.epochs=3 --no-report -q")
    ended = specnet("verify folds")
    assert (ended.status, ended.out) == (0, "the same 32 files in 4 folders\n")
    assert ended.err.startswith("fold0   the same 10 files   ")
    assert specnet("verify folds --sample 2").out == "the same 22 files in 3 of 4 folders\n"
    change_model(folder / "folds/fold1", "layers.0.weight", one_ulp_up)
    ended = specnet("verify folds")
    assert (ended.status, ended.out.splitlines()[-1]) == (1, "1 of 4 folders differs")
    assert ended.out.startswith("fold1   1 of 10 files differs\n")
    assert "folds/fold1: error[different]" in ended.err


def test_the_run_that_is_made_again_can_be_kept(specnet, folder):
    specnet("verify moons -o again").ok()
    assert json.loads((folder / "again/run.json").read_text())["finished"] is True


def test_an_interrupted_one_ends_as_every_verb_does(specnet, monkeypatch):
    def interrupted(*_):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("specnet.running.verification.verifying.load_table", interrupted)
    ended = specnet("verify moons -o out")
    assert (ended.status, ended.err) == (130, "error[interrupted]: stopped by Ctrl-C\n")
    assert not Path("out").exists()
