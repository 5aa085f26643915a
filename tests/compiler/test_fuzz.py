"""Random networks and programs against the complex step and a storage for each value; and the checks checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from specnet import compiler as c
from specnet.compiler.numpy import binding
from tests.compiler import networks
from tests.compiler.networks import commits_are_right, gradient_error, random_network, storage_is_right
from tests.compiler.test_operations import planted

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # branches not taken are NaN on purpose


@pytest.mark.slow
@pytest.mark.parametrize("block", range(3))
def test_random_networks_and_programs(block: int) -> None:
    seeds = range(block * 30, block * 30 + 30)
    errors = {seed: gradient_error(random_network(seed)) for seed in seeds}
    assert all(error < 1e-12 for error in errors.values()), errors
    assert not [seed for seed in seeds if not storage_is_right(random_network(seed))]
    assert not [seed for seed in range(block * 150, block * 150 + 150) if not commits_are_right(seed)]


@pytest.mark.slow
def test_gradients_without_rows_of_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    with_ones = [networks.bind_training(random_network(seed)) for seed in range(20)]
    monkeypatch.setattr(binding, "can_have_ones_row", lambda lifetimes, n: False)
    without = [networks.bind_training(random_network(seed)) for seed in range(20)]
    assert sum(len(bound.calls) for bound in without) > sum(len(bound.calls) for bound in with_ones)
    for one, other in zip(with_ones, without, strict=True):
        assert not any(array.base is not None and len(array.base) > len(array) for array in other.inputs.values())
        for bound in (one, other):
            bound.run()
        for name, array in one.states.items():
            np.testing.assert_allclose(array, other.states[name], rtol=1e-9, atol=1e-11)
    assert all(gradient_error(random_network(seed)) < 1e-12 for seed in range(20))


# ---------------------------------------------------------------------------------------------------- planted faults


def storage_fails() -> bool:
    return any(
        fails(lambda seed=seed: storage_is_right(random_network(seed)) and commits_are_right(seed))
        for seed in range(300)
    )


def gradients_fail() -> bool:
    return any(fails(lambda seed=seed: gradient_error(random_network(seed)) < 1e-12) for seed in range(300))


def fails(check: Callable[[], Any]) -> bool:
    try:
        return not check()
    except AssertionError:  # an overlap
        return True


def take_when_elementwise(lifetimes: binding.Lifetimes, n: int, owner: int) -> bool:
    return lifetimes.calls[n].operation.elementwise


def commit_before_readers(lifetimes: binding.Lifetimes, state: int, value: int) -> bool:
    return lifetimes.last.get(state, -1) <= value


def forget_views(plan: c.Plan, groups: Any, root: Any) -> dict[int, int]:
    last = dict(enumerate(range(len(plan.calls))))
    last |= {a: n for n, call in enumerate(plan.calls) for a in call.arguments}
    return last | {root[n]: len(plan.calls) for n in plan.retained}


def free_at_first_read(lifetimes: binding.Lifetimes, n: int) -> list[int]:
    return list(
        dict.fromkeys(lifetimes.root[a] for a in lifetimes.calls[n].arguments if lifetimes.root[a] != lifetimes.root[n])
    )


def exchanged(branch: c.reverse.OpenWhere, factors: c.reverse.Factors) -> Any:
    return branch.factor * without_outer_factor(branch, factors, taken_if=False)


def without_outer_factor(branch: c.reverse.OpenWhere, factors: c.reverse.Factors, taken_if: bool = True) -> Any:
    sides = (taken_if, not taken_if)
    taken, other = (factors.pop(c.reverse.Seed(None, branch, side), c.reverse.constant(0)) for side in sides)
    return c.where(branch.mask, taken, other)


def wrong_rule(d: Any, normal: Any, one_over_n: Any) -> Any:
    return c.sum_over(d, "batch") * -one_over_n + d, c.sum_over(d * normal, "batch")


FAULTS: dict[str, tuple[Any, str, Any]] = {
    "storage always taken": (binding, "may_take", lambda *_: True),
    "taken by any elementwise call": (binding, "may_take", take_when_elementwise),
    "always committed in place": (binding, "may_commit_in_place", lambda *_: True),
    "committed before a reader of the same call": (binding, "may_commit_in_place", commit_before_readers),
    "committed values not retained": (c.Plan, "retained", property(lambda plan: set(plan.outputs))),
    "views do not extend a life": (c.Plan, "last_reads", forget_views),
    "freed too early": (binding, "dying_roots", free_at_first_read),
    "states swapped without a copy": (c.lowering, "needs_snapshot", lambda *_: False),
    "pieces at wrong rows": (binding, "row_bounds", lambda shapes: [(0, 0) for _ in shapes]),
    "branches exchanged": (c.reverse, "selected", exchanged),
    "branches without an outer factor": (c.reverse, "selected", without_outer_factor),
    "batch normalization": (networks, "batch_norm_rule", wrong_rule),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_storage_or_derivatives_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, attribute, fault = FAULTS[name]
    monkeypatch.setattr(module, attribute, fault)
    assert gradients_fail() if module in (c.reverse, networks) else storage_fails()


def test_a_fault_of_an_operation_is_caught() -> None:
    with planted(c.operations.WHERE, overwrites=(0, 1, 2)):
        assert storage_fails()
    with planted(c.operations.TANH, slopes=lambda y, a: (1 - y,)):
        assert gradients_fail()
