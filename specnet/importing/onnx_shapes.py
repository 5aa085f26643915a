"""ONNX's operators that give a tensor another shape, as far as each row keeps its features in their order."""

from __future__ import annotations

import math

from specnet.importing.onnx_call import Call, Result, described
from specnet.importing.onnx_terms import Dimensions, Flags, Label, Shape, Term, TwoClasses, Value, Winner


def reshaped(call: Call) -> Result:
    """Return what a node makes of its first input: the same features in another shape."""
    value, operator = call.value(), call.node.op_type
    if isinstance(value, Dimensions) and operator in ("Squeeze", "Unsqueeze"):
        return value
    if isinstance(value, Winner | Label | Flags | TwoClasses):
        return _answer(call, value)
    term = call.term()
    shape = _SHAPES[operator](call, term)
    if math.prod(size for size in shape if size is not None) != term.size or shape.count(None) != term.shape.count(
        None
    ):
        single = call.graph.inputs.rows == 1 or None not in term.shape
        if not single or math.prod(size for size in shape if size is not None) != term.size:
            call.refuse(f"it gives {described(term)} the shape {list(shape)}")
    return term.renamed(call.graph.number(), shape)


def _answer(call: Call, value: Value) -> Result:
    """Return a label or a winner, of which each row has one, in another shape."""
    operator = call.node.op_type
    sizes = _wanted(call) if operator == "Reshape" else None
    axes = call.integers(1, "axes") if operator in ("Squeeze", "Unsqueeze") else None
    fine = sizes in ([-1], [-1, 1], [0, 1], [0]) if operator == "Reshape" else axes in ([1], [-1], None)
    if not fine or isinstance(value, TwoClasses) or operator in ("Flatten", "Transpose"):
        call.refuse(f"it gives {described(value)} another shape")
    return value


def _wanted(call: Call) -> list[int | None]:
    """Return the shape that a Reshape asks for, None for the number of rows."""
    value = call.given(1)
    if isinstance(value, Dimensions):
        return list(value.shape)
    return list(call.integers(1, "shape") or [])


def _reshape(call: Call, term: Term) -> Shape:
    sizes, rows = _wanted(call), call.graph.inputs.rows
    if not call.integer("allowzero", 0):
        old = list(term.shape)
        sizes = [old[n] if size == 0 and n < len(old) else size for n, size in enumerate(sizes)]
    is_column = sizes in ([-1, 1], [-1]) and term.size > 1
    if is_column and call.graph.is_answer(call.node.output[0]) and rows is None:
        return term.shape  # skl2onnx puts the values of each row below each other: they are its columns
    if None not in sizes and sizes and None in term.shape:
        rest = math.prod(size or 1 for size in sizes[1:] if size != -1)
        if (sizes[0] == -1 and rest == term.size) or (sizes[0] == rows and (-1 in sizes[1:] or rest == term.size)):
            sizes[0] = None
    known = math.prod(size for size in sizes if size not in (None, -1))
    if sizes.count(-1) == 1 and known > 0 and term.size % known == 0:
        sizes[sizes.index(-1)] = term.size // known
    return tuple(sizes)


def _flatten(call: Call, term: Term) -> Shape:
    axis = call.integer("axis", 1)
    axis += len(term.shape) if axis < 0 else 0
    before, behind = term.shape[:axis], term.shape[axis:]
    size = math.prod(each for each in behind if each is not None)
    if None in behind or not all(each in (None, 1) for each in before):
        return (1, size) if None in behind else (math.prod(each or 1 for each in before), size)
    return (None, size)


def _squeeze(call: Call, term: Term) -> Shape:
    axes = call.integers(1, "axes")
    ndim = len(term.shape)
    single = {n for n, size in enumerate(term.shape) if size == 1 or (size is None and call.graph.inputs.rows == 1)}
    gone = single if axes is None else {axis + ndim if axis < 0 else axis for axis in axes}
    if not gone <= single:
        call.refuse(f"it squeezes the axes {sorted(gone)} of {described(term)}")
    return tuple(size for n, size in enumerate(term.shape) if n not in gone)


def _unsqueeze(call: Call, term: Term) -> Shape:
    axes = call.integers(1, "axes") or []
    ndim = len(term.shape) + len(axes)
    new = {axis + ndim if axis < 0 else axis for axis in axes}
    sizes = iter(term.shape)
    return tuple(1 if axis in new else next(sizes, 1) for axis in range(ndim))


def _transpose(call: Call, term: Term) -> Shape:
    ndim = len(term.shape)
    order = call.ints("perm") or list(range(ndim))[::-1]
    if sorted(order) != list(range(ndim)):
        call.refuse(f"it transposes {described(term)} by {order}")
    kept = [axis for axis in order if term.shape[axis] != 1]
    if kept != sorted(kept):
        call.refuse(f"it changes the order of {described(term)}")
    return tuple(term.shape[axis] for axis in order)


_SHAPES = {
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
