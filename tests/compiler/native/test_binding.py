"""Compiled programs give what NumPy gives: each operation, random programs and networks, odd sizes and odd numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from specnet import compiler as c
from specnet.compiler.native import row_calls
from specnet.compiler.native.c_text import c_forms, emit_function, emit_loop, matrix_products
from tests.compiler.cases import CASES, Case, all_operations
from tests.compiler.native.together import NATIVE, Program, Programs, compile_together, forks, in_a_new_process
from tests.compiler.networks import RandomNetwork, random_network, random_program
from tests.compiling import AVX2, PROCESSORS, Processor, compiles, wrong_form
from tests.training.steps.engines import relative

pytestmark = [
    compiles,
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),  # branches not taken are NaN on purpose
    pytest.mark.slow,
]
CLOSE = {np.dtype(np.float64): 1e-13, np.dtype(np.float32): 3e-6}
SIZES = (1, 7, 15, 16, 17, 40)
Arrays = Mapping[str, np.ndarray]


def on_both(
    program: Program,
    states: Arrays,
    inputs: Callable[[str, np.ndarray], Any],
    sizes: Mapping[str, int],
    dtype: Any = np.float64,
    *,
    commits_alone: bool = False,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The outputs and states, by name, of a program after one run: each compiled, and by NumPy."""
    found = []
    for bind, plan in program.plans.items():
        given = {name: np.array(array, dtype) for name, array in states.items()}
        bound = bind(plan, dtype, sizes, given)
        for name, array in bound.inputs.items():
            array[...] = inputs(name, array)
        (bound.run_commits if commits_alone else bound.run)()
        outputs = [] if commits_alone else bound.outputs
        found.append([*map(np.array, outputs), *(array.copy() for _, array in sorted((given | bound.states).items()))])
    return list(zip(*found, strict=True))


def resized(case: Case, batch: int) -> Arrays:
    """Operands of a case for another length of the batch: its own, again and again."""
    arrays = case.make()[2]
    for (name, array), operand in zip(arrays.items(), case.operands, strict=True):
        for axis, length in enumerate(operand.shape):
            if length == "batch":
                arrays[name] = np.take(array, np.arange(batch) % array.shape[axis], axis)
    return arrays


def errors(case: Case, program: Program, dtype: type, batch: int) -> float:
    arrays = resized(case, batch)
    ((ours, theirs),) = on_both(program, {}, lambda name, _: arrays[name], {"batch": batch}, dtype)
    assert ours.shape == theirs.shape
    return float(np.abs(ours * 1.0 - theirs).max(initial=0) / max(1.0, np.abs(theirs).max(initial=0)))


@cache
def programs(processor: Processor) -> dict[Case, Program]:
    made = {case: Program([case.make()[0]]) for case in CASES}
    for dtype in dtypes(processor):
        compile_together([*made.values()], dtype)
    return made


