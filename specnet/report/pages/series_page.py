"""The page of many runs of one spec, on folds, with seeds, or each the best of a sweep of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from specnet.files.run_files import REPORT
from specnet.number_texts import ABSENT, count, counted, figure, metric, metric_spread, true_minus
from specnet.report.pages.comparison_page import MOST_NAMED, line_style
from specnet.report.pages.headline import Tile, words
from specnet.report.pages.page_templates import environment, style
from specnet.report.pages.series_record import SeriesRecord, Summary
from specnet.report.pages.sweep_charts import shown_setting
from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import Chart, Figure
from specnet.report.svg.drawings import mark_alone
from specnet.report.svg.overlays import curve_title, curves_axis, epochs_axis
from specnet.report.svg.style import CLASS_COUNT
from specnet.report.terminal.run_table import FINISHED, LOSS, TEST, TRAIN, RunRecord
from specnet.report.terminal.text_tables import TextTable

MOST_SPREADS = 6
"""Metrics whose values in each run are drawn."""
JITTER = 0.26
"""How far the first and the last seed stand beside the middle of their fold."""
BAND = 0.14
"""Opacity of what lies within a standard deviation of the mean."""


class Legend(NamedTuple):
    """What a mark stands for."""

    mark: Markup
    name: str


class FoldLine(NamedTuple):
    """The line of the runs on a fold."""

    style: str
    name: str


def series_page(record: SeriesRecord) -> str:
    """Return the page of many runs as HTML."""
    folds, seeds = _different(record.runs)
    kind = "nested sweep" if record.is_nested else " and ".join([*["folds"] * bool(folds), *["seeds"] * bool(seeds)])
    named = 1 < len(record.finished) <= MOST_NAMED
    curves = list(_curves(record, named=named))
    return (
        environment()
        .get_template("series.html.j2")
        .render(
            style=style(),
            name=record.name or kind,
            kind=kind,
            kicker=list(filter(None, [record.name, kind, _number(record)])),
            sentence=series_sentence(record),
            tiles=list(_tiles(record)),
            differing=_differing(record),
            legend=[Legend(mark_alone(place), f"seed {seed}") for place, seed in enumerate(seeds)]
            if folds and len(seeds) > 1
            else [],
            spreads=list(_spreads(record)),
            table=_runs_table(record),
            swatches=[_run_style(record, run, named=named) for run in record.runs] if named and curves else [],
            addresses=[f"{run.name}/{REPORT}" if run in record.searches else "" for run in record.runs]
            if record.is_nested
            else [],
            curves=curves,
            folds=[] if named else [FoldLine(_fold_style(fold), f"fold {fold}") for fold in folds[:CLASS_COUNT]],
            summary=_summary_table(record.summary),
            choices=_choices_table(record.searches),
            worth=_worth(record),
            command=record.command,
            facts_rows=record.facts,
        )
    )


def _number(record: SeriesRecord) -> str:
    return counted(len(record.runs), "sweep" if record.is_nested else "run")


def series_sentence(record: SeriesRecord) -> str:
    """Return in a sentence what the runs come to."""
    finished, total = len(record.finished), len(record.runs)
    if not finished:
        return "The run has not finished." if total == 1 else f"None of {count(total)} runs has finished."
    of_all = "" if finished == total else f"{count(finished)} of "
    found = record.summary[record.split][record.main]
    rows = {TEST: "test", TRAIN: "training"}.get(record.split, record.split)
    label = f"{rows} {words(record.main)}"
    what = f"{'The best trials of ' if record.is_nested else ''}{of_all}{_number(record)}"
    if found["mean"] is None:
        return f"{what}: the {label} is not defined for any of them."
    shown = true_minus(metric_spread(record.main, found["mean"], found["std"]))
    if found["std"] is None:
        return f"{what} with a {label} of {shown}; a spread needs more than one."
    verb = "average" if finished > 1 else "averages"
    return f"{what} {verb} a {label} of {shown}."


def _different(runs: Sequence[RunRecord]) -> tuple[list[int], list[int]]:
    """Return the folds and the seeds of runs."""
    return (
        sorted({run.fold for run in runs if run.fold is not None}),
        sorted({run.seed for run in runs if run.seed is not None}),
    )


def _differing(record: SeriesRecord) -> str:
    """Return what the runs differ in, and what the spread is."""
    folds, seeds = _different(record.runs)
    if record.is_nested:
        told = "Each fold is the test set of a search of its own, which never saw it."
    elif folds and seeds:
        told = "Each row is tested once for every seed; a seed decides the first weights and the order of the rows."
    elif folds:
        told = "Each run holds out another fold of the rows, so that every row is tested once."
    else:
        told = "The runs differ in the seed alone: in the first weights and the order of the rows, not in the split."
    spread = "The band is the standard deviation of the runs around their mean."
    return f"{told} {spread}" + (" Runs on folds share most of their training rows." if len(folds) > 2 else "")


def _tiles(record: SeriesRecord) -> Iterator[Tile]:
    finished, total = len(record.finished), len(record.runs)
    if finished:
        name, split = record.main, record.split
        for each in dict.fromkeys((split, TRAIN)):
            if name in record.summary.get(each, {}):
                yield _spread_tile(each, name, record.summary[each][name])
    folds, seeds = _different(record.runs)
    epochs = [run.epochs for run in record.finished if run.epochs is not None]
    by_fold, by_seed = _std_of_means(record, "fold"), _std_of_means(record, "seed")
    if by_fold is not None and by_seed is not None:
        name = record.main
        yield Tile("spread over folds", _deviation(name, by_fold), f"over seeds {_deviation(name, by_seed)}")
    elif epochs:
        low, high = min(epochs), max(epochs)
        value = count(low) if low == high else f"{count(low)}–{count(high)}"
        yield Tile("epochs", value, "of every run" if low == high else "fewest and most")
    number = count(total) if finished == total else f"{count(finished)} of {count(total)}"
    parts = [counted(len(folds), "fold") if folds else "", counted(len(seeds), "seed") if seeds else ""]
    yield Tile("runs" if finished == total else "runs finished", number, " × ".join(filter(None, parts)))


def _deviation(name: str, value: float) -> str:
    return f"± {100 * value:.1f} points" if name.endswith("accuracy") else f"± {figure(value)}"


def _spread_tile(split: str, name: str, found: Mapping[str, Any]) -> Tile:
    label = f"{split} {words(name)}"
    if found["mean"] is None:
        return Tile(label, ABSENT, "not defined")
    value = true_minus(metric_spread(name, found["mean"], found["std"]))
    low, high = (true_minus(metric(name, found[end])) for end in ("min", "max"))
    if found["runs"] == 1:
        return Tile(label, value, "a single run")
    return Tile(label, value, f"{low} to {high}" if low != high else "the same in every run")


def _std_of_means(record: SeriesRecord, by: str) -> float | None:
    """Return how far the means of the runs on each fold, or with each seed, lie apart; None where not all are known."""
    groups: dict[int | None, list[float]] = {}
    for run in record.runs:
        value = run.score(record.split, record.main)
        if value is None or run.state != FINISHED:
            return None
        groups.setdefault(getattr(run, by), []).append(value)
    means = [fmean(values) for values in groups.values()]
    return stdev(means) if len(means) > 1 else None


def _spreads(record: SeriesRecord) -> Iterator[Figure]:
    """Yield a chart for each metric, with a dot for each run."""
    folds, seeds = _different(record.runs)
    places = {value: place for place, value in enumerate(folds or seeds)}
    for name in record.metrics[:MOST_SPREADS]:
        found = record.summary[record.split][name]
        shown = [(run, run.score(record.split, name)) for run in record.finished]
        known = [(run, value) for run, value in shown if value is not None]
        if found["mean"] is None or not known:
            continue
        mean, std = found["mean"], found["std"] or 0.0
        spread = true_minus(metric_spread(name, found["mean"], found["std"]))
        title = f"{record.split.capitalize()} {words(name)} of each run"
        x = Axis.of_names(map(str, places), "fold" if folds else "seed")
        y = Axis.over([value for _, value in known], mean - std, mean + std, label=words(name), margin=0.08)
        values = "; ".join(f"{run.name} {metric(name, value)}" for run, value in known)
        chart = Chart(f"{title}: mean {spread}; {values}", x, y)
        edges = -0.5, len(places) - 0.5
        if std:
            chart.rectangle(edges, (mean - std, mean + std), "class-1", opacity=BAND, hover=f"mean ± std: {spread}")
        chart.line(edges, [mean, mean], "guide", name="mean", value=true_minus(metric(name, mean)))
        kinds = [seeds.index(run.seed) if folds and run.seed is not None else 0 for run, _ in known]
        middle = (len(seeds) - 1) / 2 if folds else 0.0
        step = 2 * JITTER / max(len(seeds) - 1, 1)
        across = [
            places[_place(run, is_fold=bool(folds))] + step * (kind - middle if folds and seeds else 0.0)
            for (run, _), kind in zip(known, kinds, strict=True)
        ]
        is_marked = bool(folds) and len(seeds) > 1
        chart.points(
            across,
            [value for _, value in known],
            np.array(kinds) if is_marked else None,
            radius=4.5,
            hover=[f"{run.name}: {true_minus(metric(name, value))}" for run, value in known],
        )
        yield Figure(title, f"Mean and standard deviation {spread}.", chart.svg())


def _place(run: RunRecord, *, is_fold: bool) -> int:
    place = run.fold if is_fold else run.seed
    assert place is not None, "runs differ in folds or in seeds"
    return place


def _curves(record: SeriesRecord, *, named: bool) -> Iterator[Figure]:
    """Yield a chart for each figure of the histories, with a line for each run that has it."""
    names = dict.fromkeys(name for run in record.finished for name in run.curves)
    for name in names:
        lines = [(run, run.curves[name]) for run in record.finished if name in run.curves]
        title = curve_title(name)
        y = curves_axis([curve for _, curve in lines], title.lower(), is_loss=name.endswith(LOSS))
        ends = [curve.values[-1] for _, curve in lines]
        told = " to ".join(dict.fromkeys(true_minus(metric(name, value)) for value in (min(ends), max(ends))))
        chart = Chart(f"{title} by epoch in {counted(len(lines), 'run')}, at last {told}", epochs_axis(_of(lines)), y)
        for run, curve in lines:
            chart.line(
                *curve,
                _run_style(record, run, named=named),
                name=run.name if named else "",
                value=true_minus(metric(name, curve.values[-1])) if named else "",
                title=f"{run.name}, at last {true_minus(metric(name, curve.values[-1]))}",
            )
        note = "Mean over the training rows." if name == LOSS else "Of the validation rows."
        yield Figure(title, f"{note} At last {told}.", chart.svg())


def _of(lines: Sequence[tuple[RunRecord, Any]]) -> list[Any]:
    return [curve for _, curve in lines]


def _run_style(record: SeriesRecord, run: RunRecord, *, named: bool) -> str:
    """Return the style of a run's lines: its own where there are few of them."""
    if named:
        return line_style(record.runs.index(run))
    return f"{_fold_style(run.fold or 0)} faint"


