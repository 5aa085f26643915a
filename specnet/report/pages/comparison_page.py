"""Pages of several runs: a comparison of their scores, differing settings and curves, or a list with links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from specnet.number_texts import ABSENT, counted, interval, page_metric, true_minus
from specnet.parts.metrics import main_metric, metric_of
from specnet.parts.splits import SPLITS, TEST, adjective
from specnet.parts.watchers import LOSS
from specnet.report.pages.headline import words
from specnet.report.pages.page_beginning import WITHOUT_INTERVALS, Gain, gains_chart, in_order, larger_is_better
from specnet.report.pages.page_templates import rendered
from specnet.report.pages.training_charts import (
    MAX_NAMED,
    at_epoch,
    curve_style,
    curve_title,
    curves_chart,
    member_curves,
    rows_note,
)
from specnet.report.spec_differences import setting_text, spec_differences
from specnet.report.svg.charts import Figure
from specnet.report.terminal.scores import RunTable
from specnet.report.terminal.terminal_output import TextTable
from specnet.run_files import page_of
from specnet.saved.saved_folder import FINISHED, have_one_loss
from specnet.saved.saved_run import SavedRun
from specnet.spec import Spec
from specnet.training.checkpoint import MEMBER


def comparison_page(runs: Sequence[SavedRun], command: str, start: Path) -> str:
    """Return the page of several runs as HTML.

    Parameters
    ----------
    runs : sequence of SavedRun
        Runs to compare. Settings are compared with those of the first run.
    command : str
        Command line that creates the page.
    start : Path
        Folder of the page; links are relative to it.
    """
    specs = [run.spec for run in runs]
    names = dict.fromkeys(name for run in runs for record in run.history for name in record)
    return rendered(
        "compare.html.j2",
        count=counted(len(runs), "run"),
        sentence=f"{_unfinished(runs)}{best_run(runs, specs)}",
        strip=_strip(runs, specs),
        table=_on_page(RunTable(runs).table()),
        addresses=[page_of(run.path, start) for run in runs],
        swatches=[curve_style(index) for index in range(len(runs))],
        curves=[_chart(name, runs) for name in names if name not in ("epoch", MEMBER)],
        other_losses=not have_one_loss(run.loss for run in runs),
        settings=differing_settings(specs),
        hashes=[f"{run.data_sha256 or ABSENT:.8}" for run in runs] if len(_data(runs)) > 1 else [],
        names=[run.name for run in runs],
        command=command,
    )


def runs_page(table: RunTable, command: str, start: Path) -> str:
    """Return the page that lists runs with links to their pages, as HTML; runs that have not finished are first.

    Parameters
    ----------
    table : RunTable
    command : str
        Command line that creates the page.
    start : Path
        Folder of the page; links are relative to it.
    """
    records = sorted(table.records, key=lambda run: run.state == FINISHED)
    return rendered(
        "runs.html.j2",
        count=counted(len(records), "run"),
        table=_on_page(RunTable(records).table()),
        addresses=[page_of(run.path, start) for run in records],
        command=command,
    )


def _on_page(table: TextTable) -> TextTable:
    """Return a table of runs with metrics in words; states, if it has them, follow the names, as phones show these."""
    table = replace(table, header=[*map(_column_title, table.header)])
    if "state" not in table.header:
        return table
    state = table.header.index("state")
    order = [0, state, *(index for index in range(1, len(table.header)) if index != state)]
    header, *rows = ([cells[index] for index in order] for cells in [table.header, *table.rows])
    return replace(table, header=header, rows=rows, right=frozenset(order.index(index) for index in table.right))


def _column_title(title: str) -> str:
    split, _, name = title.partition(" ")
    return f"{adjective(split)} {words(name)}" if split in SPLITS else title


def _unfinished(runs: Sequence[SavedRun]) -> str:
    """Return a sentence that names the runs that have not finished; empty if all have."""
    found = [f"{run.name}: {run.remark()}" for run in runs if run.state != FINISHED]
    return f"Not finished: {', '.join(found)}. " if found else ""


def _strip(runs: Sequence[SavedRun], specs: Sequence[Spec]) -> Figure | None:
    """Return a chart of the best run's gains over other runs and simpler predictors; None if their rows differ."""
    name = main_metric(runs[0].metrics.get(TEST, ())) or LOSS
    names, is_reduction = short_names([run.name for run in runs]), not larger_is_better(name)
    found = {called: run.score(TEST, name) for called, run in zip(names, runs, strict=True)}
    scores = {called: score for called, score in found.items() if score is not None}
    if _apart(runs, specs, is_known=len(scores) == len(runs), is_loss=name == LOSS):
        return None
    best = (min if is_reduction else max)(scores, key=lambda called: scores[called])
    own, baselines = scores.pop(best), runs[names.index(best)].evaluation.baselines
    known = {baseline: baselines[baseline].get(TEST, {}).get(name) for baseline in in_order(baselines)}
    scores |= {baseline: value for baseline, value in known.items() if value is not None}
    gains = {
        other: Gain(page_metric(name, value), value - own if is_reduction else own - value)
        for other, value in scores.items()
    }
    label = words(name)
    note = f"{label[:1].upper()}{label[1:]} of {best} on test rows: {page_metric(name, own)}. {WITHOUT_INTERVALS}"
    return gains_chart(
        f"Gain of {best}",
        note,
        name,
        gains,
        min(gains, key=lambda other: gains[other].reach),
        is_reduction=is_reduction,
    )


