"""The result of verifying runs, as data and text, with possible causes of a difference: spec, rows and machine."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from specnet.data import RowSet
from specnet.errors import SpecnetError
from specnet.model import Answers, read_model
from specnet.number_texts import count, counted
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
    """The difference between the predictions of two models.

    Attributes
    ----------
    rows : int
        The number of rows in all splits.
    others : int or None
        The number of rows with another label; None if values are predicted.
    largest : float
        The largest difference of a probability, or of a value.
    """

    rows: int
    others: int | None
    largest: float

    def as_dict(self) -> dict[str, Any]:
        """Return the difference as plain data."""
        return {**asdict(self), "sentence": str(self)}

    def __str__(self) -> str:
        """Return a sentence about the difference."""
        where = f"predictions of {counted(self.rows, 'row')}"
        if self.others is None:
            return f"{where}: values differ by at most {self.largest:.1e}"
        labels = "the same labels" if not self.others else f"another label for {self.others}"
        return f"{where}: {labels}, probabilities differ by at most {self.largest:.1e}"


def prediction_difference(then: bytes, now: bytes, spec: Spec, table: Table) -> PredictionDifference | None:
    """Return the difference between two models' predictions for a spec's rows; None if one cannot read the rows."""
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
    return model.answers(rows.raw, rows.y)


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
"""The compared facts about machines by title: the key in a run's facts, and the keys in its table."""


def machine_changes(then: Facts, now: Facts) -> Iterator[SpecDifference]:
    """Yield the differences between libraries and machines; facts that are unknown then or now are skipped."""
    before, after = (_table(facts, "versions") for facts in (then, now))
    for name in dict.fromkeys([*before, *after]):
        yield from _changed(name, _text(before.get(name)), _text(after.get(name)))
    for title, (key, inner) in _MACHINE.items():
        yield from _changed(title, _fact(then, key, inner), _fact(now, key, inner))


def input_changes(
    then: Facts, now: Facts, files_then: Mapping[str, bytes], files_now: Mapping[str, bytes]
) -> Iterator[SpecDifference]:
    """Yield the differences between specs and between rows."""
    if RESOLVED in files_then and RESOLVED in files_now:
        before, after = (RunIdentity(files[RESOLVED].decode(), "") for files in (files_then, files_now))
        yield from before.differences(after)
    rows_then, rows_now = _text(then.get("data_sha256")), _text(now.get("data_sha256"))
    if rows_then and rows_now and rows_then != rows_now:
        yield SpecDifference("data (SHA-256)", f"{rows_then:.8}…", f"{rows_now:.8}…")
        yield from _other_rows(then, now)
    teachers = (_text(facts.get("teacher_sha256")) for facts in (then, now))
    yield from _changed("teacher (SHA-256)", *(f"{sha256:.8}…" if sha256 else "" for sha256 in teachers))


def _other_rows(then: Facts, now: Facts) -> Iterator[SpecDifference]:
    """Yield the number of new training rows, if the hashes of all training rows are known."""
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
    """Return a fact as a text, empty if it is unknown."""
    if isinstance(value, list):
        return " ".join(filter(None, map(_text, value)))
    return "" if value is None else str(value)


ROUNDING = 1e-6
"""The largest relative difference that counts as rounding; only the first is tested, as differences grow later."""


@dataclass(frozen=True)
class VerifiedRun:
    """The comparison of a run with its reproduction.

    Attributes
    ----------
    name : str
        The name of its folder, relative to the folder of many runs.
    files : tuple of str
        The compared files.
    differences : tuple of FileDifference
        The files that are not the same.
    inputs : tuple of SpecDifference
        Differences of the spec and the data, then and now.
    machine : tuple of SpecDifference
        Differences of the machine and the libraries, then and now.
    predictions : PredictionDifference or None
        The difference between the predictions of the saved and the reproduced model, if the models differ.
    beginning : Beginning or None
        The part of the training that was reproduced; None for all of it.
    message : str
        The reason why the run could not be reproduced; empty if it was.
    unchecked : tuple of str
        Files that cannot be reproduced and whose SHA-256 was not recorded.
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
        """Whether all compared files are the same, byte for byte."""
        return not self.differences and not self.message

    @property
    def largest(self) -> float | None:
        """The largest relative difference of a number; None if other values differ or nothing was reproduced."""
        found = [each.largest for each in self.differences]
        if self.message or None in found:
            return None
        return max((each for each in found if each is not None), default=0.0)

    @property
    def is_rounded(self) -> bool:
        """Whether only numbers differ, the machine differs, and the first difference is as small as rounding."""
        first = self.differences[0].distance if self.differences else None
        return self._is_explained and self.largest is not None and first is not None and first.relative <= ROUNDING

    @property
    def _is_explained(self) -> bool:
        """Whether the machine or the libraries differ, and nothing else."""
        return bool(self.machine) and not self.inputs

    def is_within(self, tolerance: float | None) -> bool:
        """Return whether all is the same, or the machine differs and only numbers differ, by at most `tolerance`."""
        largest = self.largest
        if self.is_same or tolerance is None or largest is None:
            return self.is_same
        return self._is_explained and largest <= tolerance

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as plain data."""
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
        """Return the result of the comparison as a text."""
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
    """Return a text that names the files that were not checked."""
    return f"not checked, as no SHA-256 was recorded: {', '.join(names)}"


@dataclass(frozen=True)
class Verification:
    """The result of `specnet.verify`.

    Attributes
    ----------
    runs : tuple of VerifiedRun
        The comparison of each folder. There is one, except for folds, seeds or a sweep; the last one is then the outer
        folder itself, with an empty name.
    total : int
        The number of folders, including folders that were not sampled.
    tolerance : float or None
    folder : Path or None
        The folder of the reproduced runs; None if nothing was saved.
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
        """Whether all files are the same, or the machine differs and numbers differ by at most the tolerance."""
        return all(run.is_within(self.tolerance) for run in self.runs)

    @property
    def others(self) -> tuple[VerifiedRun, ...]:
        """The runs that are neither the same nor within the tolerance."""
        return tuple(run for run in self.runs if not run.is_within(self.tolerance))

    def as_dict(self) -> Mapping[str, Any]:
        """Return the result as plain data."""
        return {
            "same": self.is_same,
            "holds": self.holds,
            "tolerance": self.tolerance,
            "total": self.total,
            "runs": [run.as_dict() for run in self.runs],
        }
