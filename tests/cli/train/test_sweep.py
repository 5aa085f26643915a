"""`specnet sweep` and `specnet run --folds --seeds`: what they print, how they end, what they refuse."""

import csv
import json
import re
import signal
import sys

import numpy as np
import pytest

from tests.cli.conftest import process, stopped, write_rows
from tests.running.many.executors import dask_address
from tests.running.sweeps.searches import BASE, GRID, TPE, fingerprint

pytestmark = [pytest.mark.slow, pytest.mark.trains]


@pytest.fixture
def grid(folder):
    (folder / "grid.toml").write_text(GRID)
    return folder


def read_json(path):
    return json.loads(path.read_text())


def test_what_a_sweep_prints_and_writes(specnet, grid):
    ended = specnet("sweep grid.toml --jobs 1").ok()
    out = grid / "sweeps/moons/1"
    facts = read_json(out / "sweep.json")
    assert facts["finished"] is True
    assert facts["states"] == {"finished": 7}
    best, test = facts["best"], read_json(out / "best/metrics.json")["test"]
    assert f"best: trial {best['trial']}" in ended.out
    assert re.search(rf"accuracy: validation {100 * best['figure']:.4g}\S* ?%? \(best of 7\), test ", ended.out)
    assert "sweeps/moons/1" in ended.out
    assert test["accuracy"] is not None
    trials = [line.split()[:2] for line in ended.err.splitlines() if line.startswith("trial")]
    assert trials == [["trial", str(number)] for number in range(7)]
    assert (out / "report.html").exists()
    assert specnet("sweep grid.toml --jobs 1 -q --no-report").went() == ""
    assert fingerprint(out) == fingerprint(grid / "sweeps/moons/2")


def test_what_folds_and_seeds_print_and_write(specnet, folder):
    command = "run moons.toml --folds 3 --seeds 2"
    ended = specnet(command).ok()
    out = folder / "runs/moons/1"
    accuracy = read_json(out / "summary.json")["test"]["accuracy"]
    assert f"{100 * accuracy['mean']:.1f} % ± {100 * accuracy['std']:.1f}" in ended.out
    assert "6 runs" in ended.out
    names = [f"seed{seed}_fold{fold}" for seed in (0, 1) for fold in (0, 1, 2)]
    assert [line.split()[0] for line in ended.err.splitlines() if line] == names
    assert {path.name for path in out.iterdir() if path.is_dir()} == set(names)
    assert specnet(f"{command} -q --out quiet").went() == ""
    assert fingerprint(folder / "quiet") == fingerprint(out)


def test_the_document_of_a_sweep(specnet, grid):
    document = json.loads(specnet("sweep grid.toml --jobs 1 --format json --out out").went())
    assert (document["errors"], document["folder"]) == ([], "out")
    assert [trial["trial"] for trial in document["trials"]] == list(range(7))
    for trial in document["trials"]:
        written = grid / f"out/trials/{trial['trial']:04}"
        facts = read_json(written / "run.json")
        assert facts.pop("sha256")
        assert trial == facts
        assert (written / "model.safetensors").exists()
    best = max(document["trials"], key=lambda trial: (trial["figure"], -trial["trial"]))
    assert document["best"] == {"trial": best["trial"], "figure": best["figure"], "spec": "best.toml"}
    assert document["metrics"] == read_json(grid / "out/best/metrics.json")


def test_the_document_of_nested_sweeps(specnet, grid):
    command = "sweep grid.toml --jobs 1 --out out --folds 2 --set data.split.test_size=0"
    document = json.loads(specnet(f"{command} --format json").went())
    assert document["summary"] == read_json(grid / "out/summary.json")
    for fold, reported in enumerate(document["folds"]):
        assert reported["fold"] == fold
        written = read_json(grid / f"out/fold{fold}/team/metrics.json")
        assert reported["metrics"]["test"]["accuracy"] == written["test"]["accuracy"]
    words = specnet(f"{command} --resume").ok().out
    assert "±" in words
    assert "2 sweeps" in words


def test_the_document_of_seeds(specnet, folder):
    document = json.loads(specnet("run moons.toml --seeds 2 --out out --format json").went())
    assert (document["errors"], document["folder"]) == ([], "out")
    assert document["summary"] == read_json(folder / "out/summary.json")
    runs = [(run["name"], run["state"], run["fold"]) for run in document["runs"]]
    assert runs == [("seed0", "finished", None), ("seed1", "finished", None)]
    for run in document["runs"]:
        written = read_json(folder / "out" / run["name"] / "metrics.json")
        assert run["metrics"]["test"]["accuracy"] == written["test"]["accuracy"]


