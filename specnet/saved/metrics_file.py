"""What ``metrics.json`` says of a model: figures of every set of rows, and of the test rows all else that is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from pydantic import FiniteFloat, TypeAdapter
from typing_extensions import TypedDict

from specnet.errors import FileError
from specnet.files.plain_data import checked
from specnet.parts.splits import SPLITS

Figures = dict[str, FiniteFloat | None]
Metrics = dict[str, Figures]
"""Figures by set of rows and name; None for one that is not defined."""


class Interval(TypedDict):
    """An interval, and how it was found."""

    low: FiniteFloat
    high: FiniteFloat
    method: str


class Coverage(TypedDict):
    """How many rows intervals or sets of a level cover: each list has a number for each output, of classes one.

    Attributes
    ----------
    level : float
        The fraction of rows that should be covered.
    covered : list of float
        The fraction that is.
    size : list of float
        The mean width of the intervals, or the mean number of classes in a set.
    """

    level: FiniteFloat
    covered: list[FiniteFloat]
    size: list[FiniteFloat]


@dataclass(frozen=True)
class Evaluation:
    """What ``metrics.json`` says.

    Attributes
    ----------
    rows : dict
        The number of rows by part of the split.
    metrics : dict
        The model's figures by part of the split and name; None for one that is not defined.
    baselines : dict
        The figures of predictors to compare it with: by their name, part of the split and name.
    tables : dict
        By part of the split: ``confusion`` and the like.
    intervals : dict
        95 % intervals, by part of the split and name of the figure: ``low``, ``high``, ``method``; None where there is
        none.
    baseline_intervals : dict
        The same of the loss and the main metric of test rows, by name of the baseline and of the figure.
    gains : dict
        By how much the model is better on test rows, by the same names: ``value``, ``low`` and ``high``.
    calibration : dict
        Of a model with probabilities, ``error``: the expected calibration error by part of the split. Where they were
        calibrated, ``temperature``, and ``log_loss`` ``before`` and ``after``, of the rows that it was fitted on.
        Where values were, ``linear_share``, and ``squared_error`` ``before`` and ``after``, of standardized values if
        the network has such.
    """

    rows: dict[str, int]
    metrics: Metrics
    baselines: dict[str, Metrics] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    intervals: dict[str, dict[str, Interval | None]] = field(default_factory=dict)
    baseline_intervals: dict[str, dict[str, Interval | None]] = field(default_factory=dict)
    gains: dict[str, dict[str, Figures]] = field(default_factory=dict)
    calibration: dict[str, FiniteFloat | Figures] = field(default_factory=dict)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Evaluation:
        """Return what a ``metrics.json`` says.

        Raises
        ------
        FileError
            If it is none.
        """
        metrics = {name: record[name] for name in SPLITS if name in record}
        if not metrics:
            raise FileError("there are no metrics of any split")
        data = {"rows": {}, **record, "metrics": metrics}
        what = "the record of metrics is"
        found = checked(_EVALUATION.validate_python, data, what)
        for tables in found.tables.values():
            checked(_COVERAGE.validate_python, tables.get("coverage", []), what)
            for name in ("confusion", "bias"):
                try:
                    np.asarray(tables.get(name), np.float64)
                except (TypeError, ValueError, OverflowError):
                    raise FileError("'tables' must have rows of numbers, all as long as each other") from None
        return found

    def record(self) -> dict[str, Any]:
        """Return it as plain data, with each part of the split by its name."""
        rest = {each.name: getattr(self, each.name) for each in fields(self)}
        return {"rows": rest.pop("rows"), **rest.pop("metrics"), **rest}


_EVALUATION = TypeAdapter(Evaluation)
_COVERAGE = TypeAdapter(list[Coverage])
