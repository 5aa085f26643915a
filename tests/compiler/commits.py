"""Random programs with commits: late readers, swaps, views and old states as outputs."""

from __future__ import annotations

import numpy as np

from specnet.compiler import (
    Value,
    affine,
    concatenate,
    greater,
    matmul,
    maximum,
    plan,
    rows,
    state_value,
    stop_gradient,
    sum_over,
    tanh,
    where,
)
from specnet.compiler.numpy import bind

SQUARES, FLAT_ONES = "abcd", "ef"
Program = tuple[list[Value], list[tuple[Value, Value]], dict[str, "np.ndarray[tuple[int, ...], np.dtype[np.float64]]"]]


def random_program(seed: int) -> Program:
    """Outputs, commits, and the states' numbers at the start."""
    rng = np.random.default_rng(seed)
    squares = [state_value(name, (3, 3)) for name in SQUARES]
    flats = [state_value(name, (2, 3)) for name in FLAT_ONES]
    values = list(squares)
    for _ in range(rng.integers(2, 12)):
        a, b = (values[k] for k in rng.integers(0, len(values), 2))
        choices = [
            lambda a, b: a - b,
            lambda a, b: tanh(a),
            lambda a, b: matmul(a, b),
            lambda a, b: maximum(a, b),
            lambda a, b: a * rows(b, 1, 2),
            lambda a, b: a + sum_over(b, "batch"),
            lambda a, b: affine(concatenate(a, rows(b, 0, 1)), tanh(b)),
            lambda a, b: where(greater(a, b), tanh(b), a),
            lambda a, b: concatenate(rows(tanh(a), 1, 3), tanh(rows(b, 0, 1))),
            lambda a, b: concatenate(tanh(rows(a, 0, 1)), rows(b, 1, 2) - rows(a, 2, 3), tanh(rows(b, 1, 2))),
        ]
        values.append(choices[rng.integers(len(choices))](a, b))
    pick = [values[k] for k in rng.integers(0, len(values), 9)]
    commits = [(s, value) for s, value in zip(squares, pick, strict=False) if rng.random() < 0.8]
    commits += [(s, rows(value, 1, 3)) for s, value in zip(flats, pick[4:], strict=False) if rng.random() < 0.5]
    outputs = [values[-1], stop_gradient(pick[6]), rows(pick[7], 0, 2)]
    start = {s.attributes: rng.standard_normal(s.shape) for s in (*squares, *flats)}
    return outputs, commits, start


def commits_are_right(seed: int) -> bool:
    """Do states and outputs get the same bits as by hand from values that were all computed first?"""
    outputs, commits, start = random_program(seed)
    arrays = {name: array.copy() for name, array in start.items()}
    bound = bind(plan(outputs, commits), np.float64, {}, arrays, check=True)
    quiet = {name: array.copy() for name, array in start.items()}
    without_outputs = bind(plan(outputs, commits), np.float64, {}, quiet, check=True)
    pure = plan([*outputs, *(value for _, value in commits)])
    reference = bind(pure, np.float64, {}, start, check=True, reuse=False)
    bound.run()
    reference.run()
    without_outputs.run_commits()
    expected = start | {
        state.attributes: array for (state, _), array in zip(commits, reference.outputs[len(outputs) :], strict=True)
    }
    return all(
        np.array_equal(ours, theirs)
        for ours, theirs in [
            *((arrays[name], expected[name]) for name in expected),
            *((quiet[name], expected[name]) for name in expected),
            *zip(bound.outputs, reference.outputs, strict=False),
        ]
    )
