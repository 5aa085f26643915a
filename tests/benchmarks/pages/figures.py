"""Figures of pages, compared with the same figures computed again."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from tests.running.reports.page import N, number


class Figures:
    """Counts figures, and lists those that differ by more than half of their last digit."""

    def __init__(self) -> None:
        self.count = 0
        self.differing: list[str] = []

    def same(self, what: str, shown: str, value: float | None, *, also: float = 0.0) -> None:
        """Compare a number in a text, which may have a unit, with a value; `also` is a further difference allowed.

        A dash is a value that is not defined.
        """
        if value is None or not np.isfinite(value):
            self._note(shown == "–", f"{what}: {shown}, computed again not defined")
            return
        found = re.search(N, shown)
        if not found:
            self._note(False, f"{what}: {shown!r} has no number, computed again {value:.6g}")
            return
        near, unit = number(found[0])
        self._note(
            abs(near - value) <= 1.0001 * unit + also + 1e-9 * abs(value),
            f"{what}: {shown}, computed again {value:.6g}",
        )

    def each(self, what: str, text: str, pattern: str, *values: float, also: float = 0.0) -> None:
        """Compare the numbers that a pattern finds in a text, in which N is a number, with values."""
        found = re.search(pattern.replace("N", N), text)
        if not found:
            self._note(False, f"{what}: {pattern!r} is not in {text[:80]!r}")
            return
        for shown, value in zip(found.groups(), values, strict=True):
            self.same(f"{what}, {pattern}", shown, value, also=also)

    def text(self, what: str, shown: str, expected: str) -> None:
        """Compare texts, such as names of classes."""
        self._note(shown == expected, f"{what}: {shown!r}, computed again {expected!r}")

    def placed(self, what: str, off: Iterable[float]) -> None:
        """Compare positions in a chart with those of values, by distances in multiples of their rounding."""
        for each in off:
            self._note(bool(each <= 1.5), f"{what}: its position is off by {each:.1f} times the rounding")

    def _note(self, right: bool, text: str) -> None:
        self.count += 1
        if not right:
            self.differing.append(text)
