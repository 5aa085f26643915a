"""Pages of several runs: a comparison of their scores, differing settings and curves, or a list with links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from specnet.number_texts import ABSENT, count, counted, page_metric
from specnet.parts.metrics import larger_is_better, main_metric
from specnet.parts.splits import SPLITS, TEST, adjective
from specnet.parts.watchers import LOSS
from specnet.report.pages.headline import clearly_worse, compared_values, known_gains, words
from specnet.report.pages.page_beginning import PAIRED, gain_text, gains_chart, paired_gains
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
from specnet.run_files import BEST, page_of
from specnet.saved.saved_folder import FINISHED, SavedFolder, have_one_loss
from specnet.saved.saved_run import SavedRun
from specnet.spec import Spec
from specnet.training.checkpoint import MEMBER


def comparison_page(
    runs: Sequence[SavedRun], compared: Mapping[str, Mapping[str, Any]] | str, verdict: str, command: str, start: Path
) -> str:
    """Return the page of several runs as HTML.

    Parameters
    ----------
    runs : sequence of SavedRun
        Runs to compare. Settings are compared with those of the first run.
    compared : mapping or str
        By deciding statistic: contents of ``metrics.json`` of the run that is best by it, with the other runs as
        baselines, and its name as ``best``. Or a sentence with the reason why there is none.
    verdict : str
        First sentences of the page, from `comparison_verdict`.
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
        sentence=verdict,
        strip=_strip(runs, compared),
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


def runs_page(tables: Sequence[RunTable], command: str, start: Path) -> str:
    """Return the page that lists runs with links to their pages, as HTML.

    Parameters
    ----------
    tables : sequence of RunTable
    command : str
        Command line that creates the page.
    start : Path
        Folder of the page; links are relative to it.
    """
    records = [run for table in tables for run in table.records]
    unfinished = sum(run.state != FINISHED for run in records)
    return rendered(
        "runs.html.j2",
        count=counted(len(records), "run"),
        unfinished=f", {count(unfinished)} not finished" if unfinished else "",
        tables=[(each, _column_title(each.ranked_by), _on_page(each.table())) for each in tables],
        addresses=[[page_of(run.path, start) for run in each.records] for each in tables],
        command=command,
    )


def _on_page(table: TextTable) -> TextTable:
    """Return a table of runs with metrics in words, without empty columns.

    States, if it has them, follow the names, as phones show these.
    """
    table = replace(table, header=[*map(_column_title, table.header)])
    order = table.filled_columns
    if "state" in table.header:
        order.insert(1, order.pop(order.index(table.header.index("state"))))
    return table.part(order)


def _column_title(title: str) -> str:
    split, _, name = title.partition(" ")
    return f"{adjective(split)} {words(name)}" if split in SPLITS else title


def comparison_verdict(
    runs: Sequence[SavedRun], compared: Mapping[str, Mapping[str, Any]] | str, series: Sequence[SavedFolder] = ()
) -> str:
    """Return the sentence of `best_run`, after one that names what has not finished.

    Parameters
    ----------
    runs, compared
        As for `best_run`.
    series : sequence of SavedFolder
        Folds and seeds whose finished runs are among the runs.
    """
    found = [f"{each.name} ({each.remark()})" for each in (*runs, *series) if each.state != FINISHED]
    unfinished = f"Not finished: {', '.join(found)}. " if found else ""
    return f"{unfinished}{best_run(runs, compared)}"


def _strip(runs: Sequence[SavedRun], compared: Mapping[str, Mapping[str, Any]] | str) -> Figure | None:
    """Return a chart of the best run's gains over other runs and simpler predictors; None without a comparison."""
    if isinstance(compared, str):
        return None
    name, _ = clearly_worse(compared)
    evaluation = compared[name]
    gains = dict(paired_gains(evaluation, name))
    if not gains:
        return None
    best, nearest = evaluation["best"], min(gains, key=lambda other: gains[other].reach)
    value = compared_values(evaluation, nearest, name)[0]
    names = [run.name for run in runs]
    gains |= paired_gains(runs[names.index(best)].evaluation.record(), name)
    drawn = "groups of test rows" if evaluation["groups"] else "the test rows"
    label = words(name)
    note = f"{label[:1].upper()}{label[1:]} of {best} on test rows: {page_metric(name, value)}. {PAIRED.format(drawn)}"
    return gains_chart(f"Gain of {best}", note, name, gains, nearest, is_reduction=not larger_is_better(name))


def reason_apart(runs: Sequence[SavedRun]) -> str:
    """Return a sentence with the reason why runs cannot be ranked, and what to do; empty if they can be."""
    name = main_metric(runs[0].metrics.get(TEST, ())) or LOSS
    is_known = all(run.score(TEST, name) is not None for run in runs)
    apart = _apart(runs, [run.spec for run in runs], is_known=is_known, is_loss=name == LOSS)
    return f"{apart}." if apart else ""


