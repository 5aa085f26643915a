"""One call for each distinct value, in order; and what a program may not say."""

from __future__ import annotations

import pytest

from specnet import compiler as c
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
