"""``metrics.json``: metrics of every split of a run; ``summary.json``: their mean and spread over runs; CSV tables."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NotRequired, TypeVar

import numpy as np
from pydantic import FiniteFloat, TypeAdapter
from typing_extensions import TypedDict

from specnet.errors import FileError
from specnet.files import file_errors, read_file
from specnet.files.plain_data import checked
from specnet.findings.slices import Slice
from specnet.parts.splits import SPLITS
from specnet.run_files import LARGEST_RECORD

Figures = dict[str, FiniteFloat | None]
Metrics = dict[str, Figures]
"""Metrics by split and name; None for an undefined metric."""


RARE_AVERAGE_PRECISION = "rare_average_precision"
"""The average precision of the rare one of two classes, which need not be the second one."""


class Interval(TypedDict):
    """An interval, and the method that computed it."""

    low: FiniteFloat
    high: FiniteFloat
    method: str


class Coverage(TypedDict):
    """The coverage of intervals or sets of a level; each list has a number for each output, or one for classes.

    Attributes
    ----------
    level : float
        The fraction of rows that should be covered.
    covered : list of float
        The fraction of rows that are covered.
    size : list of float
        The mean width of the intervals, or the mean number of classes in a set.
    thirds : list of list of float
        For values of one output, the fraction that is covered and the mean width, for each third of the rows in the
        order of their predictions.
    rows_by_size : list of int
        For classes, the number of rows whose set has no class, one class, two classes, ….
    """

    level: FiniteFloat
    covered: list[FiniteFloat]
    size: list[FiniteFloat]
    thirds: NotRequired[list[list[FiniteFloat]]]
    rows_by_size: NotRequired[list[int]]


class TeacherFigures(TypedDict):
    """A teacher beside its student; `agreement` has the teacher's predictions as the truth."""

    networks: NotRequired[int]
    parameters: NotRequired[int]
    bytes: NotRequired[int]
    own_parameters: int
    metrics: Metrics
    agreement: Metrics


@dataclass(frozen=True)
class Evaluation:
    """The contents of ``metrics.json``.

    Attributes
    ----------
    rows : dict
        The number of rows by split.
    metrics : dict
        The model's metrics by split and name; None for an undefined metric.
    baselines : dict
        The metrics of baselines by baseline, split and name.
    tables : dict
        Tables by split, such as ``confusion``.
    intervals : dict
        95 % intervals by split and metric: ``low``, ``high``, ``method``; None for a metric without an interval.
    baseline_intervals : dict
        95 % intervals of the loss and the main metric of test rows, by baseline and metric.
    gains : dict
        The improvement of the model over a baseline on test rows, by baseline and statistic: ``value``, the 95 %
        interval from ``low`` to ``high``, and ``p_value``. If the statistic is not a metric of the spec, also its
        values, ``model`` and ``baseline``.
    deciding : list of str
        The statistics of `gains` that decide which is better, the one to report first.
    groups : dict
        The number of groups of test rows, of which each counts as one row in tests, under ``test``. Not in the file if
        rows have no groups.
    calibration : dict
        For probabilities, ``error``: the expected calibration error by split. For calibrated probabilities,
        ``temperature``, and ``log_loss`` ``before`` and ``after``, of the rows that it was fitted on. For calibrated
        values, ``linear_share``, and ``squared_error`` ``before`` and ``after``, of standardized values if the network
        predicts these. For fitted weights of averaged networks, ``weights`` by layer, and ``loss`` ``before``, with
        equal weights, and ``after``.
    teacher : dict
        For a network with a teacher: ``networks``, ``parameters`` and ``bytes`` of the teacher, unless it is columns of
        the table; ``own_parameters`` of the network; ``metrics`` of the teacher by split; and ``agreement`` by split,
        the accuracy or R² of the network with the teacher's predictions as the truth. Not in the file if empty.
    monotone : dict
        ``largest_fall`` while monotone columns of training rows move in their directions, in units of the last place of
        the largest prediction. Not in the file if the network has no such columns.
    """

    rows: dict[str, int]
    metrics: Metrics
    baselines: dict[str, Metrics] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    intervals: dict[str, dict[str, Interval | None]] = field(default_factory=dict)
    baseline_intervals: dict[str, dict[str, Interval | None]] = field(default_factory=dict)
    gains: dict[str, dict[str, Figures]] = field(default_factory=dict)
    deciding: list[str] = field(default_factory=list)
    groups: dict[str, int] = field(default_factory=dict)
    calibration: dict[str, FiniteFloat | Figures] = field(default_factory=dict)
    teacher: TeacherFigures | dict[str, int] = field(default_factory=dict)
    monotone: dict[str, FiniteFloat] = field(default_factory=dict)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Evaluation:
        """Return the evaluation from the contents of a ``metrics.json``.

        Raises
        ------
        FileError
            If the contents are invalid.
        """
        metrics = {name: record[name] for name in SPLITS if name in record}
        if not metrics:
            raise FileError("there are no metrics of any split")
        data = {"rows": {}, **record, "metrics": metrics}
        what = "the record of metrics is"
        found = checked(_EVALUATION.validate_python, data, what)
        for tables in found.tables.values():
            checked(_COVERAGE.validate_python, tables.get("coverage", []), what)
            checked(_SLICES.validate_python, tables.get("slices", []), what)
            for name in ("confusion", "bias"):
                try:
                    np.asarray(tables.get(name), np.float64)
                except (TypeError, ValueError, OverflowError):
                    raise FileError("'tables' must have rows of numbers, all as long as each other") from None
        return found

    def record(self) -> dict[str, Any]:
        """Return the evaluation as plain data, with the metrics of each split under its name."""
        rest = {each.name: getattr(self, each.name) for each in fields(self)}
        for name in ("teacher", "groups", "monotone"):
            if not rest[name]:
                del rest[name]
        return {"rows": rest.pop("rows"), **rest.pop("metrics"), **rest}


