"""`specnet run --folds --seeds`: what it prints, how it ends, what it refuses."""

from __future__ import annotations

import json
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import MOONS, Specnet, TypeIn, stopped
from tests.running.sweeps.searches import fingerprint

pytestmark = [pytest.mark.slow, pytest.mark.trains]


def test_what_it_prints_and_writes(specnet: Specnet, folder: Path):
    ended = specnet("run", "moons.toml", "--folds", "3", "--seeds", "2")
    assert ended.status == 0
    out = folder / "runs/moons/1"
    summary = json.loads((out / "summary.json").read_text())
    told = summary["test"]["accuracy"]
    assert f"{100 * told['mean']:.1f} % ± {100 * told['std']:.1f}" in ended.out
    assert "6 runs" in ended.out
    names = [f"seed{seed}_fold{fold}" for seed in (0, 1) for fold in (0, 1, 2)]
    assert [line.split()[0] for line in ended.err.splitlines() if line] == names
    assert {path.name for path in out.iterdir() if path.is_dir()} == set(names)
    quiet = specnet("run", "moons.toml", "--folds", "3", "--seeds", "2", "-q", "--out", "quiet")
    assert (quiet.status, quiet.out, quiet.err) == (0, "", "")
    assert fingerprint(folder / "quiet") == fingerprint(out)


def test_its_document(specnet: Specnet, folder: Path):
    ended = specnet("run", "moons.toml", "--seeds", "2", "--out", "out", "--format", "json")
    ended.went()
    document = ended.document
    assert document["errors"] == []
    assert document["folder"] == "out"
    assert document["summary"] == json.loads((folder / "out/summary.json").read_text())
    assert [(run["name"], run["state"], run["fold"]) for run in document["runs"]] == [
        ("seed0", "finished", None),
        ("seed1", "finished", None),
    ]
    for run in document["runs"]:
        written = json.loads((folder / "out" / run["name"] / "metrics.json").read_text())
        assert run["metrics"]["test"]["accuracy"] == written["test"]["accuracy"]


@pytest.mark.parametrize("output", ["text", "json", "quiet"])
def test_a_run_that_fails_is_told_and_the_others_are_there(specnet: Specnet, folder: Path, output: str):
    """The weight of a class that one row has makes those diverge that train on it."""
    lines = ["x,kind", *(f"{number % 7}.5,{'c' if number == 5 else 'ab'[number % 2]}" for number in range(30))]
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    (folder / "rare.toml").write_text(
        """
[data]
type = "csv"
path = "table.csv"
target = "kind"
split = { test_size = 0.2, stratify = false }
[network]
hidden_layer_sizes = [3]
[training]
loss = "categorical_crossentropy"
class_weight = { c = 1e38, a = 1.0, b = 1.0 }
optimizer = { type = "sgd", learning_rate = 1e30 }
epochs = 3
"""
    )
    options = {"text": [], "json": ["--format", "json"], "quiet": ["-q"]}[output]
    ended = specnet("run", "rare.toml", "--folds", "3", "--out", "out", *options)
    assert ended.status == 1
    rows = (folder / "out/runs.csv").read_text().splitlines()[1:]
    failed = [row.split(",")[0] for row in rows if "diverged" in row]
    assert failed
    if output == "json":
        assert [run["name"] for run in ended.document["runs"] if run["state"] == "diverged"] == failed
        assert len(ended.document["errors"]) == len(failed)
    else:
        assert ended.err.count("error[") == len(failed)
        assert all(f"{name}: diverged: " in ended.err for name in failed)
    assert "Traceback" not in ended.err
    assert {path.name for path in (folder / "out").iterdir() if path.is_dir()} == {"fold0", "fold1", "fold2"} - set(
        failed
    )


def test_what_looks_wrong_with_the_rows_is_told_once(specnet: Specnet, folder: Path):
    lines = ["id,x,kind", *(f"{number},{number % 7}.5,{'ab'[number % 2]}" for number in range(80))]
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    spec = MOONS.replace(
        'type = "make_moons"\nn_samples = 60\nnoise = 0.2', 'type = "csv"\npath = "table.csv"\ntarget = "kind"'
    )
    (folder / "table.toml").write_text(spec.replace("layer_sizes = [2, 5, 1]", "hidden_layer_sizes = [3]"))
    ended = specnet("run", "table.toml", "--folds", "2", "--out", "out")
    assert ended.status == 0
    assert ended.err.count("warning[identifier]") == 1
    assert re.search(r"^table\.toml:\d+:\d+: warning\[identifier\]", ended.err, re.MULTILINE)
    as_json = specnet("run", "table.toml", "--folds", "2", "--out", "json", "--format", "json")
    as_json.went()
    assert [warning["code"] for warning in as_json.document.get("warnings", [])] == ["identifier"]


def test_dask_is_missing(specnet: Specnet, folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    ended = specnet("run", "moons.toml", "--folds", "2", "--out", "out", "--dask", "127.0.0.1:1")
    assert ended.status == 1
    assert "distributed is required" in ended.err
    assert not (folder / "out").exists()


def test_folds_need_no_optuna(specnet: Specnet, folder: Path, monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "optuna"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert specnet("run", "moons.toml", "--folds", "2", "-q").status == 0


def test_the_spec_is_standard_input(specnet: Specnet, folder: Path, type_in: TypeIn):
    type_in(MOONS)
    for spec, out in (("-", "piped"), ("moons.toml", "named")):
        assert specnet("run", spec, "--out", out, "--folds", "2", "-q").status == 0
    assert fingerprint(folder / "piped") == fingerprint(folder / "named")


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
def test_a_signal_ends_all_processes_and_the_printed_command_goes_on(specnet: Specnet, folder: Path):
    arguments = ["run", "moons.toml", "--seeds", "5", "--set", "training.epochs=2000"]
    count, command = stopped(
        *(*arguments, "--out", "out"),
        folder=folder,
        number=signal.SIGTERM,
        status=143,
        done=lambda: len(list(folder.glob("out/seed*/run.json"))) >= 1,
        counted=r"(\d+) of 5 runs are done",
    )
    assert len((folder / "out/runs.csv").read_text().splitlines()) == 1 + count
    assert specnet(*command, "-q").went() == ""
    assert specnet(*arguments, "--out", "once", "-q").went() == ""
    assert fingerprint(folder / "out") == fingerprint(folder / "once")
