"""A kind of folder forced over another one: what is there afterwards is the new one alone, also after a kill."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import specnet
from specnet.errors import SpecnetError
from specnet.files.run_files import RUN, kind_of
from specnet.model import load_model
from specnet.saved.finding_runs import find_runs, saved_in
from tests.processes.born_loaded import born_loaded
from tests.running import killed
from tests.running.sweeps.searches import BASE

SPEC = BASE.replace("epochs = 20", "epochs = 2\nbaselines = []")
WHOLE = SPEC.replace("test_size = 0.25\n", "").replace("validation_size = 0.25\n", "")
SPACE = "sampler = 'grid'\ntrials = 2\n[sweep.space]\n'training.l2' = [1e-4, 1e-3]\n"
SWEEP = f"{SPEC}[sweep]\n{SPACE}".replace("trials = 2", "trials = 1").replace("[1e-4, 1e-3]", "[1e-4]")
OF_FOLDS = f"{WHOLE}[sweep]\nfolds = 2\n{SPACE}"
MINE = [f"{folder}notes.txt" for folder in ("", "best/", "trials/0000/", "fold0/", "team/")]
MINE += ["fold0_old/model.safetensors", "other/model.safetensors"]
KILLED_AT = {
    ("other run", "run"): [0, 1, 3, 5, 9],
    ("sweep", "run"): [1, 3, 6, 14, 30],
    ("team", "run"): [0, 1, 3, 8],
    ("sweep", "folds"): [1, 30, 65],
}
"""Operations on files, by the earlier result and the one that is forced over it."""


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


@pytest.mark.slow
def test_a_kill_leaves_no_mixture_that_reads_as_finished(tmp_path: Path, fresh: dict[str, Path], swept: Path) -> None:
    """All that is finished has the files of the earlier result, or those of the new one."""
    whole = {**fresh, "other run": tmp_path / "before"}
    specnet.run(SPEC.replace("[4]", "[3]"), whole["other run"], report=False)
    for (old, new), numbers in KILLED_AT.items():
        for number in numbers:
            shutil.copytree(whole[old], tmp_path / "killed" / f"{old}-{new}-{number}")
    process = born_loaded().Process(target=killed.force_all, args=(tmp_path / "killed", swept))
    process.start()
    process.join()
    assert process.exitcode == 0
    states = set()
    for out in (tmp_path / "killed").iterdir():
        if kind_of(out) is RUN:
            model = sha256(load_model(out).to_bytes()).hexdigest()
            assert json.loads((out / "run.json").read_text())["model_sha256"] == model
        for run in find_runs(out):
            record, name = saved_in(run), run.relative_to(out)
            states.add(record.state)
            if record.state == "finished":
                sources = [whole[which] / name for which in out.name.split("-")[:2] if (whole[which] / name).is_dir()]
                assert any(files_of(each).items() <= files_of(run).items() for each in sources), run
                assert any(saved_in(each).metrics == record.metrics for each in sources), run
    assert states > {"finished"}


@pytest.mark.parametrize(
    ("old", "new", "holds"),
    [
        ("sweep", "run", "a sweep"),
        ("run", "folds", "a run"),
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
def test_a_verification_is_not_written_over_what_it_reads(
    tmp_path: Path, fresh: dict[str, Path], part: str, out: str
) -> None:
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
