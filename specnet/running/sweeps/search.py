"""The values that trials try: drawn in order by Optuna, each from the same earlier results on any number of workers.

The first trials are given: the spec as written, and its candidates. Each later trial k is drawn when the results of
exactly the trials 0 … k − parallel are known, by a separate sampler that is seeded by (seed, k).

The space has a parameter for each key, and one for each range inside a list's tables. The values of a list are passed
to Optuna as TOML texts, because Optuna treats 1, 1.0 and true as equal and accepts no tables. Optuna is imported when a
sweep needs it.
"""

from __future__ import annotations

import itertools
import pickle
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from specnet.errors import TrainingError
from specnet.extras import required
from specnet.files.plain_data import toml_value
from specnet.parts.searches import Pruner
from specnet.saved.saved_sweep import RUNGS, Trial, dimensions, names_inside, texts_of
from specnet.spec.reading.reader import with_change
from specnet.spec.spec_writing import Change
from specnet.spec.sweep_section import Range, SweepSpec, plain

if TYPE_CHECKING:
    from optuna import Study
    from optuna import Trial as OptunaTrial
    from optuna.samplers import BaseSampler
    from optuna.trial import BaseTrial

    Space = Mapping[str, tuple[Any, ...] | Range]
    """As in `specnet.spec.sweep_section.SweepSpec`."""


_lock = threading.RLock()


def required_optuna() -> Any:
    """Return the module of Optuna.

    Raises
    ------
    TrainingError
        If it is not installed.
    """
    return required("optuna", "sweep", TrainingError)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Optuna's log, and its warnings about experimental features.

    Both settings apply to the whole process, so only one thread at a time calls Optuna.
    """
    optuna = required_optuna()
    with _lock:
        before = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                yield
        finally:
            optuna.logging.set_verbosity(before)


Settings = dict[str, str | int | float]
"""The settings of a trial by column of the table of trials: TOML for a value of a list, a number for a range."""


def draw(trial: BaseTrial, space: Space) -> tuple[list[Change], Settings]:
    """Return the changes of the spec and the settings that a trial of Optuna suggests, in the order of the space."""
    changes, settings = list[Change](), Settings()
    for key, entry in space.items():
        if isinstance(entry, Range):
            value = settings[key] = _number(trial, key, entry)
        else:
            texts = texts_of(entry)
            settings[key] = picked = trial.suggest_categorical(key, texts)
            index = texts.index(picked)
            value = plain(entry[index])
            for name, (field, bounds) in names_inside(key, entry, index).items():
                value[field] = settings[name] = _number(trial, name, bounds)
        changes.append(Change(tuple(key.split(".")), value))
    return changes, settings


def written_parameters(data: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Return the values of a document at the keys of a space, as parameters of Optuna; missing keys are left out."""
    found = {}
    for key, entry in space.items():
        value: Any = data
        for step in key.split("."):
            is_index = isinstance(value, list | tuple) and step.isdecimal() and int(step) < len(value)
            value = value[int(step)] if is_index else value.get(step) if isinstance(value, Mapping) else None
        if value is not None:
            found[key] = shown_value(value) if isinstance(entry, Range) else toml_value(plain(value))
    return found


