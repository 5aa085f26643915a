"""Checks of activations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from specnet.compiler import BATCH, input_value, state_value
from specnet.parts import Activation, Value
from specnet.parts.arrays import Array
from specnet.testing.numbers import FLOAT64_TOLERANCE, Function, Reference, agree, check_at, check_line, fail, told

FEATURES = 6
EDGES = (0.0, 0.5, -0.5, 20.0, -20.0, 1000.0, -1000.0)


def check_activation(
    subject: str, activation: Activation, forward: Reference | None, settings: Mapping[str, Any]
) -> None:
    """Check values, derivatives, kinks, edges and types of an activation."""
    generator = np.random.default_rng(0)
    try:
        size = activation.output_size(FEATURES)
    except ValueError as error:
        raise AssertionError(f"{subject}: it takes no {FEATURES} features: {error}") from None
    x = input_value("x", (FEATURES, BATCH))
    parameters = {f"block {number}": block for number, block in enumerate(activation.parameters(FEATURES))}
    blocks = {name: state_value(name, block.shape) for name, block in parameters.items()}
    value = activation.apply(x, list(blocks.values()))
    if not isinstance(value, Value) or value.shape != (size, BATCH):
        fail(subject, f"expected a value of shape {(size, BATCH)}, got {value!r}")
    learned = {name: generator.uniform(0.1, 0.9, block.shape) for name, block in parameters.items()}
    named = {tensor.name: tensor.view(learned[name]) for name, block in parameters.items() for tensor in block.tensors}

    def at(rows: Array) -> Function:
        return Function(subject, value, {"x": rows.T, **learned}, {"x": x, **blocks})

    def expected(rows: Array) -> Array | None:
        return None if forward is None else told(forward, rows, parameters=named, **settings).T

    for rows in (1, 2, 7):
        drawn = generator.normal(0, 2, (rows, FEATURES))
        check_at(at(drawn), expected(drawn), generator)
    edges = np.array([np.full(FEATURES, edge) for edge in EDGES] + [np.resize(EDGES, FEATURES)])
    values, plain = at(edges).values(), expected(edges)
    slopes = at(edges).gradients(np.ones_like(values))["x"]
    if plain is not None:
        agree(subject, f"its value at the edges {EDGES}", values, plain, FLOAT64_TOLERANCE)
    finite = np.isfinite(values if plain is None else plain).all(0)
    if np.isnan(slopes[:, finite]).any():
        edge = edges[finite][np.isnan(slopes[:, finite]).any(0)][0]
        fail(subject, f"its slope at {edge.tolist()} is not a number")
    if activation.elementwise:
        check_line("x", lambda numbers: at(np.repeat(numbers[:, None], FEATURES, axis=1)), 0, (-1, 0, 1))
