"""A kind of folder forced over another one: what is there afterwards is the new one alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import specnet
from specnet import SpecnetError
from tests.running.sweeps.searches import BASE

SPEC = BASE.replace("epochs = 20", "epochs = 2\nbaselines = []")
WHOLE = SPEC.replace("test_size = 0.25\n", "").replace("validation_size = 0.25\n", "")
SPACE = "sampler = 'grid'\ntrials = 2\n[sweep.space]\n'training.l2' = [1e-4, 1e-3]\n"
SWEEP = f"{SPEC}[sweep]\n{SPACE}".replace("trials = 2", "trials = 1").replace("[1e-4, 1e-3]", "[1e-4]")
OF_FOLDS = f"{WHOLE}[sweep]\nfolds = 2\n{SPACE}"
MINE = [f"{folder}notes.txt" for folder in ("", "best/", "trials/0000/", "fold0/", "team/")]
MINE += ["fold0_old/model.safetensors", "other/model.safetensors"]


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


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder by their paths, with their content where it does not depend on times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            timed = path.suffix in (".csv", ".journal", ".tmp") or path.name in ("run.json", "sweep.json")
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


def test_a_run_beside_is_no_part_of_a_run(tmp_path: Path) -> None:
    """A folder that has the name of the best run of a sweep, where there is no sweep."""
    for out in (tmp_path, tmp_path / "best"):
        specnet.run(SPEC, out, force=True, report=False)
    before = (tmp_path / "best/run.json").read_bytes()
    specnet.run(SPEC, tmp_path, force=True, report=False)
    assert (tmp_path / "best/run.json").read_bytes() == before


@pytest.mark.parametrize(
    ("new", "name"),
    [
        *(("folds", name) for name in ("fold1", "runs.csv")),
        *(("sweep", name) for name in ("trials", "trials/0001", "best", "sweep.json")),
        *(("nested sweep", name) for name in ("fold1", "fold1/trials")),
    ],
)
def test_nothing_is_written_through_a_link(tmp_path: Path, swept: Path, new: str, name: str) -> None:
    elsewhere, link = tmp_path / "elsewhere", tmp_path / "out" / name
    elsewhere.mkdir()
    (elsewhere / "run.json").write_text("mine")
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere / "run.json" if "." in name else elsewhere)
    with pytest.raises(specnet.TakenError):
        MAKE[new](tmp_path / "out", True, swept)
    assert [path.read_text() for path in elsewhere.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("old", "new", "holds"),
    [
        ("sweep", "run", "a sweep"),
        ("run", "folds", "a run"),
        ("run", "sweep", "a run"),
        ("folds", "nested", "runs on folds or with seeds"),
        ("nested", "folds", "a sweep for each fold"),
    ],
)
def test_another_kind_is_not_resumed(tmp_path: Path, old: str, new: str, holds: str) -> None:
    (tmp_path / "summary.json").write_text("{}")
    for name in {"sweep": ["sweep.json"], "run": ["run.json"], "folds": ["runs.csv"]}.get(old, []):
        (tmp_path / name).write_text("{}")
    before = files_of(tmp_path)
    resume: dict[str, Callable[[], Any]] = {
        "run": lambda: specnet.run(SPEC, tmp_path, resume=True),
        "sweep": lambda: specnet.sweep(SWEEP, tmp_path, resume=True),
        "folds": lambda: specnet.run_many(WHOLE, tmp_path, folds=2, resume=True),
        "nested": lambda: specnet.nested_sweep(SWEEP, tmp_path, folds=2, resume=True),
    }
    with pytest.raises(specnet.FileError, match=f"nothing to resume: the folder holds {holds}\n"):
        resume[new]()
    assert files_of(tmp_path) == before


def test_an_error_leaves_the_earlier_result(tmp_path: Path, fresh: dict[str, Path]) -> None:
    """Rows too few for the folds, found once the table has been read."""
    for old in ("run", "folds", "sweep"):
        out = tmp_path / old
        shutil.copytree(fresh[old], out)
        for call in (specnet.run_many, specnet.nested_sweep):
            with pytest.raises(specnet.DataError):
                call(SWEEP, out, folds=50, jobs=1, force=True)
        assert files_of(out) == files_of(fresh[old])


@pytest.mark.parametrize("call", [specnet.run, specnet.sweep, partial(specnet.run_many, seeds=2, jobs=1)])
def test_no_result_is_forced_over_what_it_is_made_of(tmp_path: Path, call: Callable[..., Any]) -> None:
    """A table that has the name of a file of the earlier run; and a spec that would not be written again."""
    out = tmp_path / "out"
    specnet.run(SPEC, out, report=False)
    table = json.dumps({"x": 1, "y": 2}) + "\n"
    (out / "history.jsonl").write_text(table * 40)
    spec = SWEEP.replace(
        'type = "make_moons"\nn_samples = 60\nnoise = 0.2', 'type = "jsonl"\npath = "history.jsonl"\ntarget = "y"'
    )
    spec = spec.replace("binary_crossentropy", "mse").replace('metrics = ["accuracy"]\n', "")
    (out / "mine.toml").write_text(spec if call is specnet.sweep else spec.partition("[sweep]")[0])
    before = files_of(out)
    with pytest.raises(specnet.FileError, match=r"history.jsonl: error\[file\]: the output would overwrite"):
        call(out / "mine.toml", out, force=True)
    if call is not specnet.run and call is not specnet.sweep:
        with pytest.raises(specnet.FileError, match=r"spec.toml: error\[file\]: the output would overwrite"):
            call(out, out, force=True)
    assert files_of(out) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "out"),
    [
        ("folds/fold0", "folds"),
        ("sweep/team", "sweep"),
        ("sweep/best", "sweep"),
        ("sweep", "sweep/best"),
        ("sweep/team", "sweep/trials/0000"),
        ("run", "data"),
    ],
)
def test_a_verification_is_not_written_over_what_it_reads(tmp_path: Path, fresh: dict[str, Path], part: str, out: str):
    """A fold into its series, a part of a sweep into the whole or reverse, and any over a table with a run's name."""
    for kind in ("folds", "sweep"):
        shutil.copytree(fresh[kind], tmp_path / kind)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/history.jsonl").write_text("".join(f'{{"x": {n % 7}, "y": {n % 5}}}\n' for n in range(40)))
    data = {"type": "jsonl", "path": str(tmp_path / "data/history.jsonl"), "target": "y"}
    training = {"loss": "mse", "epochs": 1}
    if part == "run":
        specnet.run({"data": data, "network": {"hidden_layer_sizes": [2]}, "training": training}, tmp_path / "run")
    before = files_of(tmp_path)
    with pytest.raises(SpecnetError, match=r"out holds files of the run to verify|the output would overwrite"):
        specnet.verify(tmp_path / part, tmp_path / out, jobs=None if part == "run" else 1, force=True)
    assert files_of(tmp_path) == before
