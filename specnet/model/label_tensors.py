"""Class labels as tensors of a model's file, whose format `specnet.model.file` describes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from specnet.errors import FileError
from specnet.files.tensors import shown
from specnet.parts.arrays import Array

LABEL_CHARACTERS_LIMIT = 2**22
UTF8_LONGEST = 4
"""Bytes of a character."""


def encode_labels(labels: Array) -> dict[str, Array]:
    """Return the tensors that keep class labels.

    Parameters
    ----------
    labels : ndarray (classes,)
        int64 or str, ascending and distinct.

    Raises
    ------
    FileError
        If a text cannot be kept: with half a surrogate pair, or far too long.
    """
    if labels.dtype.kind != "U":
        return {"labels": labels.astype(np.int64)}
    _check_label_size(len(labels), max(map(len, labels.tolist())))
    try:
        texts = [label.encode() for label in labels.tolist()]
    except UnicodeEncodeError as error:
        raise FileError(f"the label {shown(error.object)} is not valid Unicode") from error
    offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    return {"labels.bytes": np.frombuffer(b"".join(texts), np.uint8), "labels.offsets": offsets}


def decode_labels(tensors: Mapping[str, Array]) -> Array | None:
    """Return class labels (classes,) as `encode_labels` was given them, or None where the tensors hold none.

    Raises
    ------
    FileError
        If they are not ascending and distinct, or the texts are damaged.
    """
    if "labels" in tensors:
        labels: Array = tensors["labels"].copy()
    elif "labels.offsets" in tensors:
        labels = _decode_texts(tensors["labels.bytes"].tobytes(), tensors["labels.offsets"])
    else:
        return None
    if not (labels[1:] > labels[:-1]).all():
        raise FileError("the class labels must be distinct and in ascending order")
    return labels


def _decode_texts(data: bytes, offsets: Array) -> Array:
    ends = offsets.tolist()
    if ends[0] != 0 or ends[-1] != len(data) or ends != sorted(ends):
        raise FileError("the class labels' offsets do not divide their bytes")
    try:
        texts = [data[begin:end].decode() for begin, end in pairwise(ends)]
    except UnicodeDecodeError as error:
        raise FileError("a class label is not valid UTF-8") from error
    if any(text.endswith("\0") for text in texts):  # NumPy drops it, so that another text would come back
        raise FileError("a class label ends in a null character")
    _check_label_size(len(texts), max(map(len, texts)))
    return np.array(texts)


def _check_label_size(classes: int, longest: int) -> None:
    """NumPy gives every text the room of the longest: one long label among many would ask for any amount of memory."""
    if classes * longest > LABEL_CHARACTERS_LIMIT:
        raise FileError(
            f"{classes} class labels of up to {longest} characters are too long; "
            f"classes times characters may not exceed {LABEL_CHARACTERS_LIMIT}"
        )
