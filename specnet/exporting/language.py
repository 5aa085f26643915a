"""How languages that write loops as C does differ."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from specnet.compiler import Operation
from specnet.exporting.formula import Step
from specnet.exporting.text import Form, Forms, Text


@dataclass(frozen=True, slots=True)
class Place:
    """Where a result lies: in an array, from `low` on, or in a variable."""

    name: str
    features: int
    is_array: bool = True
    low: int = 0

    def at(self, count: int) -> Text:
        """Return the element that belongs to a round of a loop of so many."""
        if not self.is_array:
            return Text(self.name)
        if self.features == 1 or count == 1:
            return Text(f"{self.name}[{self.low}]")
        return Text(f"{self.name}[i + {self.low}]" if self.low else f"{self.name}[i]")


class Language(ABC):
    """How a language writes what loops need.

    Parameters
    ----------
    dtype : numpy.dtype
        Of numbers in the expressions.
    """

    name: str
    indent: str = "    "
    twice: Mapping[Operation, tuple[int, ...]] = MappingProxyType({})
    """For each operation whose form writes operands twice, their positions."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    @property
    @abstractmethod
    def forms(self) -> Forms:
        """How elementwise operations are written."""

    @abstractmethod
    def form(self, step: Step, forms: Forms) -> Form:
        """Return how one step is written, where that depends on its operands."""

    @abstractmethod
    def number(self, number: float) -> Text:
        """Return a number."""

    @abstractmethod
    def constant(self, name: str, code: str) -> str:
        """Return the declaration of a variable that is set once."""

    @abstractmethod
    def variable(self, name: str, code: str) -> str:
        """Return the declaration of a variable that changes."""

    @abstractmethod
    def loop(self, count: int) -> str:
        """Return the head of a loop of `i` up to a count."""

    @abstractmethod
    def function(self, name: str, parameters: Sequence[str], body: Sequence[str], summary: str) -> str:
        """Return the definition of a function from numbers to a number, whose body ends with its result."""

    @abstractmethod
    def part(self, place: Place) -> str:
        """Return a part of an array, as an array."""

    @abstractmethod
    def lookup(self, table: str, place: str, category: str, categories: int) -> str:
        """Return a table's number at a place, no number where there is no such category."""

    def whole(self, number: str) -> str:
        """Return a whole number, as an index."""
        return number

    def repeated(self, place: Place, count: int, each: bool) -> str:
        """Return element `i` of an array that is repeated, or whose elements each are."""
        index = self.quotient("i", count) if each else f"i % {place.features}"
        return f"{place.name}[{index} + {place.low}]" if place.low else f"{place.name}[{index}]"

    @abstractmethod
    def quotient(self, dividend: str, divisor: int) -> str:
        """Return the whole part of a quotient."""

    @property
    @abstractmethod
    def smallest(self) -> str:
        """Minus infinity."""
