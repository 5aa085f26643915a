"""A folder of results, as tables list it: its state, metrics, training time and findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from specnet.files import PathLike, file_errors, read_file
from specnet.number_texts import count, counted
from specnet.parts.metrics import main_metric
from specnet.parts.part import Part
from specnet.parts.splits import best_split
from specnet.parts.watchers import LOSS
from specnet.run_files import LARGEST_RECORD
from specnet.saved.expectations_file import JudgedExpectation
from specnet.spec import Limits

Made = TypeVar("Made")
FINISHED, INTERRUPTED, UNFINISHED, BROKEN = "finished", "interrupted", "unfinished", "broken"


class SavedFolder:
    """A folder of results; each file is read when needed. Used directly, not subclassed, for unreadable results.

    Parameters
    ----------
    path : path
    name : str, optional
        Name in tables. Default: the path.
    parts, limits : optional
        As for `load_model`.

    Attributes
    ----------
    state : str
        ``finished``; ``interrupted``: stopped, with its state saved; ``unfinished``: still running, or killed;
        ``broken``: one of its files cannot be read. For several runs, the state of the first unfinished one, if any.
    message : str
        The reason why it has not finished.
    metrics : mapping
        The metrics by split and name.
    deviations : mapping
        The standard deviations of metrics over runs on folds or with seeds, by split and name.
    seconds : float or None
        The training time.
    epochs : int or None
        The number of completed epochs.
    codes : tuple of str
        The codes of the findings.
    expectations : sequence of JudgedExpectation
        The outcome of each expectation of the spec; over several runs, that of their means.
    tested_on : mapping
        What has to be equal for scores to be ranked: ``target`` and ``data`` by name, ``source``, the path of the table
        or the hash of other data, ``rows``, the number of rows of the best split, and the fields of the split that
        decide which rows are for testing. Empty if unknown.
    loss : str
        A description of the loss; only losses with the same description are comparable. Empty if unknown.
    trials, runs : int or None
        The number of ended trials of a sweep, or of ended runs on folds or with seeds.
    """

    def __init__(
        self,
        path: PathLike,
        name: str | None = None,
        *,
        parts: Iterable[type[Part]] = (),
        limits: Limits | None = None,
    ) -> None:
        self.path, self.name = Path(path), str(path) if name is None else name
        self.parts, self.limits = tuple(parts), limits

    @cached_property
    def state(self) -> str:
        return UNFINISHED

    @cached_property
    def message(self) -> str:
        return ""

    @cached_property
    def metrics(self) -> Mapping[str, Mapping[str, float | None]]:
        return {}

    @cached_property
    def deviations(self) -> Mapping[str, Mapping[str, float | None]]:
        return {}

    @cached_property
    def seconds(self) -> float | None:
        return None

    @cached_property
    def epochs(self) -> int | None:
        return None

    @cached_property
    def codes(self) -> tuple[str, ...]:
        return ()

    @cached_property
    def expectations(self) -> Sequence[JudgedExpectation]:
        return ()

    @cached_property
    def tested_on(self) -> Mapping[str, Any]:
        return {}

    @cached_property
    def loss(self) -> str:
        return ""

    @cached_property
    def trials(self) -> int | None:
        return None

    @cached_property
    def runs(self) -> int | None:
        return None

    @property
    def split(self) -> str:
        """The split whose metrics a table shows."""
        return best_split(self.metrics)

    @property
    def main_metric(self) -> str | None:
        """The metric of this split that judges a run: accuracy or R², else the first metric except the loss."""
        return main_metric(self.metrics.get(self.split, ()))

    def score(self, split: str, name: str) -> float | None:
        """Return the metric `name` of a split, or None if it is missing or undefined."""
        return self.metrics.get(split, {}).get(name)

    def remark(self) -> str:
        """Return the state as a text, with the progress, or with the reason why the folder is broken."""
        if self.state == INTERRUPTED and self.epochs is not None:
            return f"interrupted after epoch {count(self.epochs)}"
        done = self.trials if self.runs is None else self.runs
        if self.state == UNFINISHED and not self.message and done is not None:
            return f"unfinished after {counted(done, 'trial' if self.runs is None else 'run')}"
        return f"{self.state}: {self.message}" if self.message else self.state

    def row(self) -> dict[str, Any]:
        """Return the row of a table as plain data.

        Raises
        ------
        SpecnetError, OSError
            If a file that is read for it is damaged or missing.
        """
        return {
            "run": self.name,
            "state": self.state,
            "problem": self.message or None,
            "metrics": {split: dict(figures) for split, figures in self.metrics.items()},
            "seconds": self.seconds,
            "epochs": self.epochs,
            "findings": list(self.codes),
            "expectations": dict(Counter(each["outcome"] for each in self.expectations)),
            "loss": self.loss or None,
            "trials": self.trials,
            "runs": self.runs,
            "deviations": {split: dict(figures) for split, figures in self.deviations.items()},
        }

    def read(self, name: str, read: Callable[[bytes], Made], missing: Made | None = None) -> Made:
        """Return the result of `read` for the content of a file, or `missing` if the file does not exist.

        Raises
        ------
        FileError
            If the file cannot be read, or does not exist and `missing` is None.
        """
        path = self.path / name
        if missing is not None and not path.exists():
            return missing
        with file_errors(path):
            return read(read_file(path, LARGEST_RECORD))


def loss_in_words(spec: Mapping[str, Any]) -> str:
    """Return a description of a resolved spec's loss: its function, and the preprocessing steps of the target."""
    training, network = (spec.get(name) for name in ("training", "network"))
    if not isinstance(training, Mapping) or not isinstance(network, Mapping) or LOSS not in training:
        return ""
    steps = network.get("target_preprocessing")
    after = f" after {', '.join(map(_part_in_words, steps))}" if isinstance(steps, list) and steps else ""
    return f"{_part_in_words(training[LOSS])}{after}"


def _part_in_words(part: Any) -> str:
    """Return the type of a part of a resolved spec, with its fields that are not empty, false or zero."""
    if not isinstance(part, Mapping):
        return str(part)
    fields = ", ".join(f"{name}={value}" for name, value in part.items() if name != "type" and value)
    return f"{part.get('type')}({fields})" if fields else str(part.get("type"))


def have_one_loss(losses: Iterable[str]) -> bool:
    """Return whether losses are comparable, given their descriptions (`SavedFolder.loss`); unknown ones are ignored."""
    return len({*losses} - {""}) < 2
