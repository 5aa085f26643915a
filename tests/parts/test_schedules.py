"""Schedules, averages and searches against PyTorch, Keras, optax, scikit-learn and Optuna; units, edges, memory."""

import itertools
import json
import math
from functools import partial
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from specnet.parts.averaging import ExponentialAverage, Stochastic
from specnet.parts.searches import Median, Random, Tpe, Wilcoxon
from specnet.parts.watchers import Memory
from tests.registry import REGISTRY, figures, part

schedule = partial(part, "schedule")
FIGURES = figures("schedule")

NEEDED = {
    "exponential_decay": {"decay_rate": 0.9},
    "step_decay": {"factor": 0.5, "every": 10},
    "piecewise_constant": {"boundaries": (1, 3), "factors": (1.0, 0.5, 0.0)},
    "inverse_time_decay": {"decay_rate": 0.5},
    "cosine_decay_restarts": {"first_length": 3},
    "warmup": {"length": 2, "then": "cosine_decay"},
}
SCHEDULES = [schedule(kind.part_name(), **NEEDED.get(kind.part_name(), {})) for kind in REGISTRY.of_kind("schedule")]


def courses(schedule: Any, unit: str) -> set[tuple[float, ...]]:
    """Return the factors at the first steps of runs of several lengths."""
    course = schedule.model_copy(update={"unit": unit})
    return {tuple(course.factor_at(step, 4 * epochs, 4) for step in range(16)) for epochs in (4, 5, 9, 40)}


@pytest.mark.parametrize("unit", ["step", "epoch"])
@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.type)
def test_each_says_whether_a_longer_run_begins_differently(schedule: Any, unit: str):
    assert schedule.depends_on_length() == (len(courses(schedule, unit)) > 1)


def test_what_follows_a_warmup_says_whether_a_longer_run_begins_differently():
    constant = schedule("step_decay", factor=0.5, every=2)
    assert not schedule("warmup", length=2, then=constant).depends_on_length()


@pytest.mark.parametrize(
    "course", FIGURES["courses"], ids=lambda course: f"{course['schedule']['type']}, {course['library']}"
)
def test_fifty_factors_are_those_of_the_library(course):
    by_step, expected = schedule(course["schedule"]), course["factors"]
    assert len(expected) == 50
    assert [by_step.factor_at(step, 50, 7) for step in range(50)] == pytest.approx(expected, rel=1e-12, abs=1e-15)
    by_epoch = by_step.model_copy(update={"unit": "epoch"})
    if by_step.type != "warmup":  # what follows it has a unit of its own
        factors = [by_epoch.factor_at(step, 350, 7) for step in range(350)]
        assert factors == pytest.approx([factor for factor in expected for _ in range(7)], rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.type)
@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 7, 100, 101])
def test_factors_are_finite_and_not_negative(schedule: Any, length: int):
    for unit in ("step", "epoch"):
        chosen = schedule.model_copy(update={"unit": unit})
        factors = [chosen.factor_at(step, length, 3) for step in range(length)]
        assert all(0 <= factor <= 1 for factor in factors)
        assert factors == [chosen.factor_at(step, length, 3) for step in range(length)]


def test_the_unit_is_visible():
    for schedule in SCHEDULES:
        assert schedule.model_dump()["unit"] == ("epoch" if schedule.type == "reduce_on_plateau" else "step")


@pytest.mark.parametrize("cycles", [1, 4, 6])
def test_cosine_log_rises_and_falls_in_ever_longer_waves(cycles: int):
    """Valleys where 1 + (2ᶜ − 1)·t is a power of 2, crests half a power later."""
    span = 2**cycles - 1
    length = 1000 * span
    for wave in range(cycles):
        valley, crest = (2**wave - 1) / span, (2 ** (wave + 0.5) - 1) / span
        waves = schedule("cosine_log", cycles=cycles)
        assert waves.factor_at(round(valley * length), length, 1) == pytest.approx(0, abs=1e-5)
        assert waves.factor_at(round(crest * length), length, 1) == pytest.approx(1, abs=1e-5)
    third = schedule("cosine_log", cycles=1).factor_at(1, 3, 1)
    assert third == pytest.approx(0.5 - 0.5 * math.cos(2 * math.pi * math.log2(4 / 3)))


