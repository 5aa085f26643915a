"""``expectations.json``: the outcome of each expectation of a run's spec, and what is broken, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NotRequired

from pydantic import FiniteFloat, TypeAdapter
from typing_extensions import TypedDict

from specnet.files import file_errors, read_file
from specnet.files.plain_data import checked
from specnet.files.tensors import parse_object
from specnet.number_texts import count, counted, rounded
from specnet.run_files import EXPECTATIONS, LARGEST_RECORD
from specnet.spec.expectations import EXPECT

Outcome = Literal["met", "broken", "undecided"]


class BrokenRow(TypedDict):
    """A row that breaks an expectation.

    Attributes
    ----------
    row : int or None
        Its index among all rows of the data, from 0; None for the row of an expectation.
    cells : dict of str to str
        Its cells by name.
    changed : list of str
        The two cells of the moved column.
    predictions : list of float
        The predictions for both.
    """

    row: int | None
    cells: dict[str, str]
    changed: list[str]
    predictions: list[FiniteFloat]


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
    value, low, high : float or None
        The figure with its 95 % interval, if it has one.
    reason : str
        What decided it, or what is missing; may be empty.
    needed : int
        About how many rows would decide it.
    worst : list of BrokenRow
        At most three rows that break it the most.
    """

    expectation: dict[str, Any]
    words: str
    outcome: Outcome
    counts: bool
    rows: int
    value: NotRequired[FiniteFloat | str | None]
    low: NotRequired[FiniteFloat]
    high: NotRequired[FiniteFloat]
    reason: NotRequired[str]
    needed: NotRequired[int]
    worst: NotRequired[list[BrokenRow]]


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


def fails(judged: Sequence[JudgedExpectation]) -> bool:
    """Return whether an expectation is broken, or undecided although it must be decided."""
    return any(each["counts"] for each in judged)


def figure_in_words(judged: JudgedExpectation) -> str:
    """Return the figure of an expectation with its interval, rows and reason."""
    value = judged.get("value")
    text = value if isinstance(value, str) else "" if value is None else rounded(value)
    if "low" in judged and "high" in judged:
        text += f" ({rounded(judged['low'])} to {rounded(judged['high'])})"
    parts = [text, judged.get("reason", "")]
    if judged["rows"] > 1:
        parts.append(counted(judged["rows"], "row"))
    if "needed" in judged:
        parts.append(f"about {count(judged['needed'])} would decide")
    return ", ".join(filter(None, parts))


def summary(judged: Sequence[JudgedExpectation]) -> str:
    """Return how many expectations are met, broken and undecided."""
    outcomes = Counter(each["outcome"] for each in judged)
    others = [f"{outcomes[name]} {name}" for name in ("broken", "undecided") if outcomes[name]]
    return ", ".join([f"{outcomes['met']} of {counted(len(judged), 'expectation')} met", *others])


def not_met(judged: Sequence[JudgedExpectation]) -> list[str]:
    """Return a line for each expectation that is not met, those that are broken first."""
    chosen = [each for name in ("broken", "undecided") for each in judged if each["outcome"] == name]
    return [f"{each['outcome']}: {each['words']}: {figure_in_words(each)}".removesuffix(": ") for each in chosen]
