"""Every metric against scikit-learn's scorer of the same name, of one weighting and of many; and those of others."""

import math
import subprocess
import sys
from importlib.util import find_spec, module_from_spec
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as sklearn_metrics
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer, get_scorer_names

from specnet import PartError
from specnet.parts.metrics import ExpectedCalibrationError, Metric, PositiveLikelihoodRatio, RocAuc
from specnet.parts.metrics.scorers import Scorer
from specnet.parts.metrics.statistics import weighted_mean
from tests.registry import REGISTRY, find

METRICS = REGISTRY.of_kind("metric")
OWN_NAMES = {
    "mean_squared_error": "neg_mean_squared_error",
    "root_mean_squared_error": "neg_root_mean_squared_error",
    "mean_absolute_error": "neg_mean_absolute_error",
}
CLUSTERING = {
    *("adjusted_mutual_info_score", "adjusted_rand_score", "completeness_score", "fowlkes_mallows_score"),
    *("homogeneity_score", "mutual_info_score", "normalized_mutual_info_score", "rand_score", "v_measure_score"),
}
ROWS = 60


class Answering(BaseEstimator):
    """Answers as it is told."""

    def __init__(self, prediction, probability=None):
        self.prediction, self.probability = prediction, probability

    def fit(self, X, y):
        return self

    def predict(self, X):
        return self.prediction


class Regressor(RegressorMixin, Answering):
    pass


class Classifier(ClassifierMixin, Answering):
    @property
    def classes_(self):
        """Of several 0/1 outputs both of each."""
        count = self.probability.shape[1]
        return np.arange(count) if self.prediction.ndim == 1 else np.array([[0, 1]] * count)

    def predict_proba(self, X):
        return self.probability


def case(task, seed):
    """Return target, prediction, probability and an estimator that gives the last two."""
    generator = np.random.default_rng(seed)
    if task == "values":
        target = generator.uniform(1, 5, ROWS)
        prediction = target * generator.uniform(0.7, 1.4, ROWS)
        return target, prediction, None, Regressor(prediction)
    if task == "multilabel":
        target = generator.integers(0, 2, (ROWS, 3))
        target[:, 0] |= ~target.any(axis=1)  # a row without any label is not defined for the averages over rows
        probability = np.clip(target * 0.4 + generator.uniform(0, 0.6, (ROWS, 3)), 0, 1)
        prediction = (probability > 0.4).astype(np.int64)
        prediction[:, 0] |= ~prediction.any(axis=1)
        return target, prediction, probability, Classifier(prediction, probability)
    classes = 2 if task == "binary" else 4
    target = generator.permutation(np.arange(ROWS) % classes)
    scores = generator.normal(0, 1, (ROWS, classes)) + 1.5 * np.eye(classes)[target]
    probability = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    prediction = probability.argmax(1)
    return target, prediction, probability, Classifier(prediction, probability)


SCORERS = [metric for metric in METRICS if issubclass(metric, Scorer)]
COMBINATIONS = [(metric, task) for metric in METRICS for task in sorted(metric.task)]
NAMES = [f"{metric.part_name()}-{task}" for metric, task in COMBINATIONS]


@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
@pytest.mark.parametrize(("metric", "task"), [(each, task) for each in SCORERS for task in sorted(each.task)])
def test_agrees_with_the_scorer(metric, task, weighted):
    target, prediction, probability, estimator = case(task, seed=len(metric.part_name()))
    weights = np.random.default_rng(9).uniform(0.1, 3, ROWS) if weighted else None
    name = metric.part_name()
    sign = -1 if name in OWN_NAMES else 1
    told = {"sample_weight": weights} if weighted and metric.weighted else {}
    expected = sign * get_scorer(OWN_NAMES.get(name, name))(estimator, np.zeros((ROWS, 1)), target, **told)
    assert math.isfinite(expected)
    assert metric().score(target, prediction, probability, weights) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(("metric", "task"), COMBINATIONS, ids=NAMES)
