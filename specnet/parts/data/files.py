"""Rows from files. Paths start at the spec's folder.

What the target is, labels or numbers, is not guessed from the file: it follows from the spec's loss.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from specnet.errors import DataError, Diagnostic
from specnet.parts.data.base import Data, DataSizes, FilePath, Table, TargetKind
from specnet.parts.data.csv_reading import CsvFile
from specnet.parts.data.npz_reading import read_arrays
from specnet.parts.fields import ColumnName, ColumnNames
from specnet.parts.part import FieldProblem, named_twice


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


class Csv(Data):
    """A comma-separated UTF-8 file with a header: numeric columns and a target.

    For a classification loss the target holds labels: integers if every cell is one, else text. Otherwise it holds
    numbers. A cell that is empty or not a number is an error with its place.
    """

    example = 'path = "rows.csv", target = "price"'
    source_field = "path"
    type: Literal["csv"] = "csv"
    path: FilePath = Field(description="path of the file, relative to the spec")
    target: ColumnName = Field(description="name of the column to predict")
    features: ColumnNames | None = Field(None, description="names of the input columns; default: all others")

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        return self.features

    def sizes(self) -> DataSizes:
        return DataSizes(inputs=len(self.features) if self.features else None)

    def load(self, folder: Path, target: TargetKind) -> Table:
        file = CsvFile(folder / self.path)
        features = self.features or tuple(name for name in file.header if name != self.target)
        if not features:
            raise DataError(
                Diagnostic("no-features", f'{file.path} has no columns besides "{self.target}"', ("target",))
            )
        if problems := [*self._missing(file, features)]:
            raise DataError(*problems)
        if target == "classes":
            X, (y,) = file.read(features, (self.target,))
        else:
            table, _ = file.read((*features, self.target))
            X, y = table[:, :-1], table[:, -1]
        return Table(X, y, target, features)

    def _missing(self, file: CsvFile, features: Sequence[str]) -> Iterator[Diagnostic]:
        """Yield the errors of columns that are missing, at their places in the spec; one for all unlike any other."""

        def error(names: Sequence[str], *path: str | int) -> Diagnostic:
            return replace(file.unknown(names), path=path, source=None)

        if file.missing([self.target]):
            yield error([self.target], "target")
        missing = file.missing(features)
        unlike = [number for number in missing if file.meant(features[number]) is None]
        for number in missing:
            if number not in unlike or len(unlike) == 1:
                yield error([features[number]], "features", number)
        if len(unlike) > 1:
            yield error([features[number] for number in unlike], "features")

    def with_columns(self, table: Table) -> Self:
        return self.model_copy(update={"features": table.feature_names})

    def for_csv(self, path: str) -> Self:
        return self.model_copy(update={"path": path})

    def labels_like(self, y: NDArray[Any], labels: NDArray[Any]) -> NDArray[Any]:
        return y.astype(np.str_) if labels.dtype.kind == "U" else y

    def handed_on(self) -> Self:
        return self.model_copy(update={"path": Path(self.path).name})

    def problems(self) -> Iterator[FieldProblem]:
        yield from super().problems()
        for index, name in enumerate(self.features or ()):
            if name == self.target:
                yield FieldProblem(("features", index), f'"{name}" is the target and cannot also be a feature')
        yield from named_twice("features", self.features or ())