@pytest.mark.parametrize("pct_start", [0.0, 0.01, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("length", [1, 2, 3, 100])
def test_one_cycle_never_divides_by_nothing(pct_start: float, length: int):
    one_cycle = schedule("one_cycle", pct_start=pct_start, div_factor=10.0)
    factors = [one_cycle.factor_at(step, length, 1) for step in range(length)]
    assert all(1e-5 <= factor <= 1 for factor in factors)


def test_edges_of_schedules():
    """A rate beyond all numbers is infinite, and no boundaries are a constant."""
    restarts = schedule("cosine_decay_restarts", first_length=1, t_mul=1.0, m_mul=2.0)
    for growing in (schedule("exponential_decay", decay_rate=2.0), restarts):
        assert growing.factor_at(10_000, 10_001, 1) == math.inf
    assert schedule("piecewise_constant", boundaries=(), factors=(0.5,)).factor_at(7, 10, 1) == 0.5


plateau = partial(schedule, "reduce_on_plateau")


@pytest.mark.parametrize("figure", FIGURES["plateaus"], ids=lambda figure: str(figure["schedule"]))
def test_plateaus_are_seen_where_pytorch_sees_them(figure):
    watching = plateau(**figure["schedule"])
    memory, factors = Memory(), []
    for loss in figure["losses"]:
        memory = watching.after(memory, loss)
        memory = Memory(**json.loads(json.dumps(memory.as_dict())))  # as from a checkpoint
        factors.append(memory.rate_factor)
    assert factors == pytest.approx(figure["factors"], rel=1e-12)
    assert len(set(factors)) > 2


def test_a_negative_figure_improves_only_downwards():
    """PyTorch takes −0.9999 for an improvement on −1, as it lies below −1·(1 − 0.001)."""
    watching = plateau(threshold=0.001, patience=0)
    memory = watching.after(Memory(), -1.0)
    assert watching.after(memory, -0.9999) == watching.after(memory, -1.0005) == Memory(-1.0, 0, 0.1)
    assert watching.after(memory, -1.002) == Memory(-1.002, 0, 1.0)
    assert plateau(threshold=0.0, patience=0).after(memory, -1.0) == Memory(-1.0, 0, 0.1)
    absolute = plateau(threshold=0.5, relative=False, patience=0)
    assert [absolute.after(Memory(4.0), figure).best for figure in (3.5, 3.4)] == [4, 3.4]


def test_the_memory_of_a_plateau_is_never_changed():
    watching, memory = plateau(patience=1), Memory(2.0, 0, 0.5)
    assert watching.after(memory, 3.0) == watching.after(memory, 3.0) == Memory(2.0, 1, 0.5)
    assert memory == Memory(2.0, 0, 0.5)


def test_only_a_plateau_reads_figures():
    assert list(plateau().plateaus()) == [((), plateau())]
    warming = schedule("warmup", length=3, then=plateau())
    assert list(warming.plateaus()) == [(("then",), plateau())]
    assert all(not list(each.plateaus()) for each in SCHEDULES if each.type != "reduce_on_plateau")


def test_a_plateau_is_of_epochs():
    with pytest.raises(ValidationError) as caught:
        plateau(unit="step")
    assert [error["loc"] for error in caught.value.errors()] == [("unit",)]


@pytest.mark.parametrize(("unit", "steps"), [("step", 10), ("epoch", 40)])
@pytest.mark.parametrize("then", [each for each in SCHEDULES if each.type != "warmup"], ids=str)
def test_warmup_rises_to_one_and_goes_before_any(then: Any, unit: str, steps: int):
    """One that is longer than the run only rises."""
    warmup = schedule("warmup", unit=unit, length=10, then=then)
    rise = [(1 + 10 * step // steps) / 10 for step in range(steps)]
    factors = [warmup.factor_at(step, steps + 30, 4) for step in range(steps + 30)]
    assert factors == rise + [then.factor_at(step, 30, 4) for step in range(30)]
    assert [warmup.factor_at(step, 4, 4) for step in range(4)] == rise[:4]


def averaged(average, steps: int, per_epoch: int) -> list[float]:
    """Return the running average after each step of a run whose weights are 0, 1, 4, 9 …"""
    found, mean = [], math.nan
    for step in range(steps):
        share = average.share(step, steps, per_epoch)
        mean = step**2 if share == 1 else mean + share * (step**2 - mean)
        found.append(mean)
    return found


def test_an_exponential_average_is_a_mean_of_all_until_it_is_as_long_as_its_decay():
    found = averaged(ExponentialAverage(decay=0.75), 9, 3)
    assert found[:4] == pytest.approx([np.mean(np.arange(count) ** 2) for count in (1, 2, 3, 4)])
    for step in range(4, 9):
        assert found[step] == pytest.approx(0.75 * found[step - 1] + 0.25 * step**2)
    assert ExponentialAverage().begins(9, 3) == 0
    assert not ExponentialAverage().depends_on_length()


@pytest.mark.parametrize(("start", "first"), [(0.0, 0), (0.5, 2), (0.6, 3), (0.99, 4)])
def test_a_stochastic_average_is_the_mean_of_the_ends_of_later_epochs(start: float, first: int):
    average, steps, per_epoch = Stochastic(start=start), 15, 3
    begins = average.begins(steps, per_epoch)
    assert begins == 3 * first + 2
    found = averaged(average, steps, per_epoch)
    assert all(math.isnan(mean) for mean in found[:begins])
    for step in range(begins, steps):
        ends = [end**2 for end in range(begins, step + 1, per_epoch)]
        assert found[step] == pytest.approx(np.mean(ends))
    assert average.depends_on_length()


SEARCHES = [
    ({}, {}, (5, 1, 10), 6),
    ({"startup_trials": 2}, {"startup_trials": 2, "warmup": 0.5}, (2, 3, 2), 6),
    ({"startup_trials": 3}, {"startup_trials": 1, "warmup": 0.15}, (1, 3, 3), 20),
]


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize(("of_tpe", "of_median", "of_optuna", "rungs"), SEARCHES)
def test_searches_are_those_of_optuna(of_tpe, of_median, of_optuna, rungs):
    import optuna

    def tried(sampler: Any, pruner: Any) -> list[tuple[Any, ...]]:
        """Return values and ends of trials, the next of which begins before one ends, whose losses fall to a value."""
        study = optuna.create_study(sampler=sampler, pruner=pruner)
        trials = [study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})]
        for _ in range(12):
            trials.append(study.ask({"x": optuna.distributions.FloatDistribution(0, 1)}))
            trial, step = trials[-2], 0
            while step < rungs and not trial.should_prune():
                step += 1
                trial.report(trial.params["x"] + 1 / step, step)
            study.tell(trial, trial.params["x"])
        return [(trial.params["x"], [*trial.intermediate_values]) for trial in study.trials]

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    startup, warmup, startup_of_tpe = of_optuna
    pruner = optuna.pruners.MedianPruner(n_startup_trials=startup, n_warmup_steps=warmup)
    random, tpe, own = Random(), Tpe(**of_tpe), Median(**of_median)
    expected = tried(optuna.samplers.RandomSampler(seed=4), pruner)
    assert tried(random.optuna_sampler(4), own.optuna_pruner(rungs)) == expected
    assert any(len(steps) < rungs for _, steps in expected)
    settings = {"constant_liar": True, "multivariate": True, "group": True, "seed": 3}
    expected = tried(optuna.samplers.TPESampler(n_startup_trials=startup_of_tpe, **settings), pruner)
    assert tried(tpe.optuna_sampler(3), own.optuna_pruner(rungs)) == expected


def test_a_trial_is_worse_by_the_signed_ranks_of_its_losses():
    """The test by hand: the ranks of |differences| of positive ones, summed over all 2ⁿ ways to choose the signs."""
    rng = np.random.default_rng(5)
    for shift in (-1.0, 0.0, 0.4, 0.8, 1.5):
        best, own = rng.normal(size=(2, 8)) + np.array([[0], [shift]])
        differences = own - best
        ranks = np.argsort(np.argsort(np.abs(differences))) + 1
        sums = [sum(chosen) for size in range(9) for chosen in itertools.combinations(range(1, 9), size)]
        p = np.mean(np.array(sums) >= ranks[differences > 0].sum())
        for level in (0.01, 0.1, 0.5):
            assert Wilcoxon(p=level).is_worse(own, best) == (p <= level and differences.mean() > 0)
    assert not Wilcoxon(p=0.9).is_worse(best, best)
    assert not Wilcoxon(p=0.9).is_worse(np.array([1.0, 1.0, 1.0, -9.0]), np.zeros(4)), "the mean is smaller"
    assert not Median().of_folds


def test_searches_say_what_they_learn_from():
    expected = {"tpe": (False, True), "random": (False, False), "grid": (True, False)}
    assert {part.part_name(): (part.enumerates, part.adapts) for part in REGISTRY.of_kind("sampler")} == expected