def dtypes(processor: Processor) -> list[np.dtype]:
    """Both for this CPU; float32 for one with fewer instructions, for which networks are compiled in float64."""
    return [*CLOSE] if processor == PROCESSORS[0] else [np.dtype(np.float32)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_operation_gives_what_numpy_gives(case: Case, processor: Processor):
    for dtype in dtypes(processor):
        for batch in SIZES:
            assert errors(case, programs(processor)[case], dtype.type, batch) < CLOSE[dtype], batch


def test_no_operation_lacks_a_form():
    computed = {operation for operation in all_operations() if operation.role == "call"}
    reductions = {case.operation for case in CASES if case.operation.name in ("sum", "max")}
    assert computed == {*c_forms.FORMS, *emit_function.WRITERS, *reductions}


@contextmanager
def wrong_call(operation: c.Operation) -> Iterator[None]:
    """Let what is written for a call of an operation give a thousandth too much."""
    writer = emit_function.WRITERS[operation]

    def wrong(emitter: Any, call: Any, made: Any, *operands: Any) -> list[str]:
        scaled = f"{made.base}[i * {made.row} + j] *= 1.001;"
        loops = f"for (long i = 0; i < {made.rows}; i++) for (long j = 0; j < {made.columns}; j++) {scaled}"
        return [*writer(emitter, call, made, *operands), loops]

    with patch.dict(emit_function.WRITERS, {operation: wrong}):
        yield


@pytest.mark.usefixtures("compiled_quickly")
def test_wrong_forms_and_calls_are_caught():
    # Those whose results are numbers, and are not copied or converted alone.
    numbers = [operation for operation in c_forms.FORMS if operation.kind == "float" and operation.name != "sign"]
    faults = [(wrong_form, operation) for operation in numbers]
    faults += [(wrong_call, operation) for operation in emit_function.WRITERS]
    written, faulty = Programs(np.float64), []
    for fault, operation in faults:
        own = {case: Program([case.make()[0]]) for case in CASES if case.operation is operation}
        with fault(operation):
            for program in own.values():
                written.add(program.plans[NATIVE.bind])
        faulty.append(own)
    written.compile()
    for (fault, operation), own in zip(faults, faulty, strict=True):
        assert any(errors(*pair, np.float64, 16) > 1e-4 for pair in own.items()), (fault, operation)


@pytest.mark.usefixtures("compiled_quickly")
def test_a_wrong_dense_layer_of_few_weights_and_a_wrong_tile_are_caught():
    rows, tile = emit_loop.LoopEmitter._weighed_rows, matrix_products._tile_text
    layers = [case for case in CASES if case.operation.name == "affine"]
    with patch.object(emit_loop.LoopEmitter, "_weighed_rows", lambda *made: f"(real)1.001 * ({rows(*made)})"):
        few, many = [errors(case, Program([case.make()[0]]), np.float64, 16) for case in layers]
    assert few > 1e-4
    assert many < CLOSE[np.dtype(np.float64)]
    programs = products()
    with patch.object(matrix_products, "_tile_text", lambda *size: tile(*size).replace("+= a0", "+= (real)1.001 * a0")):
        compile_together(programs, np.float64)
    assert error_of_products(programs) > 1e-4


PRODUCTS = ((3, 5, 9), (20, 70, 33), (64, 1000, 40), (13, 2, 300), (128, 20, 700))
"""Rows, depth and batch: tiles of every kind, panels, and rows turned into columns."""


def products() -> list[Program]:
    made = []
    for rows, depth, _ in PRODUCTS:
        x, block = c.input_value("x", (depth, "batch")), c.state_value("block", (depth + 1, rows))
        loss = c.sum_over(c.tanh(c.affine(block, x)), "all")
        made.append(Program([loss], [(c.state_value("d", block.shape), c.gradients(loss, [block])[block])]))
    return made


def error_of_products(programs: list[Program]) -> float:
    """The largest error of products."""
    worst, rng = 0.0, np.random.default_rng(0)
    for program, (rows, depth, batch) in zip(programs, PRODUCTS, strict=True):
        shape = depth + 1, rows
        given = {"block": rng.normal(size=shape) / depth, "d": np.zeros(shape)}
        numbers = rng.normal(size=(depth, batch))
        for ours, theirs in on_both(program, given, lambda *_, x=numbers: x, {"batch": batch}):
            worst = max(worst, float(np.abs(ours - theirs).max() / max(1.0, np.abs(theirs).max())))
    return worst


@pytest.mark.usefixtures("processor")
def test_sums_over_many_rows_keep_their_digits():
    """Tiles, dot products and plain sums of float32: added one by one they would lose two digits."""
    rows, x = 2**18, c.input_value("x", (8, "batch"))
    wide, narrow = c.state_value("wide", (9, 20)), c.state_value("narrow", (9, 1))
    loss = c.sum_over(c.affine(wide, x), "all") + c.sum_over(c.affine(narrow, x), "all")
    found = c.gradients(loss, [wide, narrow])
    commits = [(c.state_value(f"d {value.attributes}", value.shape), found[value]) for value in (wide, narrow)]
    program = c.plan([c.sum_over(x * x, "batch")], commits, expansions=NATIVE.expansions)
    bound = NATIVE.bind(program, np.float32, {"batch": rows})
    numbers = bound.inputs["x"][...] = np.random.default_rng(0).uniform(1, 2, (8, rows)).astype(np.float32)
    bound.run()
    sums = numbers.sum(axis=1, dtype=np.float64, keepdims=True)
    np.testing.assert_allclose(bound.states["d wide"][:-1], np.repeat(sums, 20, axis=1), rtol=1e-6)
    np.testing.assert_allclose(bound.states["d narrow"][:-1], sums, rtol=1e-6)
    squares = np.square(numbers, dtype=np.float64).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(bound.outputs[0], squares, rtol=1e-6)


def test_products_and_networks_give_what_numpy_gives(processor: Processor):
    first = 2 * PROCESSORS.index(processor)  # others for each CPU
    multiplied, networks = products(), [random_network(seed) for seed in range(first, first + 2)]
    trained = [Program([network.loss], network.commits()) for network in networks]
    compile_together([*multiplied, *trained], np.float64)
    assert error_of_products(multiplied) < 1e-12
    assert all(difference(*pair, 17) < 1e-11 for pair in zip(networks, trained, strict=True))


@pytest.mark.usefixtures("compiled_quickly")
def test_commits_of_random_programs():
    made = [random_program(seed) for seed in range(40)]
    programs = [Program(outputs, commits) for outputs, commits, _ in made]
    compile_together(programs, np.float64)
    for seed, (program, (_, _, start)) in enumerate(zip(programs, made, strict=True)):
        for alone in (False, True):
            for ours, theirs in on_both(program, start, lambda name, _: name, {"batch": 1}, commits_alone=alone):
                np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13, err_msg=str(seed))