def shown_value(value: Any) -> str | int | float:
    """Return a value of a document as a table of trials shows it."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number else toml_value(value)


def columns(space: Space) -> tuple[str, ...]:
    """Return the names of all settings that a trial may draw, in the order of the space."""
    return tuple(dimensions(space))


def combinations(space: Space) -> Iterator[dict[str, Any]]:
    """Yield the parameters of each combination of a space of lists, as `Study.enqueue_trial` takes them.

    The first key varies slowest.
    """
    texts = [texts_of(entry) for entry in space.values() if not isinstance(entry, Range)]
    assert len(texts) == len(space), "a grid has no ranges"
    return (dict(zip(space, picked, strict=True)) for picked in itertools.product(*texts))


def _number(trial: BaseTrial, name: str, bounds: Range) -> int | float:
    if bounds.of_integers:
        step = 1 if bounds.step is None else int(bounds.step)
        return trial.suggest_int(name, int(bounds.low), int(bounds.high), step=step, log=bounds.log)
    drawn = trial.suggest_float(name, float(bounds.low), float(bounds.high), step=bounds.step, log=bounds.log)
    if bounds.step is None:
        return drawn
    # Sums of floats are not exact: 0.1 + 2 · 0.1 is 0.30000000000000004.
    low, step_size = Decimal(repr(bounds.low)), Decimal(repr(bounds.step))
    return float(low + round((Decimal(drawn) - low) / step_size) * step_size)


class Search:
    """The trials of a sweep, as trials of a study of Optuna.

    Parameters
    ----------
    sweep : SweepSpec
    seed : int
        Seed of the sampler.
    larger_is_better : bool
        Whether a larger value of the sweep's metric is better.
    data : mapping
        The document of the spec.
    """

    def __init__(self, sweep: SweepSpec, seed: int, larger_is_better: bool, data: Mapping[str, Any]) -> None:
        self._sweep, self._seed, self._data = sweep, seed, data
        self._direction = "maximize" if larger_is_better else "minimize"
        with quiet():
            pruner = None if self._compares_folds else sweep.pruner and sweep.pruner.optuna_pruner(RUNGS)
            self._study: Study = required_optuna().create_study(direction=self._direction, pruner=pruner)
        self._trials: dict[int, OptunaTrial] = {}
        # Done before workers start: turning warnings into errors applies to all threads of the process.
        self._given = [self._written(number) for number in range(sweep.given)]

    def draw(self, number: int, known: Mapping[str, Any] | None = None) -> tuple[list[Change], Settings]:
        """Return the values of a trial as `draw` does: given, saved (`known`), the next of a grid, or drawn.

        Trials are drawn in order. The sampler learns from a given trial if it could have drawn its values.
        """
        with quiet():
            if number < self._sweep.given:
                changes, settings, known = self._given[number]
                self._study.enqueue_trial(dict(known))
                self._trials[number] = self._study.ask()
                if known:
                    draw(self._trials[number], self._sweep.space)
                return changes, settings
            if known is None and self._sweep.sampler.enumerates:
                known = next(islice(combinations(self._sweep.space), number - self._sweep.given, None))
            if known is not None:
                self._study.enqueue_trial(dict(known))
            if not self._sweep.sampler.enumerates:
                self._study.sampler = self._sampler(number)
            self._trials[number] = self._study.ask()
            if known is not None and not self._sweep.sampler.enumerates:
                self._note_unused(number)
            return draw(self._trials[number], self._sweep.space)

    def _sampler(self, number: int) -> BaseSampler:
        sequence = np.random.SeedSequence([self._seed, number])
        return self._sweep.sampler.optuna_sampler(int(sequence.generate_state(1)[0]))

    def _note_unused(self, number: int) -> None:
        """Draw for a saved trial also the parameters that it does not use, as for a trial that is under way.

        Optuna draws nothing for a trial whose parameters are given.
        """
        sampler, trial = self._sampler(number), self._study.get_trials(deepcopy=False)[number]
        sampler.sample_relative(self._study, trial, sampler.infer_relative_search_space(self._study, trial))

    def might_draw(self, trial: Trial) -> bool:
        """Return whether the settings of a trial are in the space and match its parameters."""
        if trial.number < self._sweep.given:
            return self._given[trial.number][1:] == (trial.settings, trial.parameters)
        shown = self._shown(trial.parameters)
        return shown == trial.settings and shown.keys() == trial.parameters.keys()

    def _shown(self, parameters: Mapping[str, Any]) -> Settings | None:
        """Return the settings that parameters of Optuna stand for, or None if they are not in the space."""
        fixed = required_optuna().trial.FixedTrial(dict(parameters))
        try:
            with quiet(), warnings.catch_warnings():
                warnings.simplefilter("error")  # Optuna only warns about numbers outside a range
                return draw(fixed, self._sweep.space)[1]
        except (ValueError, TypeError, Warning):
            return None

    def _written(self, number: int) -> tuple[list[Change], Settings, dict[str, Any]]:
        """Return changes, settings and parameters of a given trial; no parameters if Optuna could not draw them."""
        given = self._sweep.candidates[number - 1] if number else {}
        changes, data = [Change(tuple(key.split(".")), value) for key, value in given.items()], self._data
        for change in changes:
            data, _ = with_change(data, [*map(str, change.path)], change.value, removed=False)
        parameters, space = written_parameters(data, self._sweep.space), self._sweep.space
        others = {key: shown_value(value) for key, value in given.items() if key not in space}
        is_inside = not others and parameters.keys() == space.keys() and self._shown(parameters) is not None
        return changes, parameters | others, parameters if is_inside else {}

    def parameters(self, number: int) -> dict[str, Any]:
        """Return the parameters that Optuna drew for a trial that is not reported yet."""
        return dict(self._trials[number].params)

    def pruning(self) -> tuple[Pruner, bytes] | None:
        """Return the pruner and the pickled earlier trials for the trial drawn last, or None if no pruner is used."""
        if self._sweep.pruner is None or self._compares_folds:
            return None
        known = self._study.get_trials(deepcopy=False, states=_states("COMPLETE", "PRUNED"))
        return self._sweep.pruner, pickle.dumps(known)

    @property
    def _compares_folds(self) -> bool:
        return self._sweep.pruner is not None and self._sweep.pruner.of_folds

    def report(self, trial: Trial) -> None:
        """Report the result of a trial to the sampler and the pruner; trials are reported in order."""
        ours = self._trials.pop(trial.number)
        with quiet():
            for rung, loss in trial.curve.items():
                ours.report(loss, rung)
                ours.should_prune()  # some pruners record the rung that each trial has reached
            (state,) = _states(_OPTUNA_STATES[trial.state])
            self._study.tell(ours, trial.figure if trial.state == "finished" else None, state=state)

    def begin_journal(self, path: Path, name: str) -> None:
        """Create a file of reported trials for Optuna's dashboard; specnet does not read it."""
        optuna = required_optuna()
        path.unlink(missing_ok=True)
        for lock in path.parent.glob(f"{path.name}.lock*"):  # left by a killed sweep: Optuna would wait half a minute
            lock.unlink()
        with quiet():
            storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
            self._journal: Study = optuna.create_study(storage=storage, study_name=name, direction=self._direction)

    def record(self, trial: Any) -> None:
        """Add a trial to the journal."""
        with quiet():
            self._journal.add_trial(trial)

    def last_reported(self, number: int) -> Any:
        """Return a reported trial as a trial of Optuna."""
        return self._study.get_trials(deepcopy=False)[number]


_OPTUNA_STATES = {"finished": "COMPLETE", "pruned": "PRUNED", "diverged": "PRUNED", "refused": "FAIL"}


def _states(*names: str) -> tuple[Any, ...]:
    states = required_optuna().trial.TrialState
    return tuple(states[name] for name in names)
