"""`specnet sweep`: what it prints, how it ends, what it refuses."""

from __future__ import annotations

import json
import re
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from specnet import sweep
from specnet.spec import parse_sweep
from tests.cli.conftest import Specnet, TypeIn, process, stopped
from tests.running.many.executors import dask_address
from tests.running.sweeps.searches import BASE, FOLDS, GRID, TPE, fingerprint

pytestmark = [pytest.mark.slow, pytest.mark.trains]


@pytest.fixture
def grid(folder: Path) -> Path:
    (folder / "grid.toml").write_text(GRID)
    return folder


def test_what_it_prints_and_writes(specnet: Specnet, grid: Path):
    ended = specnet("sweep", "grid.toml", "--jobs", "1")
    assert ended.status == 0
    out = grid / "sweeps/moons/1"
    facts = json.loads((out / "sweep.json").read_text())
    assert facts["finished"] is True
    assert facts["states"] == {"finished": 7}
    best, test = facts["best"], json.loads((out / "best/metrics.json").read_text())["test"]
    assert f"best: trial {best['trial']}" in ended.out
    assert re.search(rf"accuracy: validation {100 * best['figure']:.4g}\S* ?%? \(best of 7\), test ", ended.out)
    assert "sweeps/moons/1" in ended.out
    assert test["accuracy"] is not None
    assert [line.split()[:2] for line in ended.err.splitlines() if line.startswith("trial")] == [
        ["trial", str(number)] for number in range(7)
    ]
    assert (out / "report.html").exists()
    again = specnet("sweep", "grid.toml", "--jobs", "1", "-q", "--no-report")
    assert (again.status, again.out, again.err) == (0, "", "")
    one, two = fingerprint(out), fingerprint(grid / "sweeps/moons/2")
    assert one == two


def test_its_document(specnet: Specnet, grid: Path):
    ended = specnet("sweep", "grid.toml", "--jobs", "1", "--format", "json", "--out", "out")
    ended.went()
    document = ended.document
    assert document["errors"] == []
    assert document["folder"] == "out"
    assert [trial["trial"] for trial in document["trials"]] == list(range(7))
    for trial in document["trials"]:
        facts = json.loads((grid / f"out/trials/{trial['trial']:04}/run.json").read_text())
        assert facts.pop("sha256")
        assert trial == facts
        assert (grid / f"out/trials/{trial['trial']:04}/model.safetensors").exists()
    best = max(document["trials"], key=lambda trial: (trial["figure"], -trial["trial"]))
    assert document["best"] == {"trial": best["trial"], "figure": best["figure"], "spec": "best.toml"}
    assert document["metrics"] == json.loads((grid / "out/best/metrics.json").read_text())


def test_the_document_of_nested_sweeps(specnet: Specnet, grid: Path):
    arguments = ["sweep", "grid.toml", "--jobs", "1", "--out", "out", "--folds", "2", "--set", "data.split.test_size=0"]
    ended = specnet(*arguments, "--format", "json")
    ended.went()
    document = ended.document
    assert document["summary"] == json.loads((grid / "out/summary.json").read_text())
    for fold, told in enumerate(document["folds"]):
        assert told["fold"] == fold
        written = json.loads((grid / f"out/fold{fold}/team/metrics.json").read_text())
        assert told["metrics"]["test"]["accuracy"] == written["test"]["accuracy"]
    words = specnet(*arguments, "--resume")
    assert words.status == 0
    assert "±" in words.out
    assert "2 sweeps" in words.out


def test_fewer_and_more_trials(specnet: Specnet, folder: Path):
    (folder / "tpe.toml").write_text(TPE)
    assert specnet("sweep", "tpe.toml", "--jobs", "1", "--out", "out", "--trials", "2", "-q").status == 0
    ended = specnet("sweep", "tpe.toml", "--jobs", "1", "--out", "out", "--set", "sweep.trials=3", "--resume")
    assert ended.status == 0
    assert "resumed after 2 of 3 trials" in ended.err
    assert "(best of 3)" in ended.out