RARE = """
data = { type = "csv", path = "table.csv", target = "kind", split = { test_size = 0.2, stratify = false } }
network.hidden_layer_sizes = [3]
[training]
loss = "categorical_crossentropy"
class_weight = { c = 1e38, a = 1.0, b = 1.0 }
optimizer = { type = "sgd", learning_rate = 1e30 }
epochs = 3
"""


@pytest.mark.parametrize("option", ["", "--format json", "-q"])
def test_a_run_that_fails_is_told_and_the_others_are_there(specnet, folder, option):
    """The weight of a class that one row has makes those diverge that train on it."""
    write_rows("table.csv", "x,kind", [[f"{n % 7}.5", "c" if n == 5 else "ab"[n % 2]] for n in range(30)])
    (folder / "rare.toml").write_text(RARE)
    ended = specnet(f"run rare.toml --folds 3 --out out {option}")
    assert ended.status == 1
    rows = (folder / "out/runs.csv").read_text().splitlines()[1:]
    failed = [row.split(",")[0] for row in rows if "diverged" in row]
    assert failed
    if "json" in option:
        assert [run["name"] for run in ended.document["runs"] if run["state"] == "diverged"] == failed
        assert len(ended.document["errors"]) == len(failed)
    else:
        assert ended.err.count("error[") == len(failed)
        assert all(f"{name}: diverged: " in ended.err for name in failed)
    assert "Traceback" not in ended.err
    there = {path.name for path in (folder / "out").iterdir() if path.is_dir()}
    assert there == {"fold0", "fold1", "fold2"} - set(failed)


