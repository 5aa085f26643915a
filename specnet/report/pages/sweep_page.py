"""The page of a sweep: its best trial, what its figure is worth, and how all trials have fared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from specnet.files.run_files import REPORT, written_spec
from specnet.number_texts import count, counted, page_metric
from specnet.parts.splits import OUT_OF_FOLD, TEST, TRAIN, VALIDATION, best_split
from specnet.parts.watchers import LOSS
from specnet.report.pages.answer_charts import strip_of
from specnet.report.pages.headline import comparison, score_name, verdict, words
from specnet.report.pages.page_templates import rendered
from specnet.report.pages.sweep_charts import (
    BEST,
    BEST_DRAWN,
    MARKS,
    MOST_KEYS,
    SweepView,
    key_figures,
    progress_figures,
    shown_setting,
)
from specnet.report.svg.charts import Figure
from specnet.report.svg.drawings import mark_alone
from specnet.report.terminal.text_tables import TextTable
from specnet.saved.saved_folder import FINISHED
from specnet.saved.saved_run import SavedRun
from specnet.saved.saved_sweep import SavedSweep, spec_text
from specnet.saved.saved_trials import Trial

STATES = {
    "pruned": "Stopped early: the pruner found its validation loss too high.",
    "diverged": "The loss was not finite.",
    "refused": "Not valid, or its metric is not defined.",
}
"""What states mean, where no message says it."""


def sweep_page(sweep: SavedSweep) -> str:
    """Return the page of a sweep as HTML."""
    view, facts, name = SweepView(sweep), sweep.facts, sweep.facts.name or "unnamed"
    has_report, states = _has_page(sweep.best), Counter[str](trial.state for trial in view.trials)
    marks = [(mark_alone(kind), state) for state, kind in MARKS.items() if states[state]]
    return rendered(
        "sweep.html.j2",
        name=name,
        has_report=has_report,
        team_has_report=_has_page(sweep.team),
        several=facts.several(),
        label=view.label,
        spec_name="" if sweep.best_spec is None else sweep.best_spec.name,
        spec=spec_text(sweep.best_spec),
        written=spec_text(written_spec(sweep.path)),
        facts_rows=list(facts.rows()),
        kicker=[name, "sweep", facts.sampler(), counted(len(view.trials), "trial")],
        sentence=sweep_sentence(view),
        strip=_strip(view) if sweep.evaluation else None,
        unfinished=_unfinished(view),
        worth=list(_worth(view)),
        scores=_scores_table(view),
        progress=list(progress_figures(view)),
        legend=[(mark_alone(BEST, held_out=True), "best trial"), *marks],
        keys=list(key_figures(view)),
        keys_left_out=max(len(sweep.dimensions) - MOST_KEYS, 0),
        leading=len(view.leading),
        worse_end="bottom" if view.larger_is_better else "top",
        addresses=[f"best/{REPORT}" * (has_report and not place) for place in range(BEST_DRAWN)],
        best=_best_table(view),
        states=_states_table(view.trials, states),
    )


def _has_page(run: SavedRun | None) -> bool:
    return run is not None and (run.path / REPORT).is_file()


def _strip(view: SweepView) -> Figure:
    """Return the main metric of the best trial's run, of the team if it can be compared, and of simpler predictors."""
    is_apart = view.sweep.has_other_loss and score_name(view.sweep.evaluation) == LOSS
    return strip_of(view.sweep.evaluation, "best trial", {} if is_apart else _teams(view.sweep))


def sweep_sentence(view: SweepView) -> str:
    """Return in a sentence what the search has found, and what that comes to on test rows."""
    trials = len(view.trials)
    if not view.ranked:
        return "No trial has ended yet." if not trials else f"None of {counted(trials, 'trial')} has finished."
    figure = view.ranked[0][1]
    which = f"best of {counted(trials, 'trial')}" if trials > 1 else "only trial"
    if comparison(view.sweep.evaluation) is not None:
        beside = verdict(view.sweep.evaluation)
        return f"The {which} is {beside[0].lower()}{beside[1:]}"
    told = f"The {which} reaches a {view.label} of {view.text(figure)}"
    test, main = view.sweep.comparable(TEST), score_name(view.sweep.evaluation or {TEST: {}})
    names = dict.fromkeys(name for name in (view.name, main) if test.get(name) is not None)
    if not names:
        return f"{told}."
    first, *more = [(words(name), page_metric(name, test[name])) for name in names]
    rest = "".join(f" and its {label} {value}" for label, value in more)
    return f"{told}; on test rows its {first[0]} is {first[1]}{rest}."


def _unfinished(view: SweepView) -> str:
    """Return what is missing of a sweep that has not come to its end."""
    done = len(view.trials)
    if done < view.sweep.facts.trials:
        return f"{count(done)} of {counted(view.sweep.facts.trials, 'trial')} are done: use --resume to go on."
    return "" if view.sweep.evaluation or not view.ranked else "The best trial has not been run yet."


