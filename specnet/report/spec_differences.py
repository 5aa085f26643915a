"""Differences of two resolved specs: keys with different values, and layers and other parts that only one spec has."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import zip_longest
from typing import Any

from specnet.number_texts import ABSENT
from specnet.parts.part import Part, Section, short
from specnet.report.terminal.terminal_output import text_width
from specnet.spec import Spec
from specnet.spec.origins import value_text

GAP_COST = 0.45
"""Cost of an unmatched entry. Entries of one type are matched if less than twice this fraction of fields differs."""
OTHER_TYPE = 2.0
"""Cost of matching entries of different types: more than the cost of two unmatched entries."""


SettingDifference = tuple[str, Any, Any]
"""A difference of two specs: its dotted path in the first resolved spec, or in the second if only that one has the
value; and both values in their shortest form in a spec, None if a spec does not have the value."""


def spec_differences(first: Spec, second: Spec) -> list[SettingDifference]:
    """Return the differences of two resolved specs, in the order of the spec.

    Layers and other parts in lists are matched in order, each with the most similar entry of its type; an inserted
    layer is therefore one difference. Paths of data files are compared by the files to which they lead.
    """
    return list(_sections(*_with_comparable_paths(first, second), ""))


def network_differences(
    first: Sequence[tuple[Spec, int]], second: Sequence[tuple[Spec, int]]
) -> list[SettingDifference]:
    """Return the differences of two models; teams of networks are compared network by network in order.

    Parameters
    ----------
    first, second : sequence of (Spec, int)
        Resolved spec and share of each network.
    """
    if len(first) == len(second) == 1:
        return spec_differences(first[0][0], second[0][0])
    found: list[SettingDifference] = []
    totals = [sum(share for _, share in each) for each in (first, second)]
    for number, pair in enumerate(zip_longest(first, second)):
        key, shares = f"networks.{number}", [each and each[1] / of for each, of in zip(pair, totals, strict=True)]
        before, after = pair
        if before is None or after is None:
            found.append((key, _network(before, shares[0]), _network(after, shares[1])))
            continue
        if shares[0] != shares[1]:
            found.append((f"{key}.share", round(shares[0] or 0.0, 4), round(shares[1] or 0.0, 4)))
        found += [(f"{key}.{inner}", *values) for inner, *values in spec_differences(before[0], after[0])]
    return found


def _network(of_team: tuple[Spec, int] | None, share: float | None) -> dict[str, Any] | None:
    """Return the share and layers of a network that only one of two teams has; None for a missing network."""
    if of_team is None or share is None:
        return None
    return {"share": round(share, 4), "layers": [short(layer) for layer in of_team[0].network.layers or ()]}


def joined_rows(rows: Sequence[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """Return rows (key, before, after) as rows of a key and a text such as ``100 → 200``, with aligned arrows."""
    width = max((text_width(before) for _, before, _ in rows), default=0)
    return [(key, f"{' ' * (width - text_width(before))}{before} → {after}") for key, before, after in rows]


def difference_row(difference: SettingDifference) -> tuple[str, str, str]:
    """Return the key of a difference and both values as texts."""
    key, before, after = difference
    return key, setting_text(before), setting_text(after)


def setting_text(value: Any) -> str:
    """Return a value of a spec as one line; a part is its type with its fields in brackets."""
    return ABSENT if value is None else value_text(_words(value))


def _words(value: Any) -> str:
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        return f"[{', '.join(map(_words, value))}]"
    if not isinstance(value, Mapping):
        return value_text(value)
    fields = ", ".join(f"{name}={_words(inner)}" for name, inner in value.items() if name != "type")
    return f"{value['type']}({fields})" if "type" in value else f"{{{fields}}}"


def _sections(first: Section, second: Section, path: str) -> Iterator[SettingDifference]:
    for name in type(first).model_fields:
        yield from _values(getattr(first, name), getattr(second, name), f"{path}.{name}" if path else name)


def _values(first: Any, second: Any, path: str) -> Iterator[SettingDifference]:
    if first == second:
        return
    if type(first) is type(second) and isinstance(first, Section):
        yield from _sections(first, second, path)
    elif isinstance(first, Mapping) and isinstance(second, Mapping):
        for key in dict.fromkeys([*first, *second]):
            yield from _values(first.get(key), second.get(key), f"{path}.{key}")
    elif all(isinstance(each, tuple) and all(isinstance(item, Section) for item in each) for each in (first, second)):
        for before, after in _matched(first, second):
            if before is None:
                yield f"{path}.{after}", None, short(second[after])
            elif after is None:
                yield f"{path}.{before}", short(first[before]), None
            else:
                yield from _values(first[before], second[after], f"{path}.{before}")
    else:
        yield path, short(first), short(second)


Pair = tuple[int | None, int | None]


def _matched(first: Sequence[Section], second: Sequence[Section]) -> Iterator[Pair]:
    """Yield the index pairs of matched entries, in order; None for an entry that the other list does not have."""
    shorter = min(len(first), len(second))
    start = next((index for index in range(shorter) if first[index] != second[index]), shorter)
    left = shorter - start
    end = next((index for index in range(left) if first[-1 - index] != second[-1 - index]), left)
    for before, after in _aligned(first[start : len(first) - end], second[start : len(second) - end]):
        yield None if before is None else before + start, None if after is None else after + start


def _aligned(first: Sequence[Section], second: Sequence[Section]) -> list[Pair]:
    """Return the index pairs of the cheapest alignment of two lists (Needleman and Wunsch 1970)."""
    mine, theirs = [_signature(item) for item in first], [_signature(item) for item in second]
    distance = cache(_distance)
    costs = [[GAP_COST * column for column in range(len(theirs) + 1)]]
    for entry in mine:
        above, row = costs[-1], [costs[-1][0] + GAP_COST]
        for column, other in enumerate(theirs):
            row.append(min(above[column] + distance(entry, other), min(above[column + 1], row[column]) + GAP_COST))
        costs.append(row)
    pairs: list[Pair] = []
    line, column = len(mine), len(theirs)
    while line or column:
        cost = costs[line][column]
        if line and column and cost == costs[line - 1][column - 1] + distance(mine[line - 1], theirs[column - 1]):
            line, column = line - 1, column - 1
            pairs.append((line, column))
        elif line and cost == costs[line - 1][column] + GAP_COST:
            line -= 1
            pairs.append((line, None))
        else:
            column -= 1
            pairs.append((None, column))
    return pairs[::-1]


def _signature(item: Section) -> str:
    """Return the type and fields of an entry as text, so that the distance of equal entries is computed once."""
    kind = item.type if isinstance(item, Part) else type(item).__name__
    return json.dumps([kind, item.model_dump(mode="json")], sort_keys=True)


def _distance(first: str, second: str) -> float:
    """Return the distance of two entries: 0 if equal, up to 1 for entries of one type, more for different types."""
    (kind, fields), (other_kind, others) = json.loads(first), json.loads(second)
    if kind != other_kind:
        return OTHER_TYPE
    share: float = sum(fields[name] != others[name] for name in fields) / max(1, len(fields))
    is_same = fields.get("name") is not None and fields.get("name") == others.get("name")
    return min(share, GAP_COST) if is_same else share


def _with_comparable_paths(first: Spec, second: Spec) -> tuple[Spec, Spec]:
    """Return copies of the specs whose data paths are equal exactly if they lead to the same file."""
    field = first.data.source_field if first.data is not None else None
    if field is None or type(first.data) is not type(second.data):
        return first, second
    texts = [str(getattr(spec.data, field)) for spec in (first, second)]
    targets = [os.path.realpath(spec.folder / text) for spec, text in zip((first, second), texts, strict=True)]
    if targets[0] == targets[1]:
        return first, _with_data(second, {field: getattr(first.data, field)})
    if texts[0] == texts[1]:
        return _with_data(first, {field: targets[0]}), _with_data(second, {field: targets[1]})
    return first, second


def _with_data(spec: Spec, fields: Mapping[str, Any]) -> Spec:
    return spec.model_copy(update={"data": spec.data and spec.data.model_copy(update=fields)})
