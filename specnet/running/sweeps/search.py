"""Which values trials try: drawn in order, each knowing the same results whoever computes them.

The first trials are written: the spec itself, and its candidates. Any other trial k is drawn when trials
0 … k − parallel are told and no other is, by a sampler of its own, seeded by (seed, k).
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from specnet.parts.searches import Pruner
from specnet.running.sweeps.optuna_calls import quiet, required_optuna
from specnet.running.sweeps.space import Settings, combinations, draw, shown_value, written_parameters
from specnet.saved.saved_trials import RUNGS, Trial
from specnet.spec.reading.reader import with_change
from specnet.spec.spec_writing import Change
from specnet.spec.sweep_section import SweepSpec

if TYPE_CHECKING:
    from optuna import Study
    from optuna import Trial as OptunaTrial
    from optuna.samplers import BaseSampler


class Search:
    """The trials of a sweep as Optuna's study has them.

    Parameters
    ----------
    sweep : SweepSpec
    seed : int
        Of the sampler.
    larger_is_better : bool
    data : mapping
        The document of the spec.
    """

    def __init__(self, sweep: SweepSpec, seed: int, larger_is_better: bool, data: Mapping[str, Any]) -> None:
        self._sweep, self._seed, self._data = sweep, seed, data
        self._direction = "maximize" if larger_is_better else "minimize"
        with quiet():
            pruner = None if self._looks_at_folds else sweep.pruner and sweep.pruner.optuna_pruner(RUNGS)
            self._study: Study = required_optuna().create_study(direction=self._direction, pruner=pruner)
        self._asked: dict[int, OptunaTrial] = {}
        # Before there are workers: which warnings are errors is the process's, and so also of its other threads.
        self._given = [self._written(number) for number in range(sweep.given)]

    def draw(self, number: int, known: Mapping[str, Any] | None = None) -> tuple[list[Change], Settings]:
        """Return the values of a trial as `draw` does: written or known ones, the next of a grid, or drawn ones.

        Trials are drawn in order. The sampler learns from a written one if it could have drawn it.
        """
        with quiet():
            if number < self._sweep.given:
                changes, settings, known = self._given[number]
                self._study.enqueue_trial(dict(known))
                self._asked[number] = self._study.ask()
                if known:
                    draw(self._asked[number], self._sweep.space)
                return changes, settings
            if known is None and self._sweep.sampler.enumerates:
                known = next(islice(combinations(self._sweep.space), number - self._sweep.given, None))
            if known is not None:
                self._study.enqueue_trial(dict(known))
            if not self._sweep.sampler.enumerates:
                self._study.sampler = self._sampler(number)
            self._asked[number] = self._study.ask()
            if known is not None and not self._sweep.sampler.enumerates:
                self._note_unused(number)
            return draw(self._asked[number], self._sweep.space)

    def _sampler(self, number: int) -> BaseSampler:
        sequence = np.random.SeedSequence([self._seed, number])
        return self._sweep.sampler.optuna_sampler(int(sequence.generate_state(1)[0]))

    def _note_unused(self, number: int) -> None:
        """Let a known trial have what its sampler drew for parts that it does not use, as others have while under way.

        Optuna draws nothing for a trial whose parameters are given.
        """
        sampler, trial = self._sampler(number), self._study.get_trials(deepcopy=False)[number]
        sampler.sample_relative(self._study, trial, sampler.infer_relative_search_space(self._study, trial))

    def might_draw(self, trial: Trial) -> bool:
        """Return whether the settings of a trial are in the space, and are what its parameters mean."""
        if trial.number < self._sweep.given:
            return self._given[trial.number][1:] == (trial.settings, trial.parameters)
        shown = self._shown(trial.parameters)
        return shown == trial.settings and shown.keys() == trial.parameters.keys()

    def _shown(self, parameters: Mapping[str, Any]) -> Settings | None:
        """Return what parameters mean, None if they are not in the space."""
        fixed = required_optuna().trial.FixedTrial(dict(parameters))
        try:
            with quiet(), warnings.catch_warnings():
                warnings.simplefilter("error")  # it only warns of numbers outside a range
                return draw(fixed, self._sweep.space)[1]
        except (ValueError, TypeError, Warning):
            return None

    def _written(self, number: int) -> tuple[list[Change], Settings, dict[str, Any]]:
        """Return the values of a written trial, and what Optuna calls them: nothing if it could not have drawn them."""
        given = self._sweep.candidates[number - 1] if number else {}
        changes, data = [Change(tuple(key.split(".")), value) for key, value in given.items()], self._data
        for change in changes:
            data, _ = with_change(data, [*map(str, change.path)], change.value, removed=False)
        parameters, space = written_parameters(data, self._sweep.space), self._sweep.space
        others = {key: shown_value(value) for key, value in given.items() if key not in space}
        is_inside = not others and parameters.keys() == space.keys() and self._shown(parameters) is not None
        return changes, parameters | others, parameters if is_inside else {}

    def parameters(self, number: int) -> dict[str, Any]:
        """Return what a trial has drawn, as Optuna calls it; it has not been told."""
        return dict(self._asked[number].params)

    def pruning(self) -> tuple[Pruner, bytes] | None:
        """Return what decides whether the trial that was drawn last goes on."""
        if self._sweep.pruner is None or self._looks_at_folds:
            return None
        told = self._study.get_trials(deepcopy=False, states=_states("COMPLETE", "PRUNED"))
        return self._sweep.pruner, pickle.dumps(told)

    @property
    def _looks_at_folds(self) -> bool:
        return self._sweep.pruner is not None and self._sweep.pruner.of_folds

    def tell(self, trial: Trial) -> None:
        """Let the sampler and the pruner know what a trial has come to; trials are told in order."""
        asked = self._asked.pop(trial.number)
        with quiet():
            for rung, loss in trial.curve.items():
                asked.report(loss, rung)
                asked.should_prune()  # some pruners note which trials have come how far
            (state,) = _states(_TOLD_AS[trial.state])
            self._study.tell(asked, trial.figure if trial.state == "finished" else None, state=state)

    def begin_journal(self, path: Path, name: str) -> None:
        """Begin a file of told trials that Optuna's dashboard reads; nothing here reads it again."""
        optuna = required_optuna()
        path.unlink(missing_ok=True)
        for lock in path.parent.glob(f"{path.name}.lock*"):  # of a killed sweep: Optuna would wait half a minute for it
            lock.unlink()
        with quiet():
            storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
            self._journal: Study = optuna.create_study(storage=storage, study_name=name, direction=self._direction)

    def record(self, told: Any) -> None:
        """Add a trial to the journal."""
        with quiet():
            self._journal.add_trial(told)

    def last_told(self, number: int) -> Any:
        """Return a told trial as Optuna has it."""
        return self._study.get_trials(deepcopy=False)[number]


_TOLD_AS = {"finished": "COMPLETE", "pruned": "PRUNED", "diverged": "PRUNED", "refused": "FAIL"}


def _states(*names: str) -> tuple[Any, ...]:
    states = required_optuna().trial.TrialState
    return tuple(states[name] for name in names)