def _fold_style(fold: int) -> str:
    return f"series-{fold % CLASS_COUNT}"


def _runs_table(record: SeriesRecord) -> TextTable:
    names = record.metrics
    train = record.main if record.split != TRAIN else ""
    header = [
        "run",
        *(f"{record.split} {words(name)}" for name in names),
        *([f"train {words(train)}"] if train else []),
    ]
    header.append("epochs")
    right = set(range(1, len(header)))
    if record.is_nested:
        right |= {len(header), len(header) + 1}
        header += ["best trial", f"validation {words(record.searched_by)}"]
    all_finished = len(record.finished) == len(record.runs)
    rows = []
    for run in record.runs:
        row = [run.name, *(_score(run, record.split, name) for name in names)]
        row += [_score(run, TRAIN, train)] if train else []
        row.append(ABSENT if run.epochs is None else count(run.epochs))
        if record.is_nested:
            row += _of_search(run, record.searched_by)
        rows.append(row if all_finished else [*row, f"{run.state}: {run.message}" if run.message else run.state])
    return TextTable(header if all_finished else [*header, "state"], rows, right=frozenset(right))


def _of_search(run: RunRecord, name: str) -> list[str]:
    if run.figure is None or run.trials is None:
        return [ABSENT, ABSENT]
    return [f"{run.trial} of {count(run.trials)}", true_minus(metric(name, run.figure))]


