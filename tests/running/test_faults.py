"""Processes that are killed, told to end, or find the disk full at an operation on files: nothing is lost or mixed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import specnet
from specnet.files.locks import locked_folder
from specnet.run_files import RUN, kind_of
from specnet.saved.saved_series import find_runs, saved_in
from tests.compiling import compiles
from tests.processes.born_loaded import born_loaded
from tests.running.faults import FAULTS, FULL_DISK, spread, suffer
from tests.running.sweeps.searches import fingerprint
from tests.running.test_forced import MAKE, OF_FOLDS, SPEC, SWEEP, WHOLE, files_of
from tests.texts.pinned import Refused

pytestmark = pytest.mark.slow

QUIET: dict[str, Any] = {"report": False, "observer": specnet.Observer()}
LONG = SPEC.replace("epochs = 2", "epochs = 4\ncheckpoint_every = 1")
ENSEMBLE = WHOLE.replace("epochs = 2", "epochs = 3\ncheckpoint_every = 1\nensemble = 3")
WHAT: dict[str, tuple[int, Callable[..., Any]]] = {
    "run": (10, lambda out, **how: specnet.run(LONG, out, **how, **QUIET)),
    "ensemble": (10, lambda out, **how: specnet.run(ENSEMBLE, out, **how, **QUIET)),
    "threads": (5, lambda out, **how: specnet.run(ENSEMBLE, out, engine="compiled", jobs=3, **how, **QUIET)),
    "folds": (5, lambda out, **how: specnet.run_many(WHOLE, out, folds=2, jobs=1, **how, **QUIET)),
    "sweep": (5, lambda out, **how: specnet.sweep(OF_FOLDS, out, jobs=1, **how, **QUIET)),
    "nested sweep": (5, lambda out, **how: specnet.nested_sweep(SWEEP, out, folds=2, jobs=1, **how, **QUIET)),
}
"""What is made, and how often it suffers."""
KINDS = [pytest.param(what, marks=compiles) if what == "threads" else what for what in WHAT]
FORCED = {("other run", "run"): 10, ("sweep", "run"): 10, ("team", "run"): 5, ("sweep", "folds"): 5}
"""The earlier result, and the one that is forced over it."""


def suffer_all(top: Path, what: str) -> None:
    """Make something in folders below the top, one of them undisturbed."""
    cases, make = WHAT[what]
    total = suffer(lambda: make(top / "whole"), top)
    for case, number in enumerate(spread(cases, total)):
        fault = list(FAULTS)[case % len(FAULTS)]
        out = top / f"{fault} {number}"
        suffer(lambda out=out: make(out), out, fault, number)  # type: ignore[misc] # a lambda of defaults


def alone(target: Callable[..., None], *arguments: Any) -> None:
    """Call a function in a process without threads, which may fork others."""
    process = born_loaded().Process(target=target, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == 0


@pytest.mark.parametrize("what", KINDS)
def test_what_goes_on_after_a_fault_ends_in_the_same_bytes(what: str, tmp_path: Path) -> None:
    cases, make = WHAT[what]
    alone(suffer_all, tmp_path, what)
    resumed = 0
    for out in sorted(set(tmp_path.iterdir()) - {tmp_path / "whole"}):
        try:
            make(out, resume=True)
            resumed += 1
        except specnet.FileError:  # there is nothing yet to go on from
            assert not {"checkpoint.safetensors", "sweep.json", "runs.csv"} & {path.name for path in out.rglob("*")}
            make(out, force=True)
        assert fingerprint(out) == fingerprint(tmp_path / "whole"), out
    assert resumed >= cases // 2


def force_all(top: Path, swept: Path, old: str, new: str) -> None:
    """Force a result over copies of another one."""
    shutil.copytree(top / "old", top / "counted")
    total = suffer(lambda: MAKE[new](top / "counted", True, swept), top)
    for case, number in enumerate(spread(FORCED[old, new], total)):
        fault = FULL_DISK if case % 2 else "kill"
        out = top / f"{fault} {number}"
        shutil.copytree(top / "old", out)
        suffer(lambda out=out: MAKE[new](out, True, swept), out, fault, number)  # type: ignore[misc] # a lambda of defaults


@pytest.mark.parametrize(("old", "new"), FORCED)
def test_a_fault_leaves_no_mixture_that_reads_as_finished(
    tmp_path: Path, fresh: dict[str, Path], swept: Path, old: str, new: str
) -> None:
    """All that is finished has the files of the earlier result, or those of the new one."""
    if old == "other run":
        specnet.run(SPEC.replace("[4]", "[3]"), tmp_path / "old", report=False)
    else:
        shutil.copytree(fresh[old], tmp_path / "old")
    alone(force_all, tmp_path, swept, old, new)
    wholes, states = (tmp_path / "old", fresh[new]), set()
    for out in sorted(set(tmp_path.iterdir()) - {tmp_path / "old", tmp_path / "counted"}):
        if FULL_DISK in out.name and new == "run":
            assert files_of(out) in map(files_of, wholes), out
        if kind_of(out) is RUN:
            model = sha256(specnet.load_model(out).to_bytes()).hexdigest()
            assert json.loads((out / "run.json").read_text())["model_sha256"] == model
        for run in find_runs(out):
            record, name = saved_in(run), run.relative_to(out)
            states.add(record.state)
            if record.state == "finished":
                sources = [whole / name for whole in wholes if (whole / name).is_dir()]
                assert any(files_of(each).items() <= files_of(run).items() for each in sources), run
                assert any(saved_in(each).metrics == record.metrics for each in sources), run
    assert "finished" in states or old != "other run"


def fill_all(top: Path) -> None:
    """Run into folders that are not there yet, without a checkpoint that would be kept."""
    total = suffer(lambda: specnet.run(SPEC, top / "whole", **QUIET), top)
    for number in spread(9, total):
        suffer(lambda number=number: specnet.run(SPEC, top / str(number) / "out", **QUIET), top, FULL_DISK, number)  # type: ignore[misc] # a lambda of defaults


def test_a_full_disk_leaves_all_of_a_new_run_or_nothing(tmp_path: Path) -> None:
    alone(fill_all, tmp_path)
    made = set(tmp_path.iterdir()) - {tmp_path / "whole"}
    assert len(made) < 4
    assert all(files_of(out / "out") == files_of(tmp_path / "whole") for out in made)


@pytest.mark.parametrize("what", [what for what in WHAT if what != "threads"])
def test_a_folder_that_another_process_holds_is_left_alone(what: str, tmp_path: Path, refused: Refused) -> None:
    for how in ({}, {"force": True}, {"resume": True}):
        with locked_folder(tmp_path / "out"), refused(specnet.TakenError, varying="process .*", at="out"):
            WHAT[what][1](tmp_path / "out", **how)
        assert [*(tmp_path / "out").iterdir()] == []