def difference(network: RandomNetwork, program: Program, batch: int) -> float:
    """The largest difference of a network's commits and loss; infinite if not the same ones are finite."""
    rng = np.random.default_rng(batch)
    names = {state.attributes for state, _ in network.commits()}
    names |= {parameter.attributes for parameter in network.parameters}
    states = {name: network.arrays[name] for name in names if name in network.arrays}

    @cache
    def drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
        known = network.arrays[name]
        if shape == known.shape:
            return known
        return rng.integers(0, known.max() + 1, shape) if known.dtype.kind == "i" else rng.standard_normal(shape)

    pairs = on_both(program, states, lambda name, array: drawn(name, array.shape), {"batch": batch})
    return max(relative(*pair) for pair in pairs)


@pytest.mark.usefixtures("compiled_quickly")
def test_random_networks():
    made = [random_network(seed) for seed in range(3 * len(SIZES))]
    programs = [Program([network.loss], network.commits()) for network in made]
    compile_together(programs, np.float64)
    found = [
        difference(network, program, SIZES[seed % len(SIZES)])
        for seed, (network, program) in enumerate(zip(made, programs, strict=True))
    ]
    assert all(error < 1e-12 for error in found), found


@pytest.mark.usefixtures("processor")
def test_odd_numbers_go_where_numpy_has_them_go():
    x, block = c.input_value("x", (3, "batch")), c.state_value("block", (4, 2))
    states = {"block": np.random.default_rng(0).normal(size=(4, 2))}
    forms = (c.tanh, c.softplus, lambda value: c.maximum(value, 0.0), lambda value: value)
    programs = [Program([form(c.affine(block, x))]) for form in forms]
    compile_together(programs, np.float64)
    for odd in (np.nan, np.inf, -np.inf, 5e-324, 1e-310, 1e4, -1e4):
        numbers = np.random.default_rng(1).normal(size=(3, 19))
        numbers[1, 5] = odd
        for program in programs:
            for ours, theirs in on_both(program, states, lambda *_, x=numbers: x, {"batch": 19}):
                np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-300, err_msg=str(odd))


@forks
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_number_is_converted_to_an_index_that_it_has_none_of(dtype: type, compiler_flags: Callable[..., None]):
    """Undefined in C: the process ends there. Padding holds anything, and what `to_index` gets is not checked."""
    compiler_flags(further=("-fsanitize=float-cast-overflow", "-fsanitize-undefined-trap-on-error"))
    x, table = c.input_value("x", (1, "batch")), c.state_value("table", (2, 3))
    index = c.to_index(x)
    program = c.plan([c.gather(table, index), c.one_hot(index, 3) * 1.0], expansions=NATIVE.expansions)
    numbers = np.array([[0, 1, 2, 7, -1, np.nan, np.inf, -np.inf, 3e38, -3e38, 2**31, -(2.0**63), 2**63]], dtype)
    bound = NATIVE.bind(program, dtype, {"batch": numbers.size}, {"table": np.arange(6, dtype=dtype).reshape(2, 3)})
    bound.inputs["x"][...] = numbers

    def check() -> None:
        bound.run()
        (first, *_), hot = map(np.array, bound.outputs)
        assert np.isin(first, (0, 1, 2)).all()
        assert first[:5].tolist() == [0, 1, 2, 2, 0]
        assert hot[:, :3].tolist() == np.eye(3).tolist()
        assert not hot[:, 3:].any()

    in_a_new_process(check)


