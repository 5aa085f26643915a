"""Charts of a sweep: every trial's curve, its figure, and each searched key beside the figure."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from functools import cache, cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.number_texts import count, counted, page_metric, rounded
from specnet.parts.splits import VALIDATION
from specnet.parts.watchers import LOSS
from specnet.report.pages.headline import words
from specnet.report.spec_differences import setting_text
from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import Chart, Figure
from specnet.report.svg.overlays import MOST_POINTS, curves_chart, scores_axis, within
from specnet.saved.saved_folder import FINISHED
from specnet.saved.saved_sweep import Dimension, SavedSweep
from specnet.saved.saved_trials import Trial

MOST_DRAWN = 9000
"""Points of all curves of a chart."""
FEWEST_POINTS = 12
MOST_HOVERS = 400
"""Trials that each show what they are on hover; of more, only the best ones do."""
MOST_KEYS = 24
"""Searched keys that have a chart."""
BEST_DRAWN = 10
"""Trials that stand out beside their keys, but a third of those that have finished at most."""
BEST_CURVES = ("series-2", "series-0", "series-1")
"""Styles of the curves of the best trials."""
BEST, PRUNED, DIVERGED, REFUSED = 2, 5, 7, 8
"""Classes whose marks and colours stand for kinds of trials."""
MARKS = {"pruned": PRUNED, "diverged": DIVERGED, "refused": REFUSED}
PRUNED_STYLE = "series-5 held faint"
REST_STYLES = "series-8 faint", "series-8 fainter"
"""Of the curves of other trials, the second where there are many."""
MANY_CURVES = 80
SPREAD = 0.6
"""Width of a column of trials with one value."""
GOLDEN = 0.618034
"""Fractions of its multiples are evenly spread."""


class SweepView:
    """What the page of a sweep shows: its trials, and the order of those that have a figure.

    Parameters
    ----------
    sweep : SavedSweep

    Attributes
    ----------
    trials : list of Trial
        In order of their numbers.
    metric : str
        ``validation_loss`` or a metric's name.
    losses : mapping
        The validation losses that are drawn of trials, by their numbers.
    """

    def __init__(self, sweep: SavedSweep) -> None:
        self.sweep, self.trials = sweep, sweep.ended
        self.metric, self.larger_is_better = sweep.facts.metric, sweep.facts.larger_is_better
        self.losses = sweep.losses(max(min(MOST_POINTS, MOST_DRAWN // max(len(self.trials), 1)), FEWEST_POINTS))

    @cached_property
    def ranked(self) -> list[tuple[Trial, float]]:
        """Finished trials with their figures, the best first, of equals the earliest."""
        known = [(trial, trial.figure) for trial in self.trials if trial.figure is not None]
        return sorted(known, key=lambda each: -each[1] if self.larger_is_better else each[1])

    @property
    def leading(self) -> list[Trial]:
        """The best trials, which stand out beside their keys."""
        return [trial for trial, _ in self.ranked[: max(min(BEST_DRAWN, len(self.ranked) // 3), 1)]]

    @property
    def is_loss(self) -> bool:
        """Whether trials are compared by the loss."""
        return self.metric == f"{VALIDATION}_{LOSS}"

    @property
    def label(self) -> str:
        """The metric in words: ``validation loss``."""
        return f"{VALIDATION} {words(self.name)}"

    @property
    def name(self) -> str:
        """The metric as ``metrics.json`` calls it."""
        return LOSS if self.is_loss else self.metric

    def is_better(self, value: float, other: float) -> bool:
        """Return whether a figure is better than another one."""
        return value > other if self.larger_is_better else value < other

    def text(self, value: float | None) -> str:
        """Return a figure as text."""
        return page_metric(self.name, value)

    def axis(self) -> Axis:
        """Return the axis of the figures of trials."""
        figures = [value for _, value in self.ranked]
        return scores_axis(figures, self.label, is_loss=self.is_loss, larger_is_better=self.larger_is_better)

    def is_beyond(self, axis: Axis, values: ArrayLike) -> NDArray[np.bool_]:
        """Return which figures lie beyond the axis of figures, at its worse end; its better one shows all."""
        figures = np.asarray(values, np.float64)
        return figures < axis.low if self.larger_is_better else figures > axis.high

    def worst(self, axis: Axis) -> float:
        """Return the worse end of the axis of figures, where trials without a figure stand."""
        return axis.low if self.larger_is_better else axis.high

    def told(self, trial: Trial) -> str:
        """Return a trial in a few words."""
        told = trial.state if trial.figure is None else self.text(trial.figure)
        return f"trial {trial.number}: {told}"


def progress_figures(view: SweepView) -> Iterator[Figure]:
    """Yield the figure of each trial with the best so far, and the curves of all trials."""
    if view.ranked:
        yield _by_trial(view)
    if view.losses:
        yield _curves(view)


def _by_trial(view: SweepView) -> Figure:
    trials, ranked, y = view.trials, view.ranked, view.axis()
    (best, figure), last = ranked[0], max(trial.number for trial in trials)
    margin = 0.02 * max(last, 1) + 0.5
    title, told_best = f"{view.label.capitalize()} by trial", view.text(figure)
    told = f"best {told_best} in trial {best.number}, worst {view.text(ranked[-1][1])}"
    chart = Chart(f"{title}: {told}", Axis(-margin, last + margin, "trial"), y)
    numbers, values = zip(*_best_so_far(view), strict=True)
    # A step goes along first, and then to the better figure.
    across, up = np.repeat([*numbers, last], 2)[1:-1], np.repeat(values, 2)
    chart.line(across, up, "series-2", name="best", value=told_best)
    out = [trial for trial, value in ranked if view.is_beyond(y, value)]
    shown = [trial for trial in trials if trial.figure is not None and trial not in out]
    xs, ys = [trial.number for trial in shown], np.array([trial.figure for trial in shown], np.float64)
    if len(trials) <= MOST_HOVERS:
        chart.points(xs, ys, hover=list(map(view.told, shown)), radius=3.2 if len(trials) < 100 else 2.4)
    else:
        chart.cloud(xs, ys)
    others = [trial for trial in trials if trial.state in MARKS]
    kinds = [MARKS[trial.state] for trial in others]
    hover = list(map(view.told, others))
    chart.points([trial.number for trial in others], [view.worst(y)] * len(others), kinds, hover=hover)
    for trial in out:
        chart.beyond([trial.number], above=not view.larger_is_better, hover=view.told(trial))
    chart.points([best.number], [figure], [BEST], held_out=True, hover=[view.told(best)])
    note = f"The line is the best so far, at last {told_best} in trial {best.number}."
    if others:
        note += f" Trials without a value stand at the {'bottom' if view.larger_is_better else 'top'}."
    if out:
        note += f" Beyond the axis, as arrows at its end: {counted(len(out), 'trial')}."
    return Figure(title, note, chart.svg())


def _best_so_far(view: SweepView) -> list[tuple[int, float]]:
    """Return the trials that were the best when they ended, with their figures."""
    steps: list[tuple[int, float]] = []
    for trial in view.trials:
        if trial.figure is not None and (not steps or view.is_better(trial.figure, steps[-1][1])):
            steps.append((trial.number, trial.figure))
    return steps


def _curves(view: SweepView) -> Figure:
    drawn = [(trial, view.losses[trial.number]) for trial in view.trials if trial.number in view.losses]
    best = [trial for trial, _ in view.ranked if trial.number in view.losses][: len(BEST_CURVES)]
    title = "Validation loss of every trial"
    ends = "; ".join(f"trial {trial.number} at last {_last(view, trial)}" for trial in best)
    description = f"{title} by epoch, {counted(len(drawn), 'trial')}: {ends or 'none finished'}"
    chart = curves_chart(description, [curve for _, curve in drawn], "validation loss", is_loss=True)
    rest_style = REST_STYLES[len(drawn) > MANY_CURVES]
    for trial, curve in drawn:
        if trial not in best:
            style = rest_style if trial.state == FINISHED else PRUNED_STYLE
            chart.line(*curve, style, title=view.told(trial))
    pruned = [(trial, curve) for trial, curve in drawn if trial.state != FINISHED]
    if len(drawn) <= MOST_HOVERS:
        chart.points(
            [curve.epochs[-1] for _, curve in pruned],
            within(chart.y, [curve.values[-1] for _, curve in pruned]),
            [MARKS.get(trial.state, PRUNED) for trial, _ in pruned],
            hover=[f"{view.told(trial)} at epoch {count(curve.epochs[-1])}" for trial, curve in pruned],
        )
    for trial, style in reversed(list(zip(best, BEST_CURVES, strict=False))):
        last = _last(view, trial)
        losses, told = view.losses[trial.number], view.told(trial)
        chart.line(*losses, style, name=f"trial {trial.number}", value=last, title=told)
    note = "The best ones in colour." if len(best) > 1 else ""
    if pruned:
        note += " Dashed ones were pruned where they end."
    return Figure(title, note.strip(), chart.svg())


def _last(view: SweepView, trial: Trial) -> str:
    return page_metric(LOSS, view.losses[trial.number].values[-1])


def key_figures(view: SweepView) -> Iterator[Figure]:
    """Yield a chart for each searched key, with the figure of each trial that drew it."""
    if view.ranked:
        y = view.axis()
        for dimension in view.sweep.dimensions[:MOST_KEYS]:
            yield _key(view, dimension, y)


def _key(view: SweepView, dimension: Dimension, y: Axis) -> Figure:
    name, choices = dimension.name, dimension.choices
    drawn = [trial for trial in view.trials if name in trial.settings]
    places = dict(zip([trial.number for trial in drawn], _places(drawn, dimension), strict=True))
    trials = [trial for trial, _ in view.ranked if name in trial.settings]
    figures, xs = np.array([trial.figure for trial in trials], np.float64), np.array([places[t.number] for t in trials])
    out, leading = view.is_beyond(y, figures), view.leading
    told = [shown_setting(trial.settings[name]) for trial in trials]
    if choices:
        x = Axis.of_names(map(shown_choice, choices))
    else:
        x = Axis.over([*places.values()], log=dimension.log, margin=0.04)
    best = f"best {view.text(trials[0].figure)} at {told[0]}" if trials else "no trial has finished"
    chart = Chart(f"{view.label.capitalize()} by {name}: {best}", x, y)
    for state, kind in MARKS.items():
        without = [places[trial.number] for trial in drawn if trial.figure is None and trial.state == state]
        chart.cloud(without, [view.worst(y)] * len(without), f"series-{kind}")
    rest = np.array([trial not in leading for trial in trials], np.bool_) & ~out
    chart.cloud(xs[rest], figures[rest])
    chart.beyond(xs[out], above=not view.larger_is_better)
    notes = [f"Best at {told[0]}."] if trials else []
    notes += _medians(chart, view, choices, np.round(xs), figures)
    for k, trial in reversed(list(enumerate(trials))):
        if trial in leading:
            hover = [f"{view.told(trial)} at {told[k]}"]
            chart.points([xs[k]], [figures[k]], [BEST], held_out=trial is leading[0], hover=hover)
    if len(drawn) < len(view.trials):
        notes.append(f"Drawn in {count(len(drawn))} of {counted(len(view.trials), 'trial')}.")
    return Figure(name, " ".join(notes), chart.svg())


def _places(trials: Sequence[Trial], dimension: Dimension) -> NDArray[np.float64]:
    """Return where the values that trials have drawn lie; equal choices beside each other, the same each time."""
    drawn = [trial.settings[dimension.name] for trial in trials]
    if not dimension.choices:
        return np.array(drawn, np.float64)
    beside = SPREAD * (np.array([trial.number for trial in trials], np.float64) * GOLDEN % 1 - 0.5)
    return np.array([dimension.choices.index(str(value)) for value in drawn], np.float64) + beside


def _medians(
    chart: Chart, view: SweepView, choices: Sequence[str], columns: NDArray[np.float64], figures: NDArray[np.float64]
) -> Iterator[str]:
    """Draw the median of each column, and yield in a sentence those that lie beyond the axis."""
    for column, choice in enumerate(choices):
        if not (columns == column).any():
            continue
        median = float(np.median(figures[columns == column]))
        told = f"median of {shown_choice(choice)}: {view.text(median)}"
        if view.is_beyond(chart.y, median):
            chart.beyond([column], above=not view.larger_is_better, style="whisker", hover=told)
            yield f"Beyond the axis, the {told}."
        else:
            chart.line((column - SPREAD / 2, column + SPREAD / 2), [median] * 2, "whisker", title=told)


def shown_setting(value: str | int | float) -> str:
    """Return a value that was drawn as text: numbers to three digits, values of lists as pages show settings."""
    return shown_choice(value) if isinstance(value, str) else rounded(value)


@cache
def shown_choice(toml: str) -> str:
    """Return the TOML of a value as pages show settings: ``adam``, ``[16, 16]``, ``sgd(momentum=0.9)``."""
    try:
        return setting_text(tomllib.loads(f"value = {toml}")["value"])
    except tomllib.TOMLDecodeError:
        return toml
