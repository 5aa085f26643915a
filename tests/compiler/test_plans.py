"""One call for each distinct value, in order; where values lie, what only outputs need, and what is refused."""

from __future__ import annotations

import pytest

from specnet import compiler as c
from specnet.compiler.numpy.binding import allocate
from tests.texts.pinned import Refused

x = c.input_value("x", (3, "batch"))
state, other = c.state_value("state", (3, 1)), c.state_value("other", (3, 1))


def names(*values: c.Value) -> list[str]:
    return [call.operation.name for call in c.plan(values).calls if call.operation.role == "call"]


def test_equal_calls_are_one() -> None:
    assert names(c.exp(x) + 1, 2 * c.exp(x)) == ["exp", "add", "multiply"]
    assert names((x + state) * (state + x)) == ["add", "multiply"]
    assert names((x - state) * (state - x)) == ["subtract", "subtract", "multiply"]


def test_leaves_are_one_by_name() -> None:
    assert names(c.exp(c.input_value("x", (3, "batch"))) + c.exp(x)) == ["exp", "add"]


@pytest.mark.parametrize(
    "twin",
    [c.input_value("x", (2, "batch")), c.state_value("x", (3, "batch")), c.input_value("x", (3, "batch"), "mask")],
)
def test_two_leaves_of_one_name_are_an_error(twin: c.Value, refused: Refused) -> None:
    with refused(c.ShapeError):
        c.plan([c.sum_over(twin, "all"), c.sum_over(x, "all")])


def test_zeros_of_both_signs_are_two_constants() -> None:
    assert len(c.plan([c.maximum(x, 0.0), c.maximum(x, -0.0)]).calls) == 5


def test_names_and_expansions_leave_no_call() -> None:
    y = c.custom(c.stop_gradient(c.exp(x)), [x], lambda d: (d,))
    assert names(y) == ["exp"]
    program = c.plan([c.sigmoid(x)], expansions=c.NUMPY.expansions)
    calls = [call.operation.name for call in program.calls if call.operation.role == "call"]
    assert calls == ["negative", "exp", "add", "divide"]


def test_commits_that_do_not_fit_are_errors(refused: Refused) -> None:
    with refused(c.ShapeError):
        c.plan([], [(state, other), (state, state + 1)])
    for target, value in (
        (state, c.sum_over(x, "features")),
        (state + 1, other),
        (state, c.input_value("i", (), "index")),
        (c.constant(3), other),
        (x, x + 1),
    ):
        with pytest.raises(c.ShapeError):
            c.plan([], [(target, value)])


def test_a_narrower_value_is_repeated_for_its_state() -> None:
    program = c.plan([], [(state, c.constant(0))])
    ((_, value),) = program.commits
    assert program.calls[value].operation.name == "expand"
    assert program.calls[value].shape == state.shape


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
BUFFERS = [f"buffer {number}" for number in (6, 7, 8, 9, 9, 7, 7)]
PLANS = {
    "training": (training(), [*BUFFERS, "gradient"]),
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
    assert [len(allocate(plan, reuse=reuse)[1]) for reuse in (True, False)] == [2, 4]


def test_which_storage_has_a_row_of_ones() -> None:
    part = c.plan([c.affine(block, c.rows(c.concatenate(c.exp(x), c.sin(x)), 1, 4))])
    plans = (allocate(plan)[1] for plan in (training(), part))
    assert [[storage.shape for storage in plan if storage.ones_row] for plan in plans] == [[(3, "batch")], []]
