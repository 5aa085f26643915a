"""The training rows to which contributions compare: their choice, and their tensors.

``cells``, F64 (rows, columns), are numbers as in `RawColumns`, 0 where ``missing``, BOOL (rows, columns), is true;
``weights``, F64 (rows,), are positive and have a sum of 1. There are at most 100 rows. A category or a text is the
number of one of the column's texts, of which there are no more than rows. The texts of column 3 are ``texts.3.bytes``,
U8, all in UTF-8, one after the other, without the tensor if all are empty; and text k is the bytes from
``texts.3.offsets``, I64 (texts + 1,), [k] up to the next offset. Rows times characters of a column's longest text are
at most 2²⁴.

They are in the folder of a run, in ``background.safetensors``, and on request in the file of a model, with a prefix.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specnet.data import RawColumns
from specnet.data.preparation import TensorForm
from specnet.data.raw_columns import joined
from specnet.errors import FileError
from specnet.files import file_errors, read_file
from specnet.files.tensors import decode
from specnet.model.contributions import Background
from specnet.parts.arrays import Array, RowView
from specnet.parts.data import OF_TEXTS, Column, ColumnKind, column_of, kind_of
from specnet.run_files import BACKGROUND, LARGEST_RECORD

BACKGROUND_ROWS = 100
TEXT_CHARACTERS_LIMIT = 2**24
"""The maximum of texts times characters of the longest: NumPy stores each text with the length of the longest one."""
CELLS, MISSING, WEIGHTS = "cells", "missing", "weights"


def background_of(
    columns: Array | RowView,
    kinds: tuple[Column, ...],
    y: Array,
    weight: NDArray[np.float64] | None,
    count: int = BACKGROUND_ROWS,
) -> Background:
    """Return training rows that stand for all: one of each hundredth of the rows, ordered by the target.

    The choice depends on the data alone. If rows have weights, it is one of each hundredth of the weight; `count` rows
    or fewer are all taken, with their weights.

    Parameters
    ----------
    columns : (rows, columns)
    kinds : tuple of Column
    y : (rows,) or (rows, outputs)
    weight : (rows,) or None
    count : int
        Maximum number of rows.
    """
    counts = np.ones(len(y)) if weight is None else weight
    order = np.argsort(y.reshape(len(y), -1)[:, 0], kind="stable")
    order = order[counts[order] > 0]
    if len(order) > count:
        reached = np.cumsum(counts[order])
        middles = (np.arange(count) + 0.5) / count * reached[-1]
        order, times = np.unique(order[np.searchsorted(reached, middles)], return_counts=True)
        shares = times / count
    else:
        order = np.sort(order)
        shares = counts[order] / counts[order].sum()
    chosen = RawColumns(np.asarray(columns[order], np.float64), kinds)
    return Background(joined(chosen, chosen.part(slice(0))), shares)  # only with the texts that they have


def background_tensors(background: Background) -> dict[str, Array]:
    """Return the tensors of background rows by name."""
    X = background.rows.X
    missing = np.isnan(X)
    tensors: dict[str, Array] = {CELLS: np.where(missing, 0, X), MISSING: missing, WEIGHTS: background.weights}
    for index, texts in enumerate(background.rows.texts):
        if texts is not None:
            encoded = [text.encode("utf-8", "surrogatepass") for text in texts.tolist()]
            tensors[_offsets(index)] = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
            if content := b"".join(encoded):
                tensors[_bytes(index)] = np.frombuffer(content, np.uint8)
    return tensors


def background_kinds(
    sizes: Mapping[str, int], kinds: Mapping[str, ColumnKind] | None, columns: int
) -> dict[str, TensorForm]:
    """Return dtype and shape of the tensors of background rows, by name.

    Parameters
    ----------
    sizes : mapping of str to int
        How many numbers each tensor has, by name.
    kinds, columns
        As for `decode_background`.

    Raises
    ------
    FileError
        If there are too many rows.
    """
    rows, float64 = max(sizes.get(WEIGHTS, 0), 1), np.dtype(np.float64)
    if rows > BACKGROUND_ROWS:
        raise FileError(f"the file has {rows} background rows; at most {BACKGROUND_ROWS} are allowed")
    forms: dict[str, TensorForm] = {
        WEIGHTS: (float64, (rows,)),
        CELLS: (float64, (rows, columns)),
        MISSING: (np.dtype(np.bool_), (rows, columns)),
    }
    for index, kind in enumerate((kinds or {}).values()):
        if kind_of(kind) in OF_TEXTS:
            forms[_offsets(index)] = np.dtype(np.int64), (min(max(sizes.get(_offsets(index), 0), 1), rows + 1),)
            if size := sizes.get(_bytes(index), 0):
                forms[_bytes(index)] = np.dtype(np.uint8), (size,)
    return forms


def read_background(folder: Path, kinds: Mapping[str, ColumnKind] | None, columns: int) -> Background | None:
    """Return the background rows in the folder of a run, or None if it has none; the rest is as in `decode_background`.

    Raises
    ------
    FileError
        If the file is damaged, or has rows of other columns.
    """
    file = folder / BACKGROUND
    with file_errors(file):
        if not file.exists():
            return None
        _, tensors = decode(read_file(file, LARGEST_RECORD))
        try:
            return decode_background(tensors, kinds, columns)
        except (KeyError, ValueError, IndexError) as error:
            raise FileError("the background rows are damaged or of another model") from error


def decode_background(tensors: Mapping[str, Array], kinds: Mapping[str, ColumnKind] | None, columns: int) -> Background:
    """Return the background rows in tensors.

    Parameters
    ----------
    tensors : mapping of str to ndarray
        Tensors by name, of the forms of `background_kinds`; others may raise KeyError, ValueError or IndexError.
    kinds : mapping of str to kind or None
        Kinds of the model's columns by name; None if all columns are plain numbers.
    columns : int
        Number of the model's columns.

    Raises
    ------
    FileError
        If texts are damaged, a cell has no text, or the weights are no weights.
    """
    X, weights = np.where(tensors[MISSING], np.nan, tensors[CELLS]), tensors[WEIGHTS].copy()
    known = tuple(
        column_of(name, kind, _texts(tensors, index)) for index, (name, kind) in enumerate((kinds or {}).items())
    )
    if X.shape != (len(weights), columns) or not len(X):
        raise ValueError("the shapes differ")
    for index, column in enumerate(known):
        cells = X[~np.isnan(X[:, index]), index]
        if column.texts is not None and not np.isin(cells, np.arange(len(column.texts))).all():
            raise FileError(f"the background rows have a cell without a text in column {index + 1}")
    if not (weights > 0).all() or not abs(weights.sum() - 1) <= 1e-6:
        raise FileError("the weights of the background rows must be positive, with a sum of 1")
    return Background(RawColumns(X, known), weights)


def _texts(tensors: Mapping[str, Array], index: int) -> NDArray[np.str_] | None:
    """Return the texts of a column, or None if it is a column of numbers."""
    if _offsets(index) not in tensors:
        return None
    content = tensors.get(_bytes(index), np.empty(0, np.uint8)).tobytes()
    ends = tensors[_offsets(index)].tolist()
    if ends[0] != 0 or ends[-1] != len(content) or ends != sorted(ends):
        raise FileError(f"the offsets of the background rows' texts in column {index + 1} do not divide their bytes")
    try:
        texts = [content[begin:end].decode("utf-8", "surrogatepass") for begin, end in pairwise(ends)]
    except UnicodeDecodeError as error:
        raise FileError(f"a text of the background rows in column {index + 1} is not valid UTF-8") from error
    if len(texts) * max(map(len, texts), default=0) > TEXT_CHARACTERS_LIMIT:
        raise FileError(f"the texts of the background rows in column {index + 1} are too long")
    return np.array(texts, np.str_)


def _offsets(index: int) -> str:
    return f"texts.{index}.offsets"


def _bytes(index: int) -> str:
    return f"texts.{index}.bytes"
