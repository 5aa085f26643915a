"""What many runs of a spec come to: a table with a row for each, and the mean and spread of their metrics."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, TypeVar

from pydantic import FiniteFloat
from typing_extensions import TypedDict

from specnet.errors import FileError
from specnet.files import file_errors, read_file
from specnet.files.run_files import LARGEST_RECORD
from specnet.parts.splits import SPLITS
from specnet.saved.metrics_file import Metrics

Made = TypeVar("Made")


class Statistics(TypedDict):
    """The mean and spread of a metric over runs; the standard deviation is that with n − 1."""

    mean: FiniteFloat | None
    std: FiniteFloat | None
    min: FiniteFloat | None
    max: FiniteFloat | None
    runs: int


Summary = dict[str, dict[str, Statistics]]
"""By part of the split and metric."""


def summarized(metrics: Sequence[Mapping[str, Mapping[str, float | None]]]) -> Summary:
    """Return the mean and spread of the metrics of runs; a value that is not defined does not count."""
    return {
        split: {
            name: _statistics([figures[split][name] for figures in metrics if name in figures.get(split, ())])
            for name in _names(metrics, split)
        }
        for split in SPLITS
        if any(split in figures for figures in metrics)
    }


def columns_of(metrics: Sequence[Metrics]) -> list[tuple[str, str]]:
    """Return the part of the split and the name of each metric that some run has, in order."""
    return [(split, name) for split in SPLITS for name in _names(metrics, split)]


def cells_of(metrics: Metrics, columns: Iterable[tuple[str, str]]) -> list[float | str]:
    """Return a run's cells of these columns; empty where it has no value."""
    values = [metrics.get(split, {}).get(name) for split, name in columns]
    return ["" if value is None else value for value in values]


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a CSV file; numbers have as many digits as they need to be read again as they are."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()


def read_csv(path: Path, what: str, record: Callable[[dict[str, str]], Made]) -> list[Made]:
    """Return what is made of each row of a CSV file.

    Raises
    ------
    FileError
        If it cannot be read, or is not what it should be.
    """
    with file_errors(path):
        try:
            text = read_file(path, LARGEST_RECORD).decode()
            return [record(row) for row in csv.DictReader(io.StringIO(text, newline=""))]
        except KeyError as error:
            raise FileError(f"not a valid {what}: column {error} is missing") from error
        except (TypeError, ValueError, csv.Error) as error:  # ValueError: of a number, or no UTF-8
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