def best_run(runs: Sequence[SavedRun], specs: Sequence[Spec]) -> str:
    """Return a sentence that names the best run by its test score, or explains why the runs cannot be ranked."""
    name = main_metric(runs[0].metrics.get(TEST, ())) or LOSS
    scores = [run.score(TEST, name) for run in runs]
    known = [score for score in scores if score is not None]
    if apart := _apart(runs, specs, is_known=len(known) == len(runs), is_loss=name == LOSS):
        return f"{counted(len(runs), 'run')} side by side; {apart}."
    measured = specs[0].monitored_metric(metric_of(name, (each.type for each in specs[0].training.metrics)) or name)
    best = max(known) if measured is not None and measured.larger_is_better else min(known)
    label, shown = words(name), page_metric(name, best)
    if chance := _overlap(runs, scores, name, best):
        return chance
    winners = [run.name for run, score in zip(runs, scores, strict=True) if score == best]
    others = [score for score in known if score != best]
    if not others:
        return f"All {len(runs)} runs reach the same test {label}: {shown}."
    rest = " to ".join(dict.fromkeys(page_metric(name, value) for value in (min(others), max(others))))
    leading = f"{winners[0]} reaches" if len(winners) == 1 else f"{counted(len(winners), 'run')} reach"
    behind = "the other" if len(others) == 1 else f"the other {len(others)}"
    return f"{leading} the best test {label}, {shown}; {behind}: {rest}."


def _overlap(runs: Sequence[SavedRun], scores: Sequence[float | None], name: str, best: float) -> str:
    """Return a sentence if the interval of the best score contains another score, so that chance may rank them."""
    winner = runs[scores.index(best)]
    ends = winner.evaluation.record().get("intervals", {}).get(TEST, {}).get(name)
    others = sorted(
        {score for score in scores if score is not None and score != best}, key=lambda score: abs(score - best)
    )
    if not ends or not others or not ends["low"] <= others[0] <= ends["high"]:
        return ""
    around = true_minus(interval(name, ends["low"], ends["high"]))
    return (
        f"No clear difference: {winner.name} has the best test {words(name)}, {page_metric(name, best)}, but its 95 % "
        f"interval, {around}, contains {page_metric(name, others[0])} of another."
    )


def _apart(runs: Sequence[SavedRun], specs: Sequence[Spec], *, is_known: bool, is_loss: bool) -> str:
    """Return the reason why runs cannot be ranked; empty if they have a common score on the same rows."""
    if not is_known or (is_loss and not have_one_loss(run.loss for run in runs)):
        return "they have no score of test rows in common"
    if len(_data(runs)) > 1:
        return "their data differ, and so their scores cannot be ranked"
    rules = [spec.data.split.test_rule for spec in specs if spec.data is not None]
    if any(rule != rules[0] for rule in rules):
        return "they are tested on different rows, and so their scores cannot be ranked"
    return ""


def _data(runs: Sequence[SavedRun]) -> set[str]:
    """Return the distinct known hashes of the data of runs."""
    return {run.data_sha256 for run in runs if run.data_sha256 is not None}


def differing_settings(specs: Sequence[Spec]) -> dict[str, tuple[str, ...]]:
    """Return all settings in which a spec differs from the first, with their values in each spec, in spec order."""
    found = [{key: values for key, *values in spec_differences(specs[0], spec)} for spec in specs[1:]]
    keys = dict.fromkeys(key for each in found for key in each)
    return {key: tuple(_values(key, found)) for key in sorted(keys, key=lambda key: _spec_order(key, specs))}


def _spec_order(key: str, specs: Sequence[Spec]) -> tuple[int, int]:
    """Return the indices of a key's section and field, in the order of a spec."""
    section, _, rest = key.partition(".")
    fields = [[*getattr(type(getattr(spec, section)), "model_fields", ())] for spec in specs]
    positions = [names.index(field) for names in fields if (field := rest.partition(".")[0]) in names]
    return [*Spec.model_fields].index(section), positions[-1] if positions else 0


def _values(key: str, found: Sequence[Mapping[str, Sequence[Any]]]) -> Iterator[str]:
    """Yield the value of a key in each spec; a dash if a spec has a different part instead."""
    before = next(each[key][0] for each in found if key in each)
    if isinstance(before, Mapping) and any(other.startswith(f"{key}.") for each in found for other in each):
        before = before.get("type", before)  # the part's fields have their own rows
    yield setting_text(before)
    for each in found:
        if key in each:
            yield setting_text(each[key][1])
        else:
            is_within = any(key.startswith(f"{other}.") for other in each)
            yield ABSENT if is_within else setting_text(before)


def short_names(names: Sequence[str]) -> list[str]:
    """Return paths without their common start: ``run 1`` and ``run 2`` for ``runs/moons/1`` and ``runs/moons/2``."""
    steps = [name.rstrip("/").split("/") for name in names]
    shortest = min(map(len, steps)) - 1
    same = next((depth for depth in range(shortest) if len({each[depth] for each in steps}) > 1), shortest)
    rest = ["/".join(each[same:]) for each in steps]
    return [f"run {name}" if name.isdecimal() else name for name in rest]


def _chart(name: str, runs: Sequence[SavedRun]) -> Figure:
    titles = short_names([run.name for run in runs])
    lines = [
        (index, member, curve, page_metric(name, curve.values[-1]))
        for index, run in enumerate(runs)
        for member, curve in enumerate(member_curves(run.history, name))
    ]
    ends = [f"{titles[index]} {last}" for index, member, _, last in lines if not member]
    title, curves = curve_title(name), [curve for _, _, curve, _ in lines]
    description = f"{title} by epoch, at last: {'; '.join(ends)}"
    chart = curves_chart(description, curves, name, title.lower(), is_whole=True)
    for index, member, curve, last in lines:
        ending = "" if member or len(ends) > MAX_NAMED else titles[index]
        chart.line(*curve, curve_style(index), name=ending, value=last, hover=at_epoch(titles[index]))
    return Figure(title, rows_note(name), chart.svg(), "curves")
