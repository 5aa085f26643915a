"""The weights in a ``.keras`` file: arrays in a file of HDF5, found by the layers' places."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np

from specnet.errors import FileError, install_hint
from specnet.files.tensors import shown
from specnet.parts.arrays import Array

WEIGHTS = "model.weights.h5"
_NUMBERS = ("float32", "float64", "int32", "int64", "uint32", "uint64")


class Weights:
    """The weights of a ``.keras`` file, by layer."""

    def __init__(self, content: bytes) -> None:
        try:
            import h5py
        except ImportError:
            message = "this is a Keras file, whose weights the package h5py reads"
            raise FileError(message, hint=install_hint("keras")) from None
        self._h5py = h5py
        try:
            self._file = h5py.File(io.BytesIO(content), "r")
        except Exception as error:  # h5py passes on whatever a damaged file leads it to
            raise FileError(f"{WEIGHTS} is not a valid HDF5 file: {error}") from error

    def __enter__(self) -> Weights:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, place: str, shapes: list[tuple[int, ...]]) -> list[Array]:
        """Return the arrays of the layer at a place, which have to be as many as these shapes and have them."""
        try:
            group = self._file
            for name in ("layers", place, "vars"):
                group = None if group is None else self._own(group, name, self._h5py.Group)
            names = [] if group is None else sorted(group, key=lambda name: (len(name), name))
            if names != [str(number) for number in range(len(shapes))]:
                raise FileError(f"{place} has {len(names)} arrays, expected {len(shapes)}")
            return [self._array(group, name, shape) for name, shape in zip(names, shapes, strict=True)]
        except FileError:
            raise
        except Exception as error:
            raise FileError(f"{WEIGHTS} is damaged at {place}: {error}") from error

    def _own(self, group: Any, name: str, kind: type) -> Any:
        """Return a member of a group, if the file itself has it: a link may lead to any other file."""
        link = group.get(name, getlink=True)
        if link is not None and not isinstance(link, self._h5py.HardLink):
            raise FileError(f"{WEIGHTS} has a link in the place of {shown(name)}")
        found = None if link is None else group[name]
        if found is not None and not isinstance(found, kind):
            raise FileError(f"{WEIGHTS} has something else than a {kind.__name__} in the place of {shown(name)}")
        return found

    def _array(self, group: Any, name: str, shape: tuple[int, ...]) -> Array:
        dataset = self._own(group, name, self._h5py.Dataset)
        where = f"{WEIGHTS} {group.name}/{name}"
        if dataset.dtype.name not in _NUMBERS:
            raise FileError(f"{where} is not an array of numbers")
        if dataset.shape != shape:
            raise FileError(f"{where} has shape {dataset.shape}, expected {shape}")
        if dataset.external or dataset.is_virtual or dataset.chunks is not None:
            raise FileError(f"{where} is not kept in one piece, as Keras keeps it")
        if dataset.id.get_storage_size() != math.prod(shape) * dataset.dtype.itemsize:
            raise FileError(f"{where} does not have the bytes that its shape needs")
        return np.asarray(dataset[()])
