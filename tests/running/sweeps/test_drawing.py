"""Which values trials try: those that Optuna would draw, who knows the trials before them and no other."""

from __future__ import annotations

import itertools
import json
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

import specnet
from specnet import FileError, SpecnetWarning, TrainingError
from specnet.running.many import run_tasks, workers
from specnet.running.many.run_tasks import Task
from specnet.running.training_run import RunOutcome
from specnet.saved.metrics_file import Evaluation
from tests.running.sweeps.searches import BASE, FOLDS, GRID, MEMBERS, TPE, fingerprint
from tests.texts.pinned import Pinned, Refused

pytestmark = [pytest.mark.slow, pytest.mark.trains]

WRITTEN = """\
l2 = 0.001
batch_size = 16
optimizer = "sgd"
"""
RATES = """\
[sweep.space]
"training.l2" = { low = 1e-6, high = 1e-2, log = true }
"training.batch_size" = { low = 4, high = 32 }
"training.optimizer" = ["sgd", { type = "adam", learning_rate = { low = 1e-4, high = 0.1, log = true } }]
"""


def spec(trials: int, parallel: int, seed: int | None = None, more: str = "") -> str:
    own = "" if seed is None else f"seed = {seed}\n"
    sampler = "sampler = { type = 'tpe', startup_trials = 4 }\n"
    return f"{BASE}{WRITTEN}[sweep]\ntrials = {trials}\nparallel = {parallel}\n{sampler}{own}{more}{RATES}"


def loss_of(training: Any) -> float:
    """A figure that is quick to compute."""
    optimizer = training["optimizer"]
    rate = optimizer["learning_rate"] if isinstance(optimizer, dict) else 0.01
    return (np.log10(training["l2"]) + 4) ** 2 + (training["batch_size"] - 9) ** 2 / 50 + abs(np.log10(rate) + 2)


Computed = Callable[[Any], RunOutcome]


@pytest.fixture
def computes(monkeypatch: pytest.MonkeyPatch) -> Callable[[Computed], None]:
    """Let trials come to what a function says of their training."""

    def patched(function: Computed) -> None:
        def perform(task: Task, rows: Any) -> RunOutcome:
            machine = run_tasks.machine_facts()
            outcome = function(task.data["training"])
            outcome.machine.update({name: machine[name] for name in run_tasks.MACHINE})
            return outcome

        monkeypatch.setattr(workers, "perform", perform)

    return patched


def figure(loss: float) -> RunOutcome:
    return RunOutcome(
        "finished", evaluation=Evaluation({}, {"train": {"loss": 1.0}, "validation": {"loss": loss}}), epochs=1
    )


