"""The page of many runs of one spec, on folds, with seeds, or each the best of a sweep of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

import numpy as np

from specnet.files.run_files import REPORT
from specnet.number_texts import ABSENT, count, counted, figure, metric, metric_spread, page_metric, true_minus
from specnet.report.pages.headline import Tile, words
from specnet.report.pages.page_templates import rendered
from specnet.report.pages.series_record import SeriesRecord, Summary
from specnet.report.pages.sweep_charts import shown_setting
from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import Chart, Figure
from specnet.report.svg.drawings import mark_alone
from specnet.report.svg.overlays import MOST_NAMED, curve_style, curve_title, curves_chart, rows_note
from specnet.report.svg.style import CLASS_COUNT
from specnet.report.terminal.run_table import FINISHED, LOSS, TEST, TRAIN, RunRecord
from specnet.report.terminal.text_tables import TextTable

MOST_SPREADS = 6
"""Metrics whose values in each run are drawn."""
JITTER = 0.26
"""How far the first and the last seed stand beside the middle of their fold."""
BAND = 0.14
"""Opacity of what lies within a standard deviation of the mean."""


def series_page(record: SeriesRecord) -> str:
    """Return the page of many runs as HTML."""
    folds, seeds = _different(record.runs)
    kind = "nested sweep" if record.is_nested else " and ".join([*["folds"] * bool(folds), *["seeds"] * bool(seeds)])
    named = 1 < len(record.finished) <= MOST_NAMED
    curves = list(_curves(record, named=named))
    marks = [(mark_alone(place), f"seed {seed}") for place, seed in enumerate(seeds)]
    searches = record.searches
    return rendered(
        "series.html.j2",
        record=record,
        kind=kind,
        kicker=list(filter(None, [record.name, kind, _number(record)])),
        sentence=series_sentence(record),
        tiles=list(_tiles(record)),
        differing=_differing(record),
        legend=marks if folds and len(seeds) > 1 else [],
        spreads=list(_spreads(record)),
        table=_runs_table(record),
        swatches=[_run_style(record, run, named=named) for run in record.runs] if named and curves else [],
        addresses=[f"{run.name}/{REPORT}" * (run in searches) for run in record.runs] if searches else [],
        curves=curves,
        folds=[] if named else [(_fold_style(fold), f"fold {fold}") for fold in folds[:CLASS_COUNT]],
        summary=_summary_table(record.summary),
        choices=_choices_table(searches),
        worth=_worth(record),
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
    what = f"{'The results of ' if record.is_nested else ''}{of_all}{_number(record)}"
    if found["mean"] is None:
        return f"{what}: the {label} is not defined for any of them."
    shown = _spread(record.main, found)
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
    finished, total, name = len(record.finished), len(record.runs), record.main
    for split in dict.fromkeys((record.split, TRAIN)) if finished else ():
        if name in record.summary.get(split, {}):
            yield _spread_tile(split, name, record.summary[split][name])
    folds, seeds = _different(record.runs)
    epochs = sorted(run.epochs for run in record.finished if run.epochs is not None)
    by_fold, by_seed = _std_of_means(record, "fold"), _std_of_means(record, "seed")
    if by_fold is not None and by_seed is not None:
        yield Tile("spread over folds", _deviation(name, by_fold), f"over seeds {_deviation(name, by_seed)}")
    elif epochs:
        ends = list(dict.fromkeys((epochs[0], epochs[-1])))
        yield Tile("epochs", "–".join(map(count, ends)), "fewest and most" if len(ends) > 1 else "of every run")
    number = count(total) if finished == total else f"{count(finished)} of {count(total)}"
    parts = [counted(len(folds), "fold") if folds else "", counted(len(seeds), "seed") if seeds else ""]
    yield Tile("runs" if finished == total else "runs finished", number, " × ".join(filter(None, parts)))


def _deviation(name: str, value: float) -> str:
    return f"± {100 * value:.1f} points" if name.endswith("accuracy") else f"± {figure(value)}"


def _spread_tile(split: str, name: str, found: Mapping[str, Any]) -> Tile:
    low, high = (page_metric(name, found[end]) for end in ("min", "max"))
    if found["mean"] is None:
        note = "not defined"
    elif found["runs"] == 1:
        note = "a single run"
    else:
        note = f"{low} to {high}" if low != high else "the same in every run"
    return Tile(f"{split} {words(name)}", _spread(name, found), note)


def _spread(name: str, found: Mapping[str, Any]) -> str:
    return true_minus(metric_spread(name, found["mean"], found["std"]))


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
    """Yield a chart for each metric, with a dot for each run, those of one fold beside each other."""
    folds, seeds = _different(record.runs)
    by, beside = ("fold", seeds) if folds else ("seed", [])
    groups = folds or seeds
    middle, step = max(len(beside) - 1, 0) / 2, 2 * JITTER / max(len(beside) - 1, 1)
    for name in record.metrics[:MOST_SPREADS]:
        found = record.summary[record.split][name]
        scores = ((run, run.score(record.split, name)) for run in record.finished)
        known = [(run, value) for run, value in scores if value is not None]
        if found["mean"] is None or not known:
            continue
        mean, std, spread = found["mean"], found["std"] or 0.0, _spread(name, found)
        title = f"{record.split.capitalize()} {words(name)} of each run"
        y = Axis.over([value for _, value in known], mean - std, mean + std, label=words(name), margin=0.08)
        values = "; ".join(f"{run.name} {metric(name, value)}" for run, value in known)
        chart = Chart(f"{title}: mean {spread}; {values}", Axis.of_names(map(str, groups), by), y)
        edges = -0.5, len(groups) - 0.5
        if std:
            chart.rectangle(edges, (mean - std, mean + std), "class-1", opacity=BAND, hover=f"mean ± std: {spread}")
        chart.line(edges, [mean, mean], "guide", name="mean", value=page_metric(name, mean))
        places = np.array([groups.index(getattr(run, by)) for run, _ in known])
        kinds = np.array([beside.index(run.seed) if run.seed in beside else 0 for run, _ in known])
        chart.points(
            places + step * (kinds - middle),
            [value for _, value in known],
            kinds if len(beside) > 1 else None,
            radius=4.5,
            hover=[f"{run.name}: {page_metric(name, value)}" for run, value in known],
        )
        yield Figure(title, f"Mean and standard deviation {spread}.", chart.svg())


def _curves(record: SeriesRecord, *, named: bool) -> Iterator[Figure]:
    """Yield a chart for each figure of the histories, with a line for each run that has it."""
    for name in dict.fromkeys(name for run in record.finished for name in run.curves):
        runs = [run for run in record.finished if name in run.curves]
        title, curves = curve_title(name), [run.curves[name] for run in runs]
        ends = [curve.values[-1] for curve in curves]
        told = " to ".join(dict.fromkeys(page_metric(name, value) for value in (min(ends), max(ends))))
        description = f"{title} by epoch in {counted(len(runs), 'run')}, at last {told}"
        chart = curves_chart(description, curves, title.lower(), is_loss=name.endswith(LOSS))
        for run, curve in zip(runs, curves, strict=True):
            last, style = page_metric(name, curve.values[-1]), _run_style(record, run, named=named)
            chart.line(*curve, style, name=run.name * named, value=last, title=f"{run.name}, at last {last}")
        yield Figure(title, f"{rows_note(name)} At last {told}.", chart.svg())


def _run_style(record: SeriesRecord, run: RunRecord, *, named: bool) -> str:
    """Return the style of a run's lines: its own where there are few of them."""
    return curve_style(record.runs.index(run)) if named else f"{_fold_style(run.fold or 0)} faint"


