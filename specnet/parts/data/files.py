"""Rows from files of arrays. Paths start at the spec's folder."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from specnet.parts.data.base import Data, Table, TargetKind
from specnet.parts.data.npz_reading import read_arrays
from specnet.parts.fields import FilePath


class Npz(Data):
    """Arrays X, y and optionally sample_weight of a NumPy archive, as written by numpy.savez; no pickles.

    For a classification loss y holds labels (integers or text), one-hot rows, or several 0 or 1 per row; otherwise
    it holds numbers.
    """

    example = 'path = "rows.npz"'
    source_field = "path"
    type: Literal["npz"] = "npz"
    path: FilePath = Field(description="path of the file, relative to the spec")

    def load(self, folder: Path, target: TargetKind) -> Table:
        arrays = read_arrays(folder / self.path, ("X", "y"), ("sample_weight",))
        return Table(arrays["X"], arrays["y"], target, sample_weight=arrays.get("sample_weight"))