def test_what_looks_wrong_with_the_rows_is_told_once_where_the_spec_says_it(specnet: Specnet, folder: Path):
    lines = ["id,x,kind", *(f"{number},{number % 7}.5,{'ab'[number % 2]}" for number in range(80))]
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    (folder / "table.toml").write_text(
        """\
[data]
type = "csv"
path = "table.csv"
target = "kind"
columns.x = "numeric"
split.validation_size = 0.25
[network]
hidden_layer_sizes = [3]
[training]
loss = "categorical_crossentropy"
epochs = 2
[sweep]
trials = 2
metric = "validation_loss"
[sweep.space]
"training.optimizer.learning_rate" = [0.1, 0.01]
"""
    )
    ended = specnet("sweep", "table.toml", "--folds", "2", "--jobs", "1", "--out", "out")
    assert ended.status == 0
    assert ended.err.count("warning[identifier]") == 1
    assert re.search(r"^table\.toml:5:\d+: warning\[identifier\]", ended.err, re.MULTILINE)
    json_ended = specnet("sweep", "table.toml", "--jobs", "1", "--out", "json", "--format", "json")
    (warning,) = json_ended.document["warnings"]
    assert (warning["code"], warning["source"], warning["line"]) == ("identifier", "table.toml", 5)


def test_folds_in_the_sweep_are_not_nested(specnet: Specnet, folder: Path):
    (folder / "folds.toml").write_text(FOLDS)
    assert "sweep.folds" in specnet("sweep", "folds.toml", "--folds", "2").failed(1)


def test_all_mistakes_are_told_before_the_first_trial(specnet: Specnet, folder: Path):
    text = GRID.replace("[[2], [4]]", "[[2], [-4]]").replace("0.001]", '"slow"]')
    (folder / "bad.toml").write_text(text)
    said = specnet("sweep", "bad.toml", "--out", "out").failed(1)
    assert len(re.findall(r"^bad\.toml:\d+:\d+: error", said, re.MULTILINE)) == 2
    assert not (folder / "out").exists()


def test_other_commands_read_past_a_sweep(specnet: Specnet, grid: Path):
    assert specnet("run", "grid.toml", "--out", "run", "-q", "--threads", "1").status == 0
    (grid / "plain.toml").write_text(BASE)
    assert specnet("run", "plain.toml", "--out", "plain", "-q", "--threads", "1").status == 0
    assert (grid / "run/model.safetensors").read_bytes() == (grid / "plain/model.safetensors").read_bytes()


def test_a_trial_may_be_refused(specnet: Specnet, folder: Path):
    """Values that clash only together: one of the optimizers needs all rows in a batch."""
    space = """[sweep.space]
"training.optimizer" = ["sgd", "lbfgs"]
"training.batch_size" = [16, "full"]
"""
    (folder / "clash.toml").write_text(f"{BASE}batch_size = 'full'\n[sweep]\nsampler = 'grid'\n{space}")
    ended = specnet("sweep", "clash.toml", "--out", "out", "--jobs", "1")
    assert ended.status == 0, ended.err
    facts = [json.loads((folder / f"out/trials/{number:04}/run.json").read_text()) for number in range(1, 5)]
    assert [fact["state"] for fact in facts] == ["finished", "finished", "refused", "finished"]
    assert "batch" in facts[2]["message"]
    assert "refused: " + facts[2]["message"][:20] in " ".join(ended.err.split())


def test_a_sweep_without_a_trial_that_finishes(specnet: Specnet, grid: Path):
    extra = [
        "--set",
        "training.loss=mean_squared_error",
        "--set",
        "training.metrics=['r2']",
        "--set",
        "sweep.metric=r2",
    ]
    rates = [
        "--set",
        "network.activations=['identity','identity']",
        "--set",
        "sweep.space={'training.optimizer.learning_rate' = [1e20, 1e21]}",
    ]
    more = [
        "--set",
        "training.optimizer={type = 'sgd', learning_rate = 1e19}",
        "--set",
        "network.preprocessing=[]",
        "--format",
        "json",
    ]
    ended = specnet("sweep", "grid.toml", "--out", "out", "--jobs", "1", *extra, *rates, *more)
    assert ended.status == 1
    (error,) = ended.document["errors"]
    assert "none of the first 3 trials has finished; trial 0 diverged: " in error["message"]


def test_optuna_is_missing(specnet: Specnet, grid: Path, monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "optuna"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "optuna", None)
    said = specnet("sweep", "grid.toml", "--out", "out").failed(1)
    assert "optuna is required" in said
    assert "[sweep]" in said
    assert not (grid / "out").exists()
    assert specnet("validate", "grid.toml").status == 0


