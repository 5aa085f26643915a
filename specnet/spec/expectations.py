"""The tables ``[[expect]]``: what a trained model must satisfy. They are judged after training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from specnet.errors import Diagnostic
from specnet.number_texts import is_percentage
from specnet.parts.fields import ColumnName, NonNegativeNumber, OpenFraction
from specnet.parts.part import Section
from specnet.spec.reading.source_document import Document

EXPECT = "expect"
"""The key of the expectations at the top level of a spec."""

KEYS: Mapping[str, tuple[str, ...]] = {
    "metric": ("at_least", "at_most", "where", "by", "differ_by_at_most", "confident"),
    "better_than": ("confident",),
    "increasing": ("tolerance", "of", "where"),
    "decreasing": ("tolerance", "of", "where"),
    "unchanged_by": ("within", "where"),
    "row": ("predicts", "at_least", "at_most", "of"),
    "coverage": ("within", "where", "confident"),
}
"""The keys that each kind of expectation takes."""
DIRECTIONS = ("increasing", "decreasing")

_CELL = "a text, a number, true or false"
_CONDITION = f"{_CELL}, a list of these, or a table with low, high or both"
_CELL_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]}
_BOUND_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "number"}]}
_CONDITION_SCHEMA = {
    "anyOf": [
        _CELL_SCHEMA,
        {"type": "array", "minItems": 1, "items": _CELL_SCHEMA},
        {
            "type": "object",
            "minProperties": 1,
            "properties": {"low": _BOUND_SCHEMA, "high": _BOUND_SCHEMA},
            "additionalProperties": False,
        },
    ]
}


def _read_cell(value: Any) -> Any:
    if isinstance(value, str | bool | int | float):
        return value
    raise PydanticCustomError("unknown-value", "no cell", {"words": _CELL})


def _read_condition(value: Any) -> Any:
    if isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list | tuple) and value and all(isinstance(each, str | bool | int | float) for each in value):
        return tuple(value)
    if isinstance(value, Mapping) and value and value.keys() <= {"low", "high"}:
        ends = value.values()
        if all(isinstance(each, str | int | float) and not isinstance(each, bool) for each in ends):
            return dict(value)
    raise PydanticCustomError("unknown-value", "no condition", {"words": _CONDITION})


Cell = Annotated[Any, PlainValidator(_read_cell), WithJsonSchema(_CELL_SCHEMA)]
Condition = Annotated[Any, PlainValidator(_read_condition), WithJsonSchema(_CONDITION_SCHEMA)]
"""A cell, a tuple of cells, or a mapping with ``low``, ``high`` or both, which are included."""


class Expectation(Section):
    """What a model must satisfy: metric, better_than, increasing, decreasing, unchanged_by, row or coverage."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [kind]} for kind in KEYS]})

    metric: Annotated[str, Field(min_length=1)] | None = Field(
        None, description='"loss" or the name of a metric of the test rows, with at_least, at_most or by'
    )
    better_than: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="a baseline of training.baselines that the model must beat by more than chance"
    )
    increasing: ColumnName | None = Field(
        None, description="a column; the prediction must not fall when it grows and all else stays"
    )
    decreasing: ColumnName | None = Field(
        None, description="a column; the prediction must not rise when it grows and all else stays"
    )
    unchanged_by: ColumnName | None = Field(
        None, description="a column whose cells, exchanged between rows, must not change predictions"
    )
    row: dict[ColumnName, Cell] | None = Field(
        None, description="the cells of one row, with predicts, at_least or at_most; other columns are missing"
    )
    coverage: OpenFraction | None = Field(
        None, description="level of the intervals or sets of classes, with within: how far their coverage may be off"
    )
    where: dict[ColumnName, Condition] | None = Field(
        None, description="only rows with these cells: one, one of a list, or { low = 1, high = 2 }"
    )
    by: ColumnName | None = Field(
        None, description="a column; the metric is compared between its values, with differ_by_at_most"
    )
    differ_by_at_most: NonNegativeNumber | None = Field(
        None, description="largest difference of the metric between two values of the column of by"
    )
    at_least: float | None = Field(None, description="smallest value")
    at_most: float | None = Field(None, description="largest value")
    confident: bool = Field(False, description="whether an undecided expectation counts as broken")
    tolerance: NonNegativeNumber = Field(
        0.0, description="largest fall or rise in the wrong direction that is accepted"
    )
    within: NonNegativeNumber | None = Field(
        None, description="largest accepted change of a prediction, or distance of the coverage from its level"
    )
    of: Cell | None = Field(
        None, description="the label whose probability counts, or the name of one of several outputs"
    )
    predicts: Cell | None = Field(None, description="the label that is predicted for the row")

    @property
    def form(self) -> str:
        """The kind of the expectation, which is one of its keys."""
        return next(kind for kind in KEYS if getattr(self, kind) is not None)

    @property
    def table(self) -> dict[str, Any]:
        """The explicit keys and values, as plain data."""
        return self.model_dump(mode="json", exclude_unset=True, exclude_none=True)

    @property
    def columns(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """The path of each name of an input column in the table, with the name."""
        for key in ("increasing", "decreasing", "unchanged_by", "by"):
            if getattr(self, key) is not None:
                yield (key,), getattr(self, key)
        for key in ("where", "row"):
            for name in getattr(self, key) or ():
                yield (key, name), name

    def in_words(self, measure: str) -> str:
        """Return the expectation as a phrase, such as ``accuracy at least 80 % where sex = female``.

        Parameters
        ----------
        measure : str
            Name of the metric that is judged, or ``coverage``, ``probability`` or ``prediction``.
        """
        chosen = f" where {' and '.join(_condition(*each) for each in self.where.items())}" if self.where else ""
        bounds = " and ".join(
            f"{words} {_bound(measure, bound)}"
            for words, bound in (("at least", self.at_least), ("at most", self.at_most))
            if bound is not None
        )
        of = "" if self.of is None else f" of {self.of}"
        match self.form:
            case "metric" if self.by is not None:
                most = _distance(measure, self.differ_by_at_most)
                return f"{self.metric} by {self.by} differs by at most {most}{chosen}"
            case "metric":
                return f"{self.metric} {bounds}{chosen}"
            case "better_than":
                return f"better than {self.better_than}"
            case kind if kind in DIRECTIONS:
                tolerance = f", tolerance {_distance(measure, self.tolerance)}" if self.tolerance else ""
                return f"{kind} in {getattr(self, kind)}{of}{chosen}{tolerance}"
            case "unchanged_by":
                return f"unchanged by {self.unchanged_by}{chosen} within {_distance(measure, self.within)}"
            case "row":
                cells = ", ".join(f"{name} = {_cell(cell)}" for name, cell in (self.row or {}).items())
                wanted = f"predicts {self.predicts}" if self.predicts is not None else f"{of.strip()} {bounds}".strip()
                return f"row with {cells}: {wanted}"
            case _:
                return f"coverage of {_bound(measure, self.coverage)} within {_distance(measure, self.within)}{chosen}"


def _bound(measure: str, value: float | None) -> str:
    """Return a bound of a measure with all its digits."""
    return f"{100 * (value or 0.0):.10g} %" if is_percentage(measure) else f"{value or 0.0:g}"


def _distance(measure: str, value: float | None) -> str:
    """Return an accepted difference of a measure with all its digits."""
    if not is_percentage(measure):
        return f"{value or 0.0:g}"
    text = f"{100 * (value or 0.0):.10g}"
    return f"{text} percentage point{'s' * (text != '1')}"


def _cell(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _condition(name: str, condition: Any) -> str:
    if isinstance(condition, Mapping):
        low, high = condition.get("low"), condition.get("high")
        if low is not None and high is not None:
            return f"{name} from {_cell(low)} to {_cell(high)}"
        return f"{name} at most {_cell(high)}" if low is None else f"{name} at least {_cell(low)}"
    if isinstance(condition, tuple):
        return f"{name} = {' or '.join(map(_cell, condition))}"
    return f"{name} = {_cell(condition)}"


def expectation_rules(document: Document) -> Iterator[Diagnostic]:
    """Yield the mistakes of a document's expectations that have no or several kinds, or keys that do not fit."""
    tables = document.data.get(EXPECT)
    for index, table in enumerate(tables if isinstance(tables, list | tuple) else ()):
        if not isinstance(table, Mapping):
            continue
        path, kinds = (EXPECT, index), [kind for kind in KEYS if kind in table]
        if len(kinds) != 1:
            found = " and ".join(f'"{kind}"' for kind in kinds)
            message = f"an expectation has exactly one kind, got {found or 'none'}"
            hint = (
                f"use one table [[expect]] for each of {', '.join(kinds)}" if kinds else f"set one of {', '.join(KEYS)}"
            )
            yield document.diagnostic("expectation", message, path, hint=hint)
            continue
        kind, known = kinds[0], KEYS[kinds[0]]
        for key in table:
            if key in Expectation.model_fields and key not in (kind, *known):
                message = f'"{key}" cannot be combined with "{kind}"'
                hint = f"{kind} takes {', '.join(known)}"
                yield document.diagnostic("expectation", message, (*path, key), at_key=True, hint=hint)
        if (missing := _missing(kind, table)) is not None:
            message, hint = missing
            yield document.diagnostic("expectation", message, (*path, kind), at_key=True, hint=hint)


def _missing(kind: str, table: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the message and the hint for keys that a table of a kind lacks or has too many of, or None."""
    bounds = [key for key in ("at_least", "at_most") if key in table]
    if kind == "metric" and ("by" in table) != ("differ_by_at_most" in table):
        return (
            'a metric needs "by" and "differ_by_at_most" together',
            'for example by = "region", differ_by_at_most = 0.05',
        )
    if kind == "metric" and bool(bounds) == ("by" in table):
        return 'a metric needs either a bound or "by"', "set at_least, at_most, or by with differ_by_at_most"
    if kind == "row" and bool(bounds) == ("predicts" in table):
        return 'a row needs either "predicts" or a bound', "set predicts, at_least or at_most"
    if kind == "row" and "predicts" in table and "of" in table:
        return '"of" cannot be combined with "predicts"', "remove of"
    if kind == "row" and not table["row"]:
        return "a row needs at least one cell", 'for example row = { size = 3.5, island = "Torgersen" }'
    if kind == "coverage" and "within" not in table:
        return 'coverage needs "within"', "for example within = 0.03"
    return None
