"""Tables of losses and metrics of one or several splits, with intervals and baselines, and a table of runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from specnet.number_texts import ABSENT, count, duration, interval, metric, metric_spread
from specnet.parts.metrics import Metric, main_metric, metric_of
from specnet.parts.splits import SPLITS, TEST, best_split
from specnet.parts.watchers import LOSS
from specnet.report.terminal.terminal_output import TextTable
from specnet.saved.expectations_file import JudgedExpectation, met_in_words
from specnet.saved.saved_folder import FINISHED, SavedFolder, have_one_loss
from specnet.suggestions import did_you_mean

CONSTANT = "constant"
INTERVAL = "95 % interval"

Scores = Mapping[str, Mapping[str, float | None]]
"""Figures by set of rows and name; None if a figure is not defined."""
Intervals = Mapping[str, Mapping[str, Mapping[str, Any] | None]]
"""``low`` and ``high`` by set of rows and name of the figure; None without an interval."""


def scores_table(
    scores: Scores,
    intervals: Intervals | None = None,
    baselines: Mapping[str, Scores] | None = None,
    metrics: Iterable[Metric] = (),
    rival: str = "",
) -> TextTable:
    """Return a table of the losses and metrics of a model, with intervals and baselines.

    With at most one metric, each set of rows has a row; the interval and the baselines are of the main metric. With
    more metrics, each metric has a row; the interval and the baselines are of the last set of rows, usually the test
    set. An undefined metric is a dash. The table has two baselines: the constant, and `rival` or, without it, the best
    of the other predictors by the main metric.

    Parameters
    ----------
    scores, intervals : mapping
    baselines : mapping, optional
        Scores of other predictors, by their names.
    metrics : iterable of Metric
        Metrics of the spec, which define whether larger values are better.
    rival : str, optional
        The baseline that the verdict names.
    """
    names = list(dict.fromkeys(name for figures in scores.values() for name in figures))
    names = [name for name in names if not is_negative_loss(name, scores)]
    known = {
        split: {name: interval(name, ends["low"], ends["high"]) for name, ends in bounds.items() if ends}
        for split, bounds in (intervals or {}).items()
    }
    beside = {INTERVAL: known}
    last, main = [*scores][-1], main_metric(names) or LOSS
    better = {each.type: each.larger_is_better for each in metrics}
    is_error = not better.get(metric_of(main, better) or "", False)
    compared = _compared(baselines or {}, last, main, rival, is_error=is_error)
    beside |= {
        title: {split: _figure_texts(figures, figures) for split, figures in sets.items()}
        for title, sets in compared.items()
    }
    columns = {split: _figure_texts(figures, names) for split, figures in scores.items()}
    if len(names) > 2:
        columns |= {title: cells[last] for title, cells in beside.items() if last in cells}
        columns = {title: cells for title, cells in columns.items() if any(cells.values())}
        rows = [(name, *(cells.get(name, "") for cells in columns.values())) for name in names]
        header = ["", *columns]
    else:
        cells = {title: [sets.get(split, {}).get(main, "") for split in scores] for title, sets in beside.items()}
        cells = {title: column for title, column in cells.items() if any(column)}
        rows = [
            (split, *columns[split].values(), *(column[number] for column in cells.values()))
            for number, split in enumerate(scores)
        ]
        header = ["", *names, *cells]
    return TextTable(header, rows, right=frozenset(range(1, len(header))))


def is_negative_loss(name: str, scores: Scores) -> bool:
    """Return whether a metric is the loss with a minus, as ``neg_log_loss`` may be, but for the rounding of float32.

    Tables and pages do not repeat it.
    """
    pairs = [(figures.get(LOSS), figures.get(name)) for figures in scores.values()]
    return name != LOSS and all(
        loss is not None and value is not None and math.isclose(value, -loss, rel_tol=1e-4) for loss, value in pairs
    )


def teacher_table(
    evaluation: Mapping[str, Any], sizes: Mapping[str, int], speeds: Mapping[str, float | None]
) -> TextTable:
    """Return a table of a teacher beside its student: metrics, agreement, sizes, and times for a row.

    Parameters
    ----------
    evaluation : mapping
        Contents of the student's ``metrics.json``.
    sizes : mapping
        Bytes of the model files, ``teacher`` and ``student``.
    speeds : mapping
        Microseconds for a row in the exported C, ``teacher`` and ``student``; None if unknown.
    """
    teacher = evaluation["teacher"]
    split = best_split(teacher["metrics"])
    rows: list[tuple[str, str, str]] = []
    if split in teacher["metrics"]:
        its, own = (_figure_texts(each, each) for each in (teacher["metrics"][split], evaluation[split]))
        rows += [(f"{split} {name}", text, own.get(name, "")) for name, text in its.items()]
        agreement = _figure_texts(teacher["agreement"][split], teacher["agreement"][split])
        rows += [(f"agreement, {name}", "", text) for name, text in agreement.items()]
    rows.append(("parameters", count(teacher["parameters"]), count(teacher["own_parameters"])))
    rows.append(("bytes", count(sizes["teacher"]), count(sizes["student"])))
    times = {name: ABSENT if each is None else f"{each:.2g}" for name, each in speeds.items()}
    rows.append(("µs per row in C", times["teacher"], times["student"]))
    return TextTable(["", "teacher", "student"], rows, right=frozenset([1, 2]))


def scores_line(scores: Scores) -> str:
    """Return a line with loss and main metric of the first known split: test, out of fold, validation, training."""
    split = best_split(scores)
    if split not in scores:
        return ""
    loss, *others = _figure_texts(scores[split], filter(None, ("loss", main_metric(scores[split])))).items()
    return "   ".join([f"{split.replace('_', ' ')} {' '.join(loss)}", *map(" ".join, others)])


def spread_table(summary: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> TextTable:
    """Return a table of means and standard deviations of the scores of a series, such as ``97.2 % ± 0.8``."""
    means = {split: {name: each["mean"] for name, each in figures.items()} for split, figures in summary.items()}
    names = list(dict.fromkeys(name for figures in means.values() for name in figures))
    names = [name for name in names if not is_negative_loss(name, means)]
    rows = [(split, *(_spread(name, figures.get(name)) for name in names)) for split, figures in summary.items()]
    return TextTable(["", *names], rows, right=frozenset(range(1, len(names) + 1)))


def _compared(
    baselines: Mapping[str, Scores], split: str, main: str, rival: str, *, is_error: bool
) -> dict[str, Scores]:
    """Return the constant baseline, and `rival` or the best other baseline on a split by the metric `main`."""
    figures = {name: scores[split].get(main) for name, scores in baselines.items() if split in scores}
    known = {name: value for name, value in figures.items() if value is not None and name != CONSTANT}
    best = min(known, key=lambda name: known[name] if is_error else -known[name], default=CONSTANT)
    return {name: baselines[name] for name in (CONSTANT, rival if rival in known else best) if name in baselines}


def _spread(name: str, statistics: Mapping[str, Any] | None) -> str:
    return "" if statistics is None else metric_spread(name, statistics["mean"], statistics["std"])


def _figure_texts(figures: Mapping[str, float | None], names: Iterable[str]) -> dict[str, str]:
    """Return figures as texts by name."""
    return {name: metric(name, figures.get(name)) for name in names}


WORDS = ("run", "loss function", "findings", "expectations", "state")
"""Columns of words; all other columns contain numbers."""


class RunTable:
    """A table of runs: name, main metric and loss of the best split of each run, training time, findings.

    Each split has separate columns. The table has the numbers of runs and of trials if a row is a series or a sweep,
    the loss functions if losses cannot be compared, and states if a run has not finished.

    Parameters
    ----------
    records : sequence of SavedFolder
    title : str
        What the runs have in common.
    ranked_by : str
        Column by which the runs are sorted, the best first; empty if they are not ranked.

    Attributes
    ----------
    columns : dict
        Columns by title: the texts and the sort keys of the runs; the key of a missing value is None.
    """

    def __init__(self, records: Sequence[SavedFolder], title: str = "Scores", ranked_by: str = "") -> None:
        self.records, self.title, self.ranked_by = list(records), title, ranked_by
        self._is_one_loss = have_one_loss(record.loss for record in records)
        counts = {"runs": [record.runs for record in records], "trials": [record.trials for record in records]}
        self.columns: dict[str, tuple[Sequence[str], Sequence[Any]]] = {
            "run": ([record.name for record in records], range(len(records))),
            **{f"{split} {name}": self._scores(split, name) for split, name in self._shown()},
        }
        if not self._is_one_loss:
            self.columns["loss function"] = _words([record.loss for record in records])
        self.columns |= {title: _numbers(numbers, count) for title, numbers in counts.items() if any(numbers)}
        self.columns["time"] = _numbers([record.seconds for record in records], duration)
        self.columns["findings"] = _words([", ".join(record.codes) for record in records])
        if any(record.expectations for record in records):
            self.columns["expectations"] = _met([record.expectations for record in records])
        if any(record.state != FINISHED for record in records):
            self.columns["state"] = _words([record.remark() for record in records])

    def sorted_by(self, column: str) -> RunTable:
        """Return the table sorted by a column, in descending order if the name starts with ``-``.

        The name may omit the split. Runs without a value are last.

        Raises
        ------
        KeyError
            If the table does not have the column; the argument is a hint.
        """
        _, keys = self.columns[self._find(column.removeprefix("-"))]
        known = [(key, record) for key, record in zip(keys, self.records, strict=True) if key is not None]
        known.sort(key=lambda each: each[0], reverse=column.startswith("-"))
        absent = [record for key, record in zip(keys, self.records, strict=True) if key is None]
        return RunTable([*(record for _, record in known), *absent])

    def table(self) -> TextTable:
        """Return the table as a `TextTable`."""
        rows = list(zip(*(texts for texts, _ in self.columns.values()), strict=True))
        words = frozenset(index for index, title in enumerate(self.columns) if title in WORDS)
        right = frozenset(range(len(self.columns))) - words
        return TextTable([*self.columns], rows, right=right, folded=words)

    def _find(self, name: str) -> str:
        titles, requested = [*self.columns], name.replace("_", " ").strip()
        for title in titles:
            plain = title.replace("_", " ")
            if requested in (plain, *(plain.removeprefix(f"{split} ".replace("_", " ")) for split in SPLITS)):
                return title
        raise KeyError(did_you_mean(name, titles) or f"choose from {', '.join(titles)}")

    def _shown(self) -> list[tuple[str, str]]:
        """Return (split, figure) of each column of scores: main metric and loss of the best split of each run."""
        shown = [record for record in self.records if record.metrics]
        splits = [split for split in reversed(SPLITS) if any(record.split == split for record in shown)]
        metrics = {(record.split, record.main_metric) for record in shown}
        of_each = {split: sorted(name for of, name in metrics if of == split and name is not None) for split in splits}
        return [(split, name) for split in splits or [TEST] for name in (*of_each.get(split, ()), LOSS)]

    def _scores(self, split: str, name: str) -> tuple[Sequence[str], Sequence[Any]]:
        """Return texts and sort keys of a figure; runs whose best split is another one have no value."""
        records = [record if record.split == split else SavedFolder("") for record in self.records]
        keys: list[Any] = [record.score(split, name) for record in records]
        spreads = [record.deviations.get(split, {}).get(name) for record in records]
        texts = [metric_spread(name, key, spread) for key, spread in zip(keys, spreads, strict=True)]
        if name == LOSS and not self._is_one_loss:  # losses are sorted within each loss function
            keys = [None if key is None else (record.loss, key) for key, record in zip(keys, self.records, strict=True)]
        return texts, keys


def _numbers(values: Sequence[float | None], text: Any) -> tuple[Sequence[str], Sequence[Any]]:
    return [ABSENT if value is None else text(value) for value in values], values


def _met(judged: Sequence[Sequence[JudgedExpectation]]) -> tuple[Sequence[str], Sequence[Any]]:
    """Return how many expectations of each run are met; runs are sorted by the fraction."""
    met = [[each["outcome"] == "met" for each in of_run] for of_run in judged]
    fractions = [sum(each) / len(each) if each else None for each in met]
    return [met_in_words(of_run) or ABSENT for of_run in judged], fractions


def _words(texts: Sequence[str]) -> tuple[Sequence[str], Sequence[Any]]:
    return texts, [text or None for text in texts]


def score_rows(first: SavedFolder, second: SavedFolder) -> list[tuple[str, float | None, float | None]]:
    """Return the comparable scores of two runs on their best common split, as title and both values."""
    split = best_split(first.metrics.keys() & second.metrics.keys())
    names = dict.fromkeys([*first.metrics.get(split, ()), *second.metrics.get(split, ())])
    ordered = [name for name in names if name != LOSS] + [LOSS] * (
        LOSS in names and have_one_loss([first.loss, second.loss])
    )
    return [(f"{split} {name}", first.score(split, name), second.score(split, name)) for name in ordered]


def score_text(title: str, value: float | None) -> str:
    """Return a score as text in the format of its metric, given its title from `score_rows`."""
    return metric(title.partition(" ")[2], value)
