"""Which values trials try: drawn in order, each knowing the same results whoever computes them.

Trial k is drawn when trials 0 … k − parallel are told and no other is, by a sampler of its own, seeded by (seed, k).
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from specnet.running.sweeps.optuna_calls import quiet, required_optuna
from specnet.running.sweeps.space import Drawn, combinations, draw
from specnet.running.sweeps.trial_records import Trial
from specnet.running.sweeps.trials import Pruning
from specnet.spec.sweep_section import SweepSpec

if TYPE_CHECKING:
    from optuna import Study
    from optuna import Trial as OptunaTrial


class Search:
    """The trials of a sweep as Optuna's study has them.

    Parameters
    ----------
    sweep : SweepSpec
    seed : int
        Of the sampler.
    larger_is_better : bool
    """

    def __init__(self, sweep: SweepSpec, seed: int, larger_is_better: bool) -> None:
        self._sweep, self._seed = sweep, seed
        self._direction = "maximize" if larger_is_better else "minimize"
        with quiet():
            self._study: Study = required_optuna().create_study(direction=self._direction)
        self._asked: dict[int, OptunaTrial] = {}

    def draw(self, number: int, known: Mapping[str, Any] | None = None) -> Drawn:
        """Return the values of a trial: those that are known, the next combination of a grid, or drawn ones.

        Trials are drawn in order.
        """
        with quiet():
            if known is None and self._sweep.sampler.enumerates:
                known = next(islice(combinations(self._sweep.space), number, None))
            if known is not None:
                self._study.enqueue_trial(dict(known))
            else:
                sequence = np.random.SeedSequence([self._seed, number])
                self._study.sampler = self._sweep.sampler.optuna_sampler(int(sequence.generate_state(1)[0]))
            self._asked[number] = self._study.ask()
            return draw(self._asked[number], self._sweep.space)

    def might_draw(self, trial: Trial) -> bool:
        """Return whether the settings of a trial are in the space, and are what its parameters mean."""
        fixed = required_optuna().trial.FixedTrial(dict(trial.parameters))
        try:
            with quiet(), warnings.catch_warnings():
                warnings.simplefilter("error")  # it only warns of numbers outside a range
                shown = draw(fixed, self._sweep.space).shown
        except (ValueError, TypeError, Warning):
            return False
        return shown == trial.settings and shown.keys() == trial.parameters.keys()

    def parameters(self, number: int) -> dict[str, Any]:
        """Return what a trial has drawn, as Optuna calls it; it has not been told."""
        return dict(self._asked[number].params)

    def pruning(self) -> Pruning | None:
        """Return what decides whether the trial that was drawn last goes on."""
        if self._sweep.pruner is None:
            return None
        told = self._study.get_trials(deepcopy=False, states=_states("COMPLETE", "PRUNED"))
        return Pruning(self._sweep.pruner, pickle.dumps(told))

    def tell(self, trial: Trial) -> None:
        """Let the sampler and the pruner know what a trial has come to; trials are told in order."""
        asked = self._asked.pop(trial.number)
        with quiet():
            for rung, loss in trial.curve.items():
                asked.report(loss, rung)
            (state,) = _states(_TOLD_AS[trial.state])
            self._study.tell(asked, trial.figure if trial.state == "finished" else None, state=state)

    def begin_journal(self, path: Path, name: str) -> None:
        """Begin a file of told trials that Optuna's dashboard reads; nothing here reads it again."""
        optuna = required_optuna()
        path.unlink(missing_ok=True)
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
