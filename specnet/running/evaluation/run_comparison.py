"""Several runs on the same test rows: the gains of the best one over each of the others, with the role of chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from specnet.errors import SpecnetError
from specnet.model import Answers
from specnet.parts.metrics import larger_is_better, main_metric, metric_of
from specnet.parts.splits import TEST
from specnet.parts.watchers import LOSS
from specnet.running.data_rows import Rows
from specnet.running.evaluation.evaluation import defined
from specnet.running.evaluation.intervals import Figures, chance_of, statistic_value
from specnet.running.evaluation.paired_tests import deciding_metrics, statistic_of
from specnet.running.folder_pages import rows_again
from specnet.saved.saved_folder import have_one_loss
from specnet.saved.saved_run import SavedRun
from specnet.spec import Spec


def compared_runs(runs: Sequence[SavedRun], show: Callable[[int, int], None]) -> dict[str, dict[str, Any]] | str:
    """Return how the best of several runs compares with the others on their test rows, by each deciding statistic.

    The rows are read and predicted again.

    Parameters
    ----------
    runs : sequence of SavedRun
        At least two runs.
    show : callable
        Called with the number of runs that have been predicted, and the number of runs.

    Returns
    -------
    dict or str
        By statistic, the one to report first at the beginning: an evaluation like ``metrics.json`` of the run that is
        best by it, with the other runs as baselines, and ``best``, its name. Or a sentence with the reason why there is
        none, and what to do.
    """
    names = [run.name for run in runs]
    if len({*names}) < len(names):
        return "a run is named twice. Name each run once."
    answers: dict[str, Answers] = {}
    first: Rows | None = None
    for number, (name, run) in enumerate(zip(names, runs, strict=True)):
        show(number, len(runs))
        data = rows_again(run)
        if isinstance(data, str):
            return f"{name}: {data} Restore them, then compare again."
        rows = data.splits.get(TEST)
        if rows is None:
            return f"{name} has no test rows. Compare runs that have."
        first = rows if first is None else first
        if not np.array_equal(first.y, rows.y) or not _are_equal(first.chosen, rows.chosen):
            return f"{names[0]} and {name} are tested on different rows. Compare runs of one data.split."
        try:
            answers[name] = run.model.answers(rows.raw, rows.y, rows.weight)
        except SpecnetError as error:
            return f"{name} cannot predict the rows again: {error.diagnostics[0].message}."
    show(len(runs), len(runs))
    assert first is not None, "there are runs"
    spec, main = runs[0].spec, main_metric(runs[0].metrics.get(TEST, ()))
    types = [each.type for each in spec.training.metrics]
    chosen = [each for each in spec.training.metrics if main is not None and each.type == metric_of(main, types)]
    figures = {name: defined(each.figures(chosen)) for name, each in answers.items()}
    found: dict[str, dict[str, Any]] = {}
    for statistic in deciding_metrics(spec, answers[names[0]], main):
        if statistic == LOSS and not have_one_loss(run.loss for run in runs):
            continue
        values = {name: _value(statistic, each, figures[name]) for name, each in answers.items()}
        known = {name: value for name, value in values.items() if value is not None}
        if len(known) < len(runs):
            continue
        best = (max if larger_is_better(statistic) else min)(known, key=lambda name: known[name])
        # Where the best run is the same by both statistics, so are its gains.
        same = next((each for each in found.values() if each["best"] == best), None)
        found[statistic] = same or _against(spec, best, answers, figures, first)
    return found or "they have no score of test rows in common. Compare runs of one loss or one metric."


def _against(
    spec: Spec, best: str, answers: Mapping[str, Answers], figures: Mapping[str, Figures], rows: Rows
) -> dict[str, Any]:
    """Return the comparison of one run with all others, as an evaluation."""
    others = {name: each for name, each in answers.items() if name != best}
    compared = {name: figures[name] for name in others}
    _, _, gains = chance_of(spec, figures[best], answers[best], others, compared, rows.groups)
    return {
        "best": best,
        "rows": {TEST: len(rows)},
        TEST: figures[best],
        "baselines": {name: {TEST: each} for name, each in compared.items()},
        "gains": gains,
        "groups": {} if rows.groups is None else {TEST: len(np.unique(rows.groups))},
    }


def _value(name: str, answers: Answers, figures: Figures) -> float | None:
    if name in figures:
        return figures[name]
    statistic = statistic_of(name, answers)
    return None if statistic is None else statistic_value(statistic, answers)


def _are_equal(first: Any, second: Any) -> bool:
    return (first is None) == (second is None) and (first is None or np.array_equal(first, second))
