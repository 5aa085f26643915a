"""The result of verifying runs, as data and in words, with what may explain a difference: spec, rows and machine."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from specnet.data import RawColumns, RowSet
from specnet.errors import SpecnetError
from specnet.model import Answers, read_model
from specnet.number_texts import count, counted
from specnet.parts.arrays import as_array
from specnet.parts.data import Table
from specnet.run_files import RESOLVED, TRAINING_ROWS
from specnet.running.data_rows import Rows
from specnet.running.training_run import BLAS, COMPILER, CPU_FEATURES, THREADS
from specnet.running.verification.file_differences import FileDifference
from specnet.spec import Spec
from specnet.training import RunIdentity
from specnet.training.checkpoint import SpecDifference
from specnet.training.observer import Beginning


@dataclass(frozen=True)
class PredictionDifference:
    """How far the predictions of two models are apart.

    Attributes
    ----------
    rows : int
        Of all parts of the split.
    others : int or None
        Rows with another label; None if values are predicted.
    largest : float
        The largest difference of a probability, or of a value.
    """

    rows: int
    others: int | None
    largest: float

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**asdict(self), "sentence": str(self)}

    def __str__(self) -> str:
        """Return it in words."""
        where = f"predictions of {counted(self.rows, 'row')}"
        if self.others is None:
            return f"{where}: values differ by at most {self.largest:.1e}"
        labels = "the same labels" if not self.others else f"another label for {self.others}"
        return f"{where}: {labels}, probabilities differ by at most {self.largest:.1e}"


def prediction_difference(then: bytes, now: bytes, spec: Spec, table: Table) -> PredictionDifference | None:
    """Return how far the predictions of two models are apart for the rows of a spec; None if one takes other rows."""
    rows = Rows(table.X, table.y, kinds=table.columns)
    try:
        first, second = (_answers(content, spec, rows) for content in (then, now))
    except SpecnetError:
        return None
    if first.prediction.shape != second.prediction.shape:
        return None
    if first.probability is None or second.probability is None:
        return PredictionDifference(len(rows), None, _largest(first.prediction, second.prediction))
    others = (first.prediction != second.prediction).reshape(len(rows), -1).any(axis=1)
    return PredictionDifference(
        len(rows), int(np.count_nonzero(others)), _largest(first.probability, second.probability)
    )


def _largest(a: Any, b: Any) -> float:
    return float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max())


def _answers(content: bytes, spec: Spec, rows: Rows) -> Answers:
    model = read_model(io.BytesIO(content), len(content), spec.registry, spec.origin.limits)
    return model.answers(RawColumns(as_array(rows.columns, "X"), rows.kinds), rows.y)


Facts = Mapping[str, Any]
_MACHINE = {
    "BLAS": (BLAS, ("name", "version")),
    "BLAS kernels": (BLAS, ("architecture",)),
    "CPU features": (CPU_FEATURES, ()),
    "threads": (THREADS, ()),
    "engine": ("engine", ()),
    "compiler": (COMPILER, ("name",)),
    "compiled for": (COMPILER, ("target",)),
}
"""What is compared of machines: the key in a run's facts, and those in its table."""


def machine_changes(then: Facts, now: Facts) -> Iterator[SpecDifference]:
    """Yield what differs of libraries and machines; what is not known of one of them does not count."""
    before, after = (_table(facts, "versions") for facts in (then, now))
    for name in dict.fromkeys([*before, *after]):
        yield from _changed(name, _text(before.get(name)), _text(after.get(name)))
    for title, (key, inner) in _MACHINE.items():
        yield from _changed(title, _fact(then, key, inner), _fact(now, key, inner))


def input_changes(
    then: Facts, now: Facts, files_then: Mapping[str, bytes], files_now: Mapping[str, bytes]
) -> Iterator[SpecDifference]:
    """Yield what differs of the spec and the rows."""
    if RESOLVED in files_then and RESOLVED in files_now:
        before, after = (RunIdentity(files[RESOLVED].decode(), "") for files in (files_then, files_now))
        yield from before.differences(after)
    rows_then, rows_now = _text(then.get("data_sha256")), _text(now.get("data_sha256"))
    if rows_then and rows_now and rows_then != rows_now:
        yield SpecDifference("data (SHA-256)", f"{rows_then:.8}…", f"{rows_now:.8}…")
        yield from _other_rows(then, now)


def _other_rows(then: Facts, now: Facts) -> Iterator[SpecDifference]:
    """Yield how many training rows are others, if that is known of all of them."""
    before, after = (RowSet.from_data(facts.get(TRAINING_ROWS)) for facts in (then, now))
    if before is not None and after is not None and before.is_complete and after.is_complete:
        others = len(after.hashes) - before.count(after.hashes)
        yield SpecDifference(
            "training rows", str(len(before.hashes)), f"{len(after.hashes)}, {others or 'none'} of them new"
        )


def _changed(title: str, then: str, now: str) -> Iterator[SpecDifference]:
    if then and now and then != now:
        yield SpecDifference(title, then, now)


def _fact(facts: Facts, key: str, inner: Sequence[str]) -> str:
    return _text([_table(facts, key).get(name) for name in inner] if inner else facts.get(key))


