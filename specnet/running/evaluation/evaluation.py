"""The evaluation of a run's model: metrics of every split, tables and intervals of test rows, evidence for findings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from specnet.data import RawColumns
from specnet.data.repeated_rows import repeated_rows
from specnet.errors import Diagnostic, NotFiniteError, TrainingError
from specnet.findings import Evidence, Judgement, Scores, UnseenRows, judge
from specnet.findings.data_findings import SHARED
from specnet.model import Answers, Model
from specnet.model.directions import MOST_ULPS, MOVED_ROWS, largest_fall, outputs_of
from specnet.network import Network
from specnet.parts.arrays import Array
from specnet.parts.metrics import ExpectedCalibrationError, Metric, main_metric
from specnet.parts.metrics.statistics import mean_with_error, weighted_mean
from specnet.parts.splits import OUT_OF_FOLD, SPLITS, TEST, TRAIN
from specnet.running.data_rows import Rows, SpecData
from specnet.running.distillation.comparison import compared_with_teacher
from specnet.running.distillation.foreign_teacher import ForeignTeacher
from specnet.running.distillation.teacher import Teacher
from specnet.running.encoding import Encoder
from specnet.running.evaluation.baselines import BaselineAnswers, baseline_answers
from specnet.running.evaluation.failures import slices_on_test
from specnet.running.evaluation.intervals import chance_of, independent_rows
from specnet.running.evaluation.paired_tests import deciding_metrics
from specnet.running.evaluation.predictors import constant_outputs, output_model
from specnet.running.fitting import FitResult
from specnet.saved.metrics_file import Coverage, Evaluation, Figures, Metrics, TeacherFigures
from specnet.spec import Spec
from specnet.training import TrainingRows
from specnet.training.checkpoint import history_of


def evaluate_run(fitted: FitResult) -> tuple[Evaluation, Judgement, dict[str, Answers]]:
    """Return the evaluation of a model and of baselines on each split, findings, and answers for held-out rows.

    Raises
    ------
    TrainingError
        If a loss of the model is not finite, or predictions fall by more than rounding while monotone columns move.
    """
    data, model, result = fitted.data, fitted.model, fitted.result
    splits, metrics, network = data.splits, model.spec.training.metrics, model.network
    fitted = replace(fitted, inputs={name: fitted.prepared(name) for name in splits})
    trained = {TRAIN: fitted.answers(TRAIN), **_on_folds(fitted)}
    figures, errors = _figures(trained, metrics), _calibration_errors(trained)
    train_score, folds = score_of(network, trained.pop(TRAIN)), _out_of_fold(network, trained, splits[TRAIN].groups)
    del trained  # frees memory: it is as large as the training set
    answers = {name: fitted.answers(name) for name in splits if name != TRAIN}
    figures |= _figures(answers, metrics)
    baselines = baseline_answers(fitted)
    evaluation = _evaluation(model, model.spec, answers, data, figures, baselines)
    if errors := errors | _calibration_errors(answers):
        evaluation.calibration["error"] = errors
    if data.teacher is not None:
        evaluation = replace(evaluation, teacher=_beside_teacher(data.teacher, model, data, answers))
    if network.is_monotone:
        evaluation.monotone["largest_fall"] = _largest_fall(model, splits[TRAIN])
    evaluation.calibration.update({name: dict(figures) for name, figures in (fitted.weights or {}).items()})
    if fitted.calibration is not None:
        evaluation.calibration.update(fitted.calibration.figures())
    unseen, test = _on_unseen_rows(fitted, answers, baselines), _on_test_rows(network, answers, splits)
    scores = train_score, unseen, folds, test
    evidence = run_evidence(fitted.encoder, fitted.training, splits, result.history, result.layer_records, scores)
    return evaluation, judge(evidence), answers


def _largest_fall(model: Model, rows: Rows) -> float:
    """Return the largest fall while monotone columns of some rows move over their ranges.

    Raises
    ------
    TrainingError
        If it is larger than by rounding.
    """
    some = RawColumns(np.asarray(rows.columns[:MOVED_ROWS]), rows.kinds)
    found = largest_fall(model, some, model.network.dtype, partial(outputs_of, model))
    if not found <= MOST_ULPS:
        message = f"a prediction falls by {found:.2g} units of the last place while a monotone column moves"
        raise TrainingError(f"{message}; rounding may cause {MOST_ULPS:g}", hint='set network.dtype = "float64"')
    return found


def _beside_teacher(
    teacher: Teacher | ForeignTeacher, model: Model, data: SpecData, answers: Mapping[str, Answers]
) -> TeacherFigures:
    """Return the comparison of a model with its teacher, with None for figures that are not finite."""
    found = compared_with_teacher(teacher, model, data.splits, answers)
    for name in ("metrics", "agreement"):
        found[name] = {split: defined(figures) for split, figures in found[name].items()}
    return cast(TeacherFigures, found)


def evaluate_answers(model: Model, spec: Spec, answers: Mapping[str, Answers], data: SpecData) -> Evaluation:
    """Return the evaluation of a model's answers for each split, by the metrics and the seed of a spec."""
    figures = {name: defined(each.figures(spec.training.metrics)) for name, each in answers.items()}
    evaluation = _evaluation(model, spec, answers, data, figures, {})
    if errors := _calibration_errors(answers):
        evaluation.calibration["error"] = errors
    return evaluation


