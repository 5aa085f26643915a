"""What a plan says: where values lie, what only outputs need, and how it reads."""

from __future__ import annotations

import pytest

from specnet import compiler as c
from specnet.compiler.numpy.binding import allocate

x = c.input_value("x", (3, "batch"))
block, gradient = c.state_value("block", (4, 2)), c.state_value("gradient", (4, 2))
rate = c.input_value("rate", ())


def training() -> c.Plan:
    z = c.affine(block, c.maximum(x, 0.0))
    loss = c.sum_over(c.softplus(z), "all") / 3
    return c.plan([loss], [(gradient, c.gradients(loss, [block])[block])])


def test_listing() -> None:
    assert training().listing() == [
        "v3 = maximum(x, 0.0)   (3, batch)",
        "v4 = affine(block, v3)   (2, batch)",
        "v5 = softplus(v4)   (2, batch)  (outputs only)",
        "v6 = sum(v5, all)   ()  (outputs only)",
        "v8 = divide(v6, 3.0)   ()  (outputs only)",
        "v10 = sigmoid(v4)   (2, batch)",
        "v12 = multiply(v10, 0.3333333333333333)   (2, batch)",
        "v13 = affine_gradient(v3, v12)   (4, 2)",
        "gradient <- v13",
    ]


def lies(plan: c.Plan) -> list[str]:
    """Where each result lies: in a state, or in a buffer, and from which row on."""
    slots, storages = allocate(plan)
    leaves = [None if storage.leaf is None else plan.name(storage.leaf) for storage in storages]
    names = [(leaves[storage] or f"buffer {storage}") + f" from {row}" * (row > 0) for storage, row in slots]
    return [name for name, call in zip(names, plan.calls, strict=True) if call.operation.role != "leaf"]


a, b = c.state_value("a", (2, 2)), c.state_value("b", (2, 2))
theta, m, g = (c.state_value(name, ("flat",)) for name in ("theta", "m", "g"))
momentum = m * 0.9 + g
joined = c.concatenate(c.exp(a), c.sin(b))
PLANS = {
    "training": (
        training(),
        [*("buffer 6", "buffer 7", "buffer 8", "buffer 9", "buffer 9", "buffer 7", "buffer 7", "gradient")],
    ),
    "views, pieces and copies": (
        c.plan([c.rows(joined, 1, 3)], [(a, b), (b, a)]),
        ["buffer 2", "buffer 2 from 2", "buffer 2", "buffer 2 from 1", "buffer 3", "b"],
    ),
    "an optimizer's step lies in its states": (
        c.plan([], [(m, momentum), (theta, theta - momentum * rate)]),
        ["buffer 5", "m", "buffer 5", "theta"],
    ),
    "a state whose old value is still read": (c.plan([], [(theta, theta - g), (g, theta * g)]), ["buffer 2", "g"]),
}


@pytest.mark.parametrize(("plan", "expected"), PLANS.values(), ids=PLANS)
def test_where_results_lie(plan: c.Plan, expected: list[str]) -> None:
    assert lies(plan) == expected


def test_reuse_false_gives_every_value_a_storage_of_its_own() -> None:
    plan = c.plan([c.sin(c.exp(c.tanh(x)))])
    assert [len(allocate(plan, reuse=reuse).storages) for reuse in (True, False)] == [2, 4]


def test_which_storage_wants_a_row_of_ones() -> None:
    part = c.plan([c.affine(block, c.rows(c.concatenate(c.exp(x), c.sin(x)), 1, 4))])
    wanting = [
        [storage.shape for storage in allocate(plan).storages if storage.ones_row] for plan in (training(), part)
    ]
    assert wanting == [[(3, "batch")], []]