def _table(facts: Facts, key: str) -> Mapping[str, Any]:
    table = facts.get(key)
    return table if isinstance(table, Mapping) else {}


def _text(value: Any) -> str:
    """Return a fact as a text; empty where it is not known."""
    if isinstance(value, list):
        return " ".join(filter(None, map(_text, value)))
    return "" if value is None else str(value)


ROUNDING = 1e-6
"""The largest relative difference that is called one of rounding, before it grows with each step."""


@dataclass(frozen=True)
class VerifiedRun:
    """A run that was made again.

    Attributes
    ----------
    name : str
        Of its folder, in that of many runs.
    files : tuple of str
        What was compared.
    differences : tuple of FileDifference
        The files that are not the same.
    inputs : tuple of SpecDifference
        What differs of the spec and the data, then and now.
    machine : tuple of SpecDifference
        What differs of the machine and the libraries, then and now.
    predictions : PredictionDifference or None
        How far the predictions of the model then and of the model now are apart, if these differ.
    beginning : Beginning or None
        What was trained again, if not all of it.
    message : str
        Why it could not be made again.
    unchecked : tuple of str
        Files that can neither be made again nor compared with their SHA-256, which was not recorded.
    """

    name: str
    files: tuple[str, ...] = ()
    differences: tuple[FileDifference, ...] = ()
    inputs: tuple[SpecDifference, ...] = ()
    machine: tuple[SpecDifference, ...] = ()
    predictions: PredictionDifference | None = None
    beginning: Beginning | None = None
    message: str = ""
    unchecked: tuple[str, ...] = ()

    @property
    def is_same(self) -> bool:
        """Whether all files that were compared are the same, byte for byte."""
        return not self.differences and not self.message

    @property
    def largest(self) -> float | None:
        """The largest relative difference of a number; None if something else differs too, or nothing was made."""
        found = [each.largest for each in self.differences]
        if self.message or None in found:
            return None
        return max((each for each in found if each is not None), default=0.0)

    @property
    def is_rounded(self) -> bool:
        """Whether only numbers differ, at first by no more than rounding does, on a machine that differs."""
        first = self.differences[0].distance if self.differences else None
        return self._is_explained and self.largest is not None and first is not None and first.relative <= ROUNDING

    @property
    def _is_explained(self) -> bool:
        """Whether the machine or the libraries differ, and nothing else."""
        return bool(self.machine) and not self.inputs

    def is_within(self, tolerance: float | None) -> bool:
        """Return whether it is the same, or only numbers differ, by no more than that, on a machine that differs."""
        largest = self.largest
        if self.is_same or tolerance is None or largest is None:
            return self.is_same
        return self._is_explained and largest <= tolerance

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "name": self.name,
            "same": self.is_same,
            "files": list(self.files),
            "differences": [each.as_dict() for each in self.differences],
            "inputs": [each._asdict() for each in self.inputs],
            "machine": [each._asdict() for each in self.machine],
            "predictions": self.predictions and self.predictions.as_dict(),
            "beginning": self.beginning and self.beginning._asdict(),
            "message": self.message,
            "unchecked": list(self.unchecked),
        }

    def __str__(self) -> str:
        """Return what it has come to, in words."""
        if self.message:
            return f"cannot be made again: {self.message}"
        files = counted(len(self.files), "file")
        if self.differences:
            return (
                f"{count(len(self.differences))} of {files} differ{'s' * (len(self.differences) == 1)}{self._until()}"
            )
        left = f"; {unchecked_text(self.unchecked)}" if self.unchecked else ""
        return f"the same {files}{self._until()}{left}"

    def _until(self) -> str:
        if self.beginning is None:
            return ""
        member = f" of member {self.beginning.member}" if self.beginning.member else ""
        return f" up to epoch {self.beginning.epochs}{member}"


def unchecked_text(names: Iterable[str]) -> str:
    """Return in words that files were not checked."""
    return f"not checked, as no SHA-256 was recorded: {', '.join(names)}"


@dataclass(frozen=True)
class Verification:
    """The result of `specnet.verify`.

    Attributes
    ----------
    runs : tuple of VerifiedRun
        The folders whose files were compared; one, unless it is that of folds, seeds or a sweep. The last one is that
        folder itself, whose name is empty.
    total : int
        How many folders there are.
    tolerance : float or None
    folder : Path or None
        Where they were written.
    """

    runs: tuple[VerifiedRun, ...]
    total: int = 1
    tolerance: float | None = None
    folder: Path | None = None

    @property
    def is_same(self) -> bool:
        """Whether all files are the same, byte for byte."""
        return all(run.is_same for run in self.runs)

    @property
    def holds(self) -> bool:
        """Whether all files are the same, or differ by no more than the tolerance, on a machine that differs."""
        return all(run.is_within(self.tolerance) for run in self.runs)

    @property
    def others(self) -> tuple[VerifiedRun, ...]:
        """The runs that are neither the same nor within the tolerance."""
        return tuple(run for run in self.runs if not run.is_within(self.tolerance))

    def as_dict(self) -> Mapping[str, Any]:
        """Return it as plain data."""
        return {
            "same": self.is_same,
            "holds": self.holds,
            "tolerance": self.tolerance,
            "total": self.total,
            "runs": [run.as_dict() for run in self.runs],
        }
