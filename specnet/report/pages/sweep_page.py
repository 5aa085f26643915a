"""The page of a sweep: its best trial, how far its figure can be trusted, and charts and tables of all trials."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.number_texts import ABSENT, count, counted, page_metric, rounded
from specnet.parts.splits import OUT_OF_FOLD, TEST, TRAIN, VALIDATION, best_split
from specnet.parts.watchers import LOSS
from specnet.report.pages.headline import comparison, on_axis, score_name, verdict, words
from specnet.report.pages.page_beginning import strip_of
from specnet.report.pages.page_templates import rendered
from specnet.report.pages.training_charts import MAX_POINTS, curves_chart, is_wide
from specnet.report.spec_differences import setting_text
from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import Chart, Figure, mark_alone
from specnet.report.terminal.scores import is_negative_loss
from specnet.report.terminal.terminal_output import TextTable
from specnet.run_files import REPORT, written_spec
from specnet.saved.saved_folder import FINISHED
from specnet.saved.saved_run import SavedRun
from specnet.saved.saved_sweep import CALIBRATED_LOSS, Dimension, SavedSweep, SweepFacts, Trial, spec_text

MAX_DRAWN = 9000
"""Most points of all curves of a chart together."""
MIN_POINTS = 12
MAX_HOVERS = 400
"""Most trials that all have hover texts; of more, only the best trials have one."""
MAX_DOTS = 100
"""Most trials that are dots of full size in the charts of keys; more are a cloud of small dots."""
MAX_KEYS = 24
"""Most searched keys that have a chart."""
BEST_DRAWN = 10
"""Most trials that are highlighted in the charts of keys, and at most a third of the finished trials."""
BEST_CURVES = ("series-2", "series-0", "series-1")
"""Styles of the curves of the best trials."""
BEST, PRUNED, DIVERGED, REFUSED = 2, 5, 7, 8
"""Indices of classes whose marks and colours show the state of trials."""
MARKS = {"pruned": PRUNED, "diverged": DIVERGED, "refused": REFUSED}
FAILURES = {"diverged": "diverged", "refused": "failed"}
"""Verbs of the states of trials and runs that ended with an error."""
PRUNED_STYLE = "series-5 dashed faint"
REST_STYLES = "series-8 faint", "series-8 fainter"
"""Styles of the curves of other trials: of few, and of many."""
MANY_CURVES = 80
WORSE = 4.0
"""A figure is beyond the axis if it is worse than the median by more than this factor times the best figure's lead."""
SPREAD = 0.6
"""Width of a column of trials with the same value."""
GOLDEN = 0.618034
"""The golden ratio; the fractional parts of its multiples are evenly spread."""
STATES = {
    "pruned": "Stopped early: the pruner found its validation loss too high.",
    "diverged": "The loss was not finite.",
    "refused": "Not valid, or its metric is not defined.",
}
"""Explanations of states, for trials without a message."""


