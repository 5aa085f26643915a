"""Folds, seeds and sweeps that are made again: all of them, or a sample."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from specnet import DataError, FileError, Observer, TrainingError, nested_sweep, run_many, sweep, verify
from specnet.compiler.thread_limits import limited_threads
from tests.made import data_of, tensors_in
from tests.running.moons import Warned, contents
from tests.running.passed_parts import Killing
from tests.running.specs import csv_file, spec_on
from tests.running.sweeps.searches import FOLDS, MEMBERS, without_numbers, write_values
from tests.running.verification.folders import SPEC, change_facts, change_model, one_ulp_up, only, record
from tests.texts.pinned import Pinned, Refused

pytestmark = [pytest.mark.slow, pytest.mark.trains]
SWEEP = f"""{SPEC}
[sweep]
trials = 4
sampler = "random"
[sweep.space]
"training.l2" = [0.0, 0.01, 0.1]
"""
QUICK = ("training.epochs=4",)
VALIDATED = (*QUICK, "data.split.validation_size=0.25")
QUIET: dict[str, Any] = {"report": False, "observer": Observer()}


@pytest.fixture(scope="module")
def folds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many") / "folds"
    run_many(SPEC, folder, folds=2, seeds=2, overrides=[*QUICK, "training.baselines=[]"], **QUIET)
    return folder


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many") / "sweep"
    sweep(SWEEP, folder, overrides=VALIDATED, **QUIET)
    return folder


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many") / "wide"
    overrides = ["network.hidden_layer_sizes=[1000, 10]", "data.n_samples=700", "data.split.validation_size=0.4"]
    overrides += ["data.split.test_size=0.4", "data.noise=0.3", "training.epochs=1", "sweep.trials=2"]
    with limited_threads(2):
        sweep(SWEEP, folder, overrides=overrides, **QUIET)
    return folder


def copied(folder: Path, top: Path) -> Path:
    return Path(shutil.copytree(folder, top / folder.name))


def names(found):
    return [run.name for run in found.runs]


def test_every_run_of_folds_and_seeds_is_the_same(folds: Path):
    found = verify(folds)
    assert found.is_same
    assert names(found) == ["seed0_fold0", "seed0_fold1", "seed1_fold0", "seed1_fold1", ""]
    assert [len(run.files) for run in found.runs] == [10, 10, 10, 10, 2]
    assert found.runs[-1].files == ("runs.csv", "summary.json")
    assert all(run.machine == run.inputs == () for run in found.runs)


def test_a_sample_is_the_same_each_time_and_says_what_it_is(folds: Path, tmp_path: Path):
    found = verify(folds, sample=2, epochs=2)
    assert (found.is_same, len(found.runs), found.total) == (True, 2, 4)
    assert names(verify(folds, sample=2, epochs=1)) == names(found)
    assert {run.beginning for run in found.runs} == {(0, 2)}
    folder = copied(folds, tmp_path)
    shutil.copytree(folder / "seed1_fold0", folder / "seed10_fold0")
    assert names(verify(folder, sample=9, epochs=1)) == [*names(verify(folds, epochs=1)), "seed10_fold0"]


def test_the_run_that_differs_is_found(folds: Path, tmp_path: Path):
    folder = copied(folds, tmp_path)
    change_model(folder / "seed1_fold0", "layers.1.bias", one_ulp_up)
    change_facts(folder / "seed0_fold1", cpu_features=["NOTHING"])
    found = verify(folder)
    assert [run.name for run in found.others] == ["seed1_fold0"]
    (difference,) = found.others[0].differences
    assert (difference.file, difference.name) == ("model.safetensors", "layers.1.bias")
    assert [change.key for change in found.runs[1].machine] == ["CPU features"]


def test_what_is_made_of_many_can_be_kept(folds: Path, tmp_path: Path):
    found = verify(folds, tmp_path / "out", sample=2)
    for name in names(found)[:-1]:
        assert (tmp_path / "out" / name / "model.safetensors").read_bytes() == (
            folds / name / "model.safetensors"
        ).read_bytes()
        assert verify(tmp_path / "out" / name).is_same
    assert found.folder == tmp_path / "out"
    verify(folds, tmp_path / "out", sample=2, epochs=2, force=True)
    assert (tmp_path / "out" / names(found)[0] / "checkpoint.safetensors").exists()
    verify(folds, tmp_path / "out", sample=2, force=True)
    assert not list((tmp_path / "out").rglob("checkpoint.safetensors"))


def test_trials_and_the_best_run_of_a_sweep_are_the_same(searched: Path):
    found = verify(searched)
    assert found.is_same
    assert names(found) == ["best", *(f"trials/000{number}" for number in range(4)), "team", ""]
    assert found.runs[-2].files == ("model.safetensors", "metrics.json", "team.json")
    files = {"spec.toml", "history.jsonl", "metrics.json", "model.safetensors", "held_out.safetensors", "run.json"}
    assert set(found.runs[1].files) == files
    assert set(found.runs[-1].files) == {"spec.toml", "trials.csv", "best.toml", "study.journal", "sweep.json"}
    assert (len(verify(searched, sample=1).runs), verify(searched, sample=1, epochs=2).total) == (4, 5)


@pytest.mark.parametrize("spec", [FOLDS, MEMBERS, "table/spec.toml"], ids=["folds", "members", "table"])
def test_a_team_is_chosen_again_and_a_changed_bit_of_it_found(spec: str, tmp_path: Path):
    (tmp_path / "table").mkdir()
    write_values(tmp_path / "table")
    source = tmp_path / spec if spec.endswith(".toml") else spec
    sweep(source, tmp_path / "sweep", overrides=["training.epochs=5"], jobs=1, **QUIET)
    team = tmp_path / "sweep/team"
    before = contents(team)
    assert verify(team, tmp_path / "again").is_same
    assert contents(tmp_path / "again") == contents(team) == before
    weight = next(name for name in load(before["model.safetensors"]) if "weight" in name)
    change_model(team, weight, one_ulp_up, recorded=False)
    (difference,) = only(verify(team)).differences
    assert (difference.file, difference.distance.ulps) == ("model.safetensors", 1)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_sweep_is_the_same_with_any_number_of_threads(wide: Path, threads: int):
    """Products over 1 000 numbers are summed in another order by several threads."""
    with limited_threads(threads):
        assert verify(wide).is_same
        assert verify(wide / "team").is_same


def test_a_team_that_was_chosen_by_other_answers_differs(searched: Path, tmp_path: Path):
    folder = copied(searched, tmp_path)
    shares = json.loads((folder / "team/team.json").read_text())["shares"]
    other = next(number for number in range(4) if str(number) not in shares)
    path = folder / f"trials/{other:04}/held_out.safetensors"
    right = data_of(folder / "best.toml").splits["validation"].y == 1
    before = tensors_in(path)["outputs"]
    outputs = np.where(right, 5, -5).astype(before.dtype).reshape(before.shape)
    path.write_bytes(save({"outputs": outputs}, {"specnet": ""}))
    trial, team = verify(folder).others
    assert (trial.name, team.name) == (f"trials/{other:04}", "team")
    assert [difference.file for difference in trial.differences] == ["held_out.safetensors"]
    assert [difference.file for difference in team.differences][-2:] == ["metrics.json", "team.json"]


def test_a_folder_beside_the_trials_is_none_of_them(searched: Path, tmp_path: Path):
    folder = copied(searched, tmp_path)
    shutil.copytree(folder / "trials/0002", folder / "trials/copy")
    assert verify(folder, epochs=1).total == 5
    with pytest.raises(FileError, match="the record of another trial: 2"):
        verify(folder / "trials/copy", epochs=1)


def test_an_observer_is_told_of_rows_and_progress_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pinned: Pinned
):
    rows = csv_file(tmp_path / "rows.csv", "a,b,y", ((7, row % 5, row % 2) for row in range(40)))
    run_many(spec_on(rows), tmp_path / "runs", folds=2, **QUIET)
    warned = Warned()
    assert verify(tmp_path / "runs", observer=warned).is_same
    assert warned.codes == ["constant"]
    capsys.readouterr()
    assert verify(tmp_path / "runs", verbose=True).is_same
    pinned(without_numbers(capsys.readouterr().err.replace(str(tmp_path), "")))


@pytest.mark.parametrize("missing", ["best", "trials/0001", "trials/0002"])
def test_a_folder_that_is_missing_in_a_sweep_is_told(searched: Path, tmp_path: Path, missing: str):
    folder = copied(searched, tmp_path)
    shutil.rmtree(folder / missing)
    found = verify(folder, epochs=1)
    assert {*names(found)} == {"best", *(f"trials/000{number}" for number in range(4))}
    assert [(run.name, run.message) for run in found.others] == [(missing, "the folder is missing")]


def test_a_damaged_record_of_a_sweep_is_told(searched: Path, tmp_path: Path, refused: Refused):
    folder = copied(searched, tmp_path)
    facts = {**json.loads((folder / "sweep.json").read_text()), "machines": ["?"]}
    (folder / "sweep.json").write_text(json.dumps(facts))
    assert verify(folder, epochs=1).is_same
    facts["identity"]["sweep"] = 3
    (folder / "sweep.json").write_text(json.dumps(facts))
    with refused(FileError):
        verify(folder)


def test_a_changed_trial_is_found_and_the_machine_of_the_sweep_named(searched: Path, tmp_path: Path):
    folder = copied(searched, tmp_path)
    path = folder / "trials/0002/metrics.json"
    metrics = json.loads(path.read_text())
    metrics["validation"]["loss"] *= 1.5
    path.write_text(json.dumps(metrics, indent=2) + "\n")
    facts = json.loads((folder / "sweep.json").read_text())
    facts["versions"]["numpy"] = "1.0"
    (folder / "sweep.json").write_text(json.dumps(facts))
    record(folder, "sweep.json")
    found = verify(folder)
    (other,) = found.others
    assert (other.name, other.differences[0].name) == ("trials/0002", "validation.loss")
    assert [tuple(change)[:2] for change in other.machine] == [("numpy", "1.0")]
    assert not other.is_rounded


def test_trials_that_failed_are_checked_by_what_they_recorded(tmp_path: Path):
    overrides = [*VALIDATED, "training.optimizer=sgd"]
    spec = SWEEP.replace('"training.l2" = [0.0, 0.01, 0.1]', '"training.optimizer.learning_rate" = [0.1, 1e30]')
    sweep(spec, tmp_path / "sweep", overrides=overrides, **QUIET)
    states = {
        path.parent.name: json.loads(path.read_text())["state"] for path in tmp_path.glob("sweep/trials/*/run.json")
    }
    assert set(states.values()) == {"finished", "diverged"}
    finished = sorted(f"trials/{name}" for name, state in states.items() if state == "finished")
    failed = [f"trials/{name}" for name, state in sorted(states.items()) if state != "finished"]
    found = verify(tmp_path / "sweep")
    assert (found.is_same, names(found)) == (True, ["best", *finished, *failed, "team", ""])
    spec = tmp_path / "sweep" / failed[0] / "spec.toml"
    spec.write_text(spec.read_text() + "#\n")
    for path, name in ((tmp_path / "sweep", failed[0]), (spec.parent, "")):
        (other,) = verify(path).others
        assert (other.name, [each.file for each in other.differences]) == (name, ["spec.toml"])


def test_a_trial_made_again_replaces_an_earlier_one_and_nothing_elsewhere(tmp_path: Path):
    sweep(FOLDS, tmp_path / "sweep", jobs=1, overrides=["training.epochs=1"], **QUIET)
    trial, out, mine = tmp_path / "sweep/trials/0000", tmp_path / "again", tmp_path / "mine"
    verify(trial, out)
    (out / "seed9_fold9.model.safetensors").write_text("of another trial")
    assert verify(trial, out, force=True).is_same
    assert {path.name for path in out.iterdir()} == {path.name for path in trial.iterdir()}
    mine.write_text("mine")
    (out / "seed0_fold0.model.safetensors").unlink()
    (out / "seed0_fold0.model.safetensors").symlink_to(mine)
    with pytest.raises(FileError, match="symbolic link"):
        verify(trial, out, force=True)
    assert mine.read_text() == "mine"


def test_each_sweep_of_a_nested_one_is_verified(tmp_path: Path):
    overrides = [*VALIDATED, "sweep.trials=2"]
    nested_sweep(SWEEP, tmp_path / "nested", folds=2, overrides=overrides, **QUIET)
    found = verify(tmp_path / "nested", sample=1)
    assert (found.is_same, found.total, len(found.runs)) == (True, 11, 9)
    parts = [name.rpartition("/")[0] for name in names(found)[:4]]
    assert parts == ["fold0", "fold0/trials", "fold1", "fold1/trials"]
    assert names(found)[-5:] == ["fold0/team", "fold1/team", "fold0", "fold1", ""]


def test_folds_in_time_are_verified_where_a_category_comes_late(tmp_path: Path):
    """The network of an early fold has fewer inputs than that of all rows."""
    kinds = [*("ab" * 20), *("abc" * 27)]
    rows = [(day, day % 7, kind, "yes" if day % 3 else "no") for day, kind in enumerate(kinds)]
    split = {"time": "day", "test_size": 0.2, "validation_size": 0.1}
    document = spec_on(csv_file(tmp_path / "rows.csv", "day,x,kind,y", rows, split=split), baselines=[])
    search = {"trials": 2, "sampler": "random", "folds": 2, "space": {"training.l2": [0.0, 0.1]}}
    sweep({**document, "sweep": search}, tmp_path / "sweep", **QUIET)
    run_many(document, tmp_path / "folds", folds=3, **QUIET)
    for name in ("sweep", "folds"):
        assert verify(tmp_path / name).is_same


def test_a_run_that_cannot_be_made_again_says_why(folds: Path, tmp_path: Path):
    folder = copied(folds, tmp_path)
    spec = folder / "seed0_fold1/spec.toml"
    spec.write_text(spec.read_text() + '\n[training.optimizer]\ntype = "sgd"\nlearning_rate = 1e30\n')
    other, tables = verify(folder).others
    assert (other.name, other.files, tables.name) == ("seed0_fold1", (), "")
    assert str(other).startswith("cannot be made again: diverged: ")


def test_what_cannot_be_verified_is_refused(folds: Path, searched: Path, tmp_path: Path, refused: Refused):
    for options in ({"threads": 2}, {"epochs": 3}):
        with refused(DataError):
            verify(folds if "threads" in options else searched / "team", **options)
    with refused(FileError):  # a team that is not in the folder of its sweep
        verify(shutil.copytree(searched / "team", tmp_path / "alone"))
    for whole, run in ((folds, "seed0_fold1"), (searched, "trials/0001")):
        folder = copied(whole, tmp_path)
        (folder / run / "spec.toml").unlink()
        with refused(FileError):
            verify(folder)
    for run in (tmp_path / "folds").glob("*/run.json"):
        run.unlink()
    with refused(FileError):
        verify(tmp_path / "folds")


@pytest.mark.usefixtures("born_loaded", "at_once")
def test_a_worker_that_was_killed_is_told_without_a_way_to_resume(tmp_path: Path, refused: Refused):
    spec = spec_on({"type": "make_moons", "n_samples": 60}, metrics=["killing"], baselines=[])
    run_many(spec, tmp_path, seeds=3, jobs=1, parts=[Killing], **QUIET)
    with refused(TrainingError):
        verify(tmp_path, jobs=2, parts=[Killing])


@pytest.mark.usefixtures("born_loaded", "at_once")
def test_workers_change_nothing(folds: Path):
    assert verify(folds, jobs=2).is_same
