"""Checks of losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from specnet.compiler import BATCH, input_value
from specnet.parts import Loss, Value
from specnet.parts.arrays import Array
from specnet.testing.numbers import Floats, Function, Reference, agree, check_gradients, check_line, fail

TARGETS = 3
VALUE_TOLERANCE = {np.float64: 1e-9, np.float32: 1e-5}
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

    def expected(rows: Array, wanted: Array) -> Array:
        assert forward is not None, "called where there is one"
        with np.errstate(all="ignore"):
            losses = forward(rows, wanted[0] if classes else wanted.T, **settings)
        return np.asarray(losses, np.float64)[None, :]

    for rows in (1, 2, 7):
        drawn, wanted = generator.normal(0, 1.5, (rows, outputs)), _target(loss, rows, generator)
        check_gradients(at(drawn, wanted), generator)
        for dtype, tolerance in VALUE_TOLERANCE.items() if forward else ():
            agree(
                subject,
                f"its value in {dtype.__name__}",
                at(drawn, wanted).values(dtype),
                expected(drawn, wanted),
                tolerance,
            )
    at(drawn, wanted).check_types()
    for edge in EDGES:
        for sign in (0, 1, -1):
            rows_at_edge = np.concatenate([drawn * edge * sign, np.full((1, outputs), sign * edge)])
            wanted = _target(loss, len(rows_at_edge), generator)
            values = at(rows_at_edge, wanted).values()
            slopes = at(rows_at_edge, wanted).gradients(np.ones_like(values))["output"]
            if forward:
                plain = expected(rows_at_edge, wanted)
                agree(
                    subject, f"its value at outputs around {sign * edge:g}", values, plain, VALUE_TOLERANCE[np.float64]
                )
                values = plain
            if np.isnan(slopes[:, np.isfinite(values[0])]).any():
                fail(subject, f"its slope at outputs around {sign * edge:g} is not a number")
    for number in range(outputs):
        along = partial(_along, at, drawn[0], _target(loss, 1, generator), number)
        check_line(f"output {number}", along, number, (0, float(drawn[0, number])))


def _target(loss: Loss, rows: int, generator: np.random.Generator) -> Array:
    """Return targets as the engine reads them: features first."""
    if loss.target == "classes":
        return generator.integers(0, TARGETS, (1, rows))
    if loss.target == "binary":
        return generator.integers(0, 2, (TARGETS, rows)).astype(float)
    if loss.domain == "any":
        return generator.normal(size=(TARGETS, rows))
    positive = generator.uniform(0.1, 2, (TARGETS, rows))
    return positive / positive.sum(0) if loss.domain == "distribution" else positive


def _along(at: Callable[[Array, Array], Function], row: Array, target: Array, number: int, numbers: Floats) -> Function:
    """Return a loss of rows that are all the same but for one output, which takes these numbers."""
    rows = np.repeat(row[None, :], len(numbers), axis=0)
    rows[:, number] = numbers
    return at(rows, np.repeat(target, len(numbers), axis=1))