def best_run(runs: Sequence[SavedRun], compared: Mapping[str, Mapping[str, Any]] | str) -> str:
    """Return a sentence that names the best run, and the runs that are clearly worse; or why runs cannot be ranked.

    Parameters
    ----------
    runs : sequence of SavedRun
    compared : mapping or str
        As for `comparison_page`.
    """
    if isinstance(compared, str):
        return f"{counted(len(runs), 'run')} side by side; {compared}"
    name, worse = clearly_worse(compared)
    evaluation = compared[name]
    gains, best, label = known_gains(evaluation, name), evaluation["best"], words(name)
    rows = counted(evaluation["rows"][TEST], "test row")
    if not gains:
        return f"{counted(len(runs), 'run')} side by side; {rows} are too few to compare them."
    nearest = min(gains, key=lambda other: gains[other]["value"])
    own, its = (page_metric(name, value) for value in compared_values(evaluation, nearest, name))
    if not any(gain["value"] for gain in gains.values()):
        return f"No clear difference: all {len(runs)} runs reach the same test {label}, {own}."
    if not worse:
        ends = [gain_text(name, gains[nearest][end], gains[nearest]["high"]) for end in ("low", "high")]
        unit = " points" if name.endswith("accuracy") else ""
        return (
            f"No clear difference: {best} has the best test {label}, {own}, {nearest} {its}; on {rows} the gain may be "
            f"{ends[0]} to {ends[1]}{unit}."
        )
    others = len(runs) - 1
    if len(worse) == others:
        rival = nearest if others == 1 else f"all {others} other runs"
        beside = its if others == 1 else f"at best {its}"
        return f"{_subject(best)} is better than {rival}: test {label} {own} against {beside}, on {rows}."
    return (
        f"{_subject(best)} is better than {len(worse)} of the {others} other runs, with no clear difference from "
        f"{nearest if len(worse) == others - 1 else f'the other {others - len(worse)}'}: test {label} {own} against "
        f"{its} of {nearest}, on {rows}."
    )


def _subject(name: str) -> str:
    """Return the name of a run as the first words of a sentence."""
    return f"Run {name.removeprefix('run ')}"


def _apart(runs: Sequence[SavedRun], specs: Sequence[Spec], *, is_known: bool, is_loss: bool) -> str:
    """Return the reason why runs cannot be ranked; empty if they have a common score on the same rows."""
    if not is_known or (is_loss and not have_one_loss(run.loss for run in runs)):
        return "they have no score of test rows in common; compare runs of one loss or one metric"
    if len(_data(runs)) > 1:
        return "their data differ, and so their scores cannot be ranked; compare runs of one table"
    rules = [spec.data.split.test_rule for spec in specs if spec.data is not None]
    splits = [{key: value for key, value in rule.items() if key != "fold"} for rule in rules]
    if any(rule != rules[0] for rule in rules):
        if all(split == splits[0] for split in splits):
            return "they are tested on different folds, and so their scores cannot be ranked; compare means over folds"
        return "they are tested on different rows, and so their scores cannot be ranked; give all the same data.split"
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


def short_names(paths: Sequence[Path]) -> list[str]:
    """Return the shortest ends of paths that tell runs apart, the same for relative and absolute paths.

    The run of a sweep's best trial has the name of the sweep. Numbers alone are ``run 1`` and ``run 2`` if all ends are
    numbers, as in ``runs/moons/1`` and ``runs/moons/2``; otherwise the folder above is in the name.
    """
    folders = [path.absolute() for path in paths]
    steps = [(folder.parent if folder.name == BEST else folder).parts for folder in folders]
    last = [each[-1] for each in steps]
    if len({*last}) == len(last) and all(map(str.isdecimal, last)):
        return [f"run {name}" for name in last]
    return ["/".join(_end(each, steps)).replace("//", "/") for each in steps]


def _end(steps: tuple[str, ...], others: Sequence[tuple[str, ...]]) -> Sequence[str]:
    """Return the shortest end that no other path has; the last step if another path is the same."""
    for length in range(2 if steps[-1].isdecimal() else 1, len(steps)):
        if sum(other[-length:] == steps[-length:] for other in others) == 1:
            return steps[-length:]
    return steps if others.count(steps) == 1 else steps[-1:]


def _chart(name: str, runs: Sequence[SavedRun]) -> Figure:
    titles = [run.name for run in runs]
    lines = [
        (index, member, curve, page_metric(name, curve.values[-1]))
        for index, run in enumerate(runs)
        for member, curve in enumerate(member_curves(run.history, name))
    ]
    ends = [f"{titles[index]} {last}" for index, member, _, last in lines if not member]
    title, curves = curve_title(name), [curve for _, _, curve, _ in lines]
    description = f"{title} by epoch, in the last one: {'; '.join(ends)}"
    chart = curves_chart(description, curves, name, title.lower(), is_whole=True)
    for index, member, curve, last in lines:
        ending = "" if member or len(ends) > MAX_NAMED else titles[index]
        chart.line(*curve, curve_style(index), name=ending, value=last, hover=at_epoch(titles[index]))
    return Figure(title, rows_note(name), chart.svg(), "curves")
