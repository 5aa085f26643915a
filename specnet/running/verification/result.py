"""The result of verifying runs, as data and in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specnet.number_texts import count, counted
from specnet.running.verification.file_differences import FileDifference
from specnet.running.verification.prediction_differences import PredictionDifference
from specnet.training.checkpoint import SpecDifference
from specnet.training.observer import Beginning

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
