"""Checks of losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from specnet.checking.point import made_target
from specnet.compiler import BATCH, input_value
from specnet.parts import Loss, Value
from specnet.parts.arrays import Array
from specnet.testing.numbers import (
    FLOAT64_TOLERANCE,
    Floats,
    Function,
    Reference,
    agree,
    check_at,
    check_line,
    fail,
    told,
)

TARGETS = 3
EDGES = (1.0, 20.0, 1000.0)


def check_loss(subject: str, loss: Loss, forward: Reference | None, settings: Mapping[str, Any]) -> None:
    """Check values, derivatives, kinks, edges and types of a loss."""
    generator = np.random.default_rng(0)
    classes = loss.target == "classes"
    outputs = TARGETS if classes else TARGETS * loss.outputs_per_target
    output = input_value("output", (outputs, BATCH))
    target = input_value("target", (1, BATCH), "index") if classes else input_value("target", (TARGETS, BATCH))
    value = loss.expression(output, target)
    if not isinstance(value, Value) or value.shape != (1, BATCH):
        fail(subject, f"expected a value of shape {(1, BATCH)}, one number per row, got {value!r}")

    def at(rows: Array, wanted: Array) -> Function:
        return Function(subject, value, {"output": rows.T, "target": wanted}, {"output": output})

    def expected(rows: Array, wanted: Array) -> Array | None:
        wanted = wanted[0] if classes else wanted.T
        return None if forward is None else told(forward, rows, wanted, parameters={}, **settings)[None, :]

    for rows in (1, 2, 7):
        drawn, wanted = generator.normal(0, 1.5, (rows, outputs)), _target(loss, rows, generator)
        check_at(at(drawn, wanted), expected(drawn, wanted), generator)
    for edge in EDGES:
        for sign in (0, 1, -1):
            rows_at_edge = np.concatenate([drawn * edge * sign, np.full((1, outputs), sign * edge)])
            wanted = _target(loss, len(rows_at_edge), generator)
            values, plain = at(rows_at_edge, wanted).values(), expected(rows_at_edge, wanted)
            slopes = at(rows_at_edge, wanted).gradients(np.ones_like(values))["output"]
            if plain is not None:
                agree(subject, f"its value at outputs around {sign * edge:g}", values, plain, FLOAT64_TOLERANCE)
                values = plain
            if np.isnan(slopes[:, np.isfinite(values[0])]).any():
                fail(subject, f"its slope at outputs around {sign * edge:g} is not a number")
    for number in range(outputs):
        along = partial(_along, at, drawn[0], _target(loss, 1, generator), number)
        check_line(f"output {number}", along, number, (0, float(drawn[0, number])))


def _target(loss: Loss, rows: int, generator: np.random.Generator) -> Array:
    """Return targets as the engine reads them: features first."""
    target = made_target(loss, rows, TARGETS, generator)
    return target[None, :] if target.ndim == 1 else target.T


def _along(at: Callable[[Array, Array], Function], row: Array, target: Array, number: int, numbers: Floats) -> Function:
    """Return a loss of rows that are all the same but for one output, which takes these numbers."""
    rows = np.repeat(row[None, :], len(numbers), axis=0)
    rows[:, number] = numbers
    return at(rows, np.repeat(target, len(numbers), axis=1))
