"""Random programs with commits: late readers, swaps, views and old states as outputs."""

from __future__ import annotations

import numpy as np

from specnet import compiler as c
from specnet.compiler.numpy import bind

SQUARES, FLAT_ONES = "abcd", "ef"
Program = tuple[list[c.Value], list[tuple[c.Value, c.Value]], dict[str, "np.ndarray"]]


def random_program(seed: int) -> Program:
    """Outputs, commits, and the states' numbers at the start."""
    rng = np.random.default_rng(seed)
    squares = [c.state_value(name, (3, 3)) for name in SQUARES]
    flats = [c.state_value(name, (2, 3)) for name in FLAT_ONES]
    values = list(squares)
    for _ in range(rng.integers(2, 12)):
        a, b = (values[k] for k in rng.integers(0, len(values), 2))
        choices = [
            lambda a, b: a - b,
            lambda a, b: c.tanh(a),
            lambda a, b: c.matmul(a, b),
            lambda a, b: c.maximum(a, b),
            lambda a, b: a * c.rows(b, 1, 2),
            lambda a, b: a + c.sum_over(b, "batch"),
            lambda a, b: c.affine(c.concatenate(a, c.rows(b, 0, 1)), c.tanh(b)),
            lambda a, b: c.where(c.greater(a, b), c.tanh(b), a),
            lambda a, b: c.concatenate(c.rows(c.tanh(a), 1, 3), c.tanh(c.rows(b, 0, 1))),
            lambda a, b: c.concatenate(
                c.tanh(c.rows(a, 0, 1)), c.rows(b, 1, 2) - c.rows(a, 2, 3), c.tanh(c.rows(b, 1, 2))
            ),
        ]
        values.append(choices[rng.integers(len(choices))](a, b))
    pick = [values[k] for k in rng.integers(0, len(values), 9)]
    commits = [(s, value) for s, value in zip(squares, pick, strict=False) if rng.random() < 0.8]
    commits += [(s, c.rows(value, 1, 3)) for s, value in zip(flats, pick[4:], strict=False) if rng.random() < 0.5]
    outputs = [values[-1], c.stop_gradient(pick[6]), c.rows(pick[7], 0, 2)]
    start = {s.attributes: rng.standard_normal(s.shape) for s in (*squares, *flats)}
    return outputs, commits, start


def commits_are_right(seed: int) -> bool:
    """Do states and outputs get the same bits as by hand from values that were all computed first?"""
    outputs, commits, start = random_program(seed)
    arrays = {name: array.copy() for name, array in start.items()}
    bound = bind(c.plan(outputs, commits), np.float64, {}, arrays, check=True)
    quiet = {name: array.copy() for name, array in start.items()}
    without_outputs = bind(c.plan(outputs, commits), np.float64, {}, quiet, check=True)
    pure = c.plan([*outputs, *(value for _, value in commits)])
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
