"""What all sources of rows have in common: the split, the sizes that fields specify, and the table that they load."""

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
        None, description="number of equal folds for cross-validation, one of which is held out"
    )
    fold: NonNegativeInteger | None = Field(None, description="index of the fold that is held out, from 0")
    fold_part: FoldPart | None = Field(
        None,
        description='set that the fold replaces: "test", or "validation" of the rows left by test_size; default: test',
    )

    @property
    def by_column(self) -> ColumnName | None:
        """The column that decides, which is no feature unless it is listed as one."""
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
        """Yield fields and what is wrong with them, given what else than sizes the split goes by."""
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
        if given and given[0] == "time":
            yield "folds", "a split by time cannot have folds: models would be trained on rows later than their fold"
        elif self.says_parts:
            yield "folds", f"folds has no effect; {given[0]} says where each row belongs"
        if (size := f"{self.folded_part}_size") in sizes:
            yield size, f"{size} has no effect; the {self.folded_part} set is a fold"

    def _size(self, size: str) -> float:
        """Return a size as it counts: beside files with the rows of other sets, only where it is specified."""
        by_file = self.test is not None or self.validation is not None
        is_left = getattr(self, size.removesuffix("_size")) is None and (not by_file or size in self.model_fields_set)
        return getattr(self, size) if self.column is None and is_left else 0.0

    @property
    def draws_rows(self) -> bool:
        """Whether rows are drawn for some set, beside those of a column or of files."""
        return not self.says_parts or any(map(self._size, SIZES))

    @property
    def folded_part(self) -> FoldPart | None:
        """The set that a fold is; None if the split has no folds."""
        return None if self.folds is None else self.fold_part or "test"

    @property
    def test_rule(self) -> dict[str, Any]:
        """What decides which rows of some data are for testing, once the defaults are filled in.

        Where rows say it themselves, that is a part of the data.
        """
        if self.column is not None or self.test is not None or (self.validation and not self._size("test_size")):
            return {}
        chance = set() if self.time is not None else {"random_state", "stratify"}
        folds = {"folds", "fold"} if self.folded_part == "test" else set()
        return self.model_dump(include={"test_size", "group", "time", *chance, *folds})

    @property
    def has_validation(self) -> bool:
        """Whether there are validation rows, as far as is known without reading the rows."""
        are_given = self.column is not None or self.validation is not None
        return are_given or self.validation_fraction > 0

    @property
    def validation_fraction(self) -> float:
        """The fraction of the rows that is for validation, by size or as a fold of those that are not for testing."""
        return self._held_out(("validation_size",))

    @property
    def held_out_fraction(self) -> float:
        """The fraction of the rows that is not for training, by sizes and folds."""
        return self._held_out(SIZES)

    def _held_out(self, sizes: Sequence[str]) -> float:
        folded = self.folded_part
        fraction = sum(self._size(size) for size in sizes if size != f"{folded}_size")
        if folded is not None and f"{folded}_size" in sizes:
            assert self.folds is not None, "there are folds"
            fraction += (1 - (self._size("test_size") if folded == "validation" else 0.0)) / self.folds
        return fraction

    def without_folds(self) -> Self:
        """Return the split by sizes alone."""
        return self.model_copy(update={"folds": None, "fold": None, "fold_part": None})

    def without_test(self) -> Self:
        """Return the split of rows that has no test rows among them."""
        split = self.without_folds() if self.folded_part == "test" else self
        return split.model_copy(update={"test_size": 0.0, "test": None})

    def with_defaults(self, seed: int, target: "TargetKind") -> Self:
        """Return the split with the defaults filled in that follow from the spec's seed and from the target."""
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
    """What is known of a table without reading it; None is what is not known.

    Attributes
    ----------
    inputs : int or None
        Columns of X.
    classes : int or None
        Distinct labels, where the target is classes.
    outputs : int or None
        Numbers per row in the target, where the target is values.
    target : "classes", "values" or None
        What the target is. None where that follows from the loss.
    """

    inputs: int | None = None
    classes: int | None = None
    outputs: int | None = None
    target: TargetKind | None = None


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Table:
    """Rows as they were made or read.

    Attributes
    ----------
    X : ndarray (rows, columns)
        Numbers; NaN is a missing cell where there are `columns`.
    y : ndarray (rows,) or (rows, outputs)
        Labels, integers or text, where the target is classes; else numbers; (rows, 0) without a target.
    target : "classes" or "values"
    names : tuple of str
        One for each column of X, where the source has names but no kinds.
    sample_weight : ndarray (rows,) or None
        How much each row counts.
    split_by : ndarray (rows,) or None
        What a split goes by, where it is not random: groups; times, as numbers; or "train", "validation" and "test".
    columns : tuple of Column
        One for each column of X; empty where the source has no kinds, and X no gaps.
    kinds : mapping of str to kind
        Of all the columns that the source has, in its order, the target's and those that are ignored included.
    warnings : tuple of Diagnostic
        About what is perhaps a mistake in the source.
    file_rows : ndarray (rows,) or None
        Indices of these rows among those of the files; None if they are all.
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

    @property
    def feature_names(self) -> tuple[str, ...]:
        """One for each column of X; empty where the source has no names."""
        return tuple(column.name for column in self.columns) or self.names


class Data(PartKind):
    """A data set, and how it is split."""

    kind: ClassVar[str] = "data"
    source_field: ClassVar[str | None] = None
    """The field with the location of the rows, where there is one."""
    fixed_sizes: ClassVar[DataSizes] = DataSizes()
    """The sizes of a source whose fields do not change them."""

    split: Split = Field(
        default_factory=Split, description="how rows are split into training, validation and test sets"
    )

    def sizes(self) -> DataSizes:
        """Return what the fields alone determine; nothing is read."""
        return self.fixed_sizes

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The names of X's columns, in order, where the fields say them."""
        return None

    @property
    def column_kinds(self) -> Mapping[str, ColumnKind] | None:
        """The kinds of a table's columns by name, where the fields say all of them."""
        return None

    @property
    def row_count(self) -> int | None:
        """The number of rows, where the fields say it."""
        return None

    def problems(self) -> Iterator[FieldProblem]:
        if self.split.stratify and self.sizes().target == "values":
            message = "stratify needs classes, but the target is numeric"
            yield FieldProblem(("split", "stratify"), message, "split")

    def load(self, folder: Path, target: TargetKind) -> Table:
        """Make or read the rows.

        Parameters
        ----------
        folder : Path
            Where relative paths start: the spec's folder.
        target : "classes" or "values"
            What the loss wants the target to be.

        Raises
        ------
        DataError
            If the rows cannot be had. A diagnostic has the path of the field at fault, from the part on, or the
            location in the file that was read.
        """
        raise NotImplementedError(f"{type(self).__name__} has no load")

    def with_defaults(self, seed: int, target: TargetKind) -> Self:
        """Return the part with the defaults filled in that follow from the spec's seed and its loss."""
        return self.model_copy(update={"split": self.split.with_defaults(seed, target)})

    def with_columns(self, table: Table) -> Self:
        """Return the part with what was learned by reading filled in."""
        return self

    def for_file(self, path: str) -> "Data | None":
        """Return what reads the same columns and target from another file of a table, by its suffix.

        None where the columns have no names, or the file is none of a table.
        """
        return None

    def labels_like(self, y: NDArray[Any], labels: NDArray[Any]) -> NDArray[Any]:
        """Return labels that were read, as text where the source has only text and the given labels are text."""
        return y

    def handed_on(self) -> "Data | None":
        """Return what may go with a model to others: names of columns, and no folders; None if there are none."""
        return None