def test_only_the_ratios_of_weights_mean_anything(metric, task):
    target, prediction, probability, _ = case(task, seed=2)
    weights = np.random.default_rng(9).uniform(0.1, 3, ROWS)
    score = metric().score(target, prediction, probability, weights)
    statistic = metric().statistic(target, prediction, probability)
    for factor in np.geomspace(1e-6, 1e6, 5):
        assert metric().score(target, prediction, probability, factor * weights) == pytest.approx(score, rel=1e-9)
        if statistic is not None:
            assert statistic(factor * weights[np.newaxis]) == pytest.approx([score], rel=1e-9)


@pytest.mark.parametrize("metric", [metric for metric in METRICS if not metric.weighted])
def test_what_takes_no_weights_is_what_scikit_learn_gives_none(metric):
    target, _, _, estimator = case(max(metric.task), seed=0)
    with pytest.raises((TypeError, ValueError), match="weight"):
        get_scorer(metric.part_name())(estimator, np.zeros((ROWS, 1)), target, sample_weight=np.ones(ROWS))


def test_the_names_are_scikit_learns_and_three_of_our_own():
    assert {metric.part_name() for metric in SCORERS} == set(get_scorer_names()) - CLUSTERING | set(OWN_NAMES)


def test_every_metric_fits_a_task_and_says_what_it_is():
    for metric in METRICS:
        assert metric.task
        assert metric.task <= {"binary", "classes", "multilabel", "values"}
        assert metric.__doc__


def facts(metric):
    """Return all that tells a metric from others."""
    told = (metric.kind, metric.task, metric.function, metric.arguments, metric.response, metric.sign, metric.__doc__)
    own = (metric.aliases, metric.knows_classes, metric.larger_is_better, metric.weighted, metric.item)
    return told, own, metric.__bases__[0].__name__, metric.__module__, metric().model_dump()


def test_a_row_of_the_table_makes_a_metric_whenever_it_is_made():
    spec = find_spec("specnet.parts.metrics.scorers")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    made = {name: facts(getattr(module, name)) for name in module.__all__}
    assert made == {metric.__name__: facts(metric) for metric in SCORERS}


NOT_ASKED = {"neg_negative_likelihood_ratio", "positive_likelihood_ratio", *OWN_NAMES}
"""Scorers that have a function of their own for one of the numbers that ours picks."""


@pytest.mark.parametrize("metric", SCORERS, ids=lambda metric: metric.part_name())
def test_what_is_asked_of_scikit_learn_is_what_its_scorer_asks(metric):
    name = metric.part_name()
    assert metric.__name__ == "".join(map(str.capitalize, name.split("_")))
    assert metric.larger_is_better == (name not in OWN_NAMES)
    if name not in NOT_ASKED:
        scorer = get_scorer(name)
        assert (metric.function or name.removeprefix("neg_")) == scorer._score_func.__name__
        assert metric.sign == scorer._sign
        assert (metric.response == "prediction") == (scorer._response_method == "predict")
        asked = {key: value for key, value in scorer._kwargs.items() if value is not None}
        if name in ("f1", "jaccard", "precision", "recall"):
            asked["average"] = "binary"
        if "average" in asked and metric.response == "prediction":
            asked["zero_division"] = 0.0
        assert metric.arguments == asked


def test_top_k_counts_the_classes_that_it_is_told():
    top = find("metric", "top_k_accuracy")
    probability = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.6, 0.3, 0.1]])
    target = np.array([1, 0, 2])
    scores = [top(k=k).score(target, probability.argmax(1), probability) for k in (1, 2, 3)]
    assert scores == [0, pytest.approx(1 / 3), 1]


def test_a_class_without_rows_does_not_stop_probabilities_from_being_measured():
    compared = [array[case("classes", seed=1)[0] != 3] for array in case("classes", seed=1)[:3]]
    assert math.isfinite(find("metric", "d2_log_loss_score")().score(*compared))
    target, _, probability = compared
    expected = np.log(probability[np.arange(len(target)), target]).mean()
    assert find("metric", "neg_log_loss")().score(*compared) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "target", "prediction"),
    [("roc_auc", [0, 0, 0], [0, 0, 1]), ("roc_auc_ovr", [0, 0, 1], [0, 0, 1]), ("r2", [1.0], [1.5])],
)
def test_what_is_not_defined_is_nan_without_a_warning(name, target, prediction):
    probability = np.full((len(target), 3 if name == "roc_auc_ovr" else 2), 1 / 3)
    metric = find("metric", name)()
    assert math.isnan(metric.score(np.array(target), np.array(prediction), probability))