def test_a_single_number_that_a_call_reads_or_that_two_states_get():
    number, column = c.input_value("number", (1, 1)), c.input_value("column", (5, 1))
    for value in (c.matmul(column, number * number, flip_b=True), c.concatenate(number * 2.0, column)):
        found = on_both(Program([value]), {}, lambda _, array: np.arange(2, array.size + 2).reshape(array.shape), {})
        assert all(np.array_equal(*pair) for pair in found)
    total = c.sum_over(c.input_value("x", (3, "batch")), "all")
    program = Program([], [(c.state_value(name, ()), total) for name in "ab"])
    found = on_both(program, {}, lambda _, array: np.arange(array.size).reshape(array.shape), {"batch": 4})
    assert found == [(66, 66), (66, 66)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_few_rows_are_answered_by_one_call(dtype: type):
    x, block = c.input_value("x", (3, c.BATCH)), c.state_value("block", (4, 2))
    program = c.plan([c.affine(block, x)], expansions=NATIVE.expansions)
    rng = np.random.default_rng(0)
    theta, X = rng.normal(size=9).astype(dtype), rng.normal(size=(row_calls.MAX_ROWS, 3)).astype(dtype)
    answered = row_calls.few_rows(program, np.dtype(dtype), {"block": 1}, 9)
    weights = theta[1:].reshape(4, 2)
    for rows in (X, X[:1], X[::-3]):
        np.testing.assert_allclose(answered(theta, rows), rows @ weights[:3] + weights[3], rtol=1e-5, atol=1e-6)
    for rows in (X[0], X[:, :2], X[:0], np.vstack([X, X]), X.astype(int)):
        assert answered(theta, rows) is None
    assert row_calls.few_rows(program, np.dtype(dtype), {}, 9) is None
    several = c.plan([c.affine(block, x) + c.input_value("more", (2, c.BATCH))], expansions=NATIVE.expansions)
    assert row_calls.few_rows(several, np.dtype(dtype), {"block": 1}, 9) is None


def test_what_does_not_fit_is_refused():
    state, x = c.state_value("a", (2, 2)), c.input_value("x", (2, "batch"))
    program = c.plan([c.tanh(state) + c.tanh(state)], [(state, c.tanh(state))])
    with pytest.raises(ValueError, match="a is float64 of shape"):
        NATIVE.bind(program, np.float64, {}, {"a": np.zeros((2, 2), np.float32)})
    with pytest.raises(c.ShapeError, match="axis 'batch'"):
        NATIVE.bind(c.plan([c.tanh(x)]), np.float64, {})
    with pytest.raises(ValueError, match="an array of its own"):
        NATIVE.bind(c.plan([c.tanh(x)]), np.float64, {"batch": 2}, {"x": np.zeros((2, 2))})
    with pytest.raises(c.MissingRuleError):
        NATIVE.bind(c.plan([c.Value(c.Operation("unknown"), (x,), (), x.shape, "float")]), np.float64, {"batch": 2})


def test_products_of_the_same_sizes_share_a_function():
    x, texts = c.input_value("x", (8, "batch")), []
    for layers in (3, 30):
        blocks = [c.state_value(f"block {k}", (9, 8)) for k in range(layers)]
        value = x
        for block in blocks:
            value = c.tanh(c.affine(block, value))
        found = c.gradients(c.sum_over(value, "all"), blocks)
        commits = [(c.state_value(f"d {k}", (9, 8)), found[block]) for k, block in enumerate(blocks)]
        program = c.plan([], commits, expansions=NATIVE.expansions)
        source = emit_function.CText(np.dtype(np.float64), AVX2, {"batch": 64})
        source.add(program, "program")
        texts.append(source.text())
    few, many = (len(re.findall("OUTLINE void (?:product|dots|tile)_", text)) for text in texts)
    assert few == many
