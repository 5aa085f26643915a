"""Every value of a spec with where it comes from, and the equations in force."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from specnet.spec.meaning.equations import Equation
from specnet.spec.meaning.value_text import value_text
from specnet.spec.reading.source_text import Location
from specnet.spec.resolving.origins import ResolvedValue

LONGEST_REPLACED = 30


def explanation_rows(values: Sequence[ResolvedValue]) -> list[tuple[str, str, str]]:
    """Return a row for each value: its key, the value, and where it comes from."""
    return [(value.key, value_text(value.value), origin_text(value)) for value in values]


def explanation_data(values: Sequence[ResolvedValue], equations: Sequence[Equation]) -> dict[str, Any]:
    """Return the same as plain data for ``--format json``."""
    return {
        "values": [_value_data(value) for value in values],
        "equations": [equation.as_dict() for equation in equations],
    }


def origin_text(value: ResolvedValue) -> str:
    """Return where a value comes from: ``file line 21``, ``--set #1 (file line 21: 100)``, ``from data``."""
    replaced = f"{_line(value.replaced)}: {_written(value.replaced)}" if value.replaced else ""
    if value.setting is not None and value.setting.removed:
        return f"default ({value.setting.text.name} removed {replaced})"
    if value.setting is not None:
        return value.setting.text.name + f" ({replaced})" * bool(replaced)
    if value.place is not None:
        return _line(value.place)
    return "from data" if value.origin == "data" else value.origin


def _value_data(value: ResolvedValue) -> dict[str, Any]:
    data: dict[str, Any] = {"key": value.key, "value": value.value, "origin": value.origin}
    if value.origin == "file" and value.place is not None:
        data |= {"source": value.place.text.name, "line": value.place.value.line}
    if value.setting is not None:
        data |= {"setting": value.setting.text.name, "written": value.setting.text.content}
    if value.replaced is not None:
        data["replaced"] = {
            "source": value.replaced.text.name,
            "line": value.replaced.value.line,
            "text": _written(value.replaced, longest=None),
        }
    return data


def _line(place: Location) -> str:
    return f"{'stdin' if place.text.name == '<stdin>' else 'file'} line {place.value.line}"


def _written(place: Location, longest: int | None = LONGEST_REPLACED) -> str:
    """Return what a text says at a place, of a table over several lines the first."""
    start = place.value.column - 1
    text = place.text.lines[place.value.line - 1][start : start + place.value.length]
    return text if longest is None else value_text(text, longest)