def with_optuna(trials: int, parallel: int, seed: int, told_as: Callable[[Any], tuple[Any, Any]]) -> list[Any]:
    """Return what trials draw where trial k is drawn as soon as trials 0 … k − parallel are told, by Optuna alone.

    The first one is the spec as it is written.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study, under_way, drawn = optuna.create_study(), [], []
    for number in range(trials):
        if len(under_way) == parallel:
            trial, values = under_way.pop(0)
            value, state = told_as(values)
            study.tell(trial, value, state=state)
        own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        settings = {"n_startup_trials": 4, "constant_liar": True, "multivariate": True, "group": True}
        study.sampler = optuna.samplers.TPESampler(**settings, seed=own)
        if number == 0:
            study.enqueue_trial({"training.l2": 0.001, "training.batch_size": 16, "training.optimizer": '"sgd"'})
        trial = study.ask()
        values: dict[str, Any] = {"l2": trial.suggest_float("training.l2", 1e-6, 1e-2, log=True)}
        values["batch_size"] = trial.suggest_int("training.batch_size", 4, 32)
        if trial.suggest_categorical("training.optimizer", ['"sgd"', '"adam"']) == '"adam"':
            rate = trial.suggest_float("training.optimizer.adam.learning_rate", 1e-4, 0.1, log=True)
            values["optimizer"] = {"type": "adam", "learning_rate": rate}
        else:
            values["optimizer"] = "sgd"
        under_way.append((trial, values))
        drawn.append(values)
    return drawn


def drawn_by(result: specnet.SweepResult) -> list[Any]:
    found = []
    for trial in result.trials:
        settings = dict(trial.settings)
        values: dict[str, Any] = {key: settings[f"training.{key}"] for key in ("l2", "batch_size")}
        kind = tomllib.loads(f"x = {settings['training.optimizer']}")["x"]
        rate = settings.get("training.optimizer.adam.learning_rate")
        values["optimizer"] = kind if rate is None else {"type": "adam", "learning_rate": rate}
        found.append(values)
    return found


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize(("parallel", "seed"), [(1, 0), (1, 5), (4, 0), (7, 3)])
def test_trials_are_drawn_as_optuna_alone_would_draw_them(computes: Any, parallel: int, seed: int):
    computes(lambda training: figure(loss_of(training)))
    result = specnet.sweep(spec(16, parallel, seed), jobs=1, report=False)
    expected = with_optuna(16, parallel, seed, lambda values: (loss_of(values), None))
    assert drawn_by(result) == expected
    figures = [loss_of(values) for values in expected]
    assert [trial.figure for trial in result.trials] == figures
    assert result.best.number == int(np.argmin(figures))


THREE_FOLDS = FOLDS.replace("folds = 2", "folds = 3").replace("parallel = 3", "parallel = 1")


@pytest.mark.parametrize("text", [spec(9, 4), GRID, THREE_FOLDS], ids=range(3))
def test_jobs_that_have_nothing_to_do_are_told_of(computes: Any, text: str, pinned: Pinned):
    metrics = {part: {"loss": 1.0, "accuracy": 0.5} for part in ("train", "validation")}
    computes(lambda training: RunOutcome("finished", evaluation=Evaluation({}, metrics), epochs=1))
    with pytest.warns(SpecnetWarning) as told:
        specnet.sweep(text, jobs=9, report=False)
    pinned(told[0].message)
    specnet.sweep(text, jobs=2, report=False)
    specnet.sweep(text, report=False)


def test_the_members_of_an_ensemble_keep_jobs_busy():
    """Of a single trial at a time, four members on folds are trained by four processes."""
    specnet.sweep(MEMBERS, jobs=4, trials=2, report=False)
    with pytest.warns(SpecnetWarning, match="only 4 of 5 jobs are used"):
        specnet.sweep(MEMBERS, jobs=5, trials=2, report=False)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_diverged_trials_are_told_as_pruned_and_refused_ones_as_failed(computes: Any, tmp_path: Path):
    def kind(values: Any) -> str:
        return "refused" if values["batch_size"] > 24 else "diverged" if values["l2"] > 1e-4 else "finished"

    def ending(training: Any) -> RunOutcome:
        state = kind(training)
        return figure(loss_of(training)) if state == "finished" else RunOutcome(state, message=f"it {state}")

    def told_as(values: Any) -> tuple[Any, Any]:
        states = {"refused": TrialState.FAIL, "diverged": TrialState.PRUNED, "finished": TrialState.COMPLETE}
        state = states[kind(values)]
        return (loss_of(values) if state is TrialState.COMPLETE else None), state

    computes(ending)
    result = specnet.sweep(spec(20, 3, 1), tmp_path / "sweep", jobs=1, report=False)
    expected = with_optuna(20, 3, 1, told_as)
    assert drawn_by(result) == expected
    assert [trial.state for trial in result.trials] == list(map(kind, expected))
    assert {trial.state for trial in result.trials} == {"finished", "diverged", "refused"}
    journal = (tmp_path / "sweep/study.journal").read_text()
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(tmp_path / "sweep/study.journal"))
    )
    assert journal
    (summary,) = optuna.get_all_study_summaries(storage)
    study = optuna.load_study(study_name=summary.study_name, storage=storage)
    names = {"finished": "COMPLETE", "diverged": "PRUNED", "refused": "FAIL"}
    assert [trial.state.name for trial in study.trials] == [names[trial.state] for trial in result.trials]
    assert [trial.params for trial in study.trials] == [trial.parameters for trial in result.trials]


def test_the_sampler_is_seeded_by_the_spec(computes: Any):
    computes(lambda training: figure(loss_of(training)))
    by_spec = specnet.sweep(spec(6, 2), jobs=1, overrides=["seed=5"], report=False)
    assert drawn_by(by_spec) == drawn_by(specnet.sweep(spec(6, 2, 5), jobs=1, report=False))
    assert drawn_by(by_spec) != drawn_by(specnet.sweep(spec(6, 2), jobs=1, report=False))


def test_of_equals_the_earliest_is_best_and_scorers_are_better_where_larger(computes: Any):
    def scored(training: Any) -> RunOutcome:
        score = round(min(loss_of(training), 3.0))
        metrics = {"train": {"loss": 1.0}, "validation": {"loss": -float(score), "accuracy": float(score)}}
        return RunOutcome("finished", evaluation=Evaluation({}, metrics), epochs=1)

    computes(scored)
    result = specnet.sweep(spec(12, 2, more="metric = 'accuracy'\n"), jobs=1, report=False)
    figures = [trial.figure for trial in result.trials]
    assert figures.count(max(figures)) > 1
    assert result.best.number == figures.index(max(figures))


def test_a_grid_is_tried_in_order():
    result = specnet.sweep(GRID, jobs=1, report=False, overrides=["training.optimizer.learning_rate=0.01"])
    sizes, rates = "network.hidden_layer_sizes", "training.optimizer.learning_rate"
    found = [(trial.settings[sizes], trial.settings[rates]) for trial in result.trials]
    combinations = list(itertools.product(["[2]", "[4]"], ["0.1", "0.01", "0.001"]))
    assert found == [("[4]", "0.01"), *combinations]


def test_a_metric_that_is_not_defined_refuses_a_trial(computes: Any):
    undefined = {"validation": {"loss": None}, "train": {"loss": 1.0}}
    count = iter(range(9))
    computes(
        lambda training: (
            figure(1.0) if next(count) % 2 else RunOutcome("finished", evaluation=Evaluation({}, undefined))
        )
    )
    result = specnet.sweep(spec(4, 1), jobs=1, report=False)
    assert [trial.state for trial in result.trials] == ["refused", "finished"] * 2
    assert result.trials[0].message == "validation_loss is not defined for the validation rows"


@pytest.mark.parametrize(("trials", "first"), [(30, 20), (3, 3)])
def test_a_sweep_of_which_nothing_finishes_is_an_error(
    computes: Any, tmp_path: Path, trials: int, first: int, refused: Refused
):
    computes(lambda training: RunOutcome("diverged", message="the loss is not finite"))
    with refused(TrainingError):
        specnet.sweep(spec(trials, 4), tmp_path / "sweep", jobs=1)
    facts = json.loads((tmp_path / "sweep/sweep.json").read_text())
    assert (facts["finished"], facts["states"], facts["best"]) == (False, {"diverged": first}, None)
    assert len((tmp_path / "sweep/trials.csv").read_text().splitlines()) == first + 1
    assert not (tmp_path / "sweep/best.toml").exists()
    assert f"None of {first} trials has finished." in (tmp_path / "sweep/report.html").read_text()


def test_a_first_trial_that_finishes_late_is_enough(computes: Any):
    count = iter(range(25))
    computes(lambda training: figure(1.0) if next(count) >= 19 else RunOutcome("diverged", message="no"))
    assert specnet.sweep(spec(25, 1), jobs=1, report=False).best.number == 19


def test_more_trials_on_resuming_are_those_of_a_longer_sweep(tmp_path: Path):
    specnet.sweep(TPE, tmp_path / "grown", jobs=1, trials=5, report=False)
    specnet.sweep(TPE, tmp_path / "grown", jobs=1, trials=9, resume=True, report=False)
    specnet.sweep(TPE, tmp_path / "once", jobs=1, report=False)
    grown, once = fingerprint(tmp_path / "grown"), fingerprint(tmp_path / "once")
    assert grown == once
    specnet.sweep(TPE, tmp_path / "grown", jobs=1, trials=9, resume=True, report=False)
    assert fingerprint(tmp_path / "grown") == once


def test_a_finished_sweep_trains_nothing_when_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first = specnet.sweep(TPE, tmp_path, jobs=1, trials=3)
    before = fingerprint(tmp_path)
    monkeypatch.delattr("specnet.running.fitting.train")
    again = specnet.sweep(TPE, tmp_path, jobs=1, trials=3, resume=True)
    assert (again.metrics, again.spec) == (first.metrics, first.spec)
    assert fingerprint(tmp_path) == before


@pytest.mark.parametrize("damage", [b"{", None])
def test_a_best_run_that_cannot_be_read_is_trained_again(damage: bytes | None, tmp_path: Path):
    specnet.sweep(TPE, tmp_path, jobs=1, trials=3, report=False)
    before = fingerprint(tmp_path)
    if damage is None:
        shutil.rmtree(tmp_path / "best")
    else:
        (tmp_path / "best/run.json").write_bytes(damage)
    specnet.sweep(TPE, tmp_path, jobs=1, trials=3, resume=True, report=False)
    assert fingerprint(tmp_path) == before


@pytest.fixture(scope="module")
def one_trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sweep of one trial."""
    out = tmp_path_factory.mktemp("one") / "sweep"
    specnet.sweep(TPE, out, jobs=1, trials=1, report=False)
    return out


