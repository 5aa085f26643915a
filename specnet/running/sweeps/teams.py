"""The results of sweeps, and the team of a sweep: an ensemble of trials that is better than the best trial alone.

The trials and their shares are chosen by their predictions for held-out rows. The first member is the best trial if it
is better than the spec as written by more than chance, and otherwise the spec as written. Each round adds the trial
with which the mean is best, even if it is already a member (Caruana et al. 2004, selection with replacement). Rounds
end when the mean is no longer better than before. On few rows the best of many trials is the luckiest: without these
conditions, the teams of three tables of 150 to 570 rows had 1.4 times the log loss of the spec as written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

import numpy as np

from specnet.files.atomic import write_folder
from specnet.files.plain_data import json_text
from specnet.model import Answers, ErrorQuantiles, Model, load_model
from specnet.number_texts import metric as metric_text
from specnet.number_texts import percent
from specnet.parts.splits import OUT_OF_FOLD, SPLITS, TEST, TRAIN, VALIDATION
from specnet.parts.watchers import VALIDATION_LOSS
from specnet.run_files import EXPECTATIONS, METRICS, MODEL, TEAM, TEAM_FACTS
from specnet.running.data_rows import SpecData
from specnet.running.evaluation.evaluation import evaluate_answers
from specnet.running.expectations.judging import judge_run
from specnet.running.runner import RunResult
from specnet.running.sweeps.trial_judge import Judge, JudgedRows, Outputs
from specnet.running.sweeps.trials import TrialOutputs
from specnet.running.training_run import Contents
from specnet.saved.expectations_file import JudgedExpectation
from specnet.saved.metrics_file import Evaluation, Metrics, Summary
from specnet.saved.saved_sweep import CALIBRATED_LOSS, State, Trial
from specnet.spec import Spec
from specnet.spec.expectations import EXPECT

ROUNDS = 25
"""The maximum number of rounds."""
FIRST_ERRORS, NEXT_ERRORS = 2.0, 1.0
"""Standard errors by which the first trial must improve on the spec as written, and each mean on the one before."""
AS_WRITTEN = 0
"""The number of the trial that trains the spec as written."""


@dataclass(frozen=True)
class TrialTeam:
    """The team of a sweep.

    Attributes
    ----------
    shares : dict
        How often each trial was chosen, by its number, the most often chosen first.
    model : Model
        The ensemble of the chosen trials.
    evaluation : Evaluation
        The evaluation of the model by the metrics of the spec as written. The metrics of held-out rows are optimistic,
        because they chose the team.
    expectations : list of JudgedExpectation
        The outcome of each expectation of the spec for the team.
    best : dict
        The metrics of the best trial's run, measured in the same way; empty until they are known.
    """

    shares: dict[int, int]
    model: Model = field(repr=False)
    evaluation: Evaluation = field(repr=False)
    expectations: list[JudgedExpectation] = field(default_factory=list)
    best: Metrics = field(default_factory=dict, repr=False)

    @property
    def metrics(self) -> Metrics:
        """The metrics of the team, by split and name."""
        return self.evaluation.metrics

    def contents(self) -> Contents:
        """Return the files of the team's folder."""
        shares = {str(number): share for number, share in self.shares.items()}
        return {
            **({EXPECTATIONS: json_text({EXPECT: self.expectations})} if self.expectations else {}),
            MODEL: self.model.to_bytes(),
            METRICS: json_text(self.evaluation.record()),
            TEAM_FACTS: json_text({"rounds": sum(shares.values()), "shares": shares}),
        }

    def in_words(self) -> str:
        """Return the trials with their shares in percent."""
        total = sum(self.shares.values())
        shown = [f"{number} ({percent(share / total)})" for number, share in self.shares.items()]
        return f"team: trial{'s' * (len(shown) > 1)} {', '.join(shown)}"


def chosen_shares(judge: Judge, outputs: Mapping[int, Outputs]) -> tuple[dict[int, int], Outputs]:
    """Return how often each trial is chosen, and the combined outputs of the chosen trials for held-out rows.

    Parameters
    ----------
    judge : Judge
    outputs : mapping
        The outputs of each trial, by its number.
    """
    first = min(sorted(outputs), key=lambda number: judge.score(outputs[number]))
    if AS_WRITTEN in outputs and not judge.is_better(outputs[first], outputs[AS_WRITTEN], FIRST_ERRORS):
        first = AS_WRITTEN
    shares, together = Counter([first]), outputs[first]
    for done in range(1, ROUNDS):
        tried = ((number, judge.joined(together, outputs[number], done)) for number in sorted(outputs))
        best, joined = min(tried, key=lambda each: judge.score(each[1]))
        if not judge.is_better(joined, together, NEXT_ERRORS):
            break
        shares[best] += 1
        together = joined
    return dict(sorted(shares.items(), key=lambda each: (-each[1], each[0]))), together


def _evaluated(model: Model, data: SpecData) -> tuple[Evaluation, dict[str, Answers]]:
    """Return the evaluation of a model by the metrics of the spec as written, and its answers, on all splits."""
    answers = {}
    for name, rows in data.splits.items():
        judged = JudgedRows.of(data, name)
        answers[name] = judged.answers(judged.decoder.raw_of(model.comparable(rows.raw)))
    return evaluate_answers(model, data.resolved.spec, answers, data), answers


