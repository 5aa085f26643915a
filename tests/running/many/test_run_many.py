"""Folds and seeds: each run is an ordinary one, whatever computes it, and their figures are brought together."""

from __future__ import annotations

import csv
import json
import os
import shutil
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import DataError, FileError, RepeatedResult, SpecError
from specnet.running.folder_pages import page_again
from specnet.saved.saved_series import saved_in
from tests.made import data_of
from tests.running.many.executors import EXECUTORS
from tests.running.passed_parts import Looking, Picky
from tests.running.sweeps.searches import fingerprint, without_numbers
from tests.texts.pinned import Pinned, Refused

pytestmark = [pytest.mark.slow, pytest.mark.trains]
ROWS = 61
"""Not a multiple of the folds."""
CSV = """\
name = "rows"
[data]
type = "csv"
path = "rows.csv"  # beside this file
target = "y"
[data.split]
test_size = 0.25  # not with folds
validation_size = 0.2
stratify = false
[network]
hidden_layer_sizes = [3]
dtype = "float64"
[training]
loss = "mean_squared_error"
epochs = 4
metrics = ["r2"]
"""


def write_rows(folder: Path) -> Path:
    """Write a spec beside a table whose rows are numbered in a column."""
    rng = np.random.default_rng(3)
    lines = [f"{number}.5,{rng.normal():.4f},{rng.normal():.4f}" for number in rng.permutation(ROWS)]
    (folder / "rows.csv").write_text("\n".join(["number,x,y", *lines]) + "\n")
    (folder / "rows.toml").write_text(CSV)
    return folder / "rows.toml"


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return write_rows(tmp_path)


@pytest.fixture(scope="module")
def done_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RepeatedResult]:
    folder = tmp_path_factory.mktemp("done")
    return folder / "out", specnet.run_many(write_rows(folder), folder / "out", folds=3, seeds=2)


@pytest.fixture
def done(done_once: tuple[Path, RepeatedResult], rows: Path) -> tuple[Path, RepeatedResult]:
    """The runs in a folder of the test's own, beside their rows."""
    return shutil.copytree(done_once[0], rows.parent / "out"), done_once[1]