@pytest.mark.parametrize(
    "override",
    [
        "training.epochs=21",
        "sweep.parallel=2",
        "sweep.metric=accuracy",
        "sweep.sampler=random",
        "sweep.seed=1",
        "sweep.space={'training.l2' = [0.0, 0.1]}",
        "data.noise=0.3",
        "seed=1",
    ],
)
def test_another_sweep_is_not_resumed(override: str, one_trial: Path, refused: Refused):
    before = fingerprint(one_trial)
    with refused(FileError, varying=r"\b[0-9a-f]{8,}"):
        specnet.sweep(TPE, one_trial, jobs=1, trials=1, resume=True, overrides=[override])
    assert fingerprint(one_trial) == before


def test_the_lock_of_a_journal_whose_sweep_was_killed_is_removed(one_trial: Path, tmp_path: Path):
    """Optuna would wait for it for half a minute; the other file is left if the kill comes while it is released."""
    out = shutil.copytree(one_trial, tmp_path / "sweep")
    (out / "study.journal.lock").symlink_to(out / "study.journal")
    (out / "study.journal.lock0123.rename").touch()
    specnet.sweep(TPE, out, jobs=1, trials=1, resume=True, report=False)
    assert sorted(path.name for path in out.glob("study.journal*")) == ["study.journal"]