IDENTIFIED = """\
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


@pytest.mark.parametrize("command", ["run table.toml --folds 2", "sweep table.toml --folds 2", "sweep table.toml"])
def test_what_seems_wrong_with_the_rows_is_reported_once_at_its_line(specnet, folder, command):
    write_rows("table.csv", "id,x,kind", [[n, f"{n % 7}.5", "ab"[n % 2]] for n in range(80)])
    (folder / "table.toml").write_text(IDENTIFIED)
    ended = specnet(f"{command} --jobs 1 --out out").ok()
    assert len(re.findall(r"^table\.toml:5:\d+: warning\[identifier\]", ended.err, re.MULTILINE)) == 1
    assert ended.err.count("warning[identifier]") == 1
    (warning,) = json.loads(specnet(f"{command} --jobs 1 --out json --format json").went())["warnings"]
    assert (warning["code"], warning["source"], warning["line"]) == ("identifier", "table.toml", 5)


def test_fewer_and_more_trials(specnet, folder):
    (folder / "tpe.toml").write_text(TPE)
    specnet("sweep tpe.toml --jobs 1 --out out --trials 2 -q").ok()
    ended = specnet("sweep tpe.toml --jobs 1 --out out --set sweep.trials=3 --resume").ok()
    assert "resumed after 2 of 3 trials" in ended.err
    assert "(best of 3)" in ended.out


def test_a_trial_may_be_refused(specnet, folder):
    """Values that clash only together: one of the optimizers needs all rows in a batch."""
    space = '"training.optimizer" = ["sgd", "lbfgs"]\n"training.batch_size" = [16, "full"]\n'
    (folder / "clash.toml").write_text(f"{BASE}batch_size = 'full'\n[sweep]\nsampler = 'grid'\n[sweep.space]\n{space}")
    ended = specnet("sweep clash.toml --out out --jobs 1").ok()
    facts = [read_json(folder / f"out/trials/{number:04}/run.json") for number in range(1, 5)]
    assert [fact["state"] for fact in facts] == ["finished", "finished", "refused", "finished"]
    assert "batch" in facts[2]["message"]
    assert "refused: " + facts[2]["message"][:20] in " ".join(ended.err.split())


@pytest.mark.parametrize(
    ("package", "extra", "command"),
    [
        ("optuna", "sweep", "sweep grid.toml"),
        ("distributed", "dask", "sweep grid.toml --dask 127.0.0.1:1"),
        ("distributed", "dask", "run grid.toml --folds 2 --dask 127.0.0.1:1"),
        ("mlflow", "mlflow", "run grid.toml --log mlflow"),
    ],
)
def test_a_missing_package_is_named(specnet, grid, monkeypatch, package, extra, command):
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    reported = specnet(f"{command} --out out").failed(1)
    assert f"{package} is required and cannot be imported: " in reported
    assert f"run pip install '.[{extra}]' in a clone of the repository" in reported
    assert not (grid / "out").exists()
    specnet("validate grid.toml").ok()
    specnet("run moons.toml --folds 2 -q").ok()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", "tcp://"])
def test_no_scheduler_answers(specnet, grid, monkeypatch, address):
    pytest.importorskip("distributed", reason="needs pip install '.[dask]'")
    monkeypatch.setattr("specnet.running.workers.SECONDS_TO_ANSWER", 0.5)
    assert "no dask scheduler answers" in specnet(f"sweep grid.toml --out out --dask {address}").failed(1)
    assert not (grid / "out").exists()


def test_with_a_scheduler(specnet, grid):
    commands = {"out": "sweep grid.toml", "many": "run grid.toml --folds 2"}
    with dask_address() as address:
        for out, command in commands.items():
            process(*command.split(), "--out", out, "--dask", address, "-q", folder=grid).went()
    for out, command in commands.items():
        specnet(f"{command} --out {out}_here --jobs 1 -q").ok()
        assert fingerprint(grid / out) == fingerprint(grid / f"{out}_here")


@pytest.mark.parametrize("command", ["sweep {} --jobs 1", "run {} --folds 2"])
def test_the_spec_is_standard_input(specnet, grid, type_in, command):
    type_in(GRID)
    for spec, out in (("-", "piped"), ("grid.toml", "named")):
        specnet(f"{command.format(spec)} --out {out} -q").ok()
    assert fingerprint(grid / "piped") == fingerprint(grid / "named")
    if "sweep" in command:
        specnet("run piped/best.toml --out alone -q --threads 1").ok()


LONG = TPE.replace("epochs = 20", "epochs = 700").replace("trials = 9", "trials = 8")


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
@pytest.mark.parametrize(
    ("line", "signals", "made", "counted", "table"),
    [
        (
            "sweep long.toml --set training.l1=0.001",
            {signal.SIGINT: 130, signal.SIGHUP: 129},
            *("out/trials/0*", "8 trials", "trials.csv"),
        ),
        (
            "run moons.toml --seeds 5 --set training.epochs=2000",
            {signal.SIGTERM: 143},
            *("out/seed*/run.json", "5 runs", "runs.csv"),
        ),
    ],
    ids=["sweep", "run"],
)
def test_a_signal_ends_all_processes_and_the_printed_command_goes_on(
    specnet, folder, line, signals, made, counted, table
):
    """Ctrl-C, and that it was closed, as a terminal sends them, to all at once; `run` gets SIGTERM."""
    (folder / "long.toml").write_text(LONG)
    command, count = [*line.split(), "--out", "out"], 0
    for number, status in signals.items():
        before = count
        count, command = stopped(
            *command,
            folder=folder,
            number=number,
            status=status,
            done=lambda before=before: len(list(folder.glob(made))) > before,
            counted=rf"(\d+) of {counted} are done",
        )
        with open(folder / "out" / table, newline="") as rows:
            assert sum(row["state"] != "unfinished" for row in csv.DictReader(rows)) == count
        if "sweep" in line:
            assert count > before
            facts = read_json(folder / "out/sweep.json")
            assert (facts["finished"], facts["end"]) == (False, f"after {count} trials")
            assert "--jobs 2" in " ".join(command)
    assert specnet(*command, "-q").went() == ""
    assert specnet(f"{line} --out once --jobs 1 -q").went() == ""
    assert fingerprint(folder / "out") == fingerprint(folder / "once")


def test_readers_see_what_was_forced_alone(specnet, grid):
    """A sweep over a run left the model for `predict`, and a run over folds the old folds for `runs`."""
    (grid / "spec.toml").write_text(BASE.replace("validation_size = 0.25\n", ""))
    np.savez(grid / "rows.npz", X=[[0.5, 0.5]])

    def seen():
        """Return what `runs` lists, which page `report` writes, and whether there is a model to `predict` with."""
        listed = [each["run"] for each in specnet("runs out --format json").document["runs"]]
        specnet("report out -q").went()
        text = re.sub(r"<[^>]*>|\s+", " ", (grid / "out/report.html").read_text())
        page = re.search(r"moons · (sweep|folds) ·", text)
        answered = specnet("predict out rows.npz")
        specnet("verify out -q").ok()
        return listed, page[1] if page else "run", "" if answered.status == 0 else answered.err.splitlines()[0]

    no_run = "out: error[file]: is a folder without run.json; expected a model file or the folder of a run"
    for command, expected in (
        ("run spec.toml", (["out"], "run", "")),
        ("sweep grid.toml --jobs 1", (["out"], "sweep", no_run)),
        ("run spec.toml --folds 2 --jobs 1", (["fold0", "fold1"], "folds", no_run)),
        ("run spec.toml", (["out"], "run", "")),
    ):
        specnet(f"{command} -o out --force -q").ok()
        assert seen() == expected
