"""What a run says of its model: figures of every part of the split, and of the test rows all else that is known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from specnet.errors import TrainingError
from specnet.findings import Scores, UnseenRows
from specnet.model import Answers, Model
from specnet.network import Network
from specnet.parts.metrics import ExpectedCalibrationError, Metric
from specnet.parts.metrics.statistics import mean_with_error
from specnet.parts.splits import OUT_OF_FOLD, SPLITS, TEST
from specnet.running.calibration import Calibration
from specnet.running.data_rows import SpecData
from specnet.running.evaluation.answer_tables import answer_tables
from specnet.running.evaluation.baselines import BaselineAnswers, baseline_answers
from specnet.running.evaluation.intervals import chance_of
from specnet.running.evaluation.resampling import independent_rows
from specnet.running.fitting import FitResult
from specnet.running.linear_share import LinearShare
from specnet.saved.metrics_file import Evaluation, Figures, Metrics
from specnet.spec import Spec


def evaluate_run(fitted: FitResult) -> tuple[Evaluation, Scores, dict[str, Answers]]:
    """Return what there is to say of a model, its scores for findings, and its answers for rows held out.

    Raises
    ------
    TrainingError
        If a loss of the model is not finite.
    """
    splits, metrics = fitted.data.splits, fitted.model.spec.training.metrics
    rows = {name: len(part) for name, part in splits.items()}
    fitted = replace(fitted, inputs={name: fitted.prepared(name) for name in splits})
    trained = {"train": fitted.answers("train"), **_on_folds(fitted)}
    figures, errors = _figures(trained, metrics), _calibration_errors(trained)
    network = fitted.model.network
    train_score, folds = score_of(network, trained.pop("train")), _out_of_fold(network, trained, splits["train"].groups)
    del trained  # as large as the training set
    answers = {name: fitted.answers(name) for name in splits if name != "train"}
    figures |= _figures(answers, metrics)
    calibration = _calibration(errors | _calibration_errors(answers), fitted.calibration)
    baselines = baseline_answers(fitted)
    compared = {
        name: {part: told_figures(each.figures(metrics)) for part, each in parts.items()}
        for name, parts in baselines.items()
    }
    scores = train_score, _held(fitted, answers, baselines), folds
    if TEST not in splits:
        return Evaluation(rows, figures, compared, calibration=calibration), scores, answers
    tables = answer_tables(fitted.model, answers[TEST])
    on_test = {name: parts[TEST] for name, parts in baselines.items()}
    its_figures = {name: parts[TEST] for name, parts in compared.items()}
    chance = chance_of(network.spec, figures[TEST], answers[TEST], on_test, its_figures, splits[TEST].groups)
    intervals = {TEST: chance.intervals}, chance.baseline_intervals
    found = Evaluation(rows, figures, compared, {TEST: tables}, *intervals, chance.gains, calibration)
    return found, scores, answers


def evaluate_answers(model: Model, spec: Spec, answers: Mapping[str, Answers], rows: SpecData) -> Evaluation:
    """Return what there is to say of a model by what it answers for each part of the split.

    Parameters
    ----------
    model : Model
    spec : Spec
        Whose metrics and seed count.
    answers : mapping
        By part of the split, each with what is true.
    rows : SpecData
        Of which they are.
    """
    figures = {name: told_figures(each.figures(spec.training.metrics)) for name, each in answers.items()}
    found = Evaluation(
        {name: len(each) for name, each in answers.items()},
        figures,
        calibration=_calibration(_calibration_errors(answers), None),
    )
    if TEST not in answers:
        return found
    chance = chance_of(spec, figures[TEST], answers[TEST], {}, {}, rows.splits[TEST].groups)
    return replace(found, tables={TEST: answer_tables(model, answers[TEST])}, intervals={TEST: chance.intervals})


def figures_of(fitted: FitResult) -> Metrics:
    """Return the figures of a model on each part of the split alone, as `evaluate_run` has them.

    Raises
    ------
    TrainingError
        If a loss of the model is not finite.
    """
    metrics = fitted.model.spec.training.metrics
    figures = {name: _checked(fitted.answers(name).figures(metrics)) for name in fitted.data.splits}
    return {"train": figures.pop("train"), **_figures(_on_folds(fitted), metrics), **figures}


def _figures(answers: Mapping[str, Answers], metrics: Sequence[Metric]) -> Metrics:
    return {name: _checked(each.figures(metrics)) for name, each in answers.items()}


def _calibration_errors(answers: Mapping[str, Answers]) -> Figures:
    """Return the expected calibration error of each part of the split, where answers have probabilities."""
    return told_figures(
        {
            name: ExpectedCalibrationError().score(each.target, each.prediction, each.probability, each.weight)
            for name, each in answers.items()
            if each.probability is not None
        }
    )


def _calibration(errors: Figures, found: Calibration | LinearShare | None) -> dict[str, float | Figures]:
    told: dict[str, float | Figures] = {"error": errors} if errors else {}
    return told if found is None else told | found.figures()


def _held(fitted: FitResult, answers: Mapping[str, Answers], baselines: BaselineAnswers) -> UnseenRows | None:
    """Return how good a model and baselines are on the first part of the rows held out: validation before test."""
    network, name = fitted.model.network, next((name for name in SPLITS if name in answers), None)
    score = None if name is None else score_of(network, answers[name])
    if name is None or score is None:
        return None
    scores = {baseline: score_of(network, parts[name]) for baseline, parts in baselines.items()}
    known = {baseline: score for baseline, score in scores.items() if score is not None}
    held, groups = answers[name], fitted.data.splits[name].groups
    others = {baseline: parts[name] for baseline, parts in baselines.items()}
    worth = min(independent_rows(each.losses, groups) for each in (held, *others.values()))
    gains = {}
    if (constant := others.pop("constant", None)) is not None:
        gains = {
            each: mean_with_error(constant.losses - given.losses, held.weight, groups)
            for each, given in {"network": held, **others}.items()
        }
    return UnseenRows(name, held.target, held.prediction, score, worth, known, gains, _overconfidence(held, groups))


def _overconfidence(answers: Answers, groups: NDArray[np.generic] | None) -> tuple[float, float] | None:
    """Return by how much the mean probability of the predicted class is above the accuracy, if there are classes."""
    if answers.probability is None or answers.target.ndim > 1:
        return None
    excess = answers.probability.max(axis=1).astype(np.float64) - np.equal(answers.target, answers.prediction)
    return mean_with_error(excess, answers.weight, groups)


def _out_of_fold(
    network: Network, answers: Mapping[str, Answers], groups: NDArray[np.generic] | None
) -> UnseenRows | None:
    """Return the score of training rows, each answered by the member that was not trained on it, if there are such."""
    for given in answers.values():
        if (score := score_of(network, given)) is not None:
            return UnseenRows(
                OUT_OF_FOLD, given.target, given.prediction, score, independent_rows(given.losses, groups)
            )
    return None


def _on_folds(fitted: FitResult) -> dict[str, Answers]:
    """Return the answers for training rows, each by the member of an ensemble that was not trained on it.

    Preprocessing has been fitted to all of them. That flatters by no more than chance: by −0.04 ± 0.05 of the standard
    error of a loss, over 17 tables of at most 480 rows (``tests/benchmarks/tables/out_of_fold.py``).
    Where they choose something, they are those of validation rows: they say too much of rows that nobody has seen. One
    temperature for all rows is too little to choose for that.
    """
    training = fitted.model.spec.training
    held_out = None if training.folds is None else fitted.held_out
    if held_out is None:
        return {}
    name = "validation" if training.watches_validation else OUT_OF_FOLD
    return {name: held_out[1]}


def _checked(figures: Mapping[str, float]) -> Figures:
    """Return a model's figures, None for those that are not defined."""
    if not math.isfinite(figures["loss"]):
        raise TrainingError(
            f"the trained model's loss is {figures['loss']}", hint="lower training.optimizer.learning_rate"
        )
    return told_figures(figures)


def told_figures(figures: Mapping[str, float]) -> Figures:
    return {name: figure if math.isfinite(figure) else None for name, figure in figures.items()}


def score_of(network: Network, answers: Answers) -> float | None:
    """Return the accuracy or the R² of answers, the mean over several outputs; None where it is not defined."""
    if network.task != "values":
        right = np.equal(answers.target, answers.prediction).reshape(len(answers), -1).mean(axis=1)
        return float(np.average(right, weights=answers.weight))
    if not network.spec.training.loss.predicts_mean:
        return None
    target, prediction = (
        np.asarray(values, np.float64).reshape(len(answers), -1) for values in (answers.target, answers.prediction)
    )
    mean = np.average(target, axis=0, weights=answers.weight)
    errors, spread = (
        np.average(np.square(target - other), axis=0, weights=answers.weight) for other in (prediction, mean)
    )
    score = float(np.mean(1 - errors / spread)) if spread.all() else np.nan
    return score if np.isfinite(score) else None
