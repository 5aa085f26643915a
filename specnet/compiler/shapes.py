"""Shapes of symbolic arrays: at most two axes, each a number or a name that gets its number when a program is bound."""

from __future__ import annotations

__all__ = ["BATCH", "FLAT", "Axis", "Shape", "ShapeError"]

Axis = int | str
Shape = tuple[Axis, ...]
"""No axis, one or two."""

BATCH = "batch"
"""The axis along which a program sees many rows at once; its size is given when the program is bound."""
FLAT = "flat"
"""The one axis of a parameter vector, or of a part of it."""


class ShapeError(ValueError):
    """Operands whose shapes or kinds an operation cannot take."""


def size_of(shape: Shape, axis: int = 0) -> int:
    """The number of rows or columns, which must be known and no name."""
    size = shape[axis] if len(shape) == 2 else None
    if not isinstance(size, int):
        raise ShapeError(f"a number of rows or columns is needed at axis {axis} of {shape}")
    return size


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The shape to which all of these can be repeated, as NumPy would.

    Raises
    ------
    ShapeError
        If two axes that should match differ and neither is 1.
    """
    if all(shape == shapes[0] for shape in shapes):
        return shapes[0]
    rank = max(map(len, shapes))
    result: list[Axis] = []
    for axis in zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True):
        sizes: set[Axis] = set(axis) - {1}
        if len(sizes) > 1:
            raise ShapeError(f"shapes {', '.join(map(str, shapes))} do not broadcast")
        result.append(sizes.pop() if sizes else 1)
    return tuple(result)
