"""Which values trials try: those that Optuna would draw, which knows the trials before them and no other."""

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
from specnet.parts.searches import Median, Random, Tpe
from specnet.running import workers
from specnet.running.sweeps.search import columns, dimensions, draw, quiet
from specnet.running.training_run import RunOutcome
from specnet.running.workers import Task
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
            machine = workers.machine_facts()
            outcome = function(task.data["training"])
            outcome.machine.update({name: machine[name] for name in workers.MACHINE})
            return outcome

        monkeypatch.setattr(workers, "perform", perform)

    return patched


def figure(loss: float | None) -> RunOutcome:
    return scored(loss=loss)


def scored(**figures: float | None) -> RunOutcome:
    """What a trial comes to that has these figures of validation rows."""
    metrics = {"train": dict.fromkeys(figures, 1.0), "validation": figures}
    return RunOutcome("finished", evaluation=Evaluation({}, metrics), epochs=1)


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
    computes(lambda training: scored(loss=1.0, accuracy=0.5))
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
    journal = optuna.storages.journal.JournalFileBackend(str(tmp_path / "sweep/study.journal"))
    storage = optuna.storages.JournalStorage(journal)
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
    def rounded(training: Any) -> RunOutcome:
        score = float(round(min(loss_of(training), 3.0)))
        return scored(loss=-score, accuracy=score)

    computes(rounded)
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
    losses = iter([None, 1.0] * 2)
    computes(lambda training: figure(next(losses)))
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
    assert f"None of {first} trials has finished" in (tmp_path / "sweep/report.html").read_text()


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


OTHERS = "training.epochs=21 sweep.parallel=2 sweep.metric=accuracy sweep.sampler=random sweep.seed=1 seed=1"


@pytest.mark.parametrize("override", [*OTHERS.split(" "), "data.noise=0.3", "sweep.space={'training.l2' = [0.0, 0.1]}"])
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
    assert told.pop("seconds") > 0
    assert told.pop("sha256").keys() == {"spec.toml", "best.toml", "study.journal", "sweep.json"}
    assert machine.keys() == {"blas", "cpu_features"}
    assert told == {
        "identity": ["spec", "sweep", "spec_sha256", "data_sha256"],
        "name": "moons",
        "metric": "validation_loss",
        "figure": "calibrated_loss",
        "larger_is_better": False,
        "threads": 1,
        "machines": [],
        "versions": ["specnet", "numpy", "scipy", "scikit-learn", "python", "optuna"],
        "trials": 2,
        "states": {"finished": 2},
        "finished": True,
        "end": "all trials",
        "best": {"trial": result.best.number, "figure": min(trial.figure for trial in result.trials)},
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


def space_of(lines: str) -> Any:
    sweep = specnet.parse_spec(f"{BASE}[sweep]\n[sweep.space]\n{lines}").sweep
    return sweep.space


def drawn(space: Any, count: int = 60, sampler: Any = None) -> list[Any]:
    with quiet():
        study = optuna.create_study(sampler=sampler or Random().optuna_sampler(0))
    found = []
    for number in range(count):
        trial = study.ask()
        found.append(draw(trial, space))
        study.tell(trial, float(number % 7))
    return found


def values(entry: str) -> list[Any]:
    """Return 400 values drawn for the only key."""
    return [changes[0].value for changes, _ in drawn(space_of(entry), 400)]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ('"network.hidden_layer_sizes" = [[16], [64], [64, 64]]', [[16], [64], [64, 64]]),
        ('"training.epochs" = { low = 3, high = 6 }', [3, 4, 5, 6]),
        ('"training.epochs" = { low = 16, high = 64, step = 16 }', [16, 32, 48, 64]),
        ('"training.l2" = { low = 0.0, high = 0.5, step = 0.1 }', [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]),
    ],
)
def test_all_values_of_a_list_or_a_range_with_steps_are_drawn_and_no_others(entry: str, expected: list[Any]):
    assert {repr(value) for value in values(entry)} == {repr(value) for value in expected}


@pytest.mark.parametrize(
    ("key", "ends", "kind", "middle"),
    [
        ("epochs", "low = 1, high = 1000, log = true", int, 31),
        ("l2", "low = 1, high = 2.0", float, 1.5),
        ("l2", "low = 1e-6, high = 1e-2, log = true", float, 1e-4),
    ],
)
def test_half_of_a_range_is_below_its_middle(key: str, ends: str, kind: type, middle: float):
    """That of a logarithmic range is the root of the product of its ends."""
    found = values(f'"training.{key}" = {{ {ends} }}')
    low, high = (float(each.split("= ")[1]) for each in ends.split(", ")[:2])
    assert {type(value) for value in found} == {kind}
    assert low <= min(found) < middle < max(found) <= high
    assert len(set(found)) > 100
    assert 0.25 < np.mean(np.array(found) <= middle) < 0.75


def test_a_value_of_a_list_keeps_its_type():
    space = space_of('"training.shuffle" = [1, true, 1.0, "1", [1], [true], {x = 1}, "a \\"b\\""]')
    found = drawn(space, 200)
    expected = [1, True, 1.0, "1", [1], [True], {"x": 1}, 'a "b"']
    assert {repr(changes[0].value) for changes, _ in found} == {repr(value) for value in expected}
    for changes, settings in found:
        read = tomllib.loads(f"x = {settings['training.shuffle']}")["x"]
        assert repr(read) == repr(changes[0].value)


