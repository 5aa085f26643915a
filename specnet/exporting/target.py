"""The base class of targets, and errors that they share."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from specnet import extras
from specnet.data import Preparation, RawColumns
from specnet.errors import ExportError, MissingPackageError, UnsupportedError
from specnet.exporting.expression_text import TEXT_EXPANSIONS
from specnet.exporting.learning.learning_proof import TrainingSteps
from specnet.exporting.model_program import Program
from specnet.model import Model
from specnet.model.directions import directions, keeps_last_bit
from specnet.parts.arrays import Array
from specnet.parts.preprocessing import Impute, Preprocessing


class CannotRunError(Exception):
    """An export cannot be run on this machine; the message names the missing program or package."""


@dataclass(frozen=True, slots=True, eq=False)
class ExportAnswers:
    """The answers of an export for given rows.

    Attributes
    ----------
    outputs : ndarray (rows, outputs)
        Probabilities as returned by `Network.predict`, or values in the target's units.
    predictions : ndarray or None
        Labels (rows,), or 0 and 1 (rows, outputs); None for values.
    intervals : ndarray (rows, outputs, 2) or None
        The ends of intervals; None if the export has no intervals.
    derivatives : ndarray (rows, outputs, columns) or None
        The derivatives of the outputs by raw columns; None if the export has none.
    """

    outputs: Array
    predictions: Array | None
    intervals: Array | None = None
    derivatives: Array | None = None

    @property
    def numbers(self) -> Array:
        """The outputs and the ends of intervals, (rows, numbers)."""
        if self.intervals is None:
            return self.outputs
        return np.concatenate([self.outputs, self.intervals.reshape(len(self.outputs), -1)], axis=1)


class Target(ABC):
    """A format of files for another tool.

    Attributes
    ----------
    title : str
        The name of the format in a sentence.
    suffix : str
        The default suffix of the main file.
    other_suffixes : tuple of str
        Other allowed suffixes of the main file.
    writes_float32 : bool
        Whether a float64 model can be stored as float32 on demand.
    gives_intervals : bool
        Whether exports can return intervals in addition to values.
    gives_derivatives : bool
        Whether exports can return derivatives by columns.
    gives_training : bool
        Whether exports can have the training step.
    takes_teams : bool
        Whether a file can contain several networks with different layers.
    takes_words : bool
        Whether a file can make vectors of texts.
    adds_in_order : bool
        Whether each row is computed alone, with sums in one fixed order, so that rounded sums do not fall.
    rounds_once : bool
        Whether, where this keeps the last bit, functions such as tanh in float32 are computed in float64 and rounded.
    is_program : bool
        Whether exported files are programs; the files of other targets can be read by `specnet.importing`.
    """

    title: ClassVar[str]
    suffix: ClassVar[str]
    other_suffixes: ClassVar[tuple[str, ...]] = ()
    writes_float32: ClassVar[bool] = False
    gives_intervals: ClassVar[bool] = False
    gives_derivatives: ClassVar[bool] = False
    gives_training: ClassVar[bool] = False
    takes_teams: ClassVar[bool] = False
    takes_words: ClassVar[bool] = False
    adds_in_order: ClassVar[bool] = False
    rounds_once: ClassVar[bool] = False
    is_program: ClassVar[bool] = False

    def program(self, model: Model, dtype: np.dtype[Any]) -> Program:
        """Return the program of a model for this target, computed in `dtype`.

        Raises
        ------
        MissingPackageError
            If a package that the target needs is not installed.
        """
        never_falls = self.never_falls(model, dtype)
        return Program(model, dtype, TEXT_EXPANSIONS, takes_words=self.takes_words, never_falls=never_falls)

    def of_table(self, **settings: Any) -> Target:
        """Return this target for a table of a database, given a dialect, the names of tables, or columns.

        Raises
        ------
        UnsupportedError
            If its files read no database.
        """
        name = type(self).__module__.rpartition(".")[2]
        raise UnsupportedError(f"{name} reads no database: {', '.join(settings)}", hint="choose sql")

    def never_falls(self, model: Model, dtype: np.dtype[Any]) -> bool:
        """Return whether an export in `dtype` keeps the directions of monotone columns to the last bit."""
        rounds_once = self.rounds_once and dtype == np.float32
        return bool(directions(model)) and self.adds_in_order and keeps_last_bit(model, rounds_once=rounds_once)

    def with_derivatives(self, program: Program) -> Program:
        """Add derivatives by columns to a program of this target, and return it.

        Raises
        ------
        UnsupportedError
            If the target lacks an operation.
        """
        return program.with_derivatives(TEXT_EXPANSIONS)

    @abstractmethod
    def render(self, program: Program, path: Path) -> dict[Path, bytes]:
        """Return the content of the export's files by path, the main file last.

        Parameters
        ----------
        program : Program
        path : Path
            Path of the main file.

        Raises
        ------
        UnsupportedError
            If the target cannot express the program; the message lists all problems.
        """

    @abstractmethod
    def run(self, program: Program, path: Path, rows: RawColumns) -> ExportAnswers:
        """Run the exported files at `path` on raw rows, and return their answers.

        Raises
        ------
        CannotRunError
            If a program or package that runs the files is missing.
        """

    def run_training(
        self, program: Program, path: Path, rows: RawColumns, targets: Array, batches: Sequence[slice]
    ) -> TrainingSteps:
        """Train the exported files at `path` from the initial parameters on, and return all steps.

        Parameters
        ----------
        program : Program
            A program with a training step.
        path : Path
        rows : RawColumns
        targets : ndarray (rows, targets)
        batches : sequence of slice
            The rows of each step.

        Raises
        ------
        CannotRunError
            If a program that runs the files is missing.
        """
        raise NotImplementedError(f"{type(self).__name__} has no training step")


def refuse_module_name(path: Path, library: str) -> None:
    """Refuse a name for a Python file that would hide a module of the standard library or the library itself.

    Raises
    ------
    ExportError
    """
    if path.stem in sys.stdlib_module_names or path.stem == library:
        raise ExportError(f"{path.name} would hide Python's module {path.stem}", hint="choose another file name")
    if not path.name.isprintable():
        raise ExportError(f"{path.name!r} is not a valid name for a Python file", hint="choose another file name")


def refuse_texts(program: Program, library: str) -> None:
    """Refuse a model with columns of texts, for a library without arrays of texts.

    Raises
    ------
    UnsupportedError
    """
    if program.texts:
        hint = "onnx, numpy, javascript and sql take texts; c has a function for their codes"
        raise UnsupportedError(
            f"{library} has no equivalent of columns of texts: {program.named(program.texts)}", hint=hint
        )


def without_idle_imputation(model: Model) -> tuple[Model, str]:
    """Return a model without those `impute` steps that no training row needed, for a library without imputation.

    Returns
    -------
    model : Model
    note : str
        A note that missing cells are not filled; empty if no step was removed.
    """

    def is_idle(step: Preprocessing) -> bool:
        return isinstance(step, Impute) and not step.missing and not step.indicator

    if not any(map(is_idle, model.preprocessing.steps)):
        return model, ""
    groups = []
    for group in model.preprocessing.groups:
        others = [pair for pair in zip(group.steps, group.fitted, strict=True) if not is_idle(pair[0])]
        steps, fitted = (tuple(each) for each in zip(*others, strict=True)) if others else ((), ())
        groups.append(replace(group, steps=steps, fitted=fitted))
    prepared = Preparation(tuple(groups))
    parts = (model.theta, model.state, prepared, model.target_preprocessing, model.labels, model.error_quantiles)
    return Model(model.network, *parts), "missing cells are not filled"


def unknown_preprocessing(preparation: Preparation, columns: int, library: str) -> list[str]:
    """Return a message for each step that is not supported by a library that can only standardize all columns."""
    unknown = [step.type for step in preparation.steps if step.type != "standardize"]
    unknown += [] if preparation.is_one_chain(columns) else ["of groups of columns"]
    return [f"{library} has no equivalent of the preprocessing {name}" for name in unknown]


def required(module: str, extra: str) -> Any:
    """Import and return a module that an extra of the package installs.

    Raises
    ------
    MissingPackageError
    """
    return extras.required(module, extra, MissingPackageError)
