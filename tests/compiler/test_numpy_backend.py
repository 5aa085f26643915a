"""Bound plans: what they are given, what they share, and that they allocate nothing in any other dtype."""

from __future__ import annotations

import doctest
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import special

from specnet import compiler as c
from specnet.compiler.numpy import binding
from tests.compiler.networks import bind_training, random_network
from tests.compiler.test_operations import planted
from tests.texts.pinned import Refused

x = c.input_value("x", (3, "batch"))
block = c.state_value("block", (4, 2))
BLOCK = np.random.default_rng(0).standard_normal((4, 2))


def arrays_of(step: Any) -> Iterator[Any]:
    """What a bound call holds: arguments, and the array whose method it is."""
    assert isinstance(step, partial)
    yield from (*step.args, *step.keywords.values())
    owner = getattr(step.func, "__self__", None)
    if isinstance(owner, np.ndarray):
        yield owner


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_floats_of_a_bound_program_have_its_dtype(dtype: Any) -> None:
    for seed in range(30):
        bound = bind_training(random_network(seed), dtype=dtype)
        held = [held for call in bound.calls for held in arrays_of(call)]
        assert not [one for one in held if isinstance(one, float | np.floating)]
        floats = [one for one in held if isinstance(one, np.ndarray) and one.dtype.kind == "f"]
        assert floats
        assert {one.dtype for one in floats} == {np.dtype(dtype)}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_float32_results_are_float64s_rounded() -> None:
    compared = 0
    for seed in range(30):
        network = random_network(seed)
        single, double = (bind_training(network, dtype=dtype) for dtype in (np.float32, np.float64))
        single.run()
        double.run()
        for name, array in double.states.items():
            assert single.states[name].dtype == np.float32
            np.testing.assert_allclose(single.states[name], array, rtol=2e-3, atol=2e-3 * max(1, np.abs(array).max()))
            compared += array.size
    assert compared > 1000


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bound_calls_allocate_nothing(dtype: Any) -> None:
    for seed in range(20):
        bound = bind_training(random_network(seed, 4096), dtype=dtype)  # one array of a feature has 16 kB or more
        bound.run()
        tracemalloc.start()
        bound.run()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 16_000, seed


@pytest.mark.slow
def test_commit_calls_leave_out_what_only_outputs_need() -> None:
    for seed in range(30):
        network = random_network(seed)
        whole, quiet = (bind_training(network) for _ in range(2))
        with np.errstate(all="ignore"):
            whole.run()
            quiet.outputs[0].fill(np.nan)
            quiet.run_commits()
        assert not np.array_equal(quiet.outputs[0], whole.outputs[0])
        assert all(np.array_equal(array, quiet.states[name]) for name, array in whole.states.items())


def test_an_input_is_shared_with_its_row_of_ones() -> None:
    arrays = {"block": BLOCK, "x": np.zeros((4, 5))}
    first, second = (
        c.NUMPY.bind(c.plan([c.affine(block, x) * factor]), float, {"batch": 5}, arrays) for factor in (1, 2)
    )
    assert first.inputs["x"].shape == (3, 5)
    assert (arrays["x"][-1] == 1).all()
    assert np.shares_memory(second.inputs["x"], first.inputs["x"])
    assert len(second.calls) == 2
    first.inputs["x"][:] = np.arange(15).reshape(3, 5)
    for bound in (first, second):
        bound.run()
    np.testing.assert_allclose(second.outputs[0], 2 * first.outputs[0], rtol=1e-15)


@pytest.mark.parametrize("rows", [3, 4])
def test_an_input_is_taken_with_and_without_a_spare_row(rows: int) -> None:
    given = np.zeros((rows, 5))
    bound = c.NUMPY.bind(c.plan([c.affine(block, x)]), float, {"batch": 5}, {"block": BLOCK, "x": given})
    numbers = np.random.default_rng(1).standard_normal((3, 5))
    bound.inputs["x"][:] = numbers
    bound.run()
    assert np.shares_memory(bound.inputs["x"], given)
    assert len(bound.calls) == (1 if rows == 4 else 3)
    np.testing.assert_allclose(bound.outputs[0], BLOCK[:3].T @ numbers + BLOCK[3:].T, rtol=1e-13)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("x", np.zeros((2, 5))),
        ("x", np.zeros((5, 5))),
        ("x", np.zeros((3, 5), np.float32)),
        ("block", np.zeros((5, 2))),
        ("block", np.zeros((4, 2), int)),
    ],
)
def test_an_array_that_does_not_fit_is_an_error(name: str, array: Any, refused: Refused) -> None:
    with refused(ValueError):
        c.NUMPY.bind(c.plan([c.affine(block, x)]), float, {"batch": 5}, {name: array})