def table(out: Path) -> list[dict[str, str]]:
    with (out / "runs.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_summary_is_numpys(done: tuple[Path, RepeatedResult]):
    out, result = done
    assert [run.name for run in result.runs] == [f"seed{seed}_fold{fold}" for seed in (0, 1) for fold in (0, 1, 2)]
    summary = json.loads((out / "summary.json").read_text())
    assert summary == result.summary
    assert summary.keys() == {"train", "validation", "test"}
    written = [json.loads((out / run.name / "metrics.json").read_text()) for run in result.runs]
    lines = table(out)
    for split, figures in summary.items():
        assert figures.keys() == {"loss", "r2"}
        for name, told in figures.items():
            values = np.array([each[split][name] for each in written])
            assert len(set(values)) == 6
            assert told["mean"] == pytest.approx(np.mean(values), rel=1e-14)
            assert told["std"] == pytest.approx(np.std(values, ddof=1), rel=1e-13)
            assert (told["min"], told["max"], told["runs"]) == (values.min(), values.max(), 6)
            assert [float(line[f"{split}.{name}"]) for line in lines] == values.tolist()
    assert [(line["seed"], line["fold"], line["state"], line["epochs"]) for line in lines] == [
        (str(seed), str(fold), "finished", "4") for seed in (0, 1) for fold in (0, 1, 2)
    ]


class Interrupting(ThreadPoolExecutor):
    """Computes two runs, and is then interrupted."""

    submitted = 0

    def submit(self, *args: Any, **options: Any) -> Future[Any]:
        self.submitted += 1
        if self.submitted > 2:
            raise KeyboardInterrupt
        future = super().submit(*args, **options)
        wait([future])
        return future


def test_an_interrupted_series_has_all_planned_runs_in_its_table(rows: Path, done: tuple[Path, RepeatedResult]):
    out, (whole, _) = rows.parent / "half", done
    with pytest.raises(KeyboardInterrupt), Interrupting(1) as executor:
        specnet.run_many(rows, out, folds=3, seeds=2, executor=executor)
    lines, expected = table(out), table(whole)
    assert [line["run"] for line in lines] == [line["run"] for line in expected]
    states = [line["state"] for line in lines]
    assert states.count("unfinished") >= 4
    assert states.count("unfinished") + states.count("finished") == 6
    saved = saved_in(out)
    assert (saved.state, saved.message) == ("unfinished", f"{states.count('unfinished')} of 6 runs")
    assert page_again(out).is_file()
    specnet.run_many(rows, out, folds=3, seeds=2, resume=True)
    assert fingerprint(out) == fingerprint(whole)


def test_each_row_is_tested_once_and_seeds_see_the_same_rows(done: tuple[Path, RepeatedResult]):
    out, result = done
    seen = []
    for run in result.runs:
        splits = data_of(out / run.name / "spec.toml").splits
        seen.append({name: sorted(part.columns[:, 0].astype(int).tolist()) for name, part in splits.items()})
    assert len(seen) == 6
    for folds in (seen[:3], seen[3:]):
        assert sorted(number for each in folds for number in each["test"]) == list(range(ROWS))
        for each in folds:
            assert sorted(number for part in each.values() for number in part) == list(range(ROWS))
            assert len(each["validation"]) == 13  # a fifth of all rows
    assert seen[:3] == seen[3:]


def test_seeds_differ_in_training_alone_and_that_is_written_out(rows: Path):
    out = rows.parent / "out"
    specnet.run_many(rows, out, seeds=2, overrides=["seed=7"])
    for seed in (7, 8):
        spec = specnet.parse_spec(out / f"seed{seed}/spec.toml")
        assert (spec.seed, spec.data.split.random_state, spec.data.split.test_size) == (seed, 7, 0.25)
        assert "# beside this file" in (out / f"seed{seed}/spec.toml").read_text()
    plain = specnet.run(rows, rows.parent / "plain", overrides=["seed=7"], threads=1)
    assert (out / "seed7/model.safetensors").read_bytes() != (out / "seed8/model.safetensors").read_bytes()
    assert json.loads((out / "seed7/metrics.json").read_text())["test"]["loss"] == plain.metrics["test"]["loss"]


@pytest.mark.parametrize("name", ["seed0_fold1", "seed1_fold2"])
def test_the_spec_of_a_run_is_written_so_that_it_gives_its_files(done: tuple[Path, RepeatedResult], name: str):
    """From its own folder, whose paths lead elsewhere than the first spec's."""
    out, _ = done
    text = (out / name / "spec.toml").read_text()
    assert "# beside this file" in text
    assert "test_size" not in text
    assert '"../../rows.csv"' in text
    specnet.run(out / name / "spec.toml", out / "alone", threads=1, report=False)
    ours, alone = fingerprint(out / name), fingerprint(out / "alone")
    differing = {file for file in ours.keys() | alone.keys() if ours.get(file) != alone.get(file)}
    assert differing == {"run.json"}, "it says from which folder it was run"
    assert "model.safetensors" in ours


@pytest.mark.usefixtures("born_loaded", "at_once")
@pytest.mark.parametrize("kind", ["threads", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("own", "dask"))])
def test_the_same_files_whoever_computes_them(kind: str, done: tuple[Path, RepeatedResult], rows: Path):
    again = rows.parent / "again"
    if kind == "own":
        specnet.run_many(rows, again, folds=3, seeds=2, jobs=2)
    else:
        with EXECUTORS[kind]() as arguments:
            specnet.run_many(rows, again, folds=3, seeds=2, **arguments)
    assert fingerprint(again) == fingerprint(done[0])


def test_resuming_computes_what_is_missing_and_nothing_else(
    done: tuple[Path, RepeatedResult], rows: Path, capsys: pytest.CaptureFixture[str], pinned: Pinned
):
    out, result = done
    before, written = fingerprint(out), times(out)
    shutil.rmtree(out / "seed0_fold1")
    (out / "seed1_fold0/run.json").unlink()
    (out / "summary.json").unlink()
    again = specnet.run_many(rows, out, folds=3, seeds=2, resume=True, verbose=True)
    pinned(without_numbers(capsys.readouterr().err))
    assert {name for name, time in times(out).items() if time != written[name]} == {"seed0_fold1", "seed1_fold0"}
    assert fingerprint(out) == before
    assert again.runs == result.runs
    assert len(specnet.run_many(rows, out, folds=3, seeds=3, resume=True).runs) == 9
    assert len(times(out)) == 9


def times(out: Path) -> dict[str, int]:
    """Return when the model of each run was written."""
    return {path.parent.name: path.stat().st_mtime_ns for path in out.glob("*/model.safetensors")}


@pytest.mark.parametrize(
    ("overrides", "folds", "more"), [(["training.epochs=5"], 3, ""), ([], 4, ""), ([], 3, "61.5,0,0\n")]
)
def test_resuming_another_one_is_an_error(
    done: tuple[Path, RepeatedResult], rows: Path, overrides, folds, more, refused: Refused
):
    out, _ = done
    before, table = fingerprint(out), rows.parent / "rows.csv"
    table.write_text(table.read_text() + more)
    with refused(FileError):
        specnet.run_many(rows, out, folds=folds, seeds=2, resume=True, overrides=overrides)
    assert fingerprint(out) == before


