"""What a trial of a sweep may draw, by the names of columns of its table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from specnet.files.plain_data import toml_value
from specnet.spec.sweep_section import Range, plain, ranges_inside


def dimensions(space: Mapping[str, tuple[Any, ...] | Range]) -> dict[str, tuple[str, ...] | Range]:
    """Return what a trial may draw, by the names of columns: the texts of a list's values, or a range."""
    found: dict[str, tuple[str, ...] | Range] = {}
    for key, entry in space.items():
        if isinstance(entry, Range):
            found[key] = entry
        else:
            found[key] = tuple(texts_of(entry))
            for index in range(len(entry)):
                found |= {name: bounds for name, (_, bounds) in names_inside(key, entry, index).items()}
    return found


def texts_of(choices: Sequence[Any]) -> list[str]:
    """Return a text for each value of a list: without the ranges in it, which are shown apart, where that is clear."""
    short = [_without_ranges(choice) for choice in choices]
    count = Counter(short)
    return [
        text if text is not None and count[text] == 1 else toml_value(plain(choice))
        for text, choice in zip(short, choices, strict=True)
    ]


def _without_ranges(choice: Any) -> str | None:
    ranges = ranges_inside(choice)
    if not ranges:
        return toml_value(plain(choice))
    rest = {key: plain(value) for key, value in choice.items() if key not in ranges}
    return None if not rest else toml_value(rest["type"] if set(rest) == {"type"} else rest)


def names_inside(key: str, choices: Sequence[Any], index: int) -> dict[str, tuple[str, Range]]:
    """Return the fields of a value that are ranges, by the names of their parameters."""
    ranges = ranges_inside(choices[index])
    if not ranges:
        return {}
    types = [choice.get("type") for choice in choices if ranges_inside(choice)]
    part = choices[index].get("type")
    owner = key if part is None else f"{key}.{part}"
    if part is None or types.count(part) > 1:
        owner += f"[{index}]"
    return {f"{owner}.{field}": (field, bounds) for field, bounds in ranges.items()}