def _joined(judge: Judge, outputs: TrialOutputs, shares: Mapping[int, int], together: Outputs, spec: Spec) -> Model:
    """Return the ensemble of trials with shares; a single trial keeps the error quantiles of its own fit."""
    models, counts = [], []
    for number, share in shares.items():
        for path in outputs.files(number, MODEL):
            models.append(load_model(path, parts=spec.registry, limits=spec.origin.limits))
            counts.append(share)
    if len(models) == 1:
        return models[0]
    known = [model.error_quantiles.not_negative for model in models]
    low = np.all(known, axis=0) if all(found.size for found in known) else None
    task, groups = models[0].network.task, np.concatenate([run.units for run in judge.runs])
    quantiles = ErrorQuantiles.of(
        Answers.joined(judge.answers(together)),
        task,
        not_negative=low,
        groups=groups,
        is_monotone=any(model.network.is_monotone for model in models),
    )
    return Model.joined(models, counts, quantiles)


def made_team(spec: Spec, judge: Judge, outputs: TrialOutputs, data: SpecData) -> TrialTeam:
    """Return the team of trials, evaluated on the rows of the spec as written; test rows do not affect the choice."""
    shares, together = chosen_shares(judge, outputs)
    model = _joined(judge, outputs, shares, together, data.resolved.spec)
    evaluation, answers = _evaluated(model, data)
    gains = evaluation.deciding, evaluation.gains
    expectations = judge_run(spec, model, data, answers.get(TEST), gains) if spec.expect else []
    metrics = evaluation.metrics
    split = OUT_OF_FOLD if judge.runs[0].name == TRAIN else VALIDATION
    metrics[split] = {**metrics.get(split, {}), **judge.figures_of(together)}
    metrics = {name: metrics[name] for name in SPLITS if name in metrics}
    return TrialTeam(shares, model, replace(evaluation, metrics=metrics), expectations)


def written_team(
    sweep: Path, spec: Spec, judge: Judge, outputs: TrialOutputs, data: SpecData, best: Model
) -> TrialTeam:
    """Write the team of trials into a sweep's folder, and return it; `best` is the model of the best trial's run."""
    team = made_team(spec, judge, outputs, data)
    write_folder(sweep / TEAM, team.contents())
    return replace(team, best=_evaluated(best, data)[0].metrics)


@dataclass(frozen=True)
class SweepResult:
    """The result of a sweep.

    Attributes
    ----------
    trials : tuple of Trial
    best : Trial
        The trial with the best metric of the validation set; the earliest of equal trials.
    metric : str
        The metric of the validation set by which trials are compared.
    figure_name : str
        What the figures of trials are: the metric, or ``calibrated_loss`` for the validation loss of outputs that are
        logits.
    spec : str
        The text of the best trial's spec, as in ``best.toml``.
    run : RunResult
        The run of the best trial's spec, with the metrics of the test set.
    team : TrialTeam or None
        The ensemble of trials; None if trials cannot be compared row by row, or if the best one has another decision
        threshold than the spec as written.
    folder : Path or None
        The folder of the sweep; None if nothing was saved.
    """

    trials: tuple[Trial, ...] = field(repr=False)
    best: Trial
    metric: str
    figure_name: str
    spec: str = field(repr=False)
    run: RunResult
    team: TrialTeam | None
    folder: Path | None

    @property
    def metrics(self) -> Metrics:
        """The metrics of the best trial's run, by split and name."""
        return self.run.metrics

    @property
    def worth(self) -> Metrics:
        """The metrics of the final model: the team, or the best trial's run if the sweep has no team."""
        return self.metrics if self.team is None else self.team.metrics

    @property
    def expectations(self) -> list[JudgedExpectation]:
        """The outcome of each expectation of the spec for the final model."""
        return self.run.expectations if self.team is None else self.team.expectations

    def best_in_words(self) -> list[str]:
        """Return the best trial, its metric and the states of all trials as texts; the best of many is optimistic."""
        name = "loss" if self.metric == VALIDATION_LOSS else self.metric
        assert self.best.figure is not None, "it has finished"
        reached = f"{VALIDATION} {metric_text(name, self.best.figure)} (best of {len(self.trials)})"
        metrics = self.metrics if self.team is None else self.team.best
        test = metrics.get(TEST, {}).get(name)
        tested = [] if test is None else [f"{TEST} {metric_text(name, test)}"]
        if self.figure_name == CALIBRATED_LOSS:
            shown = [f"{self.figure_name}: {reached}", *(f"{name}: {each}" for each in tested)]
        else:
            shown = [f"{name}: {', '.join([reached, *tested])}"]
        return [f"best: trial {self.best.number}", *shown, self.states_in_words()]

    def team_in_words(self) -> list[str]:
        """Return the trials of the team, and its metrics of held-out rows and of the test set, as texts."""
        assert self.team is not None, "there is one"
        name = "loss" if self.metric == VALIDATION_LOSS else self.metric
        known = {split: figures[name] for split, figures in self.team.metrics.items() if figures.get(name) is not None}
        parts = [f"{split.replace('_', ' ')} {metric_text(name, known[split])}" for split in known if split != TRAIN]
        return [self.team.in_words(), f"{name}: {', '.join(parts)}"]

    def states_in_words(self) -> str:
        """Return the number of trials in each state, such as "20 finished, 4 pruned"."""
        states = [trial.state for trial in self.trials]
        return ", ".join(f"{states.count(state)} {state}" for state in get_args(State) if state in states)


@dataclass(frozen=True)
class NestedResult:
    """The result of a nested sweep: one sweep for each fold, with the fold as its test set.

    Attributes
    ----------
    sweeps : tuple of SweepResult
        One for each fold.
    summary : dict
        The metrics of the teams over all folds; the test rows are rows that their sweeps never saw. For each split and
        metric: ``mean``, ``std`` with n − 1, ``min``, ``max`` and the number of ``runs``.
    folder : Path or None
        The folder of all sweeps; None if nothing was saved.
    """

    sweeps: tuple[SweepResult, ...]
    summary: Summary
    folder: Path | None