@pytest.mark.slow
def test_the_catalogue_needs_no_scikit_learn():
    code = (
        "import sys; from specnet.parts.registry import built_in_registry; [*built_in_registry()];"
        "print(sorted({'sklearn', 'scipy', 'duckdb', 'pandas'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def calibration_error(confidence, right, weights, bins):
    """Written out by the definition, a row and a bin at a time."""
    total, error = sum(weights), 0.0
    for place in range(bins):
        inside = [k for k, c in enumerate(confidence) if place / bins < c <= (place + 1) / bins]
        weight = sum(weights[k] for k in inside)
        if weight:
            accuracy = sum(weights[k] * right[k] for k in inside) / weight
            error += weight / total * abs(accuracy - sum(weights[k] * confidence[k] for k in inside) / weight)
    return error


@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
@pytest.mark.parametrize("bins", [1, 4, 15])
@pytest.mark.parametrize("task", ["binary", "classes", "multilabel"])
def test_the_calibration_error_is_its_definition(task, bins, weighted):
    target, _, probability, _ = case(task, seed=3)
    weights = np.random.default_rng(9).uniform(0.1, 3, ROWS) if weighted else None
    given, outputs = np.ones(ROWS) if weights is None else weights, [(probability, target)]
    if task == "multilabel":
        both = [np.stack([1 - column, column], axis=1) for column in probability.T]
        outputs = list(zip(both, target.T, strict=True))
    expected = [calibration_error(each.max(1), each.argmax(1) == truth, given, bins) for each, truth in outputs]
    found = ExpectedCalibrationError(bins=bins).score(target, target, probability, weights)
    assert found == pytest.approx(np.mean(expected), rel=1e-12)


def test_the_calibration_error_of_a_few_rows():
    probability = np.array([[0.25, 0.75], [0.25, 0.75], [0.0, 1.0], [0.5, 0.5]])
    target = np.array([1, 0, 1, 0])  # of the tie the first class is predicted
    score = ExpectedCalibrationError(bins=4).score
    assert score(target, target, probability) == pytest.approx((abs(1 - 1.5) + abs(1 - 1.0) + abs(1 - 0.5)) / 4)
    assert score(target[2:3], target[2:3], probability[2:3]) == 0


# ------------------------------------------------------------------------------- under many weightings at once


WEIGHTINGS = 25
OF_VALUES = {
    "mean_squared_error",
    "neg_mean_squared_error",
    "root_mean_squared_error",
    "neg_root_mean_squared_error",
    "mean_absolute_error",
    "neg_mean_absolute_error",
    "neg_mean_absolute_percentage_error",
    "neg_mean_squared_log_error",
    "neg_root_mean_squared_log_error",
    "r2",
}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def statistic(name, *compared):
    return find("metric", name)().statistic(*compared)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("name", sorted(OF_VALUES))
def test_values_are_as_scikit_learn_s(name: str, outputs: int, rng: np.random.Generator):
    target, prediction = rng.gamma(2.0, 3.0, (2, ROWS, outputs)) + 1000 * (name == "r2")
    weightings = rng.integers(0, 4, (WEIGHTINGS, ROWS)) * rng.random(ROWS)
    scorer = get_scorer(OWN_NAMES.get(name, name))
    sign = -1 if name in OWN_NAMES else 1
    expected = [
        sign * scorer._sign * scorer._score_func(target, prediction, sample_weight=weights) for weights in weightings
    ]
    if outputs == 1:
        target, prediction = target[:, 0], prediction[:, 0]
    np.testing.assert_allclose(statistic(name, target, prediction)(weightings), expected, rtol=1e-9)


@pytest.mark.parametrize("name", ["roc_auc", "roc_auc with ties", "accuracy", "accuracy of two outputs"])
def test_scores_of_classes_are_as_scikit_learn_s(name: str, rng: np.random.Generator):
    target, prediction = rng.integers(0, 2, (2, ROWS, 2) if "outputs" in name else (2, ROWS))
    second = rng.random(ROWS).round(1 if "ties" in name else 16)
    weightings = rng.integers(0, 4, (WEIGHTINGS, ROWS)) * rng.random(ROWS)
    found = statistic(name.split()[0], target, prediction, np.stack([1 - second, second], axis=1))(weightings)
    score = sklearn_metrics.accuracy_score if "accuracy" in name else sklearn_metrics.roc_auc_score
    compared = target, prediction if "accuracy" in name else second
    np.testing.assert_allclose(found, [score(*compared, sample_weight=each) for each in weightings], rtol=1e-12)


def test_a_row_of_weight_2_counts_twice_in_a_mean(rng: np.random.Generator):
    numbers, weights = rng.random((2, ROWS))
    assert weighted_mean(numbers, weights) == pytest.approx(np.average(numbers, weights=weights), rel=1e-14)
    assert weighted_mean(numbers, None) == numbers.mean()


def test_what_is_not_defined_is_nan(rng: np.random.Generator):
    target, prediction = np.array([5.1, 5.1, 7.3]), np.array([5.0, 6.0, 7.0])
    weightings = np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 3.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    assert np.isnan(statistic("r2", target, prediction)(weightings)).tolist() == [True, True, False, True]
    assert np.isnan(statistic("mean_absolute_error", target, prediction)(weightings)).tolist() == [False] * 3 + [True]
    classes, probability = np.array([0, 0, 1]), np.array([[0.5, 0.5], [0.4, 0.6], [0.7, 0.3]])
    area = statistic("roc_auc", classes, classes, probability)
    assert np.isnan(area(weightings)).tolist() == [True, True, False, True]


def test_no_other_metric_has_one(rng: np.random.Generator):
    values = rng.random((2, ROWS))
    classes, probability = rng.integers(0, 2, (2, ROWS)), rng.random((ROWS, 2))
    for metric in REGISTRY.of_kind("metric"):
        compared = values if "values" in metric.task else classes
        found = metric().statistic(*compared, None if "values" in metric.task else probability)
        assert (found is not None) == (metric.part_name() in OF_VALUES | {"accuracy", "roc_auc"}), metric.part_name()
    several = rng.integers(0, 2, (2, ROWS, 2))
    assert statistic("roc_auc", *several, probability) is None


# ------------------------------------------------------------------------------------------ of other packages


class Failing(Metric):
    """Fails as its keywords, its computation or its result say."""

    task = frozenset({"binary"})
    type: Literal["failing"] = "failing"
    how: str = "compute"

    def keywords(self) -> dict[str, Any]:
        return {}[self.how] if self.how == "keywords" else {}

    def compute(self, target: NDArray[Any], response: NDArray[Any], keywords: dict[str, Any]) -> float:
        if self.how == "result":
            return "much"
        raise ValueError("these rows are odd")


class Borrowed(Metric):
    """Leaves the work to scikit-learn, with a word that it knows or does not know."""

    task = frozenset({"binary"})
    function = "roc_auc_score"
    response = "probability"
    type: Literal["borrowed"] = "borrowed"
    average: str = "macro"

    def keywords(self) -> dict[str, Any]:
        return {"average": self.average}


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        (Failing(), "ValueError: these rows are odd"),
        (Failing(how="keywords"), "KeyError: 'keywords'"),
        (Failing(how="result"), "ValueError: could not convert"),
        (Borrowed(average="mostly"), "InvalidParameterError"),
    ],
)
def test_what_a_metric_of_another_package_raises_is_named_as_its_fault(metric: Metric, reason: str):
    target = np.array([0, 1, 1])
    with pytest.raises(PartError, match=rf"error\[broken-part\]: metric {metric.type} .*{reason}"):
        metric.score(target, target, np.eye(2)[target])


def test_scores_that_scikit_learn_does_not_define_are_nan_whoever_asks():
    same = np.zeros(3, int)
    for metric in (Borrowed(), RocAuc(), PositiveLikelihoodRatio()):
        figure = metric.score(same, same, np.eye(2)[same])
        assert math.isnan(figure) or metric.type == "positive_likelihood_ratio"
