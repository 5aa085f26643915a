"""The metrics of scikit-learn's scorers, one row of `SCORERS` each, from which its class is made when it is first used.

A name that begins with ``neg_`` is the negative of what the function returns, so that more is better. The averages of
precision, recall and what is made of them are scikit-learn's: ``macro`` is the mean over the classes, ``micro`` counts
the rows of all classes together, ``weighted`` is the mean weighted by the classes' rows, ``samples`` is the mean over
rows, each with several 0/1 outputs. Metrics of numbers are in the target's own units; with several outputs they are the
mean over them, or where the targets have names, and so units of their own, there is one of each.
"""

from collections.abc import Callable, Mapping
from functools import cache, partialmethod
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, create_model

from specnet.parts.fields import PositiveInteger
from specnet.parts.metrics import figures
from specnet.parts.metrics.base import BINARY, CLASSES, LABELS, MULTILABEL, VALUES, Metric
from specnet.parts.metrics.figures import Figure
from specnet.parts.metrics.statistics import Statistic, area_statistic, determination_statistic, mean_statistic

Array = NDArray[Any]
Errors = Callable[[Array, Array], Array]


class Scorer(Metric):
    """A metric with the name and the definition of a scorer of scikit-learn."""

    task = VALUES
    item: ClassVar[int | None] = None
    """The index of the metric in the function's result, if that has several numbers."""
    figure: ClassVar[Figure | None] = None
    """A function that replaces scikit-learn's, so that common metrics are fast because nothing is imported."""

    def keywords(self) -> dict[str, Any]:
        return {**self.arguments, **self.model_dump(exclude={"type"})}

    def compute(self, target: Array, response: Array, keywords: dict[str, Any]) -> float:
        figure = type(self).figure
        return super().compute(target, response, keywords) if figure is None else figure(target, response, **keywords)

    def chosen(self, returned: Any) -> float:
        return float(returned if self.item is None else returned[self.item])


def _mean(
    self: Metric, errors: Errors, target: Array, prediction: Array, probability: Array | None = None, root: bool = False
) -> Statistic:
    """Return the `statistic` of a metric that is a mean over rows, or the square root of a mean."""
    with np.errstate(all="ignore"):
        return mean_statistic(errors(target, prediction), sign=self.sign, root=root)


def _squares(target: Array, prediction: Array) -> Array:
    return np.asarray(np.square(prediction - target))


def _distances(target: Array, prediction: Array) -> Array:
    return np.asarray(np.abs(prediction - target))


def _relative_distances(target: Array, prediction: Array) -> Array:
    return _distances(target, prediction) / np.maximum(np.abs(target), np.finfo(np.float64).eps)


def _squared_logarithms(target: Array, prediction: Array) -> Array:
    return _squares(np.log1p(target), np.log1p(prediction))


def _matches(target: Array, prediction: Array) -> Array:
    return np.equal(target, prediction).reshape(len(target), -1).all(axis=1)


def _determination(metric: Metric, target: Array, prediction: Array, probability: Array | None = None) -> Statistic:
    return determination_statistic(target, prediction)


def _area(metric: Metric, target: Array, prediction: Array, probability: Array | None = None) -> Statistic | None:
    return area_statistic(target, probability[:, 1]) if target.ndim == 1 and probability is not None else None


class TopKAccuracy(Scorer):
    """Fraction of rows whose class is among the k most probable ones."""

    task = frozenset({"classes"})
    response = "probability"
    knows_classes = True
    function = "top_k_accuracy_score"
    type: Literal["top_k_accuracy"] = "top_k_accuracy"
    k: PositiveInteger = Field(2, description="number of most probable classes to consider")


_Row = tuple[str, str, Mapping[str, Any]]
"""A metric's name, its description, and the class attributes that it sets."""

_AVERAGED = {
    "f1": ("2·precision·recall / (precision + recall)", figures.f1_score),
    "jaccard": ("Rows in both the class and its prediction, divided by rows in either", None),
    "precision": ("Fraction of the rows predicted as a class that belong to it", figures.precision_score),
    "recall": ("Fraction of the rows of a class that are predicted as it", figures.recall_score),
}
_AVERAGES = {
    "binary": (BINARY, "of the second class"),
    "macro": (LABELS, "the mean over classes"),
    "micro": (LABELS, "all classes together"),
    "samples": (MULTILABEL, "the mean over rows"),
    "weighted": (LABELS, "classes weighted by rows"),
}
"""The tasks that support each of scikit-learn's averages, and the end of the metric's description."""


def _averaged(name: str, average: str = "binary") -> _Row:
    """Return the row of a metric that scikit-learn averages over classes or rows."""
    (meaning, figure), (task, ending) = _AVERAGED[name], _AVERAGES[average]
    keywords = {"average": average, "zero_division": 0.0}  # 0 where it is not defined
    attributes = {"task": task, "function": f"{name}_score", "arguments": keywords, "figure": figure}
    return name if average == "binary" else f"{name}_{average}", f"{meaning}; {ending}.", attributes


