"""Trials of a sweep as its folder keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from specnet.errors import FileError
from specnet.files import file_errors, read_file
from specnet.files.plain_data import json_lines, json_text
from specnet.files.recorded_hashes import with_hashes
from specnet.files.run_files import FACTS, HELD_OUT, HISTORY, LARGEST_RECORD, METRICS, trial_name
from specnet.files.tensors import decode, encode
from specnet.parts.splits import TRAIN, best_split
from specnet.parts.watchers import VALIDATION_LOSS
from specnet.running.many.repetitions import Repetition
from specnet.running.sweeps.trial_judge import Judge, Outputs
from specnet.running.training_run import Contents, RunOutcome
from specnet.saved.metrics_file import Metrics
from specnet.saved.saved_trials import Trial, TrialFigure
from specnet.saved.summary import csv_text

OUTPUTS = "outputs"
"""The tensor of what a run answers for rows held out."""


def trial_of(
    number: int,
    settings: Mapping[str, str | int | float],
    parameters: Mapping[str, Any],
    runs: Sequence[tuple[Repetition, RunOutcome]],
    found: Sequence[float | None],
    metric: str,
) -> Trial:
    """Return the trial of these runs, one for each fold and seed, with the figures that were found of them."""
    outcomes = [outcome for _, outcome in runs]
    figures = tuple(TrialFigure(each.seed, each.fold, of) for (each, _), of in zip(runs, found, strict=True))
    trial = Trial(
        number,
        "finished",
        settings,
        epochs=sum(outcome.epochs for outcome in outcomes),
        seconds=sum(outcome.seconds for outcome in outcomes),
        curve=outcomes[0].curve if len(outcomes) == 1 else {},
        parameters=parameters,
    )
    failed = next((outcome for outcome in outcomes if outcome.state != "finished"), None)
    if failed is not None:
        return replace(trial, state=failed.state, message=failed.message)
    known = [each.figure for each in figures if each.figure is not None]
    if len(known) < len(figures):
        return replace(trial, state="refused", message=f"{metric} is not defined for the validation rows")
    return replace(trial, figure=fmean(known), figures=figures)


def figure_of(metrics: Metrics, metric: str) -> float | None:
    """Return the metric that a sweep searches by, of rows that a run without test rows was not trained on."""
    return metrics.get(best_split(metrics.keys() - {TRAIN}), {}).get("loss" if metric == VALIDATION_LOSS else metric)


def measured(
    judge: Judge | None, outcomes: Sequence[RunOutcome], metric: str
) -> tuple[Outputs | None, list[float | None]]:
    """Return what the runs of a trial answer for rows held out, if it can be compared, and the figure of each.

    Parameters
    ----------
    judge : Judge or None
        What compares answers; None if nothing does.
    outcomes : sequence of RunOutcome
    metric : str
        What the sweep searches by.
    """
    outputs, figures = None, [figure_of(outcome.metrics, metric) for outcome in outcomes]
    if judge is not None and all(outcome.state == "finished" for outcome in outcomes):
        outputs = judge.outputs([outcome.held for outcome in outcomes])
        if outputs is not None and metric == VALIDATION_LOSS:
            figures = list(judge.figures(outputs))
    return outputs, figures


def trial_files(
    trial: Trial,
    runs: Sequence[tuple[Repetition, RunOutcome]],
    spec: Mapping[str, str | bytes],
    outputs: Outputs | None,
) -> Contents:
    """Return the files of a trial's folder.

    Parameters
    ----------
    trial : Trial
    runs : sequence of (Repetition, RunOutcome)
    spec : mapping
        The file of its spec, if it has one.
    outputs : sequence of ndarray, or None
        What each run answers for rows held out, if it can be compared.
    """
    files: Contents = {**spec}
    if trial.state == "finished":
        several = len(runs) > 1
        lines = [line | _place(each) if several else line for each, outcome in runs for line in outcome.history]
        files[HISTORY] = json_lines(lines)
        files[METRICS] = json_text(_mean([outcome.metrics for _, outcome in runs]))
        for each, outcome in runs:
            files |= {file_of(each, name): file for name, file in outcome.files.items()}
        for (each, _), answered in zip(runs, outputs or (), strict=outputs is not None):
            files[file_of(each, HELD_OUT)] = encode({OUTPUTS: answered}, "")
    return with_hashes(files | {FACTS: json_text(trial.facts())}, FACTS)


def file_of(each: Repetition, name: str) -> str:
    """Return the name of a file of a run in the folder of its trial."""
    return f"{each.name}.{name}" if each.name else name


class TrialOutputs(Mapping[int, Outputs]):
    """What trials of a sweep answer for rows held out, by their numbers.

    It is read from their folders each time: that of many trials on many rows does not fit into memory.

    Parameters
    ----------
    sweep : Path
        The folder of the sweep.
    runs : sequence of Repetition
        Of each trial.
    """

    def __init__(self, sweep: Path, runs: Sequence[Repetition]) -> None:
        self._sweep, self._runs = sweep, runs
        self._numbers: set[int] = set()

    def add(self, number: int) -> None:
        """Add a trial, whose folder has its answers when they are read."""
        self._numbers.add(number)

    def add_written(self, number: int) -> None:
        """Add a trial if its folder has its answers.

        Raises
        ------
        FileError
        """
        if self._read(number) is not None:
            self.add(number)

    def _read(self, number: int) -> Outputs | None:
        found = []
        for path in self.files(number, HELD_OUT):
            if not path.exists():
                return None
            with file_errors(path):
                _, tensors = decode(read_file(path, LARGEST_RECORD))
                if tensors.keys() != {OUTPUTS} or tensors[OUTPUTS].ndim != 2:
                    raise FileError("not the answers of a trial for rows held out")
                found.append(tensors[OUTPUTS])
        return found

    def files(self, number: int, name: str) -> list[Path]:
        """Return the file of each run of a trial that has a name in the folder of a run."""
        return [self._sweep / trial_name(number) / file_of(each, name) for each in self._runs]

    def __getitem__(self, number: int) -> Outputs:
        found = self._read(number) if number in self._numbers else None
        if found is None:
            raise KeyError(number)
        return found

    def __contains__(self, number: object) -> bool:
        return number in self._numbers

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._numbers))

    def __len__(self) -> int:
        return len(self._numbers)


def _place(each: Repetition) -> dict[str, int]:
    return {name: number for name, number in (("seed", each.seed), ("fold", each.fold)) if number is not None}


def _mean(metrics: Sequence[Metrics]) -> Metrics:
    """Return the mean metrics of several runs; None for one that is not defined for some of them."""
    if len(metrics) == 1:
        return metrics[0]
    mean: Metrics = {}
    for split, figures in metrics[0].items():
        columns = {name: [each[split].get(name) for each in metrics] for name in figures}
        mean[split] = {
            name: None if None in values else fmean(value for value in values if value is not None)
            for name, values in columns.items()
        }
    return mean


def table_text(trials: Iterable[Trial], columns: Sequence[str]) -> str:
    """Return ``trials.csv``."""
    columns = list(dict.fromkeys(columns))
    header = ["trial", "state", "figure", "seconds", *columns]
    rows = (
        [
            *(trial.number, trial.state, "" if trial.figure is None else trial.figure, round(trial.seconds, 3)),
            *(trial.settings.get(column, "") for column in columns),
        ]
        for trial in trials
    )
    return csv_text(header, rows)