def figures_of(fitted: FitResult) -> Metrics:
    """Return only the metrics of a model on each split, as in `evaluate_run`.

    Raises
    ------
    TrainingError
        If a loss of the model is not finite.
    """
    answers = {name: fitted.answers(name) for name in fitted.data.splits}
    answers = {TRAIN: answers.pop(TRAIN), **_on_folds(fitted), **answers}
    return _figures(answers, fitted.model.spec.training.metrics)


def _evaluation(
    model: Model,
    spec: Spec,
    answers: Mapping[str, Answers],
    data: SpecData,
    figures: Metrics,
    baselines: BaselineAnswers,
) -> Evaluation:
    """Return the metrics of a model and of baselines; for test rows also tables and intervals."""
    found = Evaluation(
        {name: len(part) for name, part in data.splits.items()},
        figures,
        {
            name: {part: defined(each.figures(spec.training.metrics)) for part, each in parts.items()}
            for name, parts in baselines.items()
        },
    )
    if TEST not in answers:
        return found
    on_test = {name: parts[TEST] for name, parts in baselines.items()}
    compared = {name: parts[TEST] for name, parts in found.baselines.items()}
    groups = data.splits[TEST].groups
    chance = chance_of(spec, figures[TEST], answers[TEST], on_test, compared, groups)
    intervals, baseline_intervals, gains = chance
    tables = {**answer_tables(model, answers[TEST]), "slices": slices_on_test(model, data, answers[TEST])}
    if "constant" in on_test and model.labels is not None and len(data.splits[TEST]):
        tables["constant_prediction"] = model.labels[on_test["constant"].prediction[0]].item()
    return replace(
        found,
        tables={TEST: tables},
        intervals={TEST: intervals},
        baseline_intervals=baseline_intervals,
        gains=gains,
        deciding=deciding_metrics(spec, answers[TEST], main_metric(figures[TEST])) if gains else [],
        groups={} if groups is None else {TEST: len(np.unique(groups))},
    )


def _figures(answers: Mapping[str, Answers], metrics: Sequence[Metric]) -> Metrics:
    """Return the metrics of a model's answers for each split; None for an undefined metric.

    Raises
    ------
    TrainingError
        If a loss is not finite.
    """
    found = {name: each.figures(metrics) for name, each in answers.items()}
    for figures in found.values():
        if not math.isfinite(figures["loss"]):
            hint = "lower training.optimizer.learning_rate"
            raise TrainingError(f"the trained model's loss is {figures['loss']}", hint=hint)
    return {name: defined(figures) for name, figures in found.items()}


def _calibration_errors(answers: Mapping[str, Answers]) -> Figures:
    """Return the expected calibration error of each split whose answers have probabilities."""
    return defined(
        {
            name: ExpectedCalibrationError().score(each.target, each.prediction, each.probability, each.weight)
            for name, each in answers.items()
            if each.probability is not None
        }
    )


def defined(figures: Mapping[str, float]) -> Figures:
    """Return metrics by name, with None for metrics that are not finite."""
    return {name: figure if math.isfinite(figure) else None for name, figure in figures.items()}


