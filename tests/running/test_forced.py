"""A kind of folder forced over another one: what is there afterwards is the new one alone, also after a kill."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import specnet
from tests.running.sweeps.searches import BASE

SPEC = BASE.replace("epochs = 20", "epochs = 2")
WHOLE = SPEC.replace("test_size = 0.25\n", "").replace("validation_size = 0.25\n", "")
SPACE = "sampler = 'grid'\ntrials = 2\n[sweep.space]\n'training.l2' = [1e-4, 1e-3]\n"
SWEEP = f"{SPEC}[sweep]\n{SPACE}".replace("trials = 2", "trials = 1").replace("[1e-4, 1e-3]", "[1e-4]")
OF_FOLDS = f"{WHOLE}[sweep]\nfolds = 2\n{SPACE}"
MINE = [f"{folder}notes.txt" for folder in ("", "best/", "trials/0000/", "fold0/", "team/")]
MINE += ["fold0_old/model.safetensors", "other/model.safetensors"]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep, whose trials and team are made again by verifications."""
    folder = tmp_path_factory.mktemp("swept")
    specnet.sweep(OF_FOLDS, folder, jobs=1, report=False)
    return folder


MAKE: dict[str, Callable[..., Any]] = {
    "run": lambda out, force, _: specnet.run(SPEC, out, force=force, report=False),
    "folds": lambda out, force, _: specnet.run_many(WHOLE, out, folds=2, jobs=1, force=force, report=False),
    "sweep": lambda out, force, _: specnet.sweep(OF_FOLDS, out, jobs=1, force=force, report=False),
    "nested sweep": lambda out, force, _: specnet.nested_sweep(SWEEP, out, folds=2, jobs=1, force=force, report=False),
    "team": lambda out, force, swept: specnet.verify(swept / "team", out, force=force),
    "trials": lambda out, force, swept: specnet.verify(swept, out, jobs=1, force=force),
}
PAIRS = [(old, new) for old in MAKE for new in MAKE if "trials" not in (old, new)]
PAIRS += [("trials", "trials"), ("folds", "trials"), ("trials", "sweep")]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, swept: Path) -> dict[str, Path]:
    """A folder of each kind."""
    made = {}
    for kind, make in MAKE.items():
        made[kind] = tmp_path_factory.mktemp("fresh") / "out"
        make(made[kind], False, swept)
    return made


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder by their paths, with their content where it does not depend on times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            timed = path.suffix in (".csv", ".journal") or path.name in ("run.json", "sweep.json")
            found[path.relative_to(folder).as_posix()] = b"" if timed else path.read_bytes()
    return found


@pytest.mark.slow
@pytest.mark.trains
@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_only_the_new_one_is_there(tmp_path: Path, fresh: dict[str, Path], swept: Path, old: str, new: str) -> None:
    out = tmp_path / "out"
    shutil.copytree(fresh[old], out)
    for facts in [out / "run.json", *out.rglob("*.json")]:  # each folder of results has its page
        (facts.parent / "report.html").touch()
    for name in MINE:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("mine")
    MAKE[new](out, True, swept)
    assert files_of(out) == files_of(fresh[new]) | dict.fromkeys(MINE, b"mine")
