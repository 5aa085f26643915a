"""The outcome of each expectation: met, broken or undecided."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.data import RawColumns
from specnet.data.raw_columns import raw_columns
from specnet.errors import DataError, SpecError
from specnet.exporting.export_proof import Run
from specnet.findings.slices import cell_in_words
from specnet.model import Answers, Model
from specnet.number_texts import cell_text, page_metric
from specnet.parts.arrays import first_few
from specnet.parts.metrics import larger_is_better
from specnet.parts.metrics.statistics import weighted_mean
from specnet.parts.splits import TEST, TRAIN, VALIDATION
from specnet.running.data_rows import Rows, SpecData, check_rows
from specnet.running.evaluation.intervals import independent_rows
from specnet.running.expectations.measuring import (
    FEWEST_ROWS,
    error_of,
    fraction_ends,
    measured,
    rows_of,
    selected,
    worst_difference,
)
from specnet.running.expectations.moved_rows import (
    WORST,
    largest_change,
    largest_wrong_move,
    output_index,
    predictions,
)
from specnet.running.expectations.named_cells import (
    chosen_rows,
    column_index,
    label_index,
    row_in_words,
    rows_of_records,
)
from specnet.running.panel.row_names import names_of_rows
from specnet.saved.expectations_file import (
    BrokenRow,
    JudgedExpectation,
    Outcome,
    bounds_of,
    counts,
    outcome_of,
    read_expectations,
)
from specnet.spec import Spec, parse_spec
from specnet.spec.expectations import DIRECTIONS, EXPECT, Expectation
from specnet.spec.reading.hints import shown
from specnet.spec.reading.source_document import Document
from specnet.suggestions import perhaps

MOST_VALUES = 50
"""The number of values of a column above which groups of its rows are not compared."""


def check_labels(spec: Spec, data: SpecData) -> None:
    """Raise a SpecError for each label in the expectations of a spec that its data do not have, or that is missing."""
    known = [] if data.labels is None else [*map(str, data.labels.values.tolist())]
    has_many = len(known) > 2 or (not known and data.resolved.outputs > 1)
    found = []
    for index, expectation in enumerate(spec.expect or ()):
        for key in ("of", "predicts"):
            label, path = getattr(expectation, key), (EXPECT, index, key)
            if known and label is not None and label_index(label, known) is None:
                hint = perhaps(str(label), known) or f"choose from {first_few(known)}"
                found.append(spec.diagnostic("unknown-label", f"no label {shown(label)}", path, hint=hint))
        needs_output = expectation.form in (*DIRECTIONS, "row") and expectation.predicts is None
        if has_many and needs_output and expectation.of is None:
            what = "label" if known else "output"
            hint = f"set of to a {what}" + (f": {', '.join(known[:10])}" if known else "")
            path = (EXPECT, index, expectation.form)
            found.append(spec.diagnostic("expectation", f"there are several {what}s", path, at_key=True, hint=hint))
    if found:
        raise SpecError(*found)


def expectations_for(model: Model, tables: Sequence[Mapping[str, Any]]) -> tuple[Expectation, ...]:
    """Return expectations that are given as tables, checked for a model.

    Raises
    ------
    SpecError
        If a table is invalid, or names a metric, a baseline or a column that the model does not have.
    """
    spec = model.spec
    data = spec.model_dump(mode="json", exclude_none=True) | {EXPECT: [dict(each) for each in tables]}
    parsed = parse_spec(Document(data, folder=spec.folder), parts=spec.registry.added, limits=spec.origin.limits)
    return parsed.expect or ()


def expectations_of(model: Model, folder: Path) -> tuple[Expectation, ...]:
    """Return the expectations by which the run in a folder was judged, checked for its model; errors as above."""
    return expectations_for(model, [each["expectation"] for each in read_expectations(folder)])


def judge_run(spec: Spec, model: Model, data: SpecData, test: Answers | None, gains: Gains) -> list[JudgedExpectation]:
    """Return the outcome of each expectation of a run's spec, by its test rows.

    Directions and exchanged cells are judged on validation or training rows if there are no test rows.

    Parameters
    ----------
    spec : Spec
        The spec with expectations.
    model : Model
    data : SpecData
    test : Answers or None
        The answers for test rows.
    gains : tuple
        The statistics that decide, and the gains over baselines by name and statistic, as in ``metrics.json``.
    """
    rows = data.splits[next(name for name in (TEST, VALIDATION, TRAIN) if len(data.splits.get(name, ())))]
    return judged(spec.expect or (), model, rows, test, gains, names=partial(names_of_rows, data, rows))


Gains = tuple[Sequence[str], Mapping[str, Mapping[str, Mapping[str, float | None]]]]


RowNames = Callable[[Sequence[int]], Sequence[str]]
"""A function that returns the names of rows, given their indices, such as ``line 132``."""


def judged(
    expectations: Sequence[Expectation],
    model: Model,
    rows: Rows,
    answers: Answers | None = None,
    gains: Gains = ((), {}),
    *,
    names: RowNames | None = None,
    program: Run | None = None,
) -> list[JudgedExpectation]:
    """Return the outcome of each expectation for a model, or for a program that is exported from it.

    Parameters
    ----------
    expectations : sequence of Expectation
    model : Model
    rows : Rows
    answers : Answers, optional
        The answers for these rows. Without them, metrics and coverages are undecided.
    gains : tuple
        As for `judge_run`; without them, comparisons with baselines are undecided.
    names : callable, optional
        Default: ``row 1`` and so on.
    program : callable, optional
        Function from raw rows to the answers of a program: the outputs that the model has, (rows, outputs), and labels,
        (rows,), or None. Default: the model.
    """
    given = model, rows, answers, gains, names or partial(_numbered, "row"), program
    return [_Judge(each, *given).judged() for each in expectations]


def _numbered(name: str, chosen: Sequence[int]) -> list[str]:
    return [f"{name} {index + 1}" for index in chosen]


def judge_export(
    expectations: Sequence[Expectation], model: Model, raw: RawColumns, name: str, program: Run
) -> list[JudgedExpectation]:
    """Return the outcomes of expectations about rows, directions and exchanged cells for an exported program.

    Parameters
    ----------
    expectations : sequence of Expectation
        Those of other kinds are left out.
    model : Model
        The model that the program is exported from.
    raw : RawColumns
        The rows in which cells are moved and exchanged.
    name : str
        What one of them is called, such as ``saved row``.
    program : callable
        As for `judged`.
    """
    chosen = [each for each in expectations if each.form in (*DIRECTIONS, "unchanged_by", "row")]
    names = partial(_numbered, name)
    return judged(chosen, model, Rows(raw.X, np.zeros(len(raw)), kinds=raw.kinds), names=names, program=program)


def expect(
    model: Model,
    X: ArrayLike,
    y: ArrayLike,
    expectations: Sequence[Mapping[str, Any]],
    sample_weight: ArrayLike | None = None,
) -> list[JudgedExpectation]:
    """Judge what a model must satisfy on rows, as tables ``[[expect]]`` of a spec do after training.

    Parameters
    ----------
    model : Model
    X : array_like or data frame (rows, columns)
        Raw columns as for `Model.predict`.
    y : array_like (rows,) or (rows, outputs)
    expectations : sequence of mapping
        Tables such as ``{"metric": "accuracy", "at_least": 0.8}``. There are no baselines for ``better_than`` here,
        which is always undecided.
    sample_weight : array_like (rows,), optional

    Returns
    -------
    list of dict
        For each table ``outcome`` (met, broken or undecided), ``words``, ``rows``, and where they are known ``value``,
        ``low``, ``high``, ``needed`` and ``worst``.

    Raises
    ------
    SpecError
        If a table is invalid, or does not fit the model.
    DataError
        If X or y do not fit the model.
    """
    chosen = expectations_for(model, expectations)
    spec, columns = model.spec, model.network.resolved.columns
    raw = raw_columns(X, spec.feature_kinds, columns, spec.feature_names)
    rows = check_rows(raw, y, sample_weight)
    return judged(chosen, model, rows, model.answers(raw, rows.y, rows.weight))


def _in_words(model: Model, answer: NDArray[Any]) -> str:
    """Return the target or the prediction of a row: a label, or the values of all outputs."""
    labels = None if model.labels is None else model.labels.tolist()
    if labels is not None and np.ndim(answer) == 0:
        return str(labels[int(answer)])
    return ", ".join(map(cell_text, np.atleast_1d(answer).tolist()))


class _Judge:
    def __init__(
        self,
        expectation: Expectation,
        model: Model,
        rows: Rows,
        answers: Answers | None,
        gains: Gains,
        names: RowNames,
        program: Run | None,
    ) -> None:
        self.expectation, self.model, self.rows, self.answers, self.gains = expectation, model, rows, answers, gains
        self.names, self.program = names, program

    def predictions(self, raw: RawColumns) -> NDArray[Any]:
        """Return the values or the probabilities of all classes that model or program predict, (rows, outputs)."""
        of_model = predictions(self.model, raw)  # refuses rows that cannot be predicted
        return of_model if self.program is None else self.program(raw)[0]

    def labels(self, raw: RawColumns) -> NDArray[Any] | None:
        """Return the labels that model or program predict, (rows,)."""
        of_model = self.model.predict(raw)
        return of_model if self.program is None else self.program(raw)[1]

    @property
    def measure(self) -> str:
        """Name of the metric that is judged, or ``coverage``, ``probability`` or ``prediction``."""
        match self.expectation.form:
            case "metric":
                return self.expectation.metric or ""
            case "better_than":
                deciding, _ = self.gains
                return deciding[0] if deciding else ""
            case "coverage":
                return "coverage"
            case _:
                return "prediction" if self.model.network.task == "values" else "probability"

    def judged(self) -> JudgedExpectation:
        form, raw = self.expectation.form, self.rows.raw
        try:
            if form == "better_than":
                return self._with_errors(self._better(), np.arange(len(raw)))
            if form == "row":
                return self._row()
            mask = chosen_rows(self.model, raw, self.expectation.where)
            if not mask.any():
                return self._outcome("undecided", 0, reason="no such rows")
            if form in DIRECTIONS or form == "unchanged_by":
                return self._moved(raw.part(mask), np.flatnonzero(mask))
            if self.answers is None:
                return self._outcome("undecided", 0, reason="no test rows")
            groups = None if self.rows.groups is None else self.rows.groups[mask]
            answers = selected(self.answers, mask)
            if self.expectation.by is not None:
                return self._differences(raw.part(mask), answers, groups, np.flatnonzero(mask))
            found = (
                self._metric(answers, groups) if form == "metric" else self._coverage(raw.part(mask), answers, groups)
            )
            return self._with_errors(found, np.flatnonzero(mask))
        except DataError as error:
            problem = error.diagnostics[0]
            return self._outcome("undecided", 0, reason="; ".join(filter(None, (problem.message, problem.hint))))

    def _outcome(self, outcome: Outcome, rows: int, **details: Any) -> JudgedExpectation:
        expectation = self.expectation
        table = expectation.table
        found: JudgedExpectation = {
            "expectation": table,
            "words": expectation.in_words(self.measure),
            "outcome": outcome,
            "counts": counts(table, outcome),
            "rows": rows,
            "measure": self.measure,
        }
        known: Any = {name: value for name, value in details.items() if value not in (None, "", [])}
        found.update(known)
        return found

    def _metric(self, answers: Answers, groups: NDArray[np.generic] | None) -> JudgedExpectation:
        expectation = self.expectation
        value, ends = measured(expectation.metric or "", self.model, answers, groups)
        if value is None:
            return self._outcome("undecided", len(answers), reason="not defined for these rows")
        if ends is None:
            details = {"reason": "too few rows", "needed": FEWEST_ROWS}
            return self._outcome("undecided", len(answers), value=value, **details)
        return self._within(value, *ends, len(answers))

    def _with_errors(self, judged: JudgedExpectation, indices: NDArray[np.intp]) -> JudgedExpectation:
        """Return an outcome with the rows that have the largest losses, if a worse figure than expected breaks it."""
        answers, value, (least, most) = self.answers, judged.get("value"), bounds_of(self.expectation.table)
        if judged["outcome"] != "broken" or answers is None or not isinstance(value, float):
            return judged
        if value >= least if larger_is_better(self.expectation.metric or "") else value <= most:
            return judged
        judged["worst"] = self._worst(answers, indices)
        return judged

    def _worst(self, answers: Answers, indices: NDArray[np.intp]) -> list[BrokenRow]:
        """Return the rows with the largest losses among some of the rows."""
        chosen = indices[np.argsort(-answers.losses[indices], kind="stable")[:WORST]].tolist()
        return [
            {
                "row": int(self.rows.numbers[index]),
                "name": name,
                "cells": row_in_words(self.model, self.rows.raw, index),
                "target": _in_words(self.model, answers.target[index]),
                "predicted": _in_words(self.model, answers.prediction[index]),
            }
            for index, name in zip(chosen, self.names(chosen), strict=True)
        ]

    def _within(self, value: float, low: float, high: float, rows: int, reason: str = "") -> JudgedExpectation:
        """Return the outcome for a figure that must lie within bounds, by its interval."""
        bounds, needed = bounds_of(self.expectation.table), None
        outcome = outcome_of(low, high, bounds)
        if outcome == "undecided":
            bound = min((each for each in bounds if low <= each <= high), key=lambda each: abs(value - each))
            distance, half = abs(value - bound), (high - low) / 2
            # Half an interval that is longer on the side of the bound may be shorter than the distance.
            part = half if half > distance else value - low if bound <= value else high - value
            # More than this number of rows is no help to a reader, whose figure equals the bound.
            needed = math.ceil(rows * (part / distance) ** 2) if distance > half / 1_000 else None
        return self._outcome(outcome, rows, value=value, low=low, high=high, reason=reason, needed=needed)

    def _better(self) -> JudgedExpectation:
        _, gains = self.gains
        gain = gains.get(self.expectation.better_than or "", {}).get(self.measure)
        rows = 0 if self.answers is None else len(self.answers)
        if gain is None or gain.get("low") is None or gain.get("high") is None or gain.get("value") is None:
            return self._outcome("undecided", rows, reason="not compared with the baseline on these rows")
        value, low, high = (float(gain[name] or 0.0) for name in ("value", "low", "high"))
        return self._within(value, low, high, rows, f"gain in {self.measure}")

    def _differences(
        self, raw: RawColumns, answers: Answers, groups: NDArray[np.generic] | None, indices: NDArray[np.intp]
    ) -> JudgedExpectation:
        expectation = self.expectation
        index = column_index(self.model, expectation.by or "")
        column, cells = (raw.kinds[index] if raw.kinds else None), np.asarray(raw.X[:, index], np.float64)
        values = np.unique(cells)
        if len(values) > MOST_VALUES:
            reason = f"the column has {len(values)} values in these rows, of which at most {MOST_VALUES} are compared"
            return self._outcome("undecided", len(answers), reason=reason)
        names, figures, errors, members, left_out = [], [], [], [], []
        for value in values.tolist():
            mask = np.isnan(cells) if math.isnan(value) else cells == value
            name, its = cell_in_words(column, value), selected(answers, mask)
            its_groups = None if groups is None else groups[mask]
            figure, ends = measured(expectation.metric or "", self.model, its, its_groups)
            if int(mask.sum()) < FEWEST_ROWS or figure is None or ends is None:
                left_out.append(name)
                continue
            names.append(name)
            figures.append(figure)
            errors.append(error_of(ends))
            members.append(indices[mask])
        without = f"without {', '.join(left_out[:5])}{', …' * (len(left_out) > 5)} (too few rows)" if left_out else ""
        if len(names) < 2:
            return self._outcome("undecided", len(answers), reason=without or "only one value of the column")
        outcome, difference, pair = worst_difference(figures, errors, expectation.differ_by_at_most or 0.0)
        worse = (min if larger_is_better(expectation.metric or "") else max)(pair, key=figures.__getitem__)
        texts = [page_metric(self.measure, figure, *figures) for figure in figures]
        spread = ", ".join(f"{name} {text}" for name, text in zip(names, texts, strict=True))
        reason = ", ".join(filter(None, (f"between {names[pair[0]]} and {names[pair[1]]} ({spread})", without)))
        worst = self._worst(self.answers, members[worse]) if outcome == "broken" and self.answers is not None else []
        return self._outcome(outcome, len(answers), value=difference, reason=reason, worst=worst)

    def _moved(self, raw: RawColumns, indices: NDArray[np.intp]) -> JudgedExpectation:
        move = largest_wrong_move if self.expectation.form in DIRECTIONS else largest_change
        value, rows, worst = move(self.expectation, self.model, raw, self.predictions)
        for each in worst:
            index = int(indices[each["row"]])
            each["row"], (each["name"],) = int(self.rows.numbers[index]), self.names([index])
        return self._outcome("broken" if worst else "met", rows, value=value, worst=worst)

    def _row(self) -> JudgedExpectation:
        expectation, model = self.expectation, self.model
        raw = rows_of_records(model, [expectation.row or {}])
        if expectation.predicts is not None:
            labels = None if model.labels is None else model.labels.tolist()
            index = None if labels is None else label_index(expectation.predicts, labels)
            given = self.labels(raw)
            if labels is None or index is None or given is None:
                return self._outcome("undecided", 1, reason=f"the model has no label {expectation.predicts}")
            (label,) = given.tolist()
            return self._outcome("met" if label == labels[index] else "broken", 1, value=str(label))
        value = float(self.predictions(raw)[0, output_index(model, expectation.of)])
        return self._outcome(outcome_of(value, value, bounds_of(expectation.table)), 1, value=value)

    def _coverage(self, raw: RawColumns, answers: Answers, groups: NDArray[np.generic] | None) -> JudgedExpectation:
        level = self.expectation.coverage or 0.0
        if self.model.network.task == "values":
            ends = self.model.predict_interval(raw, level).reshape(len(raw), -1, 2)
            target = np.asarray(answers.target, np.float64).reshape(len(raw), -1)
            covered = ((ends[..., 0] <= target) & (target <= ends[..., 1])).mean(axis=1)
        else:
            sets = self.model.predict_set(raw, level)
            covered = sets[np.arange(len(raw)), answers.target.astype(np.intp)].astype(np.float64)
        fraction = weighted_mean(covered, answers.weight)
        if not math.isfinite(fraction):
            return self._outcome("undecided", len(raw), reason="no rows with a weight")
        rows = independent_rows(covered, groups) if answers.weight is None else rows_of(answers.weight, len(raw))
        return self._within(fraction, *fraction_ends(fraction, rows), len(raw))
