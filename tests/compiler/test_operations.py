"""Each operation against plain NumPy, its derivative against the complex step and one-sided differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from scipy import special

from specnet import compiler as c
from specnet.compiler.numpy.calls import COMPLEX_RENDERINGS, EXPANSIONS, RENDERINGS
from tests.compiler.cases import CASES, FULL, Case, all_operations
from tests.compiler.running import complex_step, evaluate, gradient_error
from tests.texts.pinned import Refused

DIFFERENTIABLE = [
    case
    for case in CASES
    if not case.operation.constant_because and any(operand.kind == "float" for operand in case.operands)
]


@pytest.mark.parametrize("record", all_operations(), ids=lambda record: record.name)
def test_record_is_whole(record: c.Operation) -> None:
    derivatives = [record.slopes is not None, record.adjoint is not None, record.selects, bool(record.constant_because)]
    assert sum(derivatives) == 1
    assert (record.shape is None) == (record.role == "leaf")
    rendered = record in RENDERINGS and record in COMPLEX_RENDERINGS
    assert rendered + (record in EXPANSIONS) == (record.role == "call")
    assert record.role == "leaf" or any(case.operation is record for case in CASES)
    assert not record.overwrites or record.elementwise


@pytest.mark.parametrize("case", CASES, ids=str)
def test_result_is_numpys_and_the_complex_forms_on_the_real_line(case: Case) -> None:
    y, _, arrays = case.make()
    expected = np.asarray(case.numpy(*arrays.values()))
    (ours,), (on_the_line,) = evaluate([y], arrays), evaluate([y], arrays, complex)
    assert ours.shape == expected.shape
    assert ours.dtype == {"float": np.float64, "mask": bool}[y.kind]
    np.testing.assert_allclose(ours, expected, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(on_the_line, ours, rtol=1e-14, atol=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=str)
def test_derivative_is_the_complex_steps(case: Case) -> None:
    for seed in range(3):
        assert gradient_error(*case.make(seed)) < 1e-12


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.operation.constant_because and case.operands[0].kind == "float"], ids=str
)
def test_constant_operations_pass_nothing_back(case: Case) -> None:
    y, wanted, arrays = case.make()
    found = c.gradients(c.sum_over(y * 2.0, "all"), wanted)
    assert all(not array.any() for array in evaluate(list(found.values()), arrays))


# ---------------------------------------------------------------------------------------------- a planted error is seen


@contextmanager
def planted(record: c.Operation, **fields: Any) -> Iterator[None]:
    """A record with other fields, for a while."""
    before = {name: getattr(record, name) for name in fields}
    try:
        for name, content in fields.items():
            object.__setattr__(record, name, content)
        yield
    finally:
        for name, content in before.items():
            object.__setattr__(record, name, content)


def off_by_a_thousandth(rule: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments: [None if d is None else d * 1.001 for d in rule(*arguments)]


@pytest.mark.parametrize("case", {case.operation: case for case in DIFFERENTIABLE}.values(), ids=str)
def test_an_error_of_a_thousandth_in_its_rule_is_caught(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    record = case.operation
    if record.selects:
        right = c.reverse.selected
        monkeypatch.setattr(c.reverse, "selected", lambda *arguments: right(*arguments) * 1.001)
    rules = {name: getattr(record, name) for name in ("slopes", "adjoint")}
    with planted(record, **{name: off_by_a_thousandth(rule) for name, rule in rules.items() if rule is not None}):
        y, wanted, arrays = case.make()
        assert gradient_error(c.exp(y), wanted, arrays) > 1e-4


# ------------------------------------------------------------------------------------------------------------- kinks

KINKS: dict[str, tuple[Callable[[c.Value], c.Value], float]] = {
    "maximum(x, 0)": (lambda x: c.maximum(x, 0), 0.0),
    "maximum(0, x)": (lambda x: c.maximum(0, x), 1.0),
    "minimum(x, 0)": (lambda x: c.minimum(x, 0), 0.0),
    "minimum(0, x)": (lambda x: c.minimum(0, x), 1.0),
    "absolute": (c.absolute, 0.0),
    "elu": (lambda x: c.maximum(x, 0) + c.expm1(c.minimum(0, x)), 1.0),
    "where": (lambda x: c.where(c.greater(x, 0), x * 3.0, x * 0.5), 0.5),
    "softplus": (c.softplus, 0.5),
    "sigmoid": (c.sigmoid, 0.25),
}


@pytest.mark.parametrize("name", KINKS)
def test_derivative_at_a_kink(name: str) -> None:
    form, at_zero = KINKS[name]
    x = c.input_value("x", ())
    y = form(x)
    (ours,) = evaluate([c.gradients(y, [x])[x]], {"x": np.array(0.0)})
    left, middle, right = (evaluate([y], {"x": np.array(at)})[0] for at in (-1e-7, 0.0, 1e-7))
    low, high = sorted([(middle - left) / 1e-7, (right - middle) / 1e-7])
    assert low - 1e-6 <= ours <= high + 1e-6
    assert ours == at_zero
    if high - low < 1e-6 or name == "absolute":  # smooth, so that the complex step knows it too
        assert complex_step(y, [x], {"x": np.array(0.0)})[0] == at_zero


@pytest.mark.parametrize(("function", "compare"), [(c.maximum, np.greater), (c.minimum, np.less)])
def test_a_tie_of_two_arrays_is_the_second_ones(function: Callable[..., c.Value], compare: Callable[..., Any]) -> None:
    a, b = c.input_value("a", FULL), c.input_value("b", FULL)
    numbers = {"a": np.arange(12.0).reshape(3, 4) % 3, "b": np.arange(12.0).reshape(3, 4) % 2}
    loss = c.sum_over(function(a, b), "all")
    found = c.gradients(loss, [a, b])
    da, db = evaluate([found[a], found[b]], numbers)
    np.testing.assert_array_equal(da, compare(numbers["a"], numbers["b"]))
    np.testing.assert_array_equal(db, 1 - da)
    np.testing.assert_array_equal(complex_step(loss, [a, b], numbers), [da, db])


def test_equal_maxima_share_the_derivative() -> None:
    x = c.input_value("x", (3, "batch"))
    loss = c.sum_over(c.max_over(x, "features"), "all")
    array = np.array([[1.0, 5, 2, 0], [1, 0, 2, 0], [0, 0, 2, 1]])
    (ours,) = evaluate([c.gradients(loss, [x])[x]], {"x": array})
    np.testing.assert_array_equal(ours, [[0.5, 1, 1 / 3, 0], [0.5, 0, 1 / 3, 0], [0, 0, 1 / 3, 1]])


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_sigmoid_and_softplus_far_out_and_the_sign_of_zero() -> None:
    x = c.input_value("x", (1, "batch"))
    far = {"x": np.array([[-1000.0, -30, 30, 1000]])}
    sigmoid, softplus, sign = evaluate([c.sigmoid(x), c.softplus(x), c.sign(0 * x)], far)
    np.testing.assert_allclose(sigmoid, special.expit(far["x"]), rtol=1e-14)
    np.testing.assert_allclose(softplus, np.logaddexp(0, far["x"]), rtol=1e-14)
    assert not sign.any()  # of zeros


# ------------------------------------------------------------------------------------------------- what is not allowed


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x, i: x + c.input_value("b", (2, "batch")),
        lambda x, i: c.exp(i),
        lambda x, i: c.where(x, x, x),
        lambda x, i: c.sum_over(c.state_value("s", ("flat",)), "features"),
        lambda x, i: c.affine(c.state_value("s", (3, 2)), x),
        lambda x, i: c.matmul(x, x),
        lambda x, i: c.linear_map(c.state_value("s", (4, 2)), x),
        lambda x, i: c.gather(x, i),
        lambda x, i: c.gather(c.state_value("s", (2, 5)), x),
        lambda x, i: c.one_hot(c.input_value("j", (2, "batch"), "index"), 3),
        lambda x, i: c.rows(x, 2, 4),
        lambda x, i: c.rows(x, 1, 1),
        lambda x, i: c.concatenate(x, c.input_value("b", (2, 1))),
        lambda x, i: c.expand(x, (3, 1)),
        lambda x, i: c.scatter_add(c.input_value("b", (2, 1)), i, 3),
        lambda x, i: c.grouped_matmul(c.state_value("s", (4, 2)), x, 2),
        lambda x, i: c.grouped_matmul(c.state_value("s", (6, 2)), c.state_value("t", (6, 2)), 2),
        lambda x, i: c.grouped_matmul(x, c.state_value("t", (3, 3)), 3, flip_a=True),
        lambda x, i: c.fold(x, 2),
        lambda x, i: c.to_index(i),
    ],
)
def test_shapes_and_kinds_that_do_not_fit_are_errors(wrong: Callable[..., c.Value], refused: Refused) -> None:
    with refused(c.ShapeError):
        wrong(c.input_value("x", FULL), c.input_value("i", (1, "batch"), "index"))


def test_rows_of_rows_are_one_view() -> None:
    x = c.input_value("x", (9, "batch"))
    inner = c.rows(c.rows(x, 2, 8), 1, 3)
    assert inner.operation is c.operations.ROWS
    assert (inner.arguments, inner.attributes) == ((x,), (3, 5))
    assert c.rows(x, 0, 9) is x
    assert c.concatenate(x) is x