def _score(run: RunRecord, split: str, name: str) -> str:
    value = run.score(split, name)
    return ABSENT if value is None else true_minus(metric(name, value))


def _summary_table(summary: Summary) -> TextTable:
    header = ["metric", "mean", "std", "min", "max", "runs"]
    rows = [
        [
            f"{split} {words(name)}",
            *(_statistic(name, found[each]) for each in ("mean", "std", "min", "max")),
            count(found["runs"]),
        ]
        for split, figures in summary.items()
        for name, found in figures.items()
    ]
    return TextTable(header, rows, right=frozenset(range(1, len(header))))


def _statistic(name: str, value: float | None) -> str:
    return ABSENT if value is None else true_minus(metric(name, value))


def _choices_table(runs: Sequence[RunRecord]) -> TextTable | None:
    """Return what each search has chosen."""
    if not runs:
        return None
    keys = dict.fromkeys(key for run in runs for key in run.settings)
    rows = [
        [key, *(shown_setting(run.settings[key]) if key in run.settings else ABSENT for run in runs)] for key in keys
    ]
    return TextTable(["key", *(run.name for run in runs)], rows)


def _worth(record: SeriesRecord) -> str:
    """Return what the searches promised beside what they kept."""
    if not record.is_nested:
        return ""
    name = record.searched_by
    promised = true_minus(metric(name, fmean(run.figure for run in record.runs if run.figure is not None)))
    kept = record.summary.get(TEST, {}).get(name, {}).get("mean")
    told = (
        f"The best trials had a mean validation {words(name)} of {promised}, each the best of its search and so too "
        "good to expect."
    )
    if kept is None:
        return told
    return f"{told} On the test rows, which no search saw, it is {true_minus(metric(name, kept))}."