def test_dask_is_missing(specnet: Specnet, grid: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    said = specnet("sweep", "grid.toml", "--out", "out", "--dask", "127.0.0.1:1").failed(1)
    assert "distributed is required" in said
    assert "[dask]" in said
    assert not (grid / "out").exists()


def test_no_scheduler_answers(specnet: Specnet, grid: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("distributed", reason="needs pip install '.[dask]'")
    from specnet.running.many import workers

    monkeypatch.setattr(workers, "SECONDS_TO_ANSWER", 0.5)
    for address in ("127.0.0.1:1", "nowhere", "tcp://"):
        ended = specnet("sweep", "grid.toml", "--out", "out", "--dask", address)
        assert ended.status == 1, ended.err
        assert "no dask scheduler answers" in ended.err
        assert not (grid / "out").exists()


def test_with_a_scheduler(specnet: Specnet, grid: Path):
    with dask_address() as address:
        ended = process("sweep", "grid.toml", "--out", "out", "--dask", address, "-q", folder=grid)
        assert (ended.status, ended.out, ended.err) == (0, "", "")
        many = process("run", "grid.toml", "--out", "many", "--folds", "2", "--dask", address, "-q", folder=grid)
        assert (many.status, many.out, many.err) == (0, "", "")
    assert specnet("sweep", "grid.toml", "--out", "here", "--jobs", "1", "-q").status == 0
    assert fingerprint(grid / "out") == fingerprint(grid / "here")
    assert specnet("run", "grid.toml", "--out", "there", "--folds", "2", "-q").status == 0
    assert fingerprint(grid / "many") == fingerprint(grid / "there")


def test_the_spec_is_standard_input(specnet: Specnet, grid: Path, type_in: TypeIn):
    type_in(GRID)
    for spec, out in (("-", "piped"), ("grid.toml", "named")):
        assert specnet("sweep", spec, "--out", out, "--jobs", "1", "-q").status == 0
    assert fingerprint(grid / "piped") == fingerprint(grid / "named")
    assert specnet("run", "piped/best.toml", "--out", "alone", "-q", "--threads", "1").status == 0


LONG = TPE.replace("epochs = 20", "epochs = 700").replace("trials = 9", "trials = 8")


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
def test_a_signal_ends_all_processes_and_the_printed_command_goes_on(specnet: Specnet, folder: Path):
    """Ctrl-C, and that it was closed, as a terminal sends them, to all at once; `run` gets SIGTERM."""
    (folder / "long.toml").write_text(LONG)
    command, count = ["sweep", "long.toml", "--out", "out", "--set", "training.l1=0.001"], 0
    for number, status in ((signal.SIGINT, 130), (signal.SIGHUP, 129)):
        before = count
        count, command = stopped(
            *command,
            folder=folder,
            number=number,
            status=status,
            done=lambda before=before: len(list(folder.glob("out/trials/0*"))) > before,
            counted=r"(\d+) of 8 trials are done",
        )
        assert count > before
        facts = json.loads((folder / "out/sweep.json").read_text())
        assert (facts["finished"], facts["end"]) == (False, f"after {count} trials")
        assert len((folder / "out/trials.csv").read_text().splitlines()) == 1 + count
        assert "--jobs 2" in " ".join(command)
    assert specnet(*command, "-q").went() == ""
    sweep(parse_sweep(LONG, overrides=["training.l1=0.001"]), folder / "once", jobs=1)
    assert fingerprint(folder / "out") == fingerprint(folder / "once")


def test_readers_see_what_was_forced_alone(specnet: Specnet, grid: Path):
    """A sweep over a run left the model for `predict`, and a run over folds the old folds for `runs`."""
    (grid / "spec.toml").write_text(BASE.replace("validation_size = 0.25\n", ""))
    (grid / "rows.csv").write_text("x0,x1\n0.5,0.5\n")
    np.savez(grid / "rows.npz", X=[[0.5, 0.5]])

    def seen() -> tuple[list[str], str, str]:
        """Return what `runs` lists, which page `report` writes, and whether there is a model to `predict` with."""
        listed = [each["run"] for each in specnet("runs", "out", "--format", "json").document["runs"]]
        specnet("report", "out", "-q").went()
        text = re.sub(r"<[^>]*>|\s+", " ", (grid / "out/report.html").read_text())
        page = re.search(r"moons · (sweep|folds) ·", text)
        told = specnet("predict", "out", "rows.npz")
        assert specnet("verify", "out", "-q").status == 0
        return listed, page[1] if page else "run", "predicts" if told.status == 0 else told.err.splitlines()[0]

    no_run = "out: error[file]: is a folder without run.json; expected a model file or the folder of a run"
    steps = [
        (["run", "spec.toml"], (["out"], "run", "predicts")),
        (["sweep", "grid.toml", "--jobs", "1"], (["out"], "sweep", no_run)),
        (["run", "spec.toml", "--folds", "2", "--jobs", "1"], (["fold0", "fold1"], "folds", no_run)),
        (["run", "spec.toml"], (["out"], "run", "predicts")),
    ]
    for command, expected in steps:
        assert specnet(*command, "-o", "out", "--force", "-q").status == 0
        assert seen() == expected