def _on_unseen_rows(fitted: FitResult, answers: Mapping[str, Answers], baselines: BaselineAnswers) -> UnseenRows | None:
    """Return scores of a model and of baselines on its first held-out split: validation, otherwise test.

    For classes, the overconfidence is included: the mean probability of the predicted class minus the accuracy. Its
    standard error is at least that of right probabilities, as for rows that are all predicted correctly, it would be 0.
    """
    network, name = fitted.model.network, next((name for name in SPLITS if name in answers), None)
    score = None if name is None else score_of(network, answers[name])
    if name is None or score is None:
        return None
    scores = {baseline: score_of(network, parts[name]) for baseline, parts in baselines.items()}
    known = {baseline: score for baseline, score in scores.items() if score is not None}
    ours, groups = answers[name], fitted.data.splits[name].groups
    others = {baseline: parts[name] for baseline, parts in baselines.items()}
    worth = min(independent_rows(each.losses, groups) for each in (ours, *others.values()))
    gains, overconfidence = {}, None
    if (constant := others.pop("constant", None)) is not None:
        gains = {
            each: mean_with_error(constant.losses - given.losses, ours.weight, groups)
            for each, given in {"network": ours, **others}.items()
        }
    if ours.probability is not None and ours.target.ndim == 1:
        confidence = np.take_along_axis(ours.probability, ours.prediction[:, None], axis=1)[:, 0].astype(np.float64)
        excess = confidence - np.equal(ours.target, ours.prediction)
        mean, error = mean_with_error(excess, ours.weight, groups)
        weight = np.ones(len(ours)) if ours.weight is None else ours.weight
        least = math.sqrt(float((weight**2 * confidence * (1 - confidence)).sum())) / float(weight.sum())
        overconfidence = mean, max(error, least)
    second = _second(ours)
    return UnseenRows(name, ours.target, ours.prediction, score, worth, known, gains, overconfidence, second)


def _out_of_fold(
    network: Network, answers: Mapping[str, Answers], groups: NDArray[np.generic] | None
) -> UnseenRows | None:
    """Return the score of out-of-fold predictions for training rows, or None without them."""
    for given in answers.values():
        if (score := score_of(network, given)) is not None:
            worth = independent_rows(given.losses, groups)
            return UnseenRows(OUT_OF_FOLD, given.target, given.prediction, score, worth, second=_second(given))
    return None


def _on_test_rows(network: Network, answers: Mapping[str, Answers], splits: Mapping[str, Rows]) -> UnseenRows | None:
    """Return the results on test rows; None without them, or without a score."""
    given = answers.get(TEST)
    score = None if given is None else score_of(network, given)
    if given is None or score is None:
        return None
    worth = independent_rows(given.losses, splits[TEST].groups)
    return UnseenRows(TEST, given.target, given.prediction, score, worth, second=_second(given))


def _second(answers: Answers) -> Array | None:
    """Return the probability of the second of two classes, (rows,); None for other tasks."""
    known = answers.probability
    return None if known is None or known.shape[1] != 2 or answers.target.ndim > 1 else known[:, 1]


def _on_folds(fitted: FitResult) -> dict[str, Answers]:
    """Return the answers for training rows, each by the ensemble member that was not trained on it.

    Preprocessing has been fitted to all training rows. The resulting optimism is no more than chance: −0.04 ± 0.05 of
    the standard error of a loss, over 17 tables of at most 480 rows (``tests/benchmarks/tables/out_of_fold.py``).
    If these answers choose an epoch or a setting, they are optimistic, and are named answers for validation rows. One
    temperature for all rows is too small a choice to count.
    """
    training = fitted.model.spec.training
    held_out = None if training.folds is None else fitted.held_out
    if held_out is None:
        return {}
    name = "validation" if training.watches_validation else OUT_OF_FOLD
    return {name: held_out[1]}


def score_of(network: Network, answers: Answers) -> float | None:
    """Return the accuracy or the R² of answers, as a mean over outputs, or None if it is not defined."""
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


MAX_FIRST_ROWS = 4_096
"""The maximum number of rows of the first batch whose loss is computed before any step."""
MAX_NOTES = 2
"""The maximum number of findings in an error."""


def run_evidence(
    encoder: Encoder,
    training: TrainingRows,
    splits: Mapping[str, Rows],
    history: Sequence[Mapping[str, Any]],
    records: Sequence[Mapping[str, Any]],
    scores: Scores | None,
) -> Evidence:
    """Return the evidence of a run.

    Parameters
    ----------
    encoder : Encoder
    training : TrainingRows
        Training rows as the network reads them.
    splits : mapping of str to Rows
        Unprepared rows by split: ``train``, and the held-out rows.
    history, records : sequence of mapping
        Records of epochs, and of layers.
    scores : tuple or None
        Scores of training, unseen, out-of-fold and test rows; None if the loss was no longer finite.
    """
    network, target, rows = encoder.network, training.target, splits["train"]
    train_score, unseen, out_of_fold, test = scores or (None, None, None, None)
    return Evidence(
        network=network,
        labels=encoder.labels,
        kinds=rows.kinds,
        cells=rows.columns,
        inputs=training.X,
        target=target[:, 0] if target.ndim == 2 and target.shape[1] == 1 else target,
        history=history_of(history, 0),
        records=records,
        first_loss=_first_loss(network, training),
        constant_loss=_constant_loss(encoder, training, rows),
        has_failed=scores is None,
        train_score=train_score,
        unseen=unseen,
        out_of_fold=out_of_fold,
        test=test,
        repeated=None if unseen is None else repeated_rows(rows, splits[unseen.name], unseen.name, rows.kinds, SHARED),
    )


