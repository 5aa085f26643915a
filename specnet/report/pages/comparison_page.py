"""The page of several runs: their scores, the settings that differ, and their curves laid over each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from specnet.number_texts import ABSENT, count, counted, figure, metric
from specnet.report.pages.headline import words
from specnet.report.pages.page_templates import environment, style
from specnet.report.spec_differences import Difference, setting_text, spec_differences
from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import Chart, Figure
from specnet.report.svg.epoch_curves import curve, member_histories, values_axis
from specnet.report.svg.overlays import curve_title
from specnet.report.svg.style import CLASS_COUNT
from specnet.report.terminal.run_table import LOSS, TEST, RunRecord, RunTable
from specnet.spec import Spec
from specnet.training.checkpoint import MEMBER

MOST_NAMED = 8
"""Curves that have their names at their ends; of more, only the list of runs tells them apart."""


class SettingRow(NamedTuple):
    """A setting that is not the same in all runs, with its value in each."""

    key: str
    values: tuple[str, ...]


def comparison_page(runs: Sequence[RunRecord], command: str) -> str:
    """Return the page of several runs as HTML.

    Parameters
    ----------
    runs : sequence of RunRecord
        The first is the one that the settings of the others are compared with.
    command : str
        What makes the page again.
    """
    specs = [run.spec for run in runs if run.spec is not None]
    return (
        environment()
        .get_template("compare.html.j2")
        .render(
            style=style(),
            count=counted(len(runs), "run"),
            sentence=best_run(runs, specs),
            table=RunTable(runs).table(),
            swatches=[line_style(place) for place in range(len(runs))],
            curves=list(_curves(runs)),
            other_losses=len({spec.training.loss for spec in specs}) > 1,
            settings=differing_settings(specs),
            names=[run.name for run in runs],
            command=command,
        )
    )


def best_run(runs: Sequence[RunRecord], specs: Sequence[Spec]) -> str:
    """Return in a sentence which run is best on its test rows, by the metric that all of them have."""
    name = runs[0].main_metric or LOSS
    scores = [run.score(TEST, name) for run in runs]
    known = [score for score in scores if score is not None]
    is_shared = name != LOSS or len({spec.training.loss for spec in specs}) == 1
    if len(known) < len(runs) or not is_shared:
        return f"{counted(len(runs), 'run')} side by side; they have no score of test rows in common."
    measured = specs[0].monitored_metric(name)
    best = max(known) if measured is not None and measured.larger_is_better else min(known)
    label, shown = words(name), metric(name, best)
    winners = [run.name for run, score in zip(runs, scores, strict=True) if score == best]
    others = [score for score in known if score != best]
    if not others:
        return f"All {len(runs)} runs reach the same test {label}: {shown}."
    rest = " to ".join(dict.fromkeys(metric(name, value) for value in (min(others), max(others))))
    reach = "reaches" if len(winners) == 1 else "reach"
    leading = winners[0] if len(winners) == 1 else f"{counted(len(winners), 'run')}"
    behind = "the other" if len(others) == 1 else f"the other {len(others)}"
    return f"{leading} {reach} the best test {label}, {shown}; {behind}: {rest}."


def differing_settings(specs: Sequence[Spec]) -> list[SettingRow]:
    """Return the settings in which any spec differs from the first, in its order, with their values in each."""
    found = [{each.key: each for each in spec_differences(specs[0], spec)} for spec in specs[1:]]
    keys = list(dict.fromkeys(key for each in found for key in each))
    return [SettingRow(key, tuple(_values(key, found))) for key in sorted(keys, key=_order(specs, keys))]


def _order(specs: Sequence[Spec], keys: Sequence[str]) -> Callable[[str], tuple[int, int, int]]:
    """Return what sorts keys: by their fields in the order of a spec, then as they were met."""
    sections = {name: place for place, name in enumerate(Spec.model_fields)}
    fields = {
        (section, name): place
        for spec in specs
        for section in sections
        for place, name in enumerate(getattr(type(getattr(spec, section)), "model_fields", ()))
    }
    met = {key: place for place, key in enumerate(keys)}

    def rank(key: str) -> tuple[int, int, int]:
        section, _, rest = key.partition(".")
        return sections[section], fields.get((section, rest.partition(".")[0]), 0), met[key]

    return rank


def _values(key: str, found: Sequence[Mapping[str, Difference]]) -> Iterator[str]:
    """Yield the value of a key in each spec; a dash where all of a part is another one."""
    before = next(each[key].before for each in found if key in each)
    if isinstance(before, Mapping) and any(other.startswith(f"{key}.") for each in found for other in each):
        before = before.get("type", before)  # whose fields have rows of their own
    yield setting_text(before)
    for each in found:
        if key in each:
            yield setting_text(each[key].after)
        else:
            is_within = any(key.startswith(f"{other}.") for other in each)
            yield ABSENT if is_within else setting_text(before)


def short_names(names: Sequence[str]) -> list[str]:
    """Return what tells paths of runs apart: ``run 1`` and ``run 2`` for ``runs/moons/1`` and ``runs/moons/2``."""
    steps = [name.rstrip("/").split("/") for name in names]
    shortest = min(map(len, steps)) - 1
    same = next((depth for depth in range(shortest) if len({each[depth] for each in steps}) > 1), shortest)
    rest = ["/".join(each[same:]) for each in steps]
    return [f"run {name}" if name.isdecimal() else name for name in rest]


def _curves(runs: Sequence[RunRecord]) -> Iterator[Figure]:
    """Yield a chart for each figure of the histories, with a line for each run that has it."""
    names = dict.fromkeys(name for run in runs for record in run.history for name in record)
    for name in names:
        if name not in ("epoch", MEMBER):
            yield _chart(name, runs)


def _chart(name: str, runs: Sequence[RunRecord]) -> Figure:
    titles = short_names([run.name for run in runs])
    lines = [(place, title, line) for place, title in enumerate(titles) for line in _lines(runs[place], name)]
    values = [value for _, _, (_, values) in lines for value in values]
    x = Axis.over(*(epochs for _, _, (epochs, _) in lines), label="epoch")
    y = values_axis(values, curve_title(name).lower(), is_loss=name.endswith(LOSS))
    ends = {place: f"{title} {metric(name, values[-1])}" for place, title, (_, values) in reversed(lines)}
    told = "; ".join(reversed(ends.values()))
    chart = Chart(f"{curve_title(name)} by epoch, at last: {told}", x, y)
    named: set[int] = set()
    for place, title, (epochs, values) in lines:
        is_named = place not in named and len(ends) <= MOST_NAMED
        named.add(place)
        chart.line(
            epochs,
            values,
            line_style(place),
            name=title if is_named else "",
            value=metric(name, values[-1]) if is_named else "",
            hover=_hover(title),
        )
    note = "Mean over the training rows." if name == LOSS else "Of the validation rows."
    return Figure(curve_title(name), note, chart.svg())


def _hover(title: str) -> Callable[[float, float], str]:
    return lambda epoch, value: f"{title}, epoch {count(int(epoch))}: {figure(value)}"


def _lines(run: RunRecord, name: str) -> Iterator[tuple[list[int], list[float]]]:
    """Yield epochs and values of a figure, once for each member of an ensemble."""
    for records in member_histories(run.history):
        if known := [record for record in records if name in record]:
            yield curve(known, name)


def line_style(place: int) -> str:
    """Return the style of a run's lines: ten colours, then the same ones dashed."""
    dashed = " held" if place // CLASS_COUNT % 2 else ""
    return f"series-{place % CLASS_COUNT}{dashed}"