def _fold_style(fold: int) -> str:
    return f"series-{fold % CLASS_COUNT}"


def _runs_table(record: SeriesRecord) -> TextTable:
    runs = record.runs
    scores = [(record.split, name) for name in record.metrics] + [(TRAIN, record.main)] * (record.split != TRAIN)
    columns = {"run": [run.name for run in runs]}
    for split, name in scores:
        columns[f"{split} {words(name)}"] = [page_metric(name, run.score(split, name)) for run in runs]
    columns["epochs"] = [ABSENT if run.epochs is None else count(run.epochs) for run in runs]
    if record.is_nested:
        trials = [ABSENT if run.trials is None else f"{run.trial} of {count(run.trials)}" for run in runs]
        metric = record.searched_by
        columns |= {
            "best trial": trials,
            f"validation {words(metric)}": [page_metric(metric, run.figure) for run in runs],
        }
    right = frozenset(range(1, len(columns)))
    if len(record.finished) < len(runs):
        columns["state"] = [f"{run.state}: {run.message}" if run.message else run.state for run in runs]
    return TextTable([*columns], list(zip(*columns.values(), strict=True)), right=right)


def _summary_table(summary: Summary) -> TextTable:
    header = ["metric", "mean", "std", "min", "max", "runs"]
    rows = [
        [f"{split} {words(name)}", *(page_metric(name, found[each]) for each in header[1:-1]), count(found["runs"])]
        for split, figures in summary.items()
        for name, found in figures.items()
    ]
    return TextTable(header, rows, right=frozenset(range(1, len(header))))


def _choices_table(runs: Sequence[RunRecord]) -> TextTable | None:
    """Return what the search of each run has chosen."""
    chosen = [{key: shown_setting(value) for key, value in run.settings.items()} for run in runs]
    keys = dict.fromkeys(key for each in chosen for key in each)
    rows = [[key, *(each.get(key, ABSENT) for each in chosen)] for key in keys]
    return TextTable(["key", *(run.name for run in runs)], rows) if runs else None


def _worth(record: SeriesRecord) -> str:
    """Return what the searches promised beside what they kept."""
    if not record.is_nested:
        return ""
    name = record.searched_by
    promised = page_metric(name, fmean(run.figure for run in record.runs if run.figure is not None))
    kept = record.summary.get(TEST, {}).get(name, {}).get("mean")
    told = (
        f"The best trials had a mean validation {words(name)} of {promised}, each the best of its search and so too "
        "good to expect."
    )
    if kept is None:
        return told
    return f"{told} On the test rows, which no search saw, that of the results is {page_metric(name, kept)}."
