"""The folders of several runs: on folds or with seeds, of a sweep, and of a sweep for each fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from specnet.errors import FileError
from specnet.files.locks import LOCK_NAME
from specnet.files.plain_data import checked
from specnet.files.run_files import RUNS_TABLE, SERIES, SUMMARY, kind_of
from specnet.files.tensors import parse_object
from specnet.number_texts import count, counted
from specnet.parts.splits import SPLITS
from specnet.saved.metrics_file import Metrics
from specnet.saved.saved_folder import FINISHED, UNFINISHED, SavedFolder
from specnet.saved.summary import Summary, read_csv


@dataclass(frozen=True)
class RepeatedRun:
    """One of several runs of a spec: a row of ``runs.csv``.

    Attributes
    ----------
    name : str
        Of its folder.
    seed, fold : int or None
        What is its own.
    state : str
        ``finished``; ``diverged`` if its loss was not finite, ``refused`` after any other error.
    message : str
        Why it has not finished.
    metrics : dict
        By set of rows and name.
    epochs : int
    seconds : float
    """

    name: str
    seed: int | None
    fold: int | None
    state: str
    message: str
    metrics: Metrics
    epochs: int
    seconds: float = field(compare=False)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def read_runs(folder: Path) -> list[RepeatedRun]:
    """Return what ``runs.csv`` says of each run.

    Raises
    ------
    FileError
    """
    return read_csv(folder / RUNS_TABLE, "table of runs", _run)


def _run(row: Mapping[str, str]) -> RepeatedRun:
    metrics: Metrics = {}
    for column, cell in row.items():
        split, dot, name = column.partition(".")
        if dot and split in SPLITS and cell:
            metrics.setdefault(split, {})[name] = float(cell)
    if Path(row["run"]).name != row["run"]:
        raise ValueError(f"{row['run']!r} is not the name of a folder")
    seed, fold = (int(row[name]) if row[name] else None for name in ("seed", "fold"))
    ended = row["state"], row["message"], metrics, int(row["epochs"]), float(row.get("seconds") or 0)
    return RepeatedRun(row["run"], seed, fold, *ended)


def read_summary(folder: Path, *, has_finished: bool) -> Summary:
    """Return what ``summary.json`` says of runs, of which one has finished or none.

    Raises
    ------
    FileError
    """

    def found(content: bytes) -> Summary:
        record = parse_object(content, "the summary of the runs")
        summary = checked(TypeAdapter(Summary).validate_python, record, "the summary of runs is")
        if has_finished and not (summary and all(summary.values())):
            raise FileError("the summary of runs has no metrics of those that have finished")
        return summary

    return SavedFolder(folder).read(SUMMARY, found)


class SavedSeries(SavedFolder):
    """The folder of runs on folds or with seeds, or of a sweep for each fold: figures are means over the runs.

    Parameters and attributes are those of `SavedFolder`.

    Attributes
    ----------
    inner : sequence of SavedFolder
        The folders of the runs or sweeps.
    """

    def __init__(self, path: Path, name: str | None, inner: Sequence[SavedFolder]) -> None:
        super().__init__(path, name)
        self.inner = inner

    @cached_property
    def rows(self) -> Sequence[RepeatedRun | SavedFolder]:
        """What its table says of each run; the folders of sweeps, for which there is no table."""
        return read_runs(self.path) if kind_of(self.path) is SERIES else self.inner

    @cached_property
    def summary(self) -> Summary:
        """What ``summary.json`` says."""
        return read_summary(self.path, has_finished=any(row.state == FINISHED for row in self.rows))

    @property
    def _is_locked(self) -> bool:
        return (self.path / LOCK_NAME).is_file()

    @property
    def _others(self) -> list[str]:
        """The states of those that have not finished."""
        return [each.state for each in (*self.rows, *self.inner) if each.state != FINISHED]

    @cached_property
    def state(self) -> str:
        return UNFINISHED if self._is_locked else next(iter(self._others), FINISHED)

    @cached_property
    def message(self) -> str:
        others = [] if self._is_locked else self._others
        return f"{count(len(others))} of {counted(len(self.rows), 'run')}" if others else ""

    @cached_property
    def metrics(self) -> Mapping[str, Mapping[str, float | None]]:
        return {split: {name: each["mean"] for name, each in of.items()} for split, of in self.summary.items()}

    @cached_property
    def deviations(self) -> Mapping[str, Mapping[str, float | None]]:
        return {split: {name: each["std"] for name, each in of.items()} for split, of in self.summary.items()}

    @cached_property
    def seconds(self) -> float | None:
        known = [each.seconds for each in self.inner if each.seconds is not None]
        return sum(known) if known else None

    @cached_property
    def codes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(code for each in self.inner for code in each.codes))

    @cached_property
    def loss(self) -> str:
        losses = {each.loss for each in self.inner}
        return losses.pop() if len(losses) == 1 else ""

    @cached_property
    def runs(self) -> int | None:
        return len(self.rows)