def test_an_axis_without_a_size_is_an_error(refused: Refused) -> None:
    with refused(c.ShapeError):
        c.NUMPY.bind(c.plan([c.exp(x)]), float, {})


def test_states_keep_their_numbers_between_runs_and_are_made_if_not_given() -> None:
    total = c.state_value("total", ())
    bound = c.NUMPY.bind(c.plan([], [(total, total + c.sum_over(x, "all"))]), float, {"batch": 2})
    bound.inputs["x"][:] = 1
    for _ in range(3):
        bound.run()
    assert bound.states["total"] == 18


def test_arrays_that_are_not_contiguous_are_read_right() -> None:
    wide = np.arange(48.0).reshape(6, 8)
    strided = wide[::2, ::2]
    y = c.state_value("y", (3, 4))
    outputs = [c.sum_over(y, "all"), c.sum_over(y, "batch"), c.sum_over(y, "features"), c.linear_map(y, x)]
    bound = c.NUMPY.bind(c.plan(outputs), float, {"batch": 2}, {"y": strided})
    bound.inputs["x"][:] = 1
    bound.run()
    sums = strided.sum(), strided.sum(1, keepdims=True), strided.sum(0, keepdims=True)
    for found, expected in zip(bound.outputs, [*sums, strided.T @ np.ones((3, 2))], strict=True):
        assert np.array_equal(found, expected)


def test_a_matrix_product_into_an_array_that_is_not_contiguous() -> None:
    wide = np.zeros((3, 8))
    a, target = c.state_value("a", (3, 3)), c.state_value("target", (3, 4))
    b = c.state_value("b", (3, 4))
    numbers = np.random.default_rng(0).standard_normal((3, 7))
    given = {"a": numbers[:, :3].copy(), "b": numbers[:, 3:].copy(), "target": wide[:, ::2]}
    c.NUMPY.bind(c.plan([], [(target, c.matmul(a, b))]), float, {}, given).run()
    np.testing.assert_allclose(wide[:, ::2], given["a"] @ given["b"], rtol=1e-14)
    assert not wide[:, 1::2].any()


def test_the_check_asserts_overlaps_and_shows_reads_before_writes(
    monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    y = c.linear_map(c.state_value("w", (3, 3)), c.exp(x))
    monkeypatch.setattr(binding, "may_take", lambda *_: True)
    plan = c.plan([y])
    with refused(AssertionError):
        c.NUMPY.bind(plan, float, {"batch": 2}, check=True)
    monkeypatch.undo()
    with planted(c.operations.EXP, overwrites=(0,)):
        bound = c.NUMPY.bind(c.plan([c.exp(c.sin(x))]), float, {"batch": 2}, check=True)
    assert np.isnan(bound.outputs[0]).all()


@pytest.mark.slow
def test_scipy_is_imported_only_for_erf_in_double_precision() -> None:
    code = (
        "import sys, specnet.compiler as c; x = c.input_value('x', (1, 1)); loaded = lambda: 'scipy' in sys.modules;"
        "c.NUMPY.bind(c.plan([c.softplus(x)], expansions=c.NUMPY.expansions), float, {});"
        "c.NUMPY.bind(c.plan([c.erf(x)]), 'float32', {}); before = loaded();"
        "c.NUMPY.bind(c.plan([c.erf(x)]), float, {}); sys.exit((before, loaded()) != (False, True))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_erf_in_single_precision() -> None:
    line = np.concatenate([np.linspace(-6, 6, 100_001), np.geomspace(1e-30, 1, 1000), [-np.inf, np.inf, 0, -1e30]])
    y = c.input_value("y", (1, "flat"))
    bound = c.NUMPY.bind(c.plan([c.erf(y), c.erf(y * 1.0)]), np.float32, {"flat": len(line)}, check=True)
    bound.inputs["y"][:] = line
    bound.run()
    numbers = bound.inputs["y"].astype(float)
    np.testing.assert_allclose(bound.outputs[0], special.erf(numbers), rtol=1e-6, atol=4e-7)
    assert np.abs(bound.outputs[0]).max() == 1
    assert (bound.outputs[0][:, -4:] == [-1, 1, 0, -1]).all()
    bound.inputs["y"][:] = np.nan
    bound.run()
    assert np.isnan(bound.outputs[0]).all()


def test_module_docstrings_example() -> None:
    assert doctest.testmod(c).failed == 0
    assert doctest.testmod(c).attempted > 10
