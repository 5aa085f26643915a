"""Which runs and trials in a folder are made again, and which are not."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from specnet.files import file_errors
from specnet.files.recorded_hashes import changed_files
from specnet.files.run_files import BEST, FACTS, RUN, RUNS_TABLE, SWEEP, by_numbers, kind_of, trial_name
from specnet.parts.part import Part
from specnet.running.many.repetitions import changed, repetition_named
from specnet.running.verification.compared_run import ComparedRun
from specnet.running.verification.compared_sweep import ComparedSweep
from specnet.running.verification.result import VerifiedRun
from specnet.saved.saved_folder import FINISHED
from specnet.saved.saved_series import read_runs
from specnet.saved.saved_trials import Trial
from specnet.spec import Limits
from specnet.spec.parsing import document_saying
from specnet.spec.spec_writing import SpecWriter

SAMPLE_SEED = 0
MISSING = "the folder is missing"


class FoundRuns:
    """The runs in a folder, or a sample of them.

    Parameters
    ----------
    epochs, parts, limits
        As for `verify`.

    Attributes
    ----------
    runs : list of ComparedRun
        Those to make again.
    others : list of VerifiedRun
        Those that are not made again: trials that were ended early, and folders that are missing.
    failed : dict
        The document of runs without a folder that have not finished, by their names.
    total : int
        How many folders there are.
    """

    def __init__(self, epochs: int | None, parts: tuple[type[Part], ...], limits: Limits | None) -> None:
        self.runs: list[ComparedRun] = []
        self.others: list[VerifiedRun] = []
        self.failed: dict[str, Mapping[str, Any]] = {}
        self.total = 0
        self._epochs = epochs
        self._options: dict[str, Any] = {"parts": parts, "limits": limits}
        self._sweeps: dict[Path, ComparedSweep] = {}

    def add(self, folder: Path, sample: int | None, before: str = "") -> None:
        """Add the runs in a folder.

        Parameters
        ----------
        folder : Path
        sample : int or None
            Of each sweep, its best run comes in addition.
        before : str
            How names begin.
        """
        if kind_of(folder) is SWEEP:
            self._add_sweep(self.sweep(folder), sample, before)
            return
        inner = [path for path in folders_in(folder) if kind_of(path) in (RUN, SWEEP)]
        if not any(kind_of(path) is SWEEP for path in inner):
            self._add_series(folder, inner, sample)
            return
        for path in inner:
            self.add(path, sample, f"{before}{path.name}/")

    def sweep(self, folder: Path) -> ComparedSweep:
        """Return the sweep in a folder."""
        if folder not in self._sweeps:
            sweep = ComparedSweep(folder, **self._options)
            _ = sweep.identity  # a sweep without one is refused
            self._sweeps[folder] = sweep
        return self._sweeps[folder]

    def run(self, path: Path, name: str = "") -> ComparedRun:
        """Return the run in a folder."""
        return ComparedRun(path, name, epochs=self._epochs, **self._options)

    def trial(self, sweep: ComparedSweep, trial: Trial, name: str) -> ComparedRun:
        """Return a trial of a sweep."""
        path = sweep.trial_path(trial.number)
        return ComparedRun(path, name, epochs=self._epochs, sweep=sweep, trial=trial, **self._options)

    def add_trial(self, run: ComparedRun) -> None:
        """Add a trial alone."""
        self._take([run.checked_again()], [], 1)

    def _add_sweep(self, sweep: ComparedSweep, sample: int | None, before: str) -> None:
        names = {trial.number: f"{before}{trial_name(trial.number)}" for trial in sweep.all_ended}
        trials = [(trial.state, self.trial(sweep, trial, names[trial.number])) for trial in sweep.all_ended]
        finished = [each for state, each in trials if state == FINISHED]
        chosen = [each.checked_again() for each in _chosen(finished, sample)]
        others = [each.checked() for state, each in trials if state != FINISHED]
        missing = (number for number in range(sweep.count) if number not in names)
        others += [VerifiedRun(f"{before}{trial_name(number)}", message=MISSING) for number in missing]
        has_best = kind_of(sweep.path / BEST) is RUN
        if has_best:
            best = self.run(sweep.path / BEST, f"{before}{BEST}").checked_again()
            if sweep.has_ended:
                counted = [trial for trial in sweep.all_ended if trial.number < sweep.count]
                best.text = next(iter(sweep.best_of(counted)[1].values()), None)
            chosen.insert(0, best)
        elif sweep.has_ended and finished:
            others.append(VerifiedRun(f"{before}{BEST}", message=MISSING))
        self._take(chosen, others, len(finished) + has_best)

    def _add_series(self, folder: Path, inner: list[Path], sample: int | None) -> None:
        rows = {row.name: row for row in read_runs(folder)} if (folder / RUNS_TABLE).is_file() else {}
        names = {path.name for path in inner}
        missing = {name: MISSING for name, row in rows.items() if row.state == FINISHED and name not in names}
        missing |= dict.fromkeys(filter(repetition_named, names - rows.keys()), f"it has no row in {RUNS_TABLE}")
        runs = [self.run(path, path.name).checked_again() for path in inner if path.name not in missing]
        if runs:
            first = next(filter(_has_its_spec, runs), runs[0]).spec_again
            document = document_saying(first)
            writer = SpecWriter(document, first.registry)
            for run in runs:
                if each := repetition_named(run.name):
                    run.text = writer.text(each.changes, run.path)
            for name, row in rows.items():
                each = repetition_named(name)
                if each is not None and row.state != FINISHED and name not in names and sample is self._epochs is None:
                    self.failed[name] = changed(document, each.changes, name).data
        others = [VerifiedRun(name, message=message) for name, message in sorted(missing.items())]
        self._take(_chosen(runs, sample), others, len(runs))

    def _take(self, runs: list[ComparedRun], others: list[VerifiedRun], count: int) -> None:
        """Add runs that are made again, of so many, and others."""
        self.runs += runs
        self.others += others
        self.total += count + len(others)


def folders_in(path: Path) -> list[Path]:
    """Return the folders in one, in the order of their names, numbers by size."""
    with file_errors(path):
        return sorted((each for each in path.iterdir() if each.is_dir()), key=lambda each: by_numbers(each.name))


def _has_its_spec(run: ComparedRun) -> bool:
    """Return whether the spec of a run is the one that it recorded."""
    hashes = {name: value for name, value in run.hashes.items() if name == run.written.name}
    return bool(hashes) and not any(changed_files(hashes, run.files, FACTS))


def _chosen(runs: list[Any], sample: int | None) -> list[Any]:
    """Return a sample of runs in their order; all if there are no more."""
    if sample is None or sample >= len(runs):
        return runs
    return [runs[place] for place in sorted(random.Random(SAMPLE_SEED).sample(range(len(runs)), sample))]