@pytest.mark.parametrize(
    ("file", "content"),
    [
        *(("run.json", content) for content in (b"{", b'{"finished": true, "epochs": "many"}', b"[]")),
        *(("metrics.json", content) for content in (b"\xff", b"{}", b'{"train": {"loss": "small"}}', None)),
        *(("spec.toml", content) for content in (b"\xff\x00", None)),
    ],
)
def test_a_damaged_run_is_a_clear_error(
    done: tuple[Path, RepeatedResult], rows: Path, file: str, content, refused: Refused
):
    out, _ = done
    path = out / "seed0_fold1" / file
    facts = json.loads((out / "seed0_fold1/run.json").read_text())
    if content is None:
        path.unlink()
    elif b"many" in content:
        path.write_text(json.dumps({**facts, "epochs": "many"}))
    else:
        path.write_bytes(content)
    with refused(FileError):
        specnet.run_many(rows, out, folds=3, seeds=2, resume=True)


def test_folds_that_all_fail_are_rows_of_the_table(rows: Path):
    path, out = rows.parent / "rows.csv", rows.parent / "out"
    header, _, *lines = path.read_text().splitlines()
    path.write_text("\n".join([header, "0.5,0.5,1e30", *lines]) + "\n")  # a target whose square is not finite
    options = ["training.optimizer={type='sgd',learning_rate=1e30}", "seed=0", "network.dtype=float32"]
    result = specnet.run_many(rows, out, folds=3, overrides=options)
    assert [run.state for run in result.failed] == ["diverged"] * 3
    assert all(run.message and not run.metrics and run.name in str(result.failure) for run in result.runs)
    assert not [path for path in out.iterdir() if path.is_dir()]
    assert [line["message"] for line in table(out)] == [run.message for run in result.runs]
    assert json.loads((out / "summary.json").read_text()) == {}


def test_one_of_the_folds_may_fail_alone(rows: Path):
    out = rows.parent / "out"
    result = specnet.run_many(rows, out, folds=3, overrides=["training.metrics=['picky']"], parts=[Picky])
    assert [run.state for run in result.runs] == ["refused", "finished", "finished"]
    assert "not these" in result.runs[0].message
    assert result.failed == result.runs[:1]
    assert not (out / "fold0").exists()
    assert [line["message"] for line in table(out)] == [result.runs[0].message, "", ""]
    assert [line["test.picky"] for line in table(out)] == ["", "1.0", "1.0"]
    assert result.summary["test"]["picky"] == {"mean": 1, "std": 0, "min": 1, "max": 1, "runs": 2}
    again = specnet.run_many(rows, out, folds=3, overrides=["training.metrics=['picky']"], parts=[Picky], resume=True)
    assert again.runs == result.runs


@pytest.mark.parametrize(
    "arguments",
    [
        *({}, {"folds": 1}, {"folds": 0}, {"seeds": 0}, {"seeds": True}, {"folds": 2.0}, {"seeds": 2, "jobs": 0}),
        *({"seeds": 2, "resume": True}, {"seeds": 2, "out": "x", "resume": True, "force": True}),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    rows: Path, arguments, monkeypatch: pytest.MonkeyPatch, pinned: Pinned
):
    monkeypatch.chdir(rows.parent)
    with pytest.raises((DataError, SpecError)) as caught:
        specnet.run_many(rows, **{"out": "nowhere", **arguments} if "resume" not in arguments else arguments)
    pinned(caught.value)
    assert not (rows.parent / "nowhere").exists()


def test_folds_beside_folds_are_refused(rows: Path, refused: Refused):
    with refused(DataError, code="split"):
        specnet.run_many(rows, folds=2, overrides=["data.split.folds=2", "data.split.fold=0", "data.split.test_size=0"])


@pytest.mark.usefixtures("born_loaded")
def test_workers_do_not_wait_for_a_first_task_that_takes_long(rows: Path, monkeypatch: pytest.MonkeyPatch):
    for name, seconds in (("SECONDS_WORTH_WORKERS", 0.2), ("MIN_SECONDS_TO_WAIT", 0.1)):
        monkeypatch.setattr(f"specnet.running.workers.{name}", seconds)
    overrides = ["training.metrics=['looking']", "training.baselines=[]"]
    here, there = specnet.run_many(rows, seeds=2, jobs=2, overrides=overrides, parts=[Looking]).runs
    assert here.metrics["test"]["looking"] == os.getpid() != there.metrics["test"]["looking"]