def _worth(view: SweepView) -> Iterator[str]:
    """Yield in sentences why the best figure is too good, and what to expect."""
    if not view.ranked:
        return
    (best, figure), name = view.ranked[0], view.name
    reached = view.text(figure)
    if len(view.ranked) > 1:
        yield (
            f"Trial {best.number} was chosen as the best of {count(len(view.trials))} by its {view.label}, "
            f"{reached}. The rows that chose it also measured it, so chance has helped, and the more trials, the more: "
            "expect worse on new rows."
        )
    else:
        yield f"Only one trial has finished: its {view.label} of {reached} was not chosen among several."
    yield from _team(view.sweep)
    test = view.sweep.comparable(TEST).get(name)
    if not view.sweep.evaluation:
        return
    if TEST not in view.sweep.evaluation:
        yield (
            "No rows were held out for testing, so nothing here tells how it does on new rows: set "
            "data.split.test_size to a fraction of the rows, or use specnet sweep with --folds."
        )
    elif name == LOSS and view.sweep.has_other_loss:
        yield "The test loss of its run is in other units, after its own target_preprocessing, and is not compared."
    elif test is None:
        yield f"The test {words(name)} of its run is not defined."
    else:
        rows = view.sweep.evaluation.get("rows", {}).get(TEST)
        of_rows = "the test rows" if rows is None else f"the {counted(rows, 'test row')}"
        told = f"The search never saw {of_rows}: the {words(name)} there, {page_metric(name, test)}, is what to expect."
        if view.is_better(test, figure):
            told += " That it is the better one of the two is chance, too: both sets of rows are small samples."
        yield told


def _team(sweep: SavedSweep) -> Iterator[str]:
    """Yield who is in the team, in a sentence."""
    if sweep.shares:
        total = sum(sweep.shares.values())
        told = [f"{number} ({100 * share / total:.0f} %)" for number, share in sweep.shares.items()]
        one = len(told) == 1
        yield (
            f"The team in team/ is {'trial' if one else 'the mean of trials'} {', '.join(told)}, chosen by the rows "
            "that each network was not trained on."
        )


def _teams(sweep: SavedSweep) -> dict[str, Mapping[str, Any]]:
    """Return what ``metrics.json`` says of the team, if there is one."""
    return {} if sweep.team is None else {"team": sweep.team.evaluation.record()}


def _scores_table(view: SweepView) -> TextTable | None:
    """Return the figures of the best trial and of its run, that by which it was chosen first."""
    if not view.ranked:
        return None
    figure = view.ranked[0][1]
    held_out = best_split(view.sweep.evaluation.keys() - {TEST})
    measured = view.sweep.comparable(held_out) if held_out in (VALIDATION, OUT_OF_FOLD) else {}
    validation = {**measured, view.name: figure}
    rows: dict[str, Mapping[str, float | None]] = {f"validation, best of {count(len(view.trials))}": validation}
    rows |= {split: view.sweep.comparable(split) for split in (TEST, TRAIN) if view.sweep.comparable(split)}
    for team in _teams(view.sweep).values():
        rows |= {f"{split}, team": team[split] for split in (TEST, TRAIN) if team.get(split)}
    names = dict.fromkeys([view.name, *(name for figures in rows.values() for name in figures)])
    return TextTable(
        ["rows", *map(words, names)],
        [[title, *(page_metric(name, figures.get(name)) for name in names)] for title, figures in rows.items()],
        right=frozenset(range(1, len(names) + 1)),
    )


def _best_table(view: SweepView) -> TextTable | None:
    """Return the best trials with what they have drawn."""
    if not view.ranked:
        return None
    keys = [dimension.name for dimension in view.sweep.dimensions]
    rows = []
    for trial, figure in view.ranked[:BEST_DRAWN]:
        drawn = [shown_setting(trial.settings[key]) if key in trial.settings else "" for key in keys]
        rows.append([f"trial {trial.number}", view.text(figure), *drawn])
    numbers = [place for place, dimension in enumerate(view.sweep.dimensions, 2) if not dimension.choices]
    return TextTable(["trial", view.label, *short_keys(keys)], rows, right=frozenset([1, *numbers]))


def short_keys(keys: Sequence[str]) -> list[str]:
    """Return the last steps of keys, as many as tell each from the others."""
    found = []
    for key in keys:
        steps = key.split(".")
        ends = [".".join(steps[-number:]) for number in range(1, len(steps) + 1)]
        others = [f".{other}" for other in keys if other != key]
        found.append(next((end for end in ends if not any(other.endswith(f".{end}") for other in others)), key))
    return found


def _states_table(trials: Sequence[Trial], states: Mapping[str, int]) -> TextTable | None:
    """Return how trials ended that have no figure, with the commonest message of each kind."""
    rows = []
    for state, number in states.items():
        if state != FINISHED:
            messages = Counter(trial.message for trial in trials if trial.state == state and trial.message)
            told = STATES.get(state, "")
            if messages:
                told, times = messages.most_common(1)[0]
                told += f" ({count(times)} of {count(number)})" if times < number else ""
            rows.append([state, count(number), told])
    return TextTable(["state", "trials", "why"], rows, right=frozenset([1])) if rows else None
