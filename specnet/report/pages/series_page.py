"""The page of a series of runs of one spec: on folds, with several seeds, or a nested sweep per fold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from statistics import fmean, variance
from typing import Any

import numpy as np

from specnet.number_texts import ABSENT, count, counted, figure, metric, metric_spread, on_page, page_metric
from specnet.parts.metrics import larger_is_better, main_metric
from specnet.parts.splits import OUT_OF_FOLD, TEST, TRAIN, adjective, best_split
from specnet.parts.watchers import LOSS
from specnet.report.next_step import step_of_series
from specnet.report.pages.headline import BASELINES, VERDICTS, in_words, on_axis, words
from specnet.report.pages.page_beginning import Gain, gains_chart
from specnet.report.pages.page_templates import rendered
from specnet.report.pages.sweep_page import FAILURES, MARKS, PRUNED, shown_setting, trial_label
from specnet.report.pages.training_charts import (
    MAX_NAMED,
    MAX_POINTS,
    curve_style,
    curve_title,
    curves_chart,
    rows_note,
)
from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import Chart, Figure, mark_alone
from specnet.report.svg.colours import CLASS_COUNT
from specnet.report.terminal.scores import is_negative_loss, spread_table
from specnet.report.terminal.terminal_output import TextTable
from specnet.run_files import page_of
from specnet.saved.saved_folder import FINISHED, UNFINISHED
from specnet.saved.saved_run import Curves
from specnet.saved.saved_series import SavedSeries, SeriesRun

MAX_DRAWN = 6000
"""Most points of all curves of a chart together."""
MAX_SPREADS = 6
"""Most metrics whose values in each run are drawn."""
JITTER = 0.26
"""Distance of the first and the last seed from the middle of their fold."""
REACH = 0.36
"""Half the length of the line of a simpler predictor."""
LEVEL = 0.95
"""Level of the interval of the difference from a simpler predictor."""
BAND = 0.14
"""Opacity of the band of one standard deviation around the mean."""


class SeriesView:
    """The values of a series that its page shows.

    Parameters
    ----------
    series : SavedSeries

    Attributes
    ----------
    runs, finished, searches : list of SeriesRun
        All runs, the finished runs, and the finished runs that are the best of a sweep.
    summary : mapping
        Contents of ``summary.json``.
    baselines : mapping
        Summaries of simpler predictors, by their names.
    split, main : str
        Best split that the summary has, and the metric by which the runs are judged.
    is_nested : bool
        Whether each run is the best of a sweep.
    folds, seeds : list of int
        Folds and seeds of the runs, in ascending order.
    metrics : list of str
        The metrics of this split but for the loss with a minus, `main` first and the loss last.
    beside : list of str
        Names of the simpler predictors.
    larger_is_better : bool
        Whether larger values of the metric by which the runs are judged are better.
    reference : str
        The predictor in `beside` with the best mean of this metric; empty without simpler predictors.
    """

    def __init__(self, series: SavedSeries) -> None:
        self.series, self.runs, self.summary = series, series.shown, series.summary
        self.folds = sorted({run.fold for run in self.runs if run.fold is not None})
        # A predictor without chance has one score on the same rows: seeds have no deviation to show.
        self.baselines: dict[str, dict[str, dict[str, Any]]] = {
            name: {
                split: {
                    metric: each if self.folds else {**each, "std": each["std"] or None}
                    for metric, each in figures.items()
                }
                for split, figures in of_splits.items()
            }
            for name, of_splits in series.baselines.items()
        }
        self.split = best_split(self.summary)
        self.main = main_metric(self.summary.get(self.split, ())) or LOSS
        self.finished = [run for run in self.runs if run.state == FINISHED]
        self.searches = [run for run in self.finished if run.sweep is not None]
        self.is_nested = bool(self.searches)
        self.seeds = sorted({run.seed for run in self.runs if run.seed is not None})
        shown = [name for name in self.summary.get(self.split, ()) if not is_negative_loss(name, series.metrics)]
        self.metrics = sorted(shown, key=lambda name: (name != self.main, name == LOSS))
        self.beside = [name for name in BASELINES if self.split in self.baselines.get(name, ())]
        self.larger_is_better = larger_is_better(self.main)
        of_each = {name: self.baselines[name][self.split] for name in self.beside}
        means = {name: found[self.main]["mean"] for name, found in of_each.items() if self.main in found}
        known = {name: mean for name, mean in means.items() if mean is not None}
        best = max if self.larger_is_better else min
        self.reference = best(known, key=lambda name: known[name]) if known else next(iter(self.beside), "")

    @cached_property
    def curves(self) -> dict[str, Curves]:
        """The curves of the finished runs, by name of the run."""
        most = MAX_POINTS
        if not self.is_nested:
            most = max(min(MAX_POINTS, MAX_DRAWN // max(len(self.runs), 1)), 8)
        return {run.name: run.curves(most) for run in self.finished}

    @cached_property
    def spread(self) -> tuple[float, float] | None:
        """Standard deviations of the main metric over seeds and folds; None unless each fold has a score per seed."""
        of_folds = [*self._by_fold(lambda run: run.score(self.split, self.main)).values()]
        seeds = len({run.seed for run in self.runs})
        if min(len(of_folds), seeds) < 2 or sum(map(len, of_folds)) < len(self.runs):
            return None
        return spread_of(of_folds)

    def gain(self, baseline: str, level: float = LEVEL) -> tuple[float, tuple[float, float] | None] | None:
        """The mean gain of the networks over a simpler predictor in the main metric, from `mean_with_interval`."""

        def gained(run: SeriesRun) -> float | None:
            own, its = run.score(self.split, self.main), run.baseline(baseline, self.split, self.main)
            if own is None or its is None:
                return None
            return own - its if self.larger_is_better else its - own

        found = [fmean(values) for values in self._by_fold(gained).values()]
        return mean_with_interval(found, len({run.fold for run in self.runs}), level)

    @property
    def outcome(self) -> int | None:
        """The comparison with the reference: 1 if the networks are better, -1 if worse, 0 if chance may explain it.

        None if the gain has no interval. The reference is the best of several predictors on the same rows, so
        that chance may have made it better: the networks are worse only at a level that their number divides
        (Bonferroni).
        """
        found = self.gain(self.reference)
        if found is None or found[1] is None:
            return None
        if found[1][0] > 0:
            return 1
        among_all = self.gain(self.reference, 1 - (1 - LEVEL) / len(self.beside))
        assert among_all is not None and among_all[1] is not None, "it has an interval at another level"
        return -int(among_all[1][1] < 0)

    def _by_fold(self, figure: Callable[[SeriesRun], float | None]) -> dict[int | None, list[float]]:
        """Return the figures of the finished runs, by fold; runs without the figure are left out."""
        found: dict[int | None, list[float]] = {}
        for run in self.finished:
            if (value := figure(run)) is not None:
                found.setdefault(run.fold, []).append(value)
        return found


def series_page(series: SavedSeries) -> str:
    """Return the page of a series of runs as HTML."""
    record = SeriesView(series)
    folds, seeds, split = record.folds, record.seeds, record.split
    kind = "nested sweep" if record.is_nested else " and ".join([*["folds"] * bool(folds), *["seeds"] * bool(seeds)])
    named = 1 < len(record.finished) <= MAX_NAMED
    # Few lines have individual styles. Many lines have the colours of their folds, if there are enough colours.
    fold_styles: dict[int | None, str] = {}
    if len(folds) <= CLASS_COUNT:
        fold_styles = {fold: f"series-{index} thin" for index, fold in enumerate(folds)}
    styles = {
        run.name: curve_style(index) if named else fold_styles.get(run.fold, "series-8 faint")
        for index, run in enumerate(record.runs)
    }
    shown_folds = set() if named else {run.fold for run in record.finished}
    curves, in_percent = list(_curves(record, styles, named=named)), record.main.endswith("accuracy")
    marks = (
        [(mark_alone(index), f"seed {seed}") for index, seed in enumerate(seeds)] if folds and len(seeds) > 1 else []
    )
    left_out = dict.fromkeys(run.state for run in record.runs if run.state != FINISHED)
    marks += [(mark_alone(_mark(state)), state) for state in left_out]
    beside = {f"{split}, {BASELINES[name]}": record.baselines[name][split] for name in record.beside}
    return rendered(
        "series.html.j2",
        name=series.title,
        judged=series.expectations,
        step=step_of_series(series, "."),
        command=series.command,
        facts_rows=list(series.conditions()),
        kind=kind,
        kicker=list(filter(None, [series.title, kind, _number(record)])),
        sentence=f"{_unfinished(record)}{series_sentence(record)}",
        strip=_strip(record),
        scores=_scores({**record.summary, **beside}, record.main),
        is_nested=record.is_nested,
        folds=folds,
        forward=bool(folds) and _split(series).get("time") is not None,
        seeds=seeds,
        has_band=len(record.finished) > 1,
        spread=[f"{100 * each:.1f} points" if in_percent else figure(each) for each in record.spread or ()],
        legend=marks,
        is_whole=len(record.finished) == len(record.runs),
        resumes=UNFINISHED in left_out,
        spreads=list(_spreads(record)),
        table=_runs_table(record),
        swatches=[styles[run.name] * (run.state == FINISHED) for run in record.runs] if named and curves else [],
        addresses=[page_of(run.own_folder, series.path) if run.state == FINISHED else "" for run in record.runs],
        curves=curves,
        fold_styles=[(style, f"fold {fold}") for fold, style in fold_styles.items() if fold in shown_folds],
        choices=_choices_table(record.searches),
        worth=_worth(record),
    )


def _scores(summary: Mapping[str, Mapping[str, Mapping[str, Any]]], main: str) -> TextTable:
    """Return the table of scores; the metric of the verdict is first, so that phones show it, and the loss last."""
    ordered = {
        split: dict(sorted(figures.items(), key=lambda each: (each[0] != main, each[0] == LOSS)))
        for split, figures in summary.items()
    }
    table = in_words(spread_table(ordered))
    return replace(table, header=["rows", *table.header[1:]])


def _split(series: SavedSeries) -> Mapping[str, Any]:
    """Return the split of the first finished run; empty if no run has finished."""
    data = series.first.document.get("data") if series.first is not None else None
    split = data.get("split") if isinstance(data, Mapping) else None
    return split if isinstance(split, Mapping) else {}


def _mark(state: str) -> int:
    """Return the mark of a run that has not finished."""
    return MARKS.get(state, PRUNED)


def _number(record: SeriesView) -> str:
    return counted(len(record.runs), "sweep" if record.is_nested else "run")


def _unfinished(record: SeriesView) -> str:
    """Return a sentence that comes first if some runs have not finished; empty if all or none have."""
    states = Counter(run.state for run in record.runs if run.state != FINISHED)
    if not record.finished or not states:
        return ""
    (first, number), *others = [(FAILURES.get(state, "did not finish"), number) for state, number in states.items()]
    rest = "".join(f", {count(number)} {verb}" for verb, number in others)
    return f"{count(number)} of {_number(record)} {first}{rest}. "


def series_sentence(record: SeriesView) -> str:
    """Return a sentence with the mean result of the runs."""
    finished, total = len(record.finished), len(record.runs)
    if not finished:
        first = "The run has not finished" if total == 1 else f"None of {count(total)} runs has finished"
        reasons = {run.message for run in record.runs}
        return f"{first}: {reasons.pop()}." if len(reasons) == 1 and all(reasons) else f"{first}."
    which = _number(record) if finished == total else f"the other {'one' if finished == 1 else count(finished)}"
    found = record.summary[record.split][record.main]
    rows = adjective(record.split)
    label, a = f"{rows} {words(record.main)}", "an" if record.split == OUT_OF_FOLD else "a"
    what = f"the results of {which}" if record.is_nested and finished > 1 else which
    start = f"{what[0].upper()}{what[1:]}"
    if found["mean"] is None:
        return f"{start}: the {label} is not defined for any of them."
    shown = _spread(record.main, found)
    reached = f"{start} {'reached' if finished == 1 else 'average'} {a} {label} of {shown}"
    if total == 1:
        return f"{reached}; a spread needs more than one."
    if record.gain(record.reference) is None:
        return f"{reached}."
    mean, simple = record.baselines[record.reference][record.split][record.main]["mean"], BASELINES[record.reference]
    its = page_metric(record.main, mean)
    if record.outcome is None:
        verb = "have" if simple.endswith("s") else "has"
        return f"{reached}; on the same rows {simple} {verb} {its}."
    return f"{VERDICTS[record.outcome]} {simple}: {which} average {a} {label} of {shown} against {its}."


def _strip(record: SeriesView) -> Figure | None:
    """Return a chart of the gains of the runs over simpler predictors on the same rows; None without any."""
    split, name, gains = record.split, record.main, {}
    for baseline in record.beside:
        if (found := record.gain(baseline)) is not None:
            mean, (low, high) = record.baselines[baseline][split][name]["mean"], found[1] or (None, None)
            gains[baseline] = Gain(mean, found[0], low, high)
    if not gains:
        return None
    about = (
        "Lines are 95\N{NO-BREAK SPACE}% intervals of paired differences over folds (Student's t, for training rows in "
        "common)."
        if any(each.low is not None for each in gains.values())
        else f"Without intervals, which need folds{' that have all finished' * bool(record.folds)}."
    )
    label, several = f"{adjective(split)} {words(name)}", len(record.finished) > 1
    what = f"Mean {label} of the networks" if several else f"{label[0].upper()}{label[1:]} of the network"
    own = f"{what}: {_spread(name, record.summary[split][name])}."
    title, note = "Gain over simpler predictors", f"{own} {about}"
    return gains_chart(title, note, name, gains, record.reference, is_reduction=not record.larger_is_better)


def _spread(name: str, found: Mapping[str, Any]) -> str:
    return on_page(metric_spread(name, found["mean"], found["std"]))


def _spreads(record: SeriesView) -> Iterator[Figure]:
    """Yield a chart for each metric with a dot for each run; the runs of a fold are beside each other."""
    folds, seeds = record.folds, record.seeds
    by, beside = ("fold", seeds) if folds else ("seed", [])
    groups = folds or seeds
    middle, step = max(len(beside) - 1, 0) / 2, 2 * JITTER / max(len(beside) - 1, 1)

    def position(run: SeriesRun) -> float:
        aside = step * (beside.index(run.seed) - middle) if run.seed in beside else 0.0
        return aside + groups.index(getattr(run, by))

    for name in record.metrics[:MAX_SPREADS]:
        found = record.summary[record.split][name]
        scores = ((run, run.score(record.split, name)) for run in record.finished)
        known = [(run, value) for run, value in scores if value is not None]
        if found["mean"] is None or not known:
            continue
        mean, std, spread = found["mean"], found["std"] or 0.0, _spread(name, found)
        title = f"{record.split.capitalize()} {words(name)} of each run"
        others = [(run, run.baseline(record.reference, record.split, name)) for run, _ in known]
        simple = {getattr(run, by): value for run, value in others if value is not None}
        shown = [*(value for _, value in known), *simple.values(), mean - std, mean + std]
        label, unit = on_axis(name, words(name))
        y = Axis.over(shown, label=label, unit=unit, margin=0.08)
        values = "; ".join(f"{run.name} {metric(name, value)}" for run, value in known)
        left_out = [run for run in record.runs if run not in record.finished]
        x = Axis.of_names(map(str, groups), by)
        several = len(known) > 1
        summary = f"mean {spread}; " if several else ""
        chart = Chart(f"{title}: {summary}{values}", x, y, margin="no value" if left_out else "")
        edges = -0.5, len(groups) - 0.5
        if std:
            chart.rectangle(edges, (mean - std, mean + std), "class-1", opacity=BAND, hover=f"mean ± std: {spread}")
        if several:
            chart.line(edges, [mean, mean], "guide", name="mean", value=page_metric(name, mean))
        for group, value in simple.items():
            ends = groups.index(group) - REACH, groups.index(group) + REACH
            hover = f"{by} {group}, {BASELINES[record.reference]}: {page_metric(name, value)}"
            chart.line(ends, [value, value], "whisker", title=hover)
        kinds = np.array([beside.index(run.seed) if run.seed in beside else 0 for run, _ in known])
        chart.apart(
            list(map(position, left_out)),
            [_mark(run.state) for run in left_out],
            [f"{run.name}: {run.state}" for run in left_out],
        )
        chart.points(
            [position(run) for run, _ in known],
            [value for _, value in known],
            kinds if len(beside) > 1 else None,
            radius=4.5,
            hover=[f"{run.name}: {page_metric(name, value)}" for run, value in known],
        )
        lines = "short lines are" if len(simple) > 1 else "short line is"
        note = f" The {lines} {BASELINES[record.reference]}." if simple else ""
        what = "Mean and standard deviation" if several else "The only value is"
        yield Figure(title, f"{what} {spread}.{note}", chart.svg(), "spread")


def _curves(record: SeriesView, styles: Mapping[str, str], *, named: bool) -> Iterator[Figure]:
    """Yield a chart for each figure of the histories, with a line for each run that has this figure."""
    for name in dict.fromkeys(name for curves in record.curves.values() for name in curves):
        runs = [run for run in record.finished if name in record.curves[run.name]]
        title, curves = curve_title(name), [record.curves[run.name][name] for run in runs]
        ends = [curve.values[-1] for curve in curves]
        last_values = " to ".join(dict.fromkeys(page_metric(name, value) for value in (min(ends), max(ends))))
        description = f"{title} by epoch in {counted(len(runs), 'run')}, in the last epoch {last_values}"
        chart = curves_chart(description, curves, name, title.lower())
        for run, curve in zip(runs, curves, strict=True):
            last = page_metric(name, curve.values[-1])
            chart.line(
                *curve,
                styles[run.name],
                name=run.name * named,
                value=last,
                title=f"{run.name}, in the last epoch {last}",
            )
        yield Figure(title, f"{rows_note(name)} In the last epoch: {last_values}.", chart.svg(), "curves")


def _runs_table(record: SeriesView) -> TextTable:
    runs = record.runs
    scores = [(record.split, name) for name in record.metrics]
    scores += [(TRAIN, record.main)] * (record.split != TRAIN and bool(record.finished))
    columns = {"run": [run.name for run in runs]}
    if len(record.finished) < len(runs):
        columns["state"] = [f"{run.state}: {run.message}" if run.message else run.state for run in runs]
    for split, name in scores:
        columns[f"{split} {words(name)}"] = [page_metric(name, run.score(split, name)) for run in runs]
        if (split, name) == (record.split, record.main) and record.reference:
            beside = [run.baseline(record.reference, split, name) for run in runs]
            columns[BASELINES[record.reference].removeprefix("a ")] = [page_metric(name, value) for value in beside]
    columns["epochs"] = [ABSENT if run.epochs is None else count(run.epochs) for run in runs]
    if record.is_nested:
        searched = [(run.sweep, None if run.sweep is None else run.sweep.best_trial) for run in runs]
        metric = record.series.searched_by
        columns |= {
            "trials": [ABSENT if sweep is None else count(len(sweep.recorded)) for sweep, _ in searched],
            "best trial": [ABSENT if best is None else str(best.number) for _, best in searched],
            _searched_label(record): [
                page_metric(metric, None if best is None else best.figure) for _, best in searched
            ],
        }
    right = frozenset(index for index, title in enumerate(columns) if title not in ("run", "state"))
    return TextTable([*columns], list(zip(*columns.values(), strict=True)), right=right)


def _choices_table(runs: Sequence[SeriesRun]) -> TextTable | None:
    """Return a table of the settings that the sweep of each run has chosen; None without sweeps."""
    trials = [run.sweep.best_trial for run in runs if run.sweep is not None]
    chosen = [{key: shown_setting(value) for key, value in each.settings.items()} for each in trials if each]
    keys = dict.fromkeys(key for each in chosen for key in each)
    rows = [[key, *(each.get(key, ABSENT) for each in chosen)] for key in keys]
    return TextTable(["key", *(run.name for run in runs)], rows) if runs else None


def _worth(record: SeriesView) -> str:
    """Return sentences with the mean validation metric of the best trials and the test metric of their runs."""
    if not record.is_nested:
        return ""
    name = record.series.searched_by
    best = [run.sweep.best_trial for run in record.searches if run.sweep is not None]
    promised = page_metric(name, fmean(each.figure for each in best if each and each.figure is not None))
    of_test = record.summary.get(TEST, {})
    reached = of_test[name]["mean"] if name in of_test else None
    label, metric_words = _searched_label(record), words(name)
    if len(best) == 1:
        promise, result = (
            f"The best trial had a {label} of {promised}. It",
            f"the search did not use, the {metric_words}",
        )
    else:
        promise = f"The best trials had a mean {label} of {promised}. Each"
        result = f"no search used, the mean {metric_words}"
    promise += " was the best of its search, so expect worse on new rows."
    if reached is None:
        return promise
    return f"{promise} On the test rows, which {result} is {page_metric(name, reached)}."


def _searched_label(record: SeriesView) -> str:
    first = record.searches[0].sweep
    assert first is not None, "it is the best run of a sweep"
    return trial_label(first.facts)


def spread_of(of_folds: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Return the standard deviations of a figure over seeds within a fold, and over folds without the effect of seeds.

    The variance over folds is the variance of their means minus the part that seeds contribute, at least 0 (analysis of
    variance of a one-way layout; Searle, Casella and McCulloch 1992, *Variance Components*, chapter 3).

    Parameters
    ----------
    of_folds : sequence of sequence of float
        Figures of each fold, one for each seed.
    """
    within = fmean(map(variance, of_folds))
    between = variance(map(fmean, of_folds)) - within / len(of_folds[0])
    return within**0.5, max(between, 0.0) ** 0.5


def mean_with_interval(
    found: Sequence[float], folds: int, level: float
) -> tuple[float, tuple[float, float] | None] | None:
    """Return the mean gain of networks over a simpler predictor on the same folds.

    The folds are paired. Their training rows overlap, so the variance of the mean is (1/k + 1/(k − 1)) times the
    variance over folds (Nadeau and Bengio 2003, *Inference for the Generalization Error*). Without folds the interval
    is None, because seeds are no evidence about other rows.

    Parameters
    ----------
    found : sequence of float
        Mean gain of each fold that has one.
    folds : int
        Number of folds.
    level : float
        Level of the interval.

    Returns
    -------
    tuple or None
        The mean, and its interval or None; None without gains.
    """
    if not found:
        return None
    value = fmean(found)
    if len(found) < max(folds, 2):
        return value, None
    from scipy.special import stdtrit

    half = float(stdtrit(folds - 1, (1 + level) / 2)) * (variance(found) * (1 / folds + 1 / (folds - 1))) ** 0.5
    return value, (value - half, value + half)
