"""The training rows to which contributions compare: their choice, and their file in the folder of a run.

In ``background.safetensors``, ``cells`` (rows, columns) are numbers as in `RawColumns`, 0 where ``missing`` is true;
``weights`` (rows,) have a sum of 1. The texts of column 3 are ``texts.3.bytes``, all in UTF-8, one after the other, and
text k is the bytes from ``texts.3.offsets``[k] up to the next offset.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specnet.data import RawColumns
from specnet.data.raw_columns import joined
from specnet.errors import FileError
from specnet.files import file_errors, read_file
from specnet.files.tensors import decode, encode
from specnet.model.contributions import Background
from specnet.model.model import Model
from specnet.parts.arrays import Array, RowView
from specnet.parts.data import Column, column_of
from specnet.run_files import BACKGROUND, LARGEST_RECORD

BACKGROUND_ROWS = 100


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


def encode_background(background: Background) -> bytes:
    """Return the bytes of the file."""
    X = background.rows.X
    missing = np.isnan(X)
    tensors: dict[str, Array] = {"cells": np.where(missing, 0, X), "missing": missing, "weights": background.weights}
    for index, texts in enumerate(background.rows.texts):
        if texts is not None:
            encoded = [text.encode("utf-8", "surrogatepass") for text in texts.tolist()]
            tensors[f"texts.{index}.offsets"] = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
            if content := b"".join(encoded):
                tensors[f"texts.{index}.bytes"] = np.frombuffer(content, np.uint8)
    return encode(tensors, "")


def read_background(folder: Path, model: Model) -> Background | None:
    """Return the background rows in the folder of a run, given its model; None if it has none.

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
            return _decoded(tensors, model)
        except (KeyError, ValueError, IndexError) as error:
            raise FileError("the background rows are damaged or of another model") from error


def _decoded(tensors: dict[str, Array], model: Model) -> Background:
    X, weights = np.where(tensors["missing"], np.nan, tensors["cells"]), tensors["weights"]
    kinds = tuple(
        column_of(name, kind, _texts(tensors, index))
        for index, (name, kind) in enumerate((model.spec.feature_kinds or {}).items())
    )
    if X.shape != (len(weights), model.network.resolved.columns) or not len(X):
        raise ValueError("the shapes differ")
    for index, column in enumerate(kinds):
        known = X[~np.isnan(X[:, index]), index]
        if column.texts is not None and not np.isin(known, np.arange(len(column.texts))).all():
            raise ValueError("a cell has no text")
    if not (weights > 0).all() or abs(weights.sum() - 1) > 1e-6:
        raise ValueError("the weights have another sum")
    return Background(RawColumns(X, kinds), weights)


def _texts(tensors: dict[str, Array], index: int) -> NDArray[np.str_] | None:
    """Return the texts of a column, or None if it is a column of numbers."""
    if f"texts.{index}.offsets" not in tensors:
        return None
    content = tensors.get(f"texts.{index}.bytes", np.empty(0, np.uint8)).tobytes()
    ends = tensors[f"texts.{index}.offsets"].tolist()
    texts = [content[begin:end].decode("utf-8", "surrogatepass") for begin, end in pairwise(ends)]
    return np.array(texts, np.str_)