def test_another_optuna_is_told_when_a_sweep_is_resumed(tmp_path: Path):
    out = tmp_path / "sweep"
    result = specnet.sweep(TPE, out, jobs=1, trials=2, report=False)
    facts = json.loads((out / "sweep.json").read_text())
    (machine,) = facts["machines"]
    told = dict(facts, machines=[], versions=[*facts["versions"]], identity=[*facts["identity"]])
    figures = {trial.number: trial.figure for trial in result.trials}
    assert told.pop("seconds") > 0
    assert told.pop("sha256").keys() == {"spec.toml", "best.toml", "study.journal", "sweep.json"}
    assert machine.keys() == {"blas", "cpu_features"}
    assert told == {
        "identity": ["spec", "sweep", "spec_sha256", "data_sha256"],
        "name": "moons",
        "metric": "validation_loss",
        "larger_is_better": False,
        "threads": 1,
        "machines": [],
        "versions": ["specnet", "numpy", "scipy", "scikit-learn", "python", "optuna"],
        "trials": 2,
        "states": {"finished": 2},
        "finished": True,
        "end": "all trials",
        "best": {"trial": result.best.number, "figure": min(figures.values())},
    }
    facts["versions"]["optuna"] = "4.9"
    (out / "sweep.json").write_text(json.dumps(facts))
    with pytest.warns(SpecnetWarning, match=f"Optuna 4.9, now {optuna.__version__}"):
        specnet.sweep(TPE, out, jobs=1, trials=3, resume=True, report=False)
    specnet.sweep(TPE, out, jobs=1, trials=3, resume=True, report=False)


def test_a_sweep_that_another_processor_began_is_told_of(one_trial: Path, tmp_path: Path):
    out = shutil.copytree(one_trial, tmp_path / "sweep")
    facts = json.loads((out / "sweep.json").read_text())
    (machine,) = facts["machines"]
    other = {"blas": {**machine["blas"], "architecture": "Elsewhere"}, "cpu_features": ["NOTHING"]}
    (out / "sweep.json").write_text(json.dumps({**facts, "machines": [other, "damaged", {"blas": 3}]}))
    ours = " ".join(map(str, machine["blas"].values()))
    theirs = ours.replace(str(machine["blas"]["architecture"]), "Elsewhere")
    features = f"cpu_features NOTHING, here {' '.join(machine['cpu_features'])}"
    for _ in range(2):  # it stays known
        with pytest.warns(SpecnetWarning) as told:
            specnet.sweep(TPE, out, jobs=1, trials=1, resume=True, report=False)
        (text,) = (str(each.message) for each in told)
        assert f"has another processor: blas {theirs}, here {ours} and {features}; its results may differ in" in text
        assert "OPENBLAS_CORETYPE" in text
        assert json.loads((out / "sweep.json").read_text())["machines"] == [machine, other]
