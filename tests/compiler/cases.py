"""For every operation: how it is said, what plain NumPy makes of it, and operands to try it on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from scipy import special

from specnet import compiler as c

B = 4  # the batch's length, as in running.SIZES
FULL, COLUMN, ROW, SCALAR = (3, "batch"), (3, 1), (1, "batch"), ()


def all_operations() -> list[c.Operation]:
    """Every record that the compiler's modules define: none can be forgotten."""
    found = [item for module in (c.value, c.operations) for item in vars(module).values()]
    return list(dict.fromkeys(record for record in found if isinstance(record, c.Operation)))


@dataclass(frozen=True)
class Operand:
    shape: tuple[int | str, ...]
    low: float = -2.0
    high: float = 2.0
    kind: str = "float"

    def draw(self, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        shape = tuple({"batch": B}.get(axis, axis) for axis in self.shape)
        if self.kind == "index":
            return rng.integers(0, int(self.high), shape)
        numbers = rng.uniform(self.low, self.high, shape)
        return numbers > 0 if self.kind == "mask" else numbers


@dataclass(frozen=True)
class Case:
    operation: c.Operation
    said: Callable[..., c.Value]
    numpy: Callable[..., Any]
    operands: tuple[Operand, ...]

    def __str__(self) -> str:
        return f"{self.operation.name}-{'-'.join('x'.join(map(str, o.shape)) or 'scalar' for o in self.operands)}"

    def make(self, seed: int = 0) -> tuple[c.Value, list[c.Value], dict[str, np.ndarray[Any, Any]]]:
        """The value, its float operands, and arrays for all of its operands."""
        rng = np.random.default_rng(seed)
        inputs = [c.input_value(f"x{k}", o.shape, o.kind) for k, o in enumerate(self.operands)]
        arrays = {f"x{k}": operand.draw(rng) for k, operand in enumerate(self.operands)}
        return self.said(*inputs), [x for x in inputs if x.kind == "float"], arrays


UNARY: list[tuple[c.Operation, Callable[..., c.Value], Callable[..., Any], float, float]] = [
    (c.value.NEGATIVE, lambda x: -x, np.negative, -2, 2),
    (c.operations.EXP, c.exp, np.exp, -2, 2),
    (c.operations.EXPM1, c.expm1, np.expm1, -2, 2),
    (c.operations.LOG, c.log, np.log, 0.1, 3),
    (c.operations.LOG1P, c.log1p, np.log1p, -0.9, 3),
    (c.operations.SQRT, c.sqrt, np.sqrt, 0.1, 3),
    (c.operations.SIN, c.sin, np.sin, -4, 4),
    (c.operations.COS, c.cos, np.cos, -4, 4),
    (c.operations.TANH, c.tanh, np.tanh, -3, 3),
    (c.operations.ERF, c.erf, special.erf, -3, 3),
    (c.operations.SIGMOID, c.sigmoid, special.expit, -9, 9),
    (c.operations.SOFTPLUS, c.softplus, lambda x: np.logaddexp(0, x), -9, 9),
    (c.operations.ABSOLUTE, c.absolute, np.abs, -2, 2),
    (c.operations.SIGN, c.sign, np.sign, -2, 2),
    (c.operations.FLOOR, c.floor, np.floor, -2, 2),
]
BINARY: list[tuple[c.Operation, Callable[..., c.Value], Callable[..., Any], float]] = [
    (c.value.ADD, lambda a, b: a + b, np.add, -2),
    (c.value.SUBTRACT, lambda a, b: a - b, np.subtract, -2),
    (c.value.MULTIPLY, lambda a, b: a * b, np.multiply, -2),
    (c.value.DIVIDE, lambda a, b: a / b, np.divide, 0.5),
    (c.operations.MAXIMUM, c.maximum, np.maximum, -2),
    (c.operations.MINIMUM, c.minimum, np.minimum, -2),
    (c.operations.GREATER, c.greater, np.greater, -2),
    (c.operations.EQUAL, c.equal, np.equal, -2),
]
SHAPES = [(FULL, FULL), (FULL, COLUMN), (ROW, FULL), (COLUMN, ROW), (SCALAR, FULL), (COLUMN, SCALAR), (SCALAR, SCALAR)]
MASK = Operand(FULL, kind="mask")
INDEX = Operand(ROW, 0, 3, "index")


def _unary() -> Iterator[Case]:
    for operation, said, numpy, low, high in UNARY:
        for shape in (FULL, ROW, SCALAR):
            yield Case(operation, said, numpy, (Operand(shape, low, high),))


def _binary() -> Iterator[Case]:
    for operation, said, numpy, low in BINARY:
        for shapes in SHAPES:
            yield Case(operation, said, numpy, tuple(Operand(shape, low) for shape in shapes))


def _axes() -> Iterator[Case]:
    for name, axis in {"features": 0, "batch": 1, "all": None}.items():
        for operation, form, numpy in ((c.value.SUM, c.sum_over, np.sum), (c.operations.MAX, c.max_over, np.max)):
            plain = partial(numpy, axis=axis, keepdims=axis is not None)
            yield Case(operation, partial(form, axis=name), plain, (Operand(FULL),))


def _product(flip_a: bool, flip_b: bool, a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return (a.T if flip_a else a) @ (b.T if flip_b else b)


def _products_of_groups(flip_a: bool, flip_b: bool, a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> Any:
    return np.stack([_product(flip_a, flip_b, a[k::2], b[k::2]) for k in range(2)], 1).reshape(4, 4)


def _products() -> Iterator[Case]:
    for flip_a, flip_b in product((False, True), repeat=2):
        flips = {"flip_a": flip_a, "flip_b": flip_b}
        operands = Operand(((2, 3), (3, 2))[flip_a]), Operand(((3, "batch"), ("batch", 3))[flip_b])
        yield Case(c.operations.MATMUL, partial(c.matmul, **flips), partial(_product, flip_a, flip_b), operands)
        operands = Operand(((4, 3), (6, 2))[flip_a]), Operand(((6, "batch"), (8, 3))[flip_b])
        grouped = partial(c.grouped_matmul, groups=2, **flips)
        yield Case(c.operations.GROUPED_MATMUL, grouped, partial(_products_of_groups, flip_a, flip_b), operands)
    yield Case(c.operations.MATMUL, c.matmul, np.matmul, (Operand((2, 1)), Operand((1, "batch"))))
    yield Case(c.operations.MATMUL, c.linear_map, lambda w, x: w.T @ x, (Operand((3, 2)), Operand(FULL)))


def _repeated() -> Iterator[Case]:
    for each, numpy in ((False, lambda x: np.tile(x, (2, 1))), (True, lambda x: np.repeat(x, 2, 0))):
        yield Case(c.operations.REPEAT, lambda x, each=each: c.repeat(x, 2, each), numpy, (Operand(FULL),))
        yield Case(
            c.operations.FOLD,
            lambda x, each=each: c.fold(x, 2, each),
            lambda x, each=each: x[0::2] + x[1::2] if each else x[:3] + x[3:],
            (Operand((6, "batch")),),
        )


def _augmented(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.vstack([x, np.ones((1, x.shape[1]))])


def _scattered(x: np.ndarray[Any, Any], index: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return x @ (index[0][:, None] == np.arange(3))


CASES = [
    *_unary(),
    *_binary(),
    *_axes(),
    *_products(),
    *_repeated(),
    Case(c.value.CAST, c.value.cast, lambda m: m.astype(float), (MASK,)),
    Case(c.value.MULTIPLY, lambda m, x: m * x, np.multiply, (MASK, Operand(FULL))),
    Case(c.value.SUBTRACT, lambda m: 1 - m, lambda m: 1.0 - m, (MASK,)),
    Case(c.value.ADD, lambda m, n: m + n, lambda m, n: m.astype(float) + n, (MASK, MASK)),
    Case(c.operations.EXP, c.exp, lambda m: np.exp(m.astype(float)), (MASK,)),
    *(
        Case(
            c.value.EXPAND,
            lambda x: c.rows(c.expand(x, FULL), 1, 3),  # an elementwise consumer would leave the repetition to NumPy
            lambda x: np.broadcast_to(x, (3, B))[1:],
            (Operand(shape),),
        )
        for shape in (COLUMN, ROW, SCALAR)
    ),
    Case(c.operations.WHERE, c.where, np.where, (MASK, Operand(FULL), Operand(FULL))),
    Case(c.operations.WHERE, c.where, np.where, (MASK, Operand(COLUMN), Operand(SCALAR))),
    Case(c.operations.EQUAL, c.equal, np.equal, (INDEX, INDEX)),
    Case(c.operations.AFFINE, c.affine, lambda block, x: block.T @ _augmented(x), (Operand((4, 2)), Operand(FULL))),
    Case(c.operations.AFFINE, c.affine, lambda block, x: block.T @ _augmented(x), (Operand((4, 19)), Operand(FULL))),
    Case(
        c.operations.AFFINE_GRADIENT,
        lambda x, d: c.value.apply(c.operations.AFFINE_GRADIENT, x, d),
        lambda x, d: _augmented(x) @ d.T,
        (Operand(FULL), Operand((2, "batch"))),
    ),
    Case(
        c.operations.TO_INDEX,
        lambda x: c.one_hot(c.to_index(x), 3),
        lambda x: np.arange(3)[:, None] == np.trunc(x),
        (Operand(ROW, 0, 3),),
    ),
    Case(c.operations.GATHER, c.gather, lambda t, i: t[:, i[0]], (Operand((2, 3)), INDEX)),
    Case(c.operations.SCATTER_ADD, lambda x, i: c.scatter_add(x, i, 3), _scattered, (Operand((2, "batch")), INDEX)),
    Case(c.operations.ONE_HOT, lambda i: c.one_hot(i, 3), lambda i: np.arange(3)[:, None] == i, (INDEX,)),
    Case(c.operations.ROWS, lambda x: c.rows(x, 1, 3) * 2, lambda x: x[1:3] * 2, (Operand(FULL),)),
    Case(
        c.operations.PAD,
        lambda x: c.value.apply(c.operations.PAD, x, attributes=(1, 4, 6)),
        lambda x: np.pad(x, [(1, 2), (0, 0)]),
        (Operand(FULL),),
    ),
    Case(
        c.operations.CONCATENATE,
        lambda a, b: c.concatenate(a * b, b, a * b, c.sin(a)),
        lambda a, b: np.concatenate([a * b, b, a * b, np.sin(a)]),
        (Operand(FULL), Operand(FULL)),
    ),
    Case(c.operations.STOP_GRADIENT, c.stop_gradient, np.positive, (Operand(FULL),)),
    Case(c.operations.CUSTOM, lambda x: c.custom(c.exp(x), [x], lambda d: (d * c.exp(x),)), np.exp, (Operand(FULL),)),
]