_ROC, _ALIKE = "Area under the ROC curve", "Ignores sample weights."
_LOGARITHMIC = "(ln(1 + y) − ln(1 + t))²; NaN if a number is −1 or less."
_UNITS = {"has_units": True}
_PROBABLE: Mapping[str, Any] = {"task": CLASSES, "response": "probability"}
_OF_CLASSES: Mapping[str, Any] = {**_PROBABLE, "knows_classes": True}
_CURVE = {**_PROBABLE, "function": "roc_auc_score"}
_RATIO: Mapping[str, Any] = {
    "task": BINARY,
    "weighted": False,
    "function": "class_likelihood_ratios",
    "arguments": {"replace_undefined_by": 1.0},
}
_ERROR = {"larger_is_better": False}
_ABSOLUTE = {**_UNITS, "statistic": partialmethod(_mean, _distances), "figure": figures.mean_absolute_error}
_SQUARED = {**_UNITS, "statistic": partialmethod(_mean, _squares), "figure": figures.mean_squared_error}
_ROOT = {
    **_UNITS,
    "statistic": partialmethod(_mean, _squares, root=True),
    "figure": figures.root_mean_squared_error,
}

SCORERS: Mapping[str, _Row] = {
    "F1": _averaged("f1"),
    "F1Macro": _averaged("f1", "macro"),
    "F1Micro": _averaged("f1", "micro"),
    "F1Samples": _averaged("f1", "samples"),
    "F1Weighted": _averaged("f1", "weighted"),
    "Jaccard": _averaged("jaccard"),
    "JaccardMacro": _averaged("jaccard", "macro"),
    "JaccardMicro": _averaged("jaccard", "micro"),
    "JaccardSamples": _averaged("jaccard", "samples"),
    "JaccardWeighted": _averaged("jaccard", "weighted"),
    "Precision": _averaged("precision"),
    "PrecisionMacro": _averaged("precision", "macro"),
    "PrecisionMicro": _averaged("precision", "micro"),
    "PrecisionSamples": _averaged("precision", "samples"),
    "PrecisionWeighted": _averaged("precision", "weighted"),
    "Recall": _averaged("recall"),
    "RecallMacro": _averaged("recall", "macro"),
    "RecallMicro": _averaged("recall", "micro"),
    "RecallSamples": _averaged("recall", "samples"),
    "RecallWeighted": _averaged("recall", "weighted"),
    "Accuracy": (
        "accuracy",
        "Fraction of rows predicted correctly; with several 0/1 outputs, in all of them.",
        {
            "task": LABELS,
            "function": "accuracy_score",
            "statistic": partialmethod(_mean, _matches),
            "figure": figures.accuracy_score,
        },
    ),
    "RocAuc": (
        "roc_auc",
        f"{_ROC}.",
        {**_CURVE, "task": BINARY | MULTILABEL, "statistic": _area, "figure": figures.roc_auc_score},
    ),
    "RocAucOvo": (
        "roc_auc_ovo",
        f"{_ROC}, the mean over pairs of classes (Hand and Till 2001). {_ALIKE}",
        {**_CURVE, "weighted": False, "arguments": {"multi_class": "ovo"}},
    ),
    "RocAucOvoWeighted": (
        "roc_auc_ovo_weighted",
        f"{_ROC}, the mean over pairs of classes weighted by rows. {_ALIKE}",
        {**_CURVE, "weighted": False, "arguments": {"multi_class": "ovo", "average": "weighted"}},
    ),
    "RocAucOvr": (
        "roc_auc_ovr",
        f"{_ROC}, one class against the rest, the mean over classes.",
        {**_CURVE, "arguments": {"multi_class": "ovr"}},
    ),
    "RocAucOvrWeighted": (
        "roc_auc_ovr_weighted",
        f"{_ROC}, one class against the rest, classes weighted by rows.",
        {**_CURVE, "arguments": {"multi_class": "ovr", "average": "weighted"}},
    ),
    "AveragePrecision": (
        "average_precision",
        "Area under the precision-recall curve, as a sum of steps; the mean over more than two classes.",
        {**_PROBABLE, "task": LABELS, "function": "average_precision_score"},
    ),
    "BalancedAccuracy": (
        "balanced_accuracy",
        "Mean recall over the classes.",
        {"task": CLASSES, "function": "balanced_accuracy_score", "figure": figures.balanced_accuracy_score},
    ),
    "NegBrierScore": (
        "neg_brier_score",
        "Negative mean squared difference of probability and outcome; summed over more than two classes.",
        {**_OF_CLASSES, "function": "brier_score_loss"},
    ),
    "D2BrierScore": (
        "d2_brier_score",
        "Fraction of the Brier score explained, relative to predicting the class frequencies.",
        _OF_CLASSES,
    ),
    "NegLogLoss": (
        "neg_log_loss",
        "Mean log probability of the class of each row: the negative cross-entropy.",
        {**_OF_CLASSES, "figure": figures.log_loss},
    ),
    "D2LogLossScore": (
        "d2_log_loss_score",
        "Fraction of the cross-entropy explained, relative to predicting the class frequencies.",
        _OF_CLASSES,
    ),
    "MatthewsCorrcoef": (
        "matthews_corrcoef",
        "Correlation of target and prediction, from −1 to 1, 0 being chance (Matthews 1975, Gorodkin 2004).",
        {"task": CLASSES},
    ),
    "NegNegativeLikelihoodRatio": (
        "neg_negative_likelihood_ratio",
        "−(1 − recall) / specificity: negative factor on the odds of the second class if "
        f"the first is predicted.\n\n{_ALIKE}",
        {**_RATIO, "item": 1},
    ),
    "PositiveLikelihoodRatio": (
        "positive_likelihood_ratio",
        f"Recall / (1 − specificity): factor on the odds of the second class if it is predicted. {_ALIKE}",
        {**_RATIO, "item": 0},
    ),
    "D2AbsoluteErrorScore": (
        "d2_absolute_error_score",
        "Fraction of the mean absolute deviation of the target from its median that is explained.",
        {},
    ),
    "R2": (
        "r2",
        "R²: the fraction of the squared deviation of the target from its mean that is explained.",
        {"function": "r2_score", "statistic": _determination, "figure": figures.r2_score},
    ),
    "ExplainedVariance": (
        "explained_variance",
        "Fraction of the variance of the target that is explained: R² that ignores a constant error.",
        {"function": "explained_variance_score"},
    ),
    "MeanAbsoluteError": ("mean_absolute_error", "Mean of |y − t|.", {**_ERROR, **_ABSOLUTE, "aliases": ("mae",)}),
    "MeanSquaredError": ("mean_squared_error", "Mean of (y − t)².", {**_ERROR, **_SQUARED, "aliases": ("mse",)}),
    "NegMaxError": (
        "neg_max_error",
        f"Negative of the largest |y − t|, for one output. {_ALIKE}",
        {**_UNITS, "weighted": False},
    ),
    "NegMeanAbsoluteError": ("neg_mean_absolute_error", "Negative mean of |y − t|.", _ABSOLUTE),
    "NegMeanAbsolutePercentageError": (
        "neg_mean_absolute_percentage_error",
        "Negative mean of |y − t| / |t|, as a fraction.",
        {"statistic": partialmethod(_mean, _relative_distances)},
    ),
    "NegMeanGammaDeviance": (
        "neg_mean_gamma_deviance",
        "Negative mean of 2·(ln(y/t) + t/y − 1), for one output; NaN if a number is not positive.",
        _UNITS,
    ),
    "NegMeanPoissonDeviance": (
        "neg_mean_poisson_deviance",
        "Negative mean of 2·(t·ln(t/y) − t + y), for one output; NaN if a prediction is not positive.",
        _UNITS,
    ),
    "NegMeanSquaredError": ("neg_mean_squared_error", "Negative mean of (y − t)².", _SQUARED),
    "NegMeanSquaredLogError": (
        "neg_mean_squared_log_error",
        f"Negative mean of {_LOGARITHMIC}",
        {**_UNITS, "statistic": partialmethod(_mean, _squared_logarithms)},
    ),
    "NegMedianAbsoluteError": ("neg_median_absolute_error", "Negative median of |y − t|.", _UNITS),
    "NegRootMeanSquaredError": ("neg_root_mean_squared_error", "Negative square root of the mean of (y − t)².", _ROOT),
    "NegRootMeanSquaredLogError": (
        "neg_root_mean_squared_log_error",
        f"Negative square root of the mean of {_LOGARITHMIC}",
        {**_UNITS, "statistic": partialmethod(_mean, _squared_logarithms, root=True)},
    ),
    "RootMeanSquaredError": (
        "root_mean_squared_error",
        "Square root of the mean of (y − t)².",
        {**_ERROR, **_ROOT, "aliases": ("rmse",)},
    ),
}
"""For each class except `TopKAccuracy`: metric name, description, and attributes that differ from `Scorer`."""

__all__ = [*SCORERS, "TopKAccuracy"]


def __getattr__(name: str) -> type[Scorer]:
    if name not in SCORERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _metric(name)


@cache
def _metric(name: str) -> type[Scorer]:
    """Return the metric class for a row, like a class statement with the row's attributes and a ``type``.

    Each is made when it is first used, because all of them take 10 ms.
    """
    metric_name, meaning, attributes = SCORERS[name]
    fields: Any = {"type": (Literal[metric_name], metric_name)}
    metric = create_model(name, __base__=Scorer, __doc__=meaning, __module__=__name__, **fields)
    for attribute, value in {"sign": -1 if metric_name.startswith("neg_") else 1, **attributes}.items():
        setattr(metric, attribute, value)
    return metric