@contextmanager
def explaining() -> Iterator[None]:
    """Add findings to an error about a loss that is not finite: causes as notes, the first remedy as the hint."""
    try:
        yield
    except NotFiniteError as error:
        raise _explained(error) from None


def _explained(error: NotFiniteError) -> NotFiniteError:
    if error.fitted is None:
        return error
    evidence = run_evidence(*error.fitted, error.history, error.layer_records, None)
    found = judge(evidence).findings
    if not found:
        return error
    notes = tuple(Diagnostic(each.code, f"{each.code}: {each.sentence}") for each in found[:MAX_NOTES])
    hint = f"set {found[0].remedy}" if found[0].changes else found[0].remedy
    explained = NotFiniteError(replace(error.diagnostics[0], hint=hint, notes=notes))
    explained.history, explained.layer_records = error.history, error.layer_records
    explained.findings = [each.as_dict() for each in found]
    return explained


def _first_loss(network: Network, training: TrainingRows) -> float:
    """Return the mean loss of the first batch (at most `MAX_FIRST_ROWS` rows of it) before any step."""
    member = None if network.spec.training.ensemble is None else 0
    batch = next(training.feed(network, member).batches(0))[:MAX_FIRST_ROWS]
    some = training.some(batch)
    with np.errstate(all="ignore"):
        losses = network.row_losses(
            training.initial_parameters(network, member),
            some.X,
            some.target,
            training.layer_state(network),
            data_only=True,
        )
        return weighted_mean(losses, None if some.weight is None or not some.weight.any() else some.weight)


def _constant_loss(encoder: Encoder, training: TrainingRows, rows: Rows) -> float:
    """Return the loss of the best constant prediction for training rows, weighted as in training."""
    network = encoder.network
    head = output_model(encoder.decoder)
    weight = None if training.weight is None else training.weight.astype(np.float64)
    known = head.answers(np.zeros((len(rows), network.outputs)), rows.y, weight)
    constant = np.tile(constant_outputs(head, known), (len(rows), 1))
    answers: Answers = head.answers(constant, rows.y, weight)
    return weighted_mean(answers.losses, weight)


CALIBRATION_BINS = 10
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

Numbers = NDArray[np.float64]


def answer_tables(model: Model, answers: Answers) -> dict[str, Any]:
    """Return the tables of a model's answers for test rows as plain data; undefined values are None."""
    match model.network.task:
        case "values":
            tables = _of_values(model, answers)
        case "multilabel":
            tables = _of_outputs(model, answers)
        case _:
            tables = _of_classes(model, answers)
    covered = coverage(model, answers)
    return tables | ({"coverage": covered} if covered else {})


LEVELS = (0.5, 0.8, 0.9, 0.95)
MIN_ROWS_OF_THIRDS = 30
"""The minimum number of rows for the coverage of each third of them."""


def coverage(model: Model, answers: Answers) -> list[Coverage]:
    """Return the coverage of targets by intervals or sets, at each level with enough held-out rows."""
    found: list[Coverage] = []
    for level in LEVELS:
        if not model.error_quantiles.reach(level):
            continue
        if model.network.task == "values":
            low, high = np.moveaxis(model.error_quantiles.ends(answers.prediction, level), -1, 0)
            covers, sizes = (low <= answers.target) & (answers.target <= high), high - low
        else:
            assert answers.probability is not None, "a model with errors of classes has probabilities"
            sets = model.error_quantiles.sets(answers.probability, level)
            covers, sizes = sets[np.arange(len(sets)), answers.target], sets.sum(axis=1)
        means = (np.average(each.reshape(len(answers), -1), axis=0, weights=answers.weight) for each in (covers, sizes))
        covered, size = (each.tolist() for each in means)
        entry: Coverage = {"level": level, "covered": covered, "size": size}
        if model.network.task != "values":
            entry["rows_by_size"] = np.bincount(sizes).tolist()
        elif model.network.target_size == 1 and len(answers) >= MIN_ROWS_OF_THIRDS:
            entry["thirds"] = _thirds(answers, covers, sizes)
        found.append(entry)
    return found


