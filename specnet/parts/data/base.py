"""The base class of data sources, the split of rows, the sizes known without reading, and the loaded table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray
from pydantic import Field

from specnet.errors import Diagnostic
from specnet.parts.data.column_kinds import Column, ColumnKind
from specnet.parts.fields import ColumnName, FilePath, Fraction, Integer, NonNegativeInteger, Seed
from specnet.parts.part import FieldProblem, Section, written
from specnet.parts.registry import PartKind

TargetKind = Literal["classes", "values"]
SIZES = ("test_size", "validation_size")
FoldPart = Literal["test", "validation"]


class Split(Section):
    """How rows are split into training, validation and test sets."""

    test_size: Fraction = Field(0.25, description="fraction of rows held out for testing")
    validation_size: Fraction = Field(0.0, description="fraction of rows held out for validation during training")
    random_state: Seed | None = Field(None, description="seed of the split; default: the seed of the spec")
    stratify: bool | None = Field(
        None, description="keep the class proportions in every set; default: true for classes split at random"
    )
    group: ColumnName | None = Field(
        None, description="column of a table whose equal values stay in one set, as the rows of one patient"
    )
    time: ColumnName | None = Field(
        None, description="column of a table by which the latest rows are for testing, those before for validation"
    )
    column: ColumnName | None = Field(
        None, description='column of a table that says "train", "validation" or "test" for each row'
    )
    test: FilePath | None = Field(
        None, description="file of the table's kind with the rows for testing; validation_size may go with it"
    )
    validation: FilePath | None = Field(
        None, description="file of the table's kind with the rows for validation; test_size may go with it"
    )
    folds: Annotated[Integer, Ge(2)] | None = Field(
        None,
        description="number of equal folds for cross-validation, one of which is held out; with time, rows after the "
        "fold are left out",
    )
    fold: NonNegativeInteger | None = Field(None, description="index of the fold that is held out, from 0")
    fold_part: FoldPart | None = Field(
        None,
        description='set that the fold replaces: "test", or "validation" of the rows left by test_size; default: test',
    )

    @property
    def by_column(self) -> ColumnName | None:
        """The column that decides the split; it is a feature only if it is listed as a feature."""
        return self.group or self.time or self.column

    @property
    def says_parts(self) -> bool:
        """Whether a column, or the files of the rows, specify the set of each row."""
        return self.column is not None or self.test is not None or self.validation is not None

    def problems(self) -> Iterator[FieldProblem]:
        given = [name for name in ("group", "time", "column", "test", "validation") if getattr(self, name) is not None]
        if given[-2:] == ["test", "validation"]:
            del given[-1]
        for name, message in self._mistakes(given):
            yield FieldProblem((name,), message, "split")

    def _mistakes(self, given: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield fields with error messages; `given` has the fields, other than sizes, that decide the split."""
        if len(given) > 1:
            yield given[1], f"a split is by {given[0]} or by {given[1]}, not both"
        sizes = [name for name in SIZES if name in self.model_fields_set and getattr(self, name)]
        for one, other in (("folds", "fold"), ("fold", "folds")):
            if getattr(self, one) is not None and getattr(self, other) is None:
                yield one, f"{one} needs {other}"
        if self.fold_part is not None and self.folds is None:
            yield "fold_part", "fold_part has no effect without folds"
        if self.folds is not None:
            yield from self._fold_mistakes(self.folds, given, sizes)
        for size in sizes:
            if self.column is not None:
                yield size, f"{size} has no effect; column says where each row belongs"
            elif getattr(self, size.removesuffix("_size")) is not None:
                yield size, f"{size} has no effect; the {size.removesuffix('_size')} rows are those of a file"
        if self.stratify and (self.by_column is not None or not self.draws_rows):
            yield "stratify", f"a split by {given[0]} cannot keep the class proportions"
        if self._held_out(SIZES) >= 1:
            taken = [f"the {size[:-5]} fold" if size == f"{self.folded_part}_size" else size for size in SIZES]
            message = f"{' and '.join(taken)} leave no rows for training; their sum must be below 1"
            yield written(self, "validation_size", "test_size"), message

    def _fold_mistakes(self, folds: int, given: Sequence[str], sizes: Sequence[str]) -> Iterator[tuple[str, str]]:
        if self.fold is not None and self.fold >= folds:
            yield "fold", f"fold {self.fold} does not exist; the last one is {folds - 1}"
        if self.says_parts:
            yield "folds", f"folds has no effect; {given[0]} says where each row belongs"
        if (size := f"{self.folded_part}_size") in sizes:
            yield size, f"{size} has no effect; the {self.folded_part} set is a fold"

    def _size(self, size: str) -> float:
        """Return the effective size of a set to draw; if a file has another set, only a specified size counts."""
        by_file = self.test is not None or self.validation is not None
        is_left = getattr(self, size.removesuffix("_size")) is None and (not by_file or size in self.model_fields_set)
        return getattr(self, size) if self.column is None and is_left else 0.0

    @property
    def draws_rows(self) -> bool:
        """Whether the split draws the rows of a set, rather than only reading sets from a column or files."""
        return not self.says_parts or any(map(self._size, SIZES))

    @property
    def folded_part(self) -> FoldPart | None:
        """The set that the fold replaces, or None if the split has no folds."""
        return None if self.folds is None else self.fold_part or "test"

    @property
    def test_rule(self) -> dict[str, Any]:
        """The fields that decide which rows are for testing, after the defaults are filled in.

        Empty if a column or a file decides, because the data then has this information.
        """
        if self.column is not None or self.test is not None or (self.validation and not self._size("test_size")):
            return {}
        chance = set() if self.time is not None else {"random_state", "stratify"}
        folds = {"folds", "fold"} if self.folded_part == "test" else set()
        return self.model_dump(include={"test_size", "group", "time", *chance, *folds})

    @property
    def has_validation(self) -> bool:
        """Whether the split has validation rows, as far as known without reading the data."""
        are_given = self.column is not None or self.validation is not None
        return are_given or self.validation_fraction > 0

    @property
    def validation_fraction(self) -> float:
        """The fraction of all rows that is for validation, by size or as a fold of the rows not for testing."""
        return self._held_out(("validation_size",))

    @property
    def held_out_fraction(self) -> float:
        """The fraction of rows that are not training rows, given by sizes and folds."""
        return self._held_out(SIZES)

    def _held_out(self, sizes: Sequence[str]) -> float:
        folded = self.folded_part
        fraction = sum(self._size(size) for size in sizes if size != f"{folded}_size")
        if folded is not None and f"{folded}_size" in sizes:
            assert self.folds is not None, "there are folds"
            parts = self.folds + (self.time is not None)  # the earliest rows are in no fold
            fraction += (1 - (self._size("test_size") if folded == "validation" else 0.0)) / parts
        return fraction

    def without_folds(self) -> Self:
        """Return a copy of the split without folds."""
        return self.model_copy(update={"folds": None, "fold": None, "fold_part": None})

    def without_test(self) -> Self:
        """Return a copy of the split without a test set, for rows that contain no test rows."""
        split = self.without_folds() if self.folded_part == "test" else self
        return split.model_copy(update={"test_size": 0.0, "test": None})

    def with_defaults(self, seed: int, target: "TargetKind") -> Self:
        """Return a copy of the split with defaults filled in from the spec's seed and from the target."""
        return self.model_copy(
            update={
                **{size: self._size(size) for size in SIZES},
                **({} if self.folds is None else {"fold_part": self.folded_part, f"{self.folded_part}_size": 0.0}),
                "random_state": seed if self.random_state is None else self.random_state,
                "stratify": self.by_column is None and self.draws_rows and target == "classes"
                if self.stratify is None
                else self.stratify,
            }
        )


