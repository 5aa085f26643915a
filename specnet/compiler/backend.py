"""What a backend is: something that runs plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy.typing as npt

from specnet.compiler.lowering import Expansions, Plan

__all__ = ["Backend", "BoundPlan", "UnavailableError"]

Array = npt.NDArray[Any]


class UnavailableError(Exception):
    """A backend cannot run a program on this machine."""


@dataclass(frozen=True, slots=True)
class BoundPlan:
    """A program bound to arrays, which can be run again and again. It belongs to one thread at a time.

    Attributes
    ----------
    run
        Computes outputs and commits from the inputs and states as they are.
    run_commits
        The same without what only the outputs need: the commits get the same bits, the outputs nothing new. The whole
        program, if there are no commits.
    inputs
        For each input's name its array, in the leaf's shape, to be filled before a run.
    states
        For each state's name its array.
    outputs
        The arrays in which the outputs are found after a run, and until the next one.
    """

    run: Callable[[], None]
    run_commits: Callable[[], None]
    inputs: dict[str, Array]
    states: dict[str, Array]
    outputs: list[Array]


class Bind(Protocol):
    """Makes a plan's arrays and binds the plan to them."""

    def __call__(
        self, plan: Plan, dtype: npt.DTypeLike, sizes: Mapping[str, int], arrays: Mapping[str, Array] | None = None
    ) -> BoundPlan:
        """Bind a plan.

        Parameters
        ----------
        plan
            Made with the backend's expansions.
        dtype
            float32 or float64.
        sizes
            The length of each named axis, such as ``{"batch": 32}``.
        arrays
            By leaf name the arrays of states, and of inputs that several programs share; others are made, with zeros.
            An input's may have one row more than the leaf, which is filled with ones and saves a dense layer's bias a
            call.

        Raises
        ------
        ValueError
            If an array does not fit its leaf, or an axis has no size.
        MissingRuleError
            If the backend has no form of an operation.
        UnavailableError
            If the backend cannot run on this machine, or has no form of a shape.
        """


class Backend(NamedTuple):
    """A way to run plans.

    Attributes
    ----------
    expansions
        What it lacks, in terms of what it has; for `plan`.
    bind
        From a plan to a program on real arrays.
    """

    expansions: Expansions
    bind: Bind
