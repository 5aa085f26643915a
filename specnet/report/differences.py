"""What two resolved specs differ in: keys whose values differ, layers and other parts that only one of them has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from specnet.parts.part import Part, Section
from specnet.report.values import value_text
from specnet.spec import Spec

NOT_SET = "not set"
_GAP_COST = 0.45
"""Of an entry that only one list has. Two entries of one type are matched if less than nine tenths of them differ."""
_LAYERS = "network.layers"


class Difference(NamedTuple):
    """Something in which two specs differ.

    Attributes
    ----------
    key : str
        The dotted path in the first resolved spec, or in the second for what only that has.
    before, after : plain data or None
        As a spec writes it in the fewest words; None where a spec does not have it.
    """

    key: str
    before: Any
    after: Any

    def texts(self) -> tuple[str, str]:
        """Return both values as lines of text."""
        before, after = (NOT_SET if value is None else _text(value) for value in self[1:])
        return before, after


def spec_differences(first: Spec, second: Spec) -> list[Difference]:
    """Return the differences of two resolved specs, in the order of the spec.

    Layers and other parts in lists are matched in order, those of one type with the most values in common: an inserted
    layer is one difference.
    """
    return list(_sections(first, second, ""))


def _sections(first: Section, second: Section, path: str) -> Iterator[Difference]:
    for name in type(first).model_fields:
        yield from _values(getattr(first, name), getattr(second, name), f"{path}.{name}" if path else name)


def _values(first: Any, second: Any, path: str) -> Iterator[Difference]:
    if first == second:
        return
    if type(first) is type(second) and isinstance(first, Section):
        yield from _sections(first, second, path)
    elif isinstance(first, Mapping) and isinstance(second, Mapping):
        for key in dict.fromkeys([*first, *second]):
            yield from _values(first.get(key), second.get(key), f"{path}.{key}")
    elif _holds_sections(first, second):
        yield from _lists(first, second, path)
    else:
        yield Difference(path, _short(first), _short(second))


def _lists(first: Sequence[Any], second: Sequence[Any], path: str) -> Iterator[Difference]:
    for before, after in _matched(first, second):
        if before is None:
            assert after is not None, "one of them is there"
            yield Difference(f"{path}.{after}", None, _short(second[after]))
        elif after is None:
            yield Difference(f"{path}.{before}", _short(first[before]), None)
        else:
            yield from _values(first[before], second[after], f"{path}.{before}")


def _matched(first: Sequence[Any], second: Sequence[Any]) -> Iterator[tuple[int | None, int | None]]:
    """Yield the places of entries that belong together, in order; None in place of an entry that is not there."""
    start = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second)))
    longest = min(len(first), len(second)) - start
    end = next((i for i in range(longest) if first[-1 - i] != second[-1 - i]), longest)
    for before, after in _aligned(first[start : len(first) - end], second[start : len(second) - end]):
        yield None if before is None else before + start, None if after is None else after + start


def _aligned(first: Sequence[Any], second: Sequence[Any]) -> list[tuple[int | None, int | None]]:
    """Return the cheapest alignment of two lists, by dynamic programming (Needleman and Wunsch 1970)."""
    mine, theirs = [_Entry(item) for item in first], [_Entry(item) for item in second]
    costs = [[_GAP_COST * column for column in range(len(theirs) + 1)]]
    for entry in mine:
        above, row = costs[-1], [costs[-1][0] + _GAP_COST]
        for column, other in enumerate(theirs):
            gap = min(above[column + 1], row[column]) + _GAP_COST
            row.append(min(gap, above[column] + entry.distance(other)))
        costs.append(row)
    pairs: list[tuple[int | None, int | None]] = []
    row_number, column = len(mine), len(theirs)
    while row_number or column:
        cost = costs[row_number][column]
        if row_number and column:
            distance = mine[row_number - 1].distance(theirs[column - 1])
            if cost == costs[row_number - 1][column - 1] + distance:
                row_number, column = row_number - 1, column - 1
                pairs.append((row_number, column))
                continue
        if row_number and cost == costs[row_number - 1][column] + _GAP_COST:
            row_number -= 1
            pairs.append((row_number, None))
        else:
            column -= 1
            pairs.append((None, column))
    return pairs[::-1]


class _Entry:
    """An entry of a list as far as it is compared with others."""

    def __init__(self, item: Any) -> None:
        self.item = item
        self.type = item.type if isinstance(item, Part) else type(item)
        self.name = getattr(item, "name", None)
        names = set(type(item).model_fields) - {"type"}
        self.fields = {(name, getattr(item, name)) for name in names}

    def distance(self, other: _Entry) -> float:
        """Return from 0 for equal entries to 1 for those of one type that have nothing in common; more for others."""
        if self.type != other.type:
            return 2.0
        if self.name is not None and self.name == other.name:
            return 0.0 if self.fields == other.fields else 0.01
        return len(self.fields - other.fields) / max(1, len(self.fields))


def _holds_sections(first: Any, second: Any) -> bool:
    """Return whether both are lists, and all that is in them are parts or tables."""
    both = isinstance(first, tuple) and isinstance(second, tuple)
    return both and all(isinstance(item, Section) for item in (*first, *second))


def _short(value: Any) -> Any:
    from specnet.parts.part import short

    return short(value)


def _text(value: Any) -> str:
    """Return a value as a line of text; a part as its name, with its fields in brackets."""
    if isinstance(value, Mapping) and "type" in value:
        fields = ", ".join(f"{name}={_text(inner)}" for name, inner in value.items() if name != "type")
        return value_text(f"{value['type']}({fields})")
    if isinstance(value, Mapping) and value:
        return value_text(", ".join(f"{name}={_text(inner)}" for name, inner in value.items()))
    return value_text(value)
