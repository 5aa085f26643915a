"""Trials are compared by calibrated losses of rows held out, as the written spec measures them, and ended early."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_expit

import specnet
from specnet.running.sweeps.trial_judge import HeldRows, Judge
from tests.made import data_of, tensors_in
from tests.running.sweeps.searches import BASE, MEMBERS, PRUNED, write_values

pytestmark = [pytest.mark.slow, pytest.mark.trains]


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> tuple[specnet.SweepResult, Path]:
    folder = tmp_path_factory.mktemp("members")
    return specnet.sweep(MEMBERS, folder, jobs=1, report=False, force=True), folder


def held_out(folder: Path, trial: int) -> np.ndarray:
    return tensors_in(folder / f"trials/{trial:04}/held_out.safetensors")["outputs"]


def test_logits_are_divided_by_what_makes_their_loss_least(members: tuple[specnet.SweepResult, Path]):
    result, folder = members
    data = data_of(folder / "spec.toml")
    y = data.splits["train"].y
    told = 0
    for trial in result.trials:
        if trial.state != "finished":
            assert not (folder / f"trials/{trial.number:04}/held_out.safetensors").exists()
            continue
        z = held_out(folder, trial.number)[:, 0]

        def loss(factor: float, z: np.ndarray = z) -> float:
            return float(-np.mean(log_expit(np.where(y == 1, z, -z) * factor)))

        least = minimize_scalar(loss, bounds=(np.exp(-3), np.exp(3)), method="bounded").fun
        written = json.loads((folder / f"trials/{trial.number:04}/metrics.json").read_text())["out_of_fold"]["loss"]
        assert loss(1.0) == pytest.approx(written, rel=1e-5)
        assert trial.figure == pytest.approx(least, rel=1e-5)
        told += trial.figure < written - 1e-4
    assert told, "dividing is worth something"


def test_rows_that_depend_on_each_other_count_once():
    """A row in two runs tells no more than in one, and three equal rows of a group no more than one of them."""
    data = data_of(BASE)
    run = HeldRows.of(data)
    ours, theirs = np.random.default_rng(0).normal(size=(2, len(run.target), 1))
    target, wanted, units = (np.repeat(each, 3, axis=0) for each in (run.target, run.wanted, run.units))
    groups = replace(run, target=target, wanted=wanted, units=units)

    def told(runs: list[HeldRows], *outputs: np.ndarray) -> list[bool]:
        judge = Judge(runs, None)
        of_runs = [[each] * len(runs) for each in outputs]
        return [judge.is_better(*of_runs, errors) for errors in np.linspace(-6, 6, 49)]

    once = told([run], ours, theirs)
    assert len(set(once)) == 2
    assert once == told([run, run], ours, theirs)
    assert once == told([groups], np.repeat(ours, 3, axis=0), np.repeat(theirs, 3, axis=0))


def test_members_that_were_tasks_make_the_ensemble_of_a_run(members: tuple[specnet.SweepResult, Path], tmp_path: Path):
    _, folder = members
    for name in ("0000", "0001"):
        specnet.run(folder / f"trials/{name}/spec.toml", tmp_path / name, threads=1, report=False)
        for file in ("model.safetensors", "history.jsonl"):
            assert (tmp_path / name / file).read_bytes() == (folder / f"trials/{name}" / file).read_bytes()
        metrics = json.loads((tmp_path / name / "metrics.json").read_text())
        kept = json.loads((folder / f"trials/{name}/metrics.json").read_text())
        assert kept == {part: metrics[part] for part in ("train", "out_of_fold")}


def test_an_ensemble_of_tasks_is_calibrated_as_a_run_is(tmp_path: Path):
    given = {"overrides": ["training.calibration=temperature"], "report": False}
    specnet.sweep(MEMBERS, tmp_path / "sweep", jobs=1, trials=2, **given)
    trial = tmp_path / "sweep/trials/0001"
    specnet.run(trial / "spec.toml", tmp_path / "run", threads=1, report=False)
    assert (tmp_path / "run/model.safetensors").read_bytes() == (trial / "model.safetensors").read_bytes()


def test_a_trial_that_is_worse_after_two_folds_is_ended_there(members: tuple[specnet.SweepResult, Path]):
    result, _ = members
    ended = [trial for trial in result.trials if trial.state == "pruned"]
    assert result.trials[2] in ended, "it learns nothing"
    for trial in result.trials:
        assert trial.epochs == (40 if trial in ended else 80)
    for trial in ended:
        told = [each for each in result.trials[: trial.number] if each.figure is not None]
        best = min(told, key=lambda each: each.figure)
        assert trial.message == f"worse than trial {best.number} after 2 folds"


def test_nobody_computes_members_that_need_not_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from specnet.running.many import workers

    perform, done = workers.perform, []

    def performing(task, rows):
        done.append(task.member)
        return perform(task, rows)

    monkeypatch.setattr(workers, "perform", performing)
    result = specnet.sweep(MEMBERS, tmp_path / "sweep", jobs=1, report=False)
    states = [trial.state for trial in result.trials]
    assert len(done) == 4 * states.count("finished") + 2 * states.count("pruned")
    assert "pruned" in states


def test_values_are_compared_in_the_units_of_the_written_spec(tmp_path: Path):
    write_values(tmp_path)
    result = specnet.sweep(tmp_path / "spec.toml", tmp_path / "sweep", jobs=1, report=False)
    data = data_of(tmp_path / "spec.toml")
    target = data.splits["train"].y
    for trial in result.trials:
        model = specnet.load_model(tmp_path / f"sweep/trials/{trial.number:04}/model.safetensors")
        rows = data.splits["train"]
        answers = np.empty(len(rows))
        prepared = model.preprocessing.apply(rows.columns)
        for member, (theta, state) in enumerate(model.members):
            mine = rows.in_fold(member)
            scaled = model.network.predict_checked(theta, prepared[mine].astype(np.float32), state)
            answers[mine] = model.target_preprocessing.invert(scaled.astype(np.float64))[:, 0]
        expected = np.mean((answers - target) ** 2) / np.var(target)
        assert trial.figure == pytest.approx(expected, rel=1e-5)


def test_pruning_knows_the_told_trials_and_no_others(tmp_path: Path):
    """The median rule, by hand, of the trials that were told when each was drawn."""
    result = specnet.sweep(PRUNED, tmp_path / "sweep", jobs=1, report=False)
    for trial in result.trials:
        told = result.trials[: max(0, trial.number - 2)]  # parallel = 3
        finished = [each for each in told if each.state == "finished"]
        ends = None
        for rung in trial.curve:
            best = min(loss for at, loss in trial.curve.items() if at <= rung)
            if len(finished) >= 2 and rung >= 2 and best > np.median([each.curve[rung] for each in finished]):
                ends = rung
                break
        assert (trial.state, ends) == (("pruned", len(trial.curve)) if ends else ("finished", None))
        assert list(trial.curve) == list(range(1, trial.epochs + 1))
        if trial.state == "finished":
            history = (tmp_path / f"sweep/trials/{trial.number:04}/history.jsonl").read_text().splitlines()
            assert list(trial.curve.values()) == [json.loads(line)["validation_loss"] for line in history]
    assert any(trial.state == "pruned" for trial in result.trials)


def test_halving_lets_one_in_three_go_on(tmp_path: Path):
    """By hand: at rungs 2, 6 and 18 of 20, of the told trials that have come there and the trial itself."""
    text = PRUNED.replace("{ type = 'median', startup_trials = 2 }", "'halving'")
    result = specnet.sweep(text, tmp_path / "sweep", jobs=1, report=False)
    for trial in result.trials:
        told = result.trials[: max(0, trial.number - 2)]  # parallel = 3
        ends = None
        for rung in (2, 6, 18):
            if rung in trial.curve:
                losses = sorted([trial.curve[rung], *(each.curve[rung] for each in told if rung in each.curve)])
                if trial.curve[rung] > losses[max(len(losses) // 3 - 1, 0)]:
                    ends = rung
                    break
        assert (trial.state, ends) == (("pruned", trial.epochs) if ends else ("finished", None))
    assert {2, 20} <= {trial.epochs for trial in result.trials}