def _thirds(answers: Answers, covers: Array, sizes: Array) -> list[list[float]]:
    """Return the coverage and the mean width of intervals for each third of the rows, ordered by prediction."""
    order = np.argsort(answers.prediction.reshape(-1), kind="stable")
    weight = np.ones(len(answers)) if answers.weight is None else answers.weight
    parts = [part for part in np.array_split(order, 3) if weight[part].any()]
    covered, size = (
        [float(np.average(each.reshape(-1)[part], weights=weight[part])) for part in parts] for each in (covers, sizes)
    )
    return [list(pair) for pair in zip(covered, size, strict=True)]


def _of_classes(model: Model, answers: Answers) -> dict[str, Any]:
    assert model.labels is not None, "a classifier has labels"
    confusion = _confusion(answers.target, answers.prediction, len(model.labels), answers.weight)
    right = confusion.diagonal()
    tables = {
        "labels": model.labels.tolist(),
        "confusion": _counts(confusion, answers),
        "recall": _ratios(right, confusion.sum(axis=1)),
        "precision": _ratios(right, confusion.sum(axis=0)),
    }
    if len(model.labels) == 2:
        tables["calibration"] = None if answers.probability is None else _reliability(answers, answers.probability)
    return tables


def _of_outputs(model: Model, answers: Answers) -> dict[str, Any]:
    pairs = zip(answers.target.T.astype(np.intp), answers.prediction.T, strict=True)
    words = model.target_words
    return {
        "outputs": _output_names(model),
        **({"words": {name: list(pair) for name, pair in words.items()}} if words else {}),
        "confusion": [_counts(_confusion(*pair, 2, answers.weight), answers) for pair in pairs],
    }


def _of_values(model: Model, answers: Answers) -> dict[str, Any]:
    target, prediction = (
        values.reshape(len(answers), -1).astype(np.float64) for values in (answers.target, answers.prediction)
    )
    return {
        "outputs": _output_names(model),
        "bias": np.average(prediction - target, axis=0, weights=answers.weight).tolist(),
        "residual_quantiles": _quantiles(target - prediction, answers.weight).T.tolist(),
    }


def _confusion(target: Array, prediction: Array, classes: int, weight: Numbers | None) -> Numbers:
    """Return the confusion matrix (actual class, predicted class) as numbers of rows or sums of weights."""
    pairs = target.astype(np.intp) * classes + prediction
    return np.bincount(pairs, weight, classes * classes).astype(np.float64).reshape(classes, classes)


def _reliability(answers: Answers, probability: Array) -> list[list[float | int | None]]:
    """Return the number of rows, mean probability and share of the second class, for each bin of its probability.

    A bin does not contain its lower end, except the first bin.
    """
    given = probability[:, 1].astype(np.float64)
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1]
    bins = np.searchsorted(edges, given)
    weight = np.ones(len(given)) if answers.weight is None else answers.weight
    total, probable, second = (
        np.bincount(bins, weight * numbers, CALIBRATION_BINS) for numbers in (1.0, given, answers.target)
    )
    rows = np.bincount(bins, minlength=CALIBRATION_BINS).tolist()
    return [list(row) for row in zip(rows, _ratios(probable, total), _ratios(second, total), strict=True)]


def _quantiles(numbers: Numbers, weight: Numbers | None) -> Numbers:
    """Return quantiles (quantiles, outputs), without interpolation if rows are weighted."""
    if weight is None:
        return np.quantile(numbers, QUANTILES, axis=0)
    return np.quantile(numbers, QUANTILES, axis=0, weights=weight, method="inverted_cdf")


def _ratios(parts: Array, wholes: Array) -> list[float | None]:
    return [float(part / whole) if whole else None for part, whole in zip(parts, wholes, strict=True)]


def _counts(confusion: Numbers, answers: Answers) -> list[Any]:
    """Return a confusion matrix as plain data, with integers if rows have no weights."""
    counts: list[Any] = (confusion if answers.weight is not None else confusion.astype(np.int64)).tolist()
    return counts


def _output_names(model: Model) -> list[Any]:
    """Return the names of the target's columns, or their indices if they have no names."""
    return list(model.target_names or range(model.network.target_size))
