"""Runs side by side: their table, its order, and what their scores are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from specnet.number_texts import ABSENT, count, counted, duration, metric, metric_spread
from specnet.parts.metrics import main_metric
from specnet.parts.splits import SPLITS, TEST, VALIDATION, best_split
from specnet.report.terminal.text_tables import TextTable
from specnet.spec import Spec
from specnet.spec.reading.hints import close_match

LOSS = "loss"
FINISHED = "finished"


class Curve(NamedTuple):
    """A figure of a run over its epochs."""

    epochs: Sequence[int]
    values: Sequence[float]


Curves = Mapping[str, Curve]
"""The curves of a run by the names that ``history.jsonl`` has."""


@dataclass(frozen=True, eq=False)
class RunRecord:
    """A run, or a trial of a sweep, as its folder tells of it: as much of it as a table or a page shows.

    Attributes
    ----------
    name : str
        The folder, as seen from the one that was searched.
    state : str
        ``finished``; ``interrupted``: stopped, with its state saved; ``unfinished``: still running, or killed;
        ``broken``: a file of it cannot be read; of one of many runs, how it ended else.
    message : str
        Why it has not finished.
    metrics : mapping
        The figures by part of the split and name.
    baselines : mapping
        Those of simpler predictors, by their names.
    seconds : float or None
        Of the training.
    epochs : int or None
        That were reached.
    findings : tuple of str
        Their codes.
    trials : int or None
        Of a sweep, of whose best run the rest is told: how many have ended.
    runs : int or None
        Of runs on folds or with seeds, of whose means the rest is told: how many have ended.
    deviations : mapping
        The standard deviations over these, as `metrics`.
    seed, fold : int or None
        What is its own among runs of one spec.
    trial : int
        The number of the trial that it is, or that it is the run of as the best one of a sweep.
    figure : float or None
        By which a sweep compares that trial, where it has finished.
    settings : mapping
        What was drawn for that trial, by key.
    curves : mapping
    data_sha256 : str or None
        The hash of its data.
    spec : Spec or None
        Resolved.
    history : sequence of mapping
        The lines of ``history.jsonl``.
    loss : str
        What its losses are, in words: losses are compared where these are the same. Empty where that is not known.
    page : str
        The address of its own page, as seen from the one that shows it; empty where it has none.
    """

    name: str
    state: str = FINISHED
    message: str = ""
    metrics: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    baselines: Mapping[str, Mapping[str, Mapping[str, float | None]]] = field(default_factory=dict)
    seconds: float | None = None
    epochs: int | None = None
    findings: tuple[str, ...] = ()
    trials: int | None = None
    runs: int | None = None
    deviations: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    seed: int | None = None
    fold: int | None = None
    trial: int = 0
    figure: float | None = None
    settings: Mapping[str, str | int | float] = field(default_factory=dict)
    curves: Curves = field(default_factory=dict)
    data_sha256: str | None = None
    spec: Spec | None = None
    history: Sequence[Mapping[str, Any]] = ()
    loss: str = ""
    page: str = ""

    @property
    def curve(self) -> Curve | None:
        """The validation loss, of a pruned trial as far as it was looked at."""
        return self.curves.get(f"{VALIDATION}_{LOSS}")

    @property
    def split(self) -> str:
        """The rows whose figures a table shows."""
        return best_split(self.metrics)

    @property
    def main_metric(self) -> str | None:
        """The metric of these rows by which a run is judged: accuracy or R², else its first one but the loss."""
        return main_metric(self.metrics.get(self.split, ()))

    def score(self, split: str, name: str) -> float | None:
        """Return a figure, None if the run does not have it."""
        return self.metrics.get(split, {}).get(name)

    def score_text(self, split: str, name: str) -> str:
        """Return a figure with its deviation over runs, if there are several; a dash if the run does not have it."""
        return metric_spread(name, self.score(split, name), self.deviations.get(split, {}).get(name))

    def baseline(self, baseline: str, split: str, name: str) -> float | None:
        """Return a figure of a simpler predictor, None if the run does not have it."""
        return self.baselines.get(baseline, {}).get(split, {}).get(name)

    def remark(self) -> str:
        """Return the state of a run, with what is wrong with a broken one."""
        if self.state == "interrupted" and self.epochs is not None:
            return f"interrupted after epoch {self.epochs}"
        done = self.trials if self.runs is None else self.runs
        if self.state == "unfinished" and done is not None:
            return f"unfinished after {counted(done, 'trial' if self.runs is None else 'run')}"
        return f"{self.state}: {self.message}" if self.message else self.state

    def as_dict(self) -> dict[str, Any]:
        """Return the record as plain data for ``--format json``."""
        return {
            "run": self.name,
            "state": self.state,
            "problem": self.message or None,
            "metrics": {split: dict(figures) for split, figures in self.metrics.items()},
            "seconds": self.seconds,
            "epochs": self.epochs,
            "findings": list(self.findings),
            "loss": self.loss or None,
            "trials": self.trials,
            "runs": self.runs,
            "deviations": {split: dict(figures) for split, figures in self.deviations.items()},
        }


@dataclass(frozen=True)
class TableColumn:
    """A column of the table of runs: what it shows of each, and by what it sorts; None is shown as a dash."""

    title: str
    texts: Sequence[str]
    keys: Sequence[Any]
    right: bool = False


class RunTable:
    """Runs as rows: name, main metrics and loss of the rows that say most, training time, findings.

    Each set of rows has columns of its own. Columns with the numbers of runs and of trials are there if a row is of
    several, one with what losses are if they cannot be compared, and one with states if a run has not finished.
    """

    def __init__(self, records: Sequence[RunRecord]) -> None:
        self.records = list(records)
        self._is_one_loss = have_one_loss(records)
        counts = {"runs": [record.runs for record in records], "trials": [record.trials for record in records]}
        self.columns = [
            TableColumn("run", [record.name for record in records], range(len(records))),
            *(self._scores(split, name) for split, name in self._shown()),
            *([] if self._is_one_loss else [self._words("loss function", [record.loss for record in records])]),
            *(self._numbers(title, numbers, count) for title, numbers in counts.items() if any(numbers)),
            self._numbers("time", [record.seconds for record in records], duration),
            self._words("findings", [", ".join(record.findings) for record in records]),
        ]
        if any(record.state != FINISHED for record in records):
            self.columns.append(self._words("state", [record.remark() for record in records]))

    def sorted_by(self, column: str) -> RunTable:
        """Return the runs in the order of a column, in reverse if its name begins with ``-``.

        A column may be named by its last word. Runs without a value come last.

        Raises
        ------
        KeyError
            If there is no such column; its argument is a hint.
        """
        keys = self._find(column.removeprefix("-")).keys
        known = [(key, record) for key, record in zip(keys, self.records, strict=True) if key is not None]
        known.sort(key=lambda each: each[0], reverse=column.startswith("-"))
        absent = [record for key, record in zip(keys, self.records, strict=True) if key is None]
        return RunTable([*(record for _, record in known), *absent])

    def table(self) -> TextTable:
        """Return the table as texts."""
        rows = list(zip(*(column.texts for column in self.columns), strict=True))
        right = frozenset(place for place, column in enumerate(self.columns) if column.right)
        words = frozenset(place for place, column in enumerate(self.columns) if not column.right)
        return TextTable([column.title for column in self.columns], rows, right=right, folded=words)

    def _find(self, name: str) -> TableColumn:
        wanted = name.replace("_", " ").strip()
        for column in self.columns:
            title = column.title.replace("_", " ")
            if wanted in (title, *(title.removeprefix(f"{split} ".replace("_", " ")) for split in SPLITS)):
                return column
        titles = [column.title for column in self.columns]
        close = close_match(name, titles)
        raise KeyError(f'did you mean "{close}"?' if close else f"choose from {', '.join(titles)}")

    def _shown(self) -> list[tuple[str, str]]:
        """Return which figures have columns: main metrics and losses of the rows that say most of each run."""
        shown = [record for record in self.records if record.metrics]
        splits = [split for split in reversed(SPLITS) if any(record.split == split for record in shown)]
        metrics = {(record.split, record.main_metric) for record in shown}
        of_each = {split: sorted(name for of, name in metrics if of == split and name is not None) for split in splits}
        return [(split, name) for split in splits or [TEST] for name in (*of_each.get(split, ()), LOSS)]

    def _scores(self, split: str, name: str) -> TableColumn:
        """Return the column of a figure, of runs of which these rows say most."""
        records = [record if record.split == split else RunRecord("") for record in self.records]
        texts = [record.score_text(split, name) for record in records]
        keys: list[Any] = [record.score(split, name) for record in records]
        if name == LOSS and not self._is_one_loss:  # losses are sorted among those that they can be compared with
            keys = [None if key is None else (record.loss, key) for key, record in zip(keys, records, strict=True)]
        return TableColumn(f"{split} {name}", texts, keys, right=True)

    def _numbers(self, title: str, values: Sequence[float | None], text: Any) -> TableColumn:
        return TableColumn(title, [ABSENT if value is None else text(value) for value in values], values, right=True)

    def _words(self, title: str, texts: Sequence[str]) -> TableColumn:
        return TableColumn(title, texts, [text or None for text in texts])


def loss_in_words(spec: Mapping[str, Any]) -> str:
    """Return what the losses of a resolved spec are: of which function, after which steps of its target."""
    training, network = (spec.get(name) for name in ("training", "network"))
    if not isinstance(training, Mapping) or not isinstance(network, Mapping) or LOSS not in training:
        return ""
    steps = network.get("target_preprocessing")
    told = f" after {', '.join(map(_part_in_words, steps))}" if isinstance(steps, list) and steps else ""
    return f"{_part_in_words(training[LOSS])}{told}"


def _part_in_words(part: Any) -> str:
    """Return the type of a part of a resolved spec, with the fields that are set to something."""
    if not isinstance(part, Mapping):
        return str(part)
    fields = ", ".join(f"{name}={value}" for name, value in part.items() if name != "type" and value)
    return f"{part.get('type')}({fields})" if fields else str(part.get("type"))


def have_one_loss(runs: Iterable[RunRecord]) -> bool:
    """Return whether the losses of runs can be compared, as far as it is known what they are."""
    return len({run.loss for run in runs} - {""}) < 2


def score_rows(first: RunRecord, second: RunRecord) -> list[tuple[str, float | None, float | None]]:
    """Return the scores of two runs that can be compared: title and both values, of the rows that say most of both."""
    split = best_split(first.metrics.keys() & second.metrics.keys())
    names = dict.fromkeys([*first.metrics.get(split, ()), *second.metrics.get(split, ())])
    ordered = [name for name in names if name != LOSS] + [LOSS] * (LOSS in names and have_one_loss([first, second]))
    return [(f"{split} {name}", first.score(split, name), second.score(split, name)) for name in ordered]


def score_text(title: str, value: float | None) -> str:
    """Return a score as text, by the name of its metric."""
    return metric(title.partition(" ")[2], value)