class DataSizes(NamedTuple):
    """The sizes of a table that are known without reading it; None if unknown.

    Attributes
    ----------
    inputs : int or None
        Number of columns of X.
    classes : int or None
        Number of distinct labels, if the target is classes.
    outputs : int or None
        Number of target values per row, if the target is values.
    target : "classes", "values" or None
        The kind of target; None if the loss decides.
    """

    inputs: int | None = None
    classes: int | None = None
    outputs: int | None = None
    target: TargetKind | None = None


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Table:
    """Generated or loaded rows, before the split.

    Attributes
    ----------
    X : ndarray (rows, columns)
        Numbers; NaN is a missing cell if `columns` is not empty.
    y : ndarray (rows,) or (rows, outputs)
        Labels, integers or text, if the target is classes; else numbers. (rows, 0) without a target.
    target : "classes" or "values"
    names : tuple of str
        Names of the columns of X, if the source has names but no kinds.
    sample_weight : ndarray (rows,) or None
        Weights of the rows.
    split_by : ndarray (rows,) or None
        Values that decide a split that is not random: groups; times, as numbers; or "train", "validation" and "test".
    columns : tuple of Column
        Columns of X; empty if the source has no kinds, and X no missing cells.
    kinds : mapping of str to kind
        Kinds of all columns of the source, in its order, including the target and ignored columns.
    warnings : tuple of Diagnostic
        Warnings about possible mistakes in the source.
    file_rows : ndarray (rows,) or None
        Indices of these rows among the rows of the files; None if the table has all rows.
    teacher : ndarray (rows, columns) or None
        Predictions of a teacher, NaN where missing.
    """

    X: NDArray[Any]
    y: NDArray[Any]
    target: TargetKind
    names: tuple[str, ...] = ()
    sample_weight: NDArray[Any] | None = None
    split_by: NDArray[Any] | None = None
    columns: tuple[Column, ...] = ()
    kinds: Mapping[str, ColumnKind] = field(default_factory=dict)
    warnings: tuple[Diagnostic, ...] = ()
    file_rows: NDArray[np.intp] | None = None
    teacher: NDArray[np.float64] | None = None

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns of X; empty if the source has no names."""
        return tuple(column.name for column in self.columns) or self.names


class Data(PartKind):
    """A data set, and how it is split."""

    kind: ClassVar[str] = "data"
    source_field: ClassVar[str | None] = None
    """The field with the path of the rows, or None if the source reads no file."""
    fixed_sizes: ClassVar[DataSizes] = DataSizes()
    """The sizes of a source if they do not depend on its fields."""

    split: Split = Field(
        default_factory=Split, description="how rows are split into training, validation and test sets"
    )

    def sizes(self) -> DataSizes:
        """Return the sizes that follow from the fields; no file is read."""
        return self.fixed_sizes

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The names of X's columns, in order, or None if the fields do not specify them."""
        return None

    @property
    def column_kinds(self) -> Mapping[str, ColumnKind] | None:
        """The kinds of the table's columns by name, or None unless the fields specify all of them."""
        return None

    @property
    def row_count(self) -> int | None:
        """The number of rows, or None if the fields do not specify it."""
        return None

    @property
    def has_teacher(self) -> bool:
        """Whether columns of the table have the predictions of a teacher."""
        return False

    def problems(self) -> Iterator[FieldProblem]:
        if self.split.stratify and self.sizes().target == "values":
            message = "stratify needs classes, but the target is numeric"
            yield FieldProblem(("split", "stratify"), message, "split")

    def load(self, folder: Path, target: TargetKind) -> Table:
        """Generate or read the rows, and return them as a table.

        Parameters
        ----------
        folder : Path
            Folder of the spec, the start of relative paths.
        target : "classes" or "values"
            Kind of target that the loss requires.

        Raises
        ------
        DataError
            If the rows cannot be generated or read. A diagnostic has the path of the faulty field, from the part on, or
            the location in the file.
        """
        raise NotImplementedError(f"{type(self).__name__} has no load")

    def with_defaults(self, seed: int, target: TargetKind) -> Self:
        """Return a copy of the part with defaults filled in from the spec's seed and from the target of its loss."""
        return self.model_copy(update={"split": self.split.with_defaults(seed, target)})

    def with_columns(self, table: Table) -> Self:
        """Return a copy of the part with information from the loaded table filled in, such as the kinds of columns."""
        return self

    def for_file(self, path: str) -> "Data | None":
        """Return a part that reads the same columns and target from another file, chosen by the file's suffix.

        None if the columns have no names, or if the file is not a table.
        """
        return None

    def labels_like(self, y: NDArray[Any], labels: NDArray[Any]) -> NDArray[Any]:
        """Return the labels `y`, as texts if `labels` are texts and the source reads every cell as text."""
        return y

    def handed_on(self) -> "Data | None":
        """Return a copy of the part that may be passed on with a model: with column names, without folders.

        None if the columns have no names.
        """
        return None