OPTIMIZERS = """
"training.l2" = [0.0, 0.1]
"training.optimizer" = [
  { type = "sgd", learning_rate = { low = 1e-3, high = 1.0, log = true }, momentum = 0.9 },
  { type = "adam", learning_rate = { low = 1e-4, high = 1e-1, log = true }, beta_1 = { low = 0.5, high = 0.9 } },
  "lbfgs",
]
"training.epochs" = { low = 1, high = 9 }
"""


def test_a_range_in_a_table_is_drawn_where_its_table_is():
    space = space_of(OPTIMIZERS)
    ranges = (".sgd.learning_rate", ".adam.learning_rate", ".adam.beta_1")
    expected = [f"training.optimizer{name}" for name in ("", *ranges)]
    assert [*columns(space)] == ["training.l2", *expected, "training.epochs"]
    seen = set()
    for changes, shown in drawn(space):
        paths = [change.path for change in changes]
        assert paths == [("training", "l2"), ("training", "optimizer"), ("training", "epochs")]
        optimizer = changes[1].value
        inside = {name for name in shown if name.startswith("training.optimizer.")}
        if optimizer == "lbfgs":
            assert (shown["training.optimizer"], inside) == ('"lbfgs"', set())
        elif optimizer["type"] == "sgd":
            assert optimizer.keys() == {"type", "learning_rate", "momentum"}
            assert shown["training.optimizer"] == '{ type = "sgd", momentum = 0.9 }'
            assert inside == {"training.optimizer.sgd.learning_rate"}
            assert 1e-3 <= optimizer["learning_rate"] == shown["training.optimizer.sgd.learning_rate"] <= 1
        else:
            assert list(optimizer) == ["type", "learning_rate", "beta_1"]
            assert shown["training.optimizer"] == '"adam"'
            assert 0.5 <= optimizer["beta_1"] == shown["training.optimizer.adam.beta_1"] <= 0.9
            assert 1e-4 <= optimizer["learning_rate"] <= 1e-1
        assert list(shown) == [name for name in columns(space) if name in shown]
        seen.add(shown["training.optimizer"])
    assert len(seen) == 3
    assert space_of(OPTIMIZERS) == space, "drawing changes nothing"


def test_two_tables_of_one_type_and_tables_of_none_have_ranges_of_their_own():
    space = space_of(
        """
        "training.optimizer" = [
          { type = "sgd", learning_rate = { low = 0.1, high = 0.2 } },
          { type = "sgd", learning_rate = { low = 0.5, high = 0.6 } },
          { type = "sgd" },
          { type = "adam", learning_rate = { low = 0.8, high = 0.9 } },
        ]
        "training.class_weight" = [
          { yes = { low = 1.0, high = 2.0 } },
          { yes = { low = 5.0, high = 6.0 }, no = 2.0 },
          "balanced",
        ]
        """
    )
    names = columns(space)
    ranges = (".sgd[0].learning_rate", ".sgd[1].learning_rate", ".adam.learning_rate")
    expected = [f"training.optimizer{name}" for name in ("", *ranges)]
    assert [*names] == expected + [f"training.class_weight{name}" for name in ("", "[0].yes", "[1].yes")]
    rates, weights = set(), set()
    for changes, settings in drawn(space, count=200):
        optimizer, weight = (change.value for change in changes)
        rates.add(None if "learning_rate" not in optimizer else int(10 * optimizer["learning_rate"]))
        weights.add(weight if weight == "balanced" else (int(weight["yes"]), weight.get("no")))
        assert len({shown for name, shown in settings.items() if name in names}) == len(settings)
    assert rates == {1, 5, None, 8}
    assert weights == {(1, None), (5, 2.0), "balanced"}
    assert len(set(dimensions(space)["training.optimizer"])) == 4


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("sampler", [Random(), Tpe(startup_trials=5)])
def test_the_same_is_drawn_again_and_from_known_parameters(sampler: Any):
    space = space_of(OPTIMIZERS)
    first, second = (drawn(space, 20, sampler.optuna_sampler(3)) for _ in range(2))
    assert first == second
    assert first != drawn(space, 20, sampler.optuna_sampler(4))
    study = optuna.create_study(sampler=sampler.optuna_sampler(9))
    source = optuna.create_study(sampler=sampler.optuna_sampler(3)).ask()
    before = draw(source, space)
    study.enqueue_trial(source.params)
    assert draw(study.ask(), space) == before
    assert draw(optuna.trial.FixedTrial(source.params), space) == before


@pytest.mark.parametrize(("warmup", "first"), [(0.1, 2), (0.0, 1), (0.15, 3), (0.5, 10), (0.99, 20)])
def test_the_median_prunes_after_its_warmup_and_its_startup_trials(warmup: float, first: int):
    pruner = Median(startup_trials=2, warmup=warmup).optuna_pruner(20)
    study = optuna.create_study(sampler=Random().optuna_sampler(0), pruner=pruner)

    def pruned_at(loss: float) -> list[int]:
        trial, at = study.ask(), []
        for rung in range(1, 21):
            trial.report(loss, rung)
            at += [rung] if trial.should_prune() else []
        study.tell(trial, loss)
        return at

    assert pruned_at(1.0) == []
    assert pruned_at(5.0) == [], "as the second, it is a startup trial"
    assert pruned_at(9.0) == list(range(first, 21))
    assert pruned_at(0.5) == []