_EVALUATION = TypeAdapter(Evaluation)
_COVERAGE = TypeAdapter(list[Coverage])
_SLICES = TypeAdapter(list[Slice])


Made = TypeVar("Made")


class Statistics(TypedDict):
    """The mean and spread of a metric over runs; the standard deviation divides by n − 1."""

    mean: FiniteFloat | None
    std: FiniteFloat | None
    min: FiniteFloat | None
    max: FiniteFloat | None
    runs: int


Summary = dict[str, dict[str, Statistics]]
"""Statistics over runs by split and metric."""


def summarized(metrics: Sequence[Mapping[str, Mapping[str, float | None]]]) -> Summary:
    """Return the mean and spread of the metrics of runs; undefined values are ignored."""
    return {
        split: {
            name: _statistics([figures[split][name] for figures in metrics if name in figures.get(split, ())])
            for name in _names(metrics, split)
        }
        for split in SPLITS
        if any(split in figures for figures in metrics)
    }


def columns_of(metrics: Sequence[Metrics]) -> list[tuple[str, str]]:
    """Return the split and the name of each metric that at least one run has, in order."""
    return [(split, name) for split in SPLITS for name in _names(metrics, split)]


def cells_of(metrics: Metrics, columns: Iterable[tuple[str, str]]) -> list[float | str]:
    """Return a run's cells of these columns; a missing value gives an empty cell."""
    values = [metrics.get(split, {}).get(name) for split, name in columns]
    return ["" if value is None else value for value in values]


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return the text of a CSV file; numbers have enough digits to be read again exactly."""
    import csv  # imported late: the page of a single run needs no tables

    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()


def read_csv(path: Path, what: str, record: Callable[[dict[str, str]], Made]) -> list[Made]:
    """Return the result of `record` for each row of a CSV file.

    Raises
    ------
    FileError
        If the file cannot be read or is invalid.
    """
    import csv

    with file_errors(path):
        try:
            text = read_file(path, LARGEST_RECORD).decode()
            return [record(row) for row in csv.DictReader(io.StringIO(text, newline=""))]
        except KeyError as error:
            raise FileError(f"not a valid {what}: column {error} is missing") from error
        except (TypeError, ValueError, csv.Error) as error:  # ValueError: an invalid number, or invalid UTF-8
            raise FileError(f"not a valid {what}: {error}") from error


def _names(metrics: Sequence[Mapping[str, Mapping[str, float | None]]], split: str) -> list[str]:
    return list(dict.fromkeys(name for figures in metrics for name in figures.get(split, ())))


def _statistics(values: Sequence[float | None]) -> Statistics:
    known = [value for value in values if value is not None and math.isfinite(value)]
    return {
        "mean": fmean(known) if known else None,
        "std": stdev(known) if len(known) > 1 else None,
        "min": min(known, default=None),
        "max": max(known, default=None),
        "runs": len(known),
    }