class SweepView:
    """The values of a sweep that its page shows: its trials, and the order of the trials that have a figure.

    Parameters
    ----------
    sweep : SavedSweep

    Attributes
    ----------
    trials : list of Trial
        Trials in order of their numbers.
    is_loss, larger_is_better : bool
        Whether the metric that compares trials is the loss, and whether larger values of it are better.
    name, label : str
        Name of this metric in ``metrics.json``, and of the figures of trials in words, such as ``validation loss``.
    is_calibrated : bool
        Whether the figures of trials are losses of calibrated outputs, and those of runs are not.
    losses : mapping
        Curves of the validation loss of trials, by their numbers.
    """

    def __init__(self, sweep: SavedSweep) -> None:
        self.sweep, self.trials = sweep, sweep.ended
        self.larger_is_better, self.is_loss = sweep.facts.larger_is_better, sweep.facts.metric == f"{VALIDATION}_{LOSS}"
        self.name = LOSS if self.is_loss else sweep.facts.metric
        self.is_calibrated = sweep.facts.figure == CALIBRATED_LOSS
        self.label = trial_label(sweep.facts)
        self.losses = sweep.losses(max(min(MAX_POINTS, MAX_DRAWN // max(len(self.trials), 1)), MIN_POINTS))

    @cached_property
    def ranked(self) -> list[tuple[Trial, float]]:
        """Finished trials with their figures, the best first; of equal figures, the earliest trial first."""
        known = [(trial, trial.figure) for trial in self.trials if trial.figure is not None]
        return sorted(known, key=lambda each: -each[1] if self.larger_is_better else each[1])

    @property
    def leading(self) -> list[Trial]:
        """The best trials, which are highlighted in the charts of keys."""
        return [trial for trial, _ in self.ranked[: max(min(BEST_DRAWN, len(self.ranked) // 3), 1)]]

    def is_better(self, value: float, other: float) -> bool:
        """Return whether one figure is better than the other."""
        return value > other if self.larger_is_better else value < other

    def text(self, value: float | None) -> str:
        """Return a figure as text."""
        return page_metric(self.name, value)

    def axis(self) -> Axis:
        """Return the axis of figures; the worst figures are beyond it if they are far from the better half."""
        figures = np.array([value for _, value in self.ranked], np.float64)
        if self.is_loss and is_wide(figures):
            return Axis.over(figures, label=self.label, log=True, margin=0.06)
        label, unit = on_axis(self.name, self.label)
        badness = -figures if self.larger_is_better else figures
        best, middle = badness.min(), np.median(badness)
        shown = badness <= middle + WORSE * (middle - best)
        return Axis.over(figures[shown], label=label, unit=unit, margin=0.06)

    def is_beyond(self, axis: Axis, values: ArrayLike) -> NDArray[np.bool_]:
        """Return a mask of the figures beyond the worse end of the axis; no figure is beyond the better end."""
        figures = np.asarray(values, np.float64)
        return figures < axis.low if self.larger_is_better else figures > axis.high

    def trial_text(self, trial: Trial) -> str:
        """Return a trial's number with its figure or state."""
        reached = trial.state if trial.figure is None else self.text(trial.figure)
        return f"trial {trial.number}: {reached}"


def trial_label(facts: SweepFacts) -> str:
    """Return the figure by which a sweep compares its trials in words, such as ``validation loss``."""
    calibrated = "calibrated " if facts.figure == CALIBRATED_LOSS else ""
    return f"{calibrated}{VALIDATION} {words(facts.metric.removeprefix(f'{VALIDATION}_'))}"


def sweep_page(sweep: SavedSweep) -> str:
    """Return the page of a sweep as HTML."""
    view, facts, name = SweepView(sweep), sweep.facts, sweep.facts.name or "unnamed"
    has_report, states = _has_page(sweep.best), Counter[str](trial.state for trial in view.trials)
    marks = [(mark_alone(kind), state) for state, kind in MARKS.items() if states[state]]
    return rendered(
        "sweep.html.j2",
        name=name,
        judged=sweep.expectations,
        has_report=has_report,
        team_has_report=_has_page(sweep.team),
        several=facts.several(),
        label=view.label,
        spec_name="" if sweep.best_spec is None else sweep.best_spec.name,
        spec=spec_text(sweep.best_spec),
        written=spec_text(written_spec(sweep.path)),
        facts_rows=list(facts.rows()),
        kicker=[name, "sweep", facts.sampler(), counted(len(view.trials), "trial")],
        sentence=f"{_undone(view)}{sweep_sentence(view)}{_failed(view)}",
        strip=strip_of(sweep.evaluation, "best trial") if sweep.evaluation else None,
        unfinished=_unfinished(view),
        worth=list(_worth(view)),
        scores=_scores_table(view),
        progress=[draw(view) for draw, known in ((_by_trial, view.ranked), (_curves, view.losses)) if known],
        legend=[(mark_alone(BEST, held_out=True), "best trial"), *marks],
        keys=[_key(view, each) for each in sweep.dimensions[:MAX_KEYS] if view.ranked],
        keys_left_out=max(len(sweep.dimensions) - MAX_KEYS, 0),
        leading=len(view.leading),
        addresses=[f"best/{REPORT}" * (has_report and not index) for index in range(BEST_DRAWN)],
        best=_best_table(view),
        states=_states_table(view.trials, states),
    )


def _has_page(run: SavedRun | None) -> bool:
    return run is not None and (run.path / REPORT).is_file()


def sweep_sentence(view: SweepView) -> str:
    """Return a sentence with the best trial of the search and its result on test rows."""
    trials = len(view.trials)
    if not view.ranked:
        none = f"None of {counted(trials, 'trial')} has finished"
        messages = {trial.message for trial in view.trials}
        reason = f": {messages.pop()}" if len(messages) == 1 and all(messages) else ""
        return f"{none}{reason}." if trials else "No trial has ended yet."
    figure = view.ranked[0][1]
    which = f"best of {counted(trials, 'trial')}" if trials > 1 else "only trial"
    if comparison(view.sweep.evaluation) is not None:
        return f"{verdict(view.sweep.evaluation)} This is the {which}."
    sentence = f"The {which} reaches a {view.label} of {view.text(figure)}"
    test, main = view.sweep.comparable(TEST), score_name(view.sweep.evaluation or {TEST: {}})
    names = dict.fromkeys(name for name in (view.name, main) if test.get(name) is not None)
    if not names:
        return f"{sentence}."
    first, *more = [(words(name), page_metric(name, test[name])) for name in names]
    rest = "".join(f" and its {label} {value}" for label, value in more)
    return f"{sentence}; on test rows its {first[0]} is {first[1]}{rest}."


def _undone(view: SweepView) -> str:
    """Return a sentence that comes first if trials are missing; empty if not, or if no trial has ended."""
    done, planned = len(view.trials), view.sweep.facts.trials
    return f"Not finished: {count(done)} of {counted(planned, 'trial')}. " if 0 < done < planned else ""


def _failed(view: SweepView) -> str:
    """Return a sentence on the trials that ended with an error; empty without any, or without others."""
    states = Counter(trial.state for trial in view.trials if trial.state in FAILURES)
    if not states or not view.ranked:
        return ""
    ended = [f"{counted(number, 'trial')} {FAILURES[state]}" for state, number in states.items()]
    return f" {', '.join(ended)}."


def _unfinished(view: SweepView) -> str:
    """Return a notice for an unfinished sweep: which command finishes it, or that a run is missing; else nothing."""
    if len(view.trials) < view.sweep.facts.trials:
        return "To finish the sweep, repeat the command with --resume."
    return "" if view.sweep.evaluation or not view.ranked else "The best trial has not been run yet."


def _worth(view: SweepView) -> Iterator[str]:
    """Yield sentences that explain why the best figure is too optimistic, and which result to expect on new rows."""
    if not view.ranked:
        return
    (best, figure), name = view.ranked[0], view.name
    reached = view.text(figure)
    if len(view.ranked) > 1:
        yield (
            f"Trial {best.number} was chosen as the best of {count(len(view.trials))} by its {view.label}, "
            f"{reached}. The same rows chose it and measured it, so it is too optimistic, and more so after "
            "more trials: expect worse on new rows."
        )
        if view.is_calibrated:
            yield (
                "Calibrated: the logits of each trial were divided by the one number that suits these rows, so that "
                "trials do not differ by their confidence alone."
            )
    else:
        yield f"Only one trial has finished: its {view.label} of {reached} was not chosen among several."
    yield from _team(view.sweep)
    test = view.sweep.comparable(TEST).get(name)
    if not view.sweep.evaluation:
        return
    if TEST not in view.sweep.evaluation:
        yield (
            "No rows were held out for testing, so its score on new rows is unknown: set "
            "data.split.test_size to a fraction of the rows, or use specnet sweep with --folds."
        )
    elif name == LOSS and view.sweep.has_other_loss:
        yield "The test loss of its run has another unit, that of its own target_preprocessing, and cannot be compared."
    elif test is None:
        yield f"The test {words(name)} of its run is not defined."
    else:
        rows = view.sweep.evaluation.get("rows", {}).get(TEST)
        of_rows = "the test rows" if rows is None else f"the {counted(rows, 'test row')}"
        sentence = (
            f"The search did not use {of_rows}: the {words(name)} there, {page_metric(name, test)}, is what to expect."
        )
        if view.is_better(test, figure):
            sentence += " It may be better there by chance: both sets of rows are small samples."
        yield sentence


def _team(sweep: SavedSweep) -> Iterator[str]:
    """Yield a sentence with the trials of the team and their shares, if the sweep has a team."""
    if sweep.shares:
        total = sum(sweep.shares.values())
        members = [f"{number} ({100 * share / total:.0f} %)" for number, share in sweep.shares.items()]
        if len(members) == 1:
            yield only_trial(next(iter(sweep.shares)))
        else:
            yield (
                f"The team predicts the weighted mean of trials {', '.join(members[:-1])} and {members[-1]}. They were "
                "chosen on rows that their networks were not trained on."
            )


def only_trial(number: str) -> str:
    """Return a sentence about a team of one trial."""
    return f"The team is trial {number} alone: no other trial clearly improved its predictions."


def _scores_table(view: SweepView) -> TextTable | None:
    """Return a table of the figures of the best trial and of its run; the metric that chose the trial is first."""
    if not view.ranked:
        return None
    figure = view.ranked[0][1]
    split = best_split(view.sweep.evaluation.keys() - {TEST})
    measured = view.sweep.comparable(split) if split in (VALIDATION, OUT_OF_FOLD) else {}
    chosen_by = CALIBRATED_LOSS if view.is_calibrated else view.name
    validation = {**measured, chosen_by: figure}
    rows: dict[str, Mapping[str, float | None]] = {f"validation, best of {count(len(view.trials))}": validation}
    rows |= {split: view.sweep.comparable(split) for split in (TEST, TRAIN) if view.sweep.comparable(split)}
    team = {} if view.sweep.team is None else view.sweep.team.evaluation.metrics
    of_team = {f"{split}, team": team[split] for split in (TEST, TRAIN) if team.get(split)}
    known = dict.fromkeys(
        [chosen_by, view.name, *(name for figures in [*rows.values(), *of_team.values()] for name in figures)]
    )
    every = {**rows, **of_team}
    names = [
        name
        for name in known
        if any(figures.get(name) is not None for figures in every.values())
        and (name == chosen_by or not is_negative_loss(name, every))
    ]
    texts = {title: [page_metric(name, figures.get(name)) for name in names] for title, figures in every.items()}
    # The single-trial team and its run differ by rounding, so the rows are compared as shown.
    if all(texts[f"{split}, team"] == texts.get(split) for split in (TEST, TRAIN) if team.get(split)):
        texts = {title: texts[title] for title in rows}
    return TextTable(
        ["rows", *map(words, names)],
        [[title, *shown] for title, shown in texts.items()],
        right=frozenset(range(1, len(names) + 1)),
    )


def _best_table(view: SweepView) -> TextTable | None:
    """Return a table of the best trials with their settings."""
    if not view.ranked:
        return None
    keys = [dimension.name for dimension in view.sweep.dimensions]
    rows = []
    for trial, figure in view.ranked[:BEST_DRAWN]:
        drawn = [shown_setting(trial.settings[key]) if key in trial.settings else ABSENT for key in keys]
        rows.append([f"trial {trial.number}", view.text(figure), *drawn])
    numbers = [column for column, dimension in enumerate(view.sweep.dimensions, 2) if not dimension.choices]
    return TextTable(["trial", view.label, *short_keys(keys)], rows, right=frozenset([1, *numbers]))


def short_keys(keys: Sequence[str]) -> list[str]:
    """Return each key shortened to its last steps, as few as distinguish it from the other keys."""
    found = []
    for key in keys:
        steps = key.split(".")
        ends = [".".join(steps[-number:]) for number in range(1, len(steps) + 1)]
        others = [f".{other}" for other in keys if other != key]
        found.append(next((end for end in ends if not any(other.endswith(f".{end}") for other in others)), key))
    return found


def _states_table(trials: Sequence[Trial], states: Mapping[str, int]) -> TextTable | None:
    """Return a table of the trials without a figure by state, with the most common message of each state."""
    rows = []
    for state, number in states.items():
        if state != FINISHED:
            messages = Counter(trial.message for trial in trials if trial.state == state and trial.message)
            why = STATES.get(state, "")
            if messages:
                why, times = messages.most_common(1)[0]
                why += f" ({count(times)} of {count(number)})" if times < number else ""
            rows.append([state, count(number), why])
    return TextTable(["state", "trials", "why"], rows, right=frozenset([1])) if rows else None


def _by_trial(view: SweepView) -> Figure:
    """Return the chart of the figures of trials by trial number, with the best figure so far."""
    trials, ranked, y = view.trials, view.ranked, view.axis()
    (best, figure), last = ranked[0], max(trial.number for trial in trials)
    margin = 0.02 * max(last, 1) + 0.5
    title, best_figure = f"{view.label.capitalize()} by trial", view.text(figure)
    ends = f"best {best_figure} in trial {best.number}, worst {view.text(ranked[-1][1])}"
    others = [trial for trial in trials if trial.state in MARKS]
    x = Axis(-margin, last + margin, "trial", unit="whole")
    chart = Chart(f"{title}: {ends}", x, y, margin="no value" if others else "")
    numbers, values = zip(*_best_so_far(view), strict=True)
    # Each step of the line is first horizontal, then vertical to the better figure.
    across, up = np.repeat([*numbers, last], 2)[1:-1], np.repeat(values, 2)
    chart.line(across, up, "series-2", name="best", value=best_figure)
    out = [trial for trial, value in ranked if view.is_beyond(y, value)]
    shown = [trial for trial in trials if trial.figure is not None and trial not in out]
    xs, ys = [trial.number for trial in shown], np.array([trial.figure for trial in shown], np.float64)
    if len(trials) <= MAX_HOVERS:
        chart.points(xs, ys, hover=list(map(view.trial_text, shown)), radius=3.2 if len(trials) < 100 else 2.4)
    else:
        chart.cloud(xs, ys)
    kinds = [MARKS[trial.state] for trial in others]
    chart.apart([trial.number for trial in others], kinds, list(map(view.trial_text, others)))
    for trial in out:
        chart.beyond([trial.number], above=not view.larger_is_better, hover=view.trial_text(trial))
    chart.points([best.number], [figure], [BEST], held_out=True, hover=[view.trial_text(best)])
    note = f"The line is the best so far. The best of all, {best_figure}, is that of trial {best.number}."
    if others:
        note += " Trials without a value are in the margin below."
    if out:
        note += f" Beyond the axis, as arrows at its end: {counted(len(out), 'trial')}."
    return Figure(title, note, chart.svg(), "trials")


def _best_so_far(view: SweepView) -> list[tuple[int, float]]:
    """Return the numbers and figures of the trials that were better than all earlier trials."""
    steps: list[tuple[int, float]] = []
    for trial in view.trials:
        if trial.figure is not None and (not steps or view.is_better(trial.figure, steps[-1][1])):
            steps.append((trial.number, trial.figure))
    return steps


def _curves(view: SweepView) -> Figure:
    """Return the chart of the validation loss of each trial by epoch."""
    drawn = [(trial, view.losses[trial.number]) for trial in view.trials if trial.number in view.losses]
    best = [trial for trial, _ in view.ranked if trial.number in view.losses][: len(BEST_CURVES)]
    title = "Validation loss of every trial"
    ends = "; ".join(f"trial {trial.number} in the last epoch {_last(view, trial)}" for trial in best)
    description = f"{title} by epoch, {counted(len(drawn), 'trial')}: {ends or 'none finished'}"
    chart = curves_chart(description, [curve for _, curve in drawn], LOSS, "validation loss")
    rest_style = REST_STYLES[len(drawn) > MANY_CURVES]
    for trial, curve in drawn:
        if trial not in best:
            style = rest_style if trial.state == FINISHED else PRUNED_STYLE
            chart.line(*curve, style, title=view.trial_text(trial))
    pruned = [(trial, curve) for trial, curve in drawn if trial.state != FINISHED]
    if len(drawn) <= MAX_HOVERS:
        chart.points(
            [curve.epochs[-1] for _, curve in pruned],
            np.clip([curve.values[-1] for _, curve in pruned], chart.y.low, chart.y.high),
            [MARKS.get(trial.state, PRUNED) for trial, _ in pruned],
            hover=[f"{view.trial_text(trial)} at epoch {count(curve.epochs[-1])}" for trial, curve in pruned],
        )
    for trial, style in reversed(list(zip(best, BEST_CURVES, strict=False))):
        last = _last(view, trial)
        losses, hover = view.losses[trial.number], view.trial_text(trial)
        chart.line(*losses, style, name=f"trial {trial.number}", value=last, title=hover)
    note = "The best are coloured." if len(best) > 1 else ""
    if pruned:
        note += " Dashed lines were stopped early, where they end."
    return Figure(title, note.strip(), chart.svg(), "curves")


def _last(view: SweepView, trial: Trial) -> str:
    return page_metric(LOSS, view.losses[trial.number].values[-1])


def _key(view: SweepView, dimension: Dimension) -> Figure:
    """Return the chart of a searched key: figures of trials by the value of the key."""
    name, choices, y = dimension.name, dimension.choices, view.axis()
    drawn = [trial for trial in view.trials if name in trial.settings]
    positions = dict(zip([trial.number for trial in drawn], _positions(drawn, dimension), strict=True))
    trials = [trial for trial, _ in view.ranked if name in trial.settings]
    figures, xs = (
        np.array([trial.figure for trial in trials], np.float64),
        np.array([positions[t.number] for t in trials]),
    )
    out, leading = view.is_beyond(y, figures), view.leading
    settings = [shown_setting(trial.settings[name]) for trial in trials]
    if choices:
        x = Axis.of_names(map(shown_choice, choices))
    else:
        x = Axis.over([*positions.values()], log=dimension.log, margin=0.04)
    best = f"best {view.text(trials[0].figure)} at {settings[0]}" if trials else "no trial has finished"
    without = [trial for trial in drawn if trial.state in MARKS]
    chart = Chart(f"{view.label.capitalize()} by {name}: {best}", x, y, margin="no value" if without else "")
    chart.apart([positions[trial.number] for trial in without], [MARKS[trial.state] for trial in without])
    rest = np.array([trial not in leading for trial in trials], np.bool_) & ~out
    if len(drawn) <= MAX_DOTS:
        chart.points(xs[rest], figures[rest])
    else:
        chart.cloud(xs[rest], figures[rest])
    chart.beyond(xs[out], above=not view.larger_is_better)
    notes = [f"Best at {settings[0]}."] if trials else []
    notes += _medians(chart, view, choices, np.round(xs), figures)
    for k, trial in reversed(list(enumerate(trials))):
        if trial in leading:
            hover = [f"{view.trial_text(trial)} at {settings[k]}"]
            chart.points([xs[k]], [figures[k]], [BEST], held_out=trial is leading[0], hover=hover)
    if len(drawn) < len(view.trials):
        notes.append(f"Drawn in {count(len(drawn))} of {counted(len(view.trials), 'trial')}.")
    return Figure(name, " ".join(notes), chart.svg(), "key")


def _positions(trials: Sequence[Trial], dimension: Dimension) -> NDArray[np.float64]:
    """Return the x positions of the values that trials have drawn; equal choices are spread, always in the same way."""
    drawn = [trial.settings[dimension.name] for trial in trials]
    if not dimension.choices:
        return np.array(drawn, np.float64)
    beside = SPREAD * (np.array([trial.number for trial in trials], np.float64) * GOLDEN % 1 - 0.5)
    return np.array([dimension.choices.index(str(value)) for value in drawn], np.float64) + beside


def _medians(
    chart: Chart, view: SweepView, choices: Sequence[str], columns: NDArray[np.float64], figures: NDArray[np.float64]
) -> Iterator[str]:
    """Draw the median of each choice, and yield a sentence for each median beyond the axis."""
    for column, choice in enumerate(choices):
        if not (columns == column).any():
            continue
        median = float(np.median(figures[columns == column]))
        hover = f"median of {shown_choice(choice)}: {view.text(median)}"
        if view.is_beyond(chart.y, median):
            chart.beyond([column], above=not view.larger_is_better, style="whisker", hover=hover)
            yield f"Beyond the axis, the {hover}."
        else:
            chart.line((column - SPREAD / 2, column + SPREAD / 2), [median] * 2, "whisker", title=hover)


def shown_setting(value: str | int | float) -> str:
    """Return a drawn value as text: a rounded number, or a choice as `shown_choice` formats it."""
    return shown_choice(value) if isinstance(value, str) else rounded(value)


@cache
def shown_choice(toml: str) -> str:
    """Return a TOML value in the format of settings on pages: ``adam``, ``[16, 16]``, ``sgd(momentum=0.9)``."""
    try:
        return setting_text(tomllib.loads(f"value = {toml}")["value"])
    except tomllib.TOMLDecodeError:
        return toml
