"""The labels of classes."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.errors import DataError
from specnet.parts.arrays import as_array, as_numbers, check_target, first_few

KINDS = {"i": "integers", "U": "text"}


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """The labels of classes 0 … K − 1.

    Attributes
    ----------
    values : ndarray (K,)
        int64 or text, ascending and distinct.
    """

    values: NDArray[Any]

    @classmethod
    def from_target(cls, y: ArrayLike, count: int | None = None) -> Self:
        """Return the labels of a target.

        Parameters
        ----------
        y : (rows,), (rows, 1) or one-hot (rows, K)
            Integers within 0 … count − 1 are class indices, even if not all occur; otherwise the classes are the
            distinct labels in ascending order. The classes of one-hot rows are their columns.
        count : int or None
            K; default: the number of distinct labels.

        Raises
        ------
        DataError
            If y does not contain labels, or the number of distinct labels is not `count`.
        """
        target = as_array(y, "y")
        if _is_wide(target):
            labels = np.arange(target.shape[1])
        else:
            labels = check_labels(target)
            if count is not None and labels.dtype.kind == "i" and labels.min() >= 0 and labels.max() < count:
                labels = np.arange(count)
            labels = np.unique(labels)
        if count is not None and len(labels) != count:
            raise DataError(
                f"y has {len(labels)} distinct labels ({first_few(labels, 6)}), but the network has {count} classes"
            )
        return cls(labels)

    def __str__(self) -> str:
        return first_few(self.values, 6)

    def __len__(self) -> int:
        return len(self.values)

    def encode(self, y: ArrayLike, name: str = "y") -> NDArray[np.intp]:
        """Return the class index of each label or one-hot row, (rows,).

        Raises
        ------
        DataError
            If a label is unknown.
        """
        target = as_array(y, name)
        if _is_wide(target):
            indices: NDArray[np.intp] = check_target(target, "classes", len(target), len(self), name)[0]
            return indices
        labels = check_labels(target, name)
        if labels.dtype.kind != self.values.dtype.kind:
            there, here = KINDS[labels.dtype.kind], KINDS[self.values.dtype.kind]
            raise DataError(f"{name} holds {there}, but the labels are {here}: {self}")
        indices = np.minimum(np.searchsorted(self.values, labels), len(self) - 1)
        wrong = self.values[indices] != labels
        if wrong.any():
            row = int(wrong.argmax())
            raise DataError(f"{name} has {labels[row]} at row {row}; expected one of the labels {self}")
        return indices

    def decode(self, indices: NDArray[np.integer]) -> NDArray[Any]:
        """Return the label of each class index, (rows,)."""
        return self.values.take(indices)


def check_labels(y: ArrayLike, name: str = "y") -> NDArray[Any]:
    """Return labels (rows,) as int64 or as text.

    Raises
    ------
    DataError
        If y is not (rows,) or (rows, 1), or holds anything but integers, integral floats, booleans or text.
    """
    labels = as_array(y, name)
    if not labels.size:
        raise DataError(f"{name} is empty: shape {labels.shape}")
    if labels.dtype.kind == "O" and all(isinstance(label, str) for label in labels.flat):
        labels = labels.astype(np.str_)  # data frames store text as objects
    if labels.dtype.kind not in "UT":
        labels = as_numbers(labels, name)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise DataError(f"{name} has shape {labels.shape}; expected labels of shape (rows,)")
    if labels.dtype.kind in "UT":
        return labels.astype(np.str_)
    with np.errstate(invalid="ignore"):
        integers = labels.astype(np.int64)
    wrong = integers != labels
    if wrong.any():
        row = int(wrong.argmax())
        hint = "use a loss for numbers, such as mean_squared_error"
        raise DataError(f"{name} has {labels[row]} at row {row}; labels must be integers or text", hint=hint)
    return integers


def _is_wide(target: NDArray[Any]) -> bool:
    return target.ndim == 2 and target.shape[1] > 1
