"""A folder of results, as tables list it: how it ended, its figures, its time and its findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from specnet.files import PathLike, file_errors, read_file
from specnet.number_texts import counted
from specnet.parts.metrics import main_metric
from specnet.parts.part import Part
from specnet.parts.splits import best_split
from specnet.parts.watchers import LOSS
from specnet.run_files import LARGEST_RECORD
from specnet.spec import Limits

Made = TypeVar("Made")
FINISHED, INTERRUPTED, UNFINISHED, BROKEN = "finished", "interrupted", "unfinished", "broken"


class SavedFolder:
    """A folder of results, read when something of it is needed; of no other class, one whose results cannot be read.

    Parameters
    ----------
    path : path
    name : str, optional
        What tables call it. Default: its path.
    parts, limits : optional
        As for `load_model`.

    Attributes
    ----------
    state : str
        ``finished``; ``interrupted``: stopped, with its state saved; ``unfinished``: still running, or killed;
        ``broken``: a file of it cannot be read; of several runs, how one of them ended else.
    message : str
        Why it has not finished.
    metrics : mapping
        The figures by set of rows and name.
    deviations : mapping
        Their standard deviations over runs on folds or with seeds, in the same form.
    seconds : float or None
        Of the training.
    epochs : int or None
        How many were completed.
    codes : tuple of str
        Of the findings.
    loss : str
        What its losses are, in words: losses are compared where these are the same. Empty where that is not known.
    trials, runs : int or None
        How many trials of a sweep, or runs on folds or with seeds, have ended.
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
        """The rows whose figures a table shows."""
        return best_split(self.metrics)

    @property
    def main_metric(self) -> str | None:
        """The metric of these rows by which a run is judged: accuracy or R², else its first one but the loss."""
        return main_metric(self.metrics.get(self.split, ()))

    def score(self, split: str, name: str) -> float | None:
        """Return a figure, None if there is none."""
        return self.metrics.get(split, {}).get(name)

    def remark(self) -> str:
        """Return the state, with how far it came, or what is wrong with a broken one."""
        if self.state == INTERRUPTED and self.epochs is not None:
            return f"interrupted after epoch {self.epochs}"
        done = self.trials if self.runs is None else self.runs
        if self.state == UNFINISHED and done is not None:
            return f"unfinished after {counted(done, 'trial' if self.runs is None else 'run')}"
        return f"{self.state}: {self.message}" if self.message else self.state

    def row(self) -> dict[str, Any]:
        """Return what a table shows of it, as plain data.

        Raises
        ------
        SpecnetError, OSError
            If a file that it is read from is damaged or missing.
        """
        return {
            "run": self.name,
            "state": self.state,
            "problem": self.message or None,
            "metrics": {split: dict(figures) for split, figures in self.metrics.items()},
            "seconds": self.seconds,
            "epochs": self.epochs,
            "findings": list(self.codes),
            "loss": self.loss or None,
            "trials": self.trials,
            "runs": self.runs,
            "deviations": {split: dict(figures) for split, figures in self.deviations.items()},
        }

    def read(self, name: str, read: Callable[[bytes], Made], missing: Made | None = None) -> Made:
        """Return what a function makes of the content of a file, or `missing` where there is no such file.

        Raises
        ------
        FileError
            If it cannot be read.
        """
        path = self.path / name
        if missing is not None and not path.exists():
            return missing
        with file_errors(path):
            return read(read_file(path, LARGEST_RECORD))


def loss_in_words(spec: Mapping[str, Any]) -> str:
    """Return what the losses of a resolved spec are: of which function, after which steps of its target."""
    training, network = (spec.get(name) for name in ("training", "network"))
    if not isinstance(training, Mapping) or not isinstance(network, Mapping) or LOSS not in training:
        return ""
    steps = network.get("target_preprocessing")
    after = f" after {', '.join(map(_part_in_words, steps))}" if isinstance(steps, list) and steps else ""
    return f"{_part_in_words(training[LOSS])}{after}"


def _part_in_words(part: Any) -> str:
    """Return the type of a part of a resolved spec, with the fields that are set to something."""
    if not isinstance(part, Mapping):
        return str(part)
    fields = ", ".join(f"{name}={value}" for name, value in part.items() if name != "type" and value)
    return f"{part.get('type')}({fields})" if fields else str(part.get("type"))


def have_one_loss(losses: Iterable[str]) -> bool:
    """Return whether losses can be compared, as far as it is known what they are: see `SavedFolder.loss`."""
    return len({*losses} - {""}) < 2
