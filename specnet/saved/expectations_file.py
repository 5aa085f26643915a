"""``expectations.json``: the outcome of each expectation of a run's spec, and what is broken, in words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Literal, NotRequired

from pydantic import FiniteFloat, TypeAdapter
from typing_extensions import TypedDict

from specnet.files import file_errors, read_file
from specnet.files.plain_data import checked
from specnet.files.tensors import parse_object
from specnet.number_texts import (
    count,
    counted,
    difference,
    fixed,
    interval,
    is_percentage,
    on_page,
    page_metric,
    percent,
    points,
    step_decimals,
)
from specnet.run_files import EXPECTATIONS, LARGEST_RECORD
from specnet.spec.expectations import DIRECTIONS, EXPECT

Outcome = Literal["met", "broken", "undecided"]


CONFIDENCE = 98
"""How much of a normal distribution the interval of a figure contains, in percent; of a gain over a baseline 95."""


SHOWN_CELLS = 12
"""The largest number of cells of a row that breaks an expectation in a text; the file has all."""


class BrokenRow(TypedDict):
    """A row that breaks an expectation.

    Attributes
    ----------
    row : int
        Its index among all rows of the data, from 0.
    name : str
        Its name in words, such as ``line 132``, with the identifier that the file may have.
    cells : dict of str to str
        Its cells by name.
    changed : list of str
        The two cells of a moved or exchanged column.
    predictions : list of float
        The predictions for both.
    target, predicted : str
        The true and the predicted target, if the errors of rows break it.
    """

    row: int
    name: NotRequired[str]
    cells: dict[str, str]
    changed: NotRequired[list[str]]
    predictions: NotRequired[list[FiniteFloat]]
    target: NotRequired[str]
    predicted: NotRequired[str]


class JudgedExpectation(TypedDict):
    """An expectation with its outcome.

    Attributes
    ----------
    expectation : dict
        The table of the spec.
    words : str
        The expectation as a phrase.
    outcome : "met", "broken" or "undecided"
    counts : bool
        Whether the outcome makes the run end with exit status 3.
    rows : int
        The number of rows that it was judged on.
    measure : str
        The name of the metric that is judged, or ``coverage``, ``probability`` or ``prediction``.
    value, low, high : float or None
        The figure with the interval that decides, if it has one: of 98 %, of a gain over a baseline of 95 %.
    reason : str
        What decided it, or what is missing; may be empty.
    needed : int
        About how many rows would decide it.
    worst : list of BrokenRow
        At most three rows that break it the most.
    runs, met_in : int
        For folds or seeds, the number of runs, and in how many of them it is met.
    """

    expectation: dict[str, Any]
    words: str
    outcome: Outcome
    counts: bool
    rows: int
    measure: NotRequired[str]
    value: NotRequired[FiniteFloat | str | None]
    low: NotRequired[FiniteFloat]
    high: NotRequired[FiniteFloat]
    reason: NotRequired[str]
    needed: NotRequired[int]
    worst: NotRequired[list[BrokenRow]]
    runs: NotRequired[int]
    met_in: NotRequired[int]


_FORM: TypeAdapter[list[JudgedExpectation]] = TypeAdapter(list[JudgedExpectation])


def read_expectations(folder: Path) -> list[JudgedExpectation]:
    """Return the judged expectations of a run; empty if its folder has none.

    Raises
    ------
    FileError
        If the file is damaged.
    """
    path = folder / EXPECTATIONS
    if not path.exists():
        return []
    with file_errors(path):
        record = parse_object(read_file(path, LARGEST_RECORD), "the expectations of a run")
        return checked(_FORM.validate_python, record.get(EXPECT), "the expectations")


def bounds_of(table: Mapping[str, Any]) -> tuple[float, float]:
    """Return the smallest and the largest accepted figure of an expectation, given its table; they may be infinite."""
    if "coverage" in table:
        return table["coverage"] - table["within"], table["coverage"] + table["within"]
    if "better_than" in table:  # a gain of exactly 0 is none
        return math.nextafter(0.0, 1.0), math.inf
    return table.get("at_least", -math.inf), table.get("at_most", math.inf)


def outcome_of(low: float, high: float, bounds: tuple[float, float]) -> Outcome:
    """Return the outcome for the interval of a figure that must lie within bounds."""
    least, most = bounds
    if least <= low and high <= most:
        return "met"
    return "broken" if high < least or low > most else "undecided"


def over_runs(of_runs: Sequence[Sequence[JudgedExpectation]]) -> list[JudgedExpectation]:
    """Return the outcome of each expectation over several runs of one spec, with the number of runs that meet it.

    A figure with an interval is its mean over the runs, with the means of both ends. This interval is as wide as that
    of one run, and thus too wide for folds, whose test rows differ. Without intervals, the outcome is that of more than
    half of the runs, otherwise undecided.
    """
    found: list[JudgedExpectation] = []
    for judged in zip(*of_runs, strict=False):
        table, outcomes = judged[0]["expectation"], Counter(each["outcome"] for each in judged)
        together: JudgedExpectation = {
            "expectation": table,
            "words": judged[0]["words"],
            "outcome": next((name for name, times in outcomes.items() if 2 * times > len(judged)), "undecided"),
            "counts": False,
            "rows": round(fmean(each["rows"] for each in judged)),
            "runs": len(judged),
            "met_in": outcomes["met"],
            "measure": judged[0].get("measure", ""),
        }
        values = [value for each in judged if isinstance(value := each.get("value"), float)]
        ends = [(each["low"], each["high"]) for each in judged if "low" in each and "high" in each]
        if len(values) == len(judged):
            together["value"] = fmean(values)
        if len(ends) == len(judged):
            together["low"], together["high"] = map(fmean, zip(*ends, strict=True))
            together["outcome"] = outcome_of(together["low"], together["high"], bounds_of(table))
        reasons = {each.get("reason", "") for each in judged}
        if len(reasons) == 1 and (reason := reasons.pop()):
            together["reason"] = reason
        together["counts"] = counts(table, together["outcome"])
        found.append(together)
    return found


def counts(table: Mapping[str, Any], outcome: Outcome) -> bool:
    """Return whether an outcome of an expectation makes the exit status 3."""
    return outcome == "broken" or (outcome == "undecided" and bool(table.get("confident")))


def fails(judged: Sequence[JudgedExpectation]) -> bool:
    """Return whether an expectation is broken, or undecided although it must be decided."""
    return any(each["counts"] for each in judged)


def figure_in_words(judged: JudgedExpectation) -> str:
    """Return the figure of an expectation with its interval, rows and reason."""
    value = judged.get("value")
    text = value if isinstance(value, str) else "" if value is None else _number_in_words(judged, value)
    parts = [text, judged.get("reason", "")]
    if judged["rows"] > 1:
        parts.append(counted(judged["rows"], "row"))
    if "runs" in judged and "met_in" in judged:
        parts.append(f"met in {count(judged['met_in'])} of {counted(judged['runs'], 'run')}")
    if "needed" in judged:
        parts.append(f"about {count(judged['needed'])} would decide")
    return ", ".join(filter(None, parts))


def _number_in_words(judged: JudgedExpectation, value: float) -> str:
    """Return a figure with its interval: of a metric or prediction, or a difference of them."""
    table, measure = judged["expectation"], judged.get("measure", "")
    ends = (judged["low"], judged["high"]) if "low" in judged and "high" in judged else ()
    in_points = is_percentage(measure)
    if _moved(judged):
        # As many decimals as the change needs: 0.006 points are not 0.
        text = points(value, step_decimals(100 * value, 1) or 1) if in_points else page_metric(measure, value)
    elif "better_than" in table or "by" in table:
        text = on_page(difference(measure, value, *ends))
    else:
        text, in_points = page_metric(measure, value, *ends), False
    text += " percentage points" * in_points
    if ends:
        joint = " to ".join(map(points, ends)) if in_points else interval(measure, *ends)
        text += f" ({95 if 'better_than' in table else CONFIDENCE} % interval {on_page(joint)})"
    return text


def _moved(judged: JudgedExpectation) -> str:
    """Return the column whose cells are moved or exchanged; empty for other expectations."""
    table = judged["expectation"]
    return next((table[key] for key in (*DIRECTIONS, "unchanged_by") if key in table), "")


def worst_in_words(row: BrokenRow, judged: JudgedExpectation) -> str:
    """Return a row that breaks an expectation: its predictions with what was changed or true, and its first cells."""
    cells = [f"{name} = {cell}" for name, cell in row["cells"].items()]
    others = [f"{count(len(cells) - SHOWN_CELLS)} more"] if len(cells) > SHOWN_CELLS else []
    return f"{_error_in_words(row, judged)} ({', '.join([*cells[:SHOWN_CELLS], *others])})"


def _error_in_words(row: BrokenRow, judged: JudgedExpectation) -> str:
    at = row.get("name", f"row {row['row'] + 1}")
    if "target" in row and "predicted" in row:
        return f"{at}: true {row['target']}, predicted {row['predicted']}"
    before, after = row.get("predictions", (0.0, 0.0))
    if is_percentage(judged.get("measure", "")):
        decimals = step_decimals(100 * abs(after - before), 1) or 1
        texts = [percent(each, decimals) for each in (before, after)]
    else:
        texts = [fixed(each, step_decimals(abs(after - before))) for each in (before, after)]
    return f"{at}: {' → '.join(texts)} as {_moved(judged)} changes from {' to '.join(row.get('changed', ()))}"


def met_in_words(judged: Sequence[JudgedExpectation]) -> str:
    """Return how many expectations are met, such as ``7 of 8 met``; empty if there are none."""
    return f"{sum(each['outcome'] == 'met' for each in judged)} of {len(judged)} met" if judged else ""


def in_order(judged: Sequence[JudgedExpectation]) -> list[JudgedExpectation]:
    """Return expectations by their outcome: broken, undecided, met."""
    return [each for name in ("broken", "undecided", "met") for each in judged if each["outcome"] == name]


def summary(judged: Sequence[JudgedExpectation]) -> str:
    """Return how many expectations are met, broken and undecided."""
    outcomes = Counter(each["outcome"] for each in judged)
    others = [f"{outcomes[name]} {name}" for name in ("broken", "undecided") if outcomes[name]]
    return ", ".join([f"{outcomes['met']} of {counted(len(judged), 'expectation')} met", *others])


def not_met(judged: Sequence[JudgedExpectation]) -> list[str]:
    """Return a line for each expectation that is not met, those that are broken first."""
    chosen = [each for each in in_order(judged) if each["outcome"] != "met"]
    return [
        ": ".join(filter(None, (each["outcome"], each["words"], figure_in_words(each), *_worst_error(each))))
        for each in chosen
    ]


def _worst_error(judged: JudgedExpectation) -> list[str]:
    return [_error_in_words(row, judged) for row in judged.get("worst", [])[:1]]
