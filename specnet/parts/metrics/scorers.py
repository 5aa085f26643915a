"""The metrics, a row each: what a scorer says, where it makes sense, and what scikit-learn's function of it is given.

A name that begins with ``neg_`` is the negative of what the function returns, so that more is better. The averages of
precision, recall and what is made of them are scikit-learn's: ``macro`` is the mean over the classes, ``micro`` counts
the rows of all classes together, ``weighted`` is the mean weighted by the classes' rows, ``samples`` is the mean over
rows, each with several 0/1 outputs. Metrics of numbers are in the target's own units; with several outputs they are the
mean over them, or where the targets have names, and so units of their own, there is one of each.
"""

from collections.abc import Callable, Mapping
from functools import partial, partialmethod
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, create_model

from specnet.parts.fields import PositiveInteger
from specnet.parts.metrics import figures
from specnet.parts.metrics.base import BINARY, CLASSES, LABELS, MULTILABEL, VALUES, Metric
from specnet.parts.metrics.figures import Figure
from specnet.parts.metrics.statistics import Statistic, area_statistic, determination_statistic, mean_statistic
from specnet.parts.part import class_name

Array = NDArray[Any]
Errors = Callable[[Array, Array], Array]


class Scorer(Metric):
    """A metric by the name and in the sense of a scorer."""

    task = VALUES
    item: ClassVar[int | None] = None
    """Which of the numbers that the function returns is the metric, where it returns several."""
    figure: ClassVar[Figure | None] = None
    """What is called in the function's place: common ones are quick without an import of scikit-learn."""

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
    """Return the `statistic` of a mean over rows: of an error of each or whether it is right, or of its root."""
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


_ROC, _ALIKE = "Area under the ROC curve", "Ignores sample weights."
_LOGARITHMIC = "(ln(1 + y) − ln(1 + t))²; NaN if a number is −1 or less."
_MEANINGS = {
    "accuracy": "Fraction of rows predicted correctly; with several 0/1 outputs, in all of them.",
    "roc_auc": f"{_ROC}.",
    "roc_auc_ovo": f"{_ROC}, the mean over pairs of classes (Hand and Till 2001). {_ALIKE}",
    "roc_auc_ovo_weighted": f"{_ROC}, the mean over pairs of classes weighted by rows. {_ALIKE}",
    "roc_auc_ovr": f"{_ROC}, one class against the rest, the mean over classes.",
    "roc_auc_ovr_weighted": f"{_ROC}, one class against the rest, classes weighted by rows.",
    "average_precision": "Area under the precision-recall curve, as a sum of steps; "
    "the mean over more than two classes.",
    "balanced_accuracy": "Mean recall over the classes.",
    "neg_brier_score": "Negative mean squared difference of probability and outcome; "
    "summed over more than two classes.",
    "d2_brier_score": "Fraction of the Brier score explained, relative to predicting the class frequencies.",
    "neg_log_loss": "Mean log probability of the class of each row: the negative cross-entropy.",
    "d2_log_loss_score": "Fraction of the cross-entropy explained, relative to predicting the class frequencies.",
    "matthews_corrcoef": "Correlation of target and prediction, from −1 to 1, 0 being chance "
    "(Matthews 1975, Gorodkin 2004).",
    "neg_negative_likelihood_ratio": "−(1 − recall) / specificity: negative factor on the odds of the second class if "
    f"the first is predicted.\n\n{_ALIKE}",
    "positive_likelihood_ratio": f"Recall / (1 − specificity): factor on the odds of the second class if it is "
    f"predicted. {_ALIKE}",
    "top_k_accuracy": "Fraction of rows whose class is among the k most probable ones.",
    "d2_absolute_error_score": "Fraction of the mean absolute deviation of the target from its median that "
    "is explained.",
    "r2": "R²: the fraction of the squared deviation of the target from its mean that is explained.",
    "explained_variance": "Fraction of the variance of the target that is explained: R² that ignores a constant error.",
    "mean_absolute_error": "Mean of |y − t|.",
    "mean_squared_error": "Mean of (y − t)².",
    "neg_max_error": f"Negative of the largest |y − t|, for one output. {_ALIKE}",
    "neg_mean_absolute_error": "Negative mean of |y − t|.",
    "neg_mean_absolute_percentage_error": "Negative mean of |y − t| / |t|, as a fraction.",
    "neg_mean_gamma_deviance": "Negative mean of 2·(ln(y/t) + t/y − 1), for one output; "
    "NaN if a number is not positive.",
    "neg_mean_poisson_deviance": "Negative mean of 2·(t·ln(t/y) − t + y), for one output; "
    "NaN if a prediction is not positive.",
    "neg_mean_squared_error": "Negative mean of (y − t)².",
    "neg_mean_squared_log_error": f"Negative mean of {_LOGARITHMIC}",
    "neg_median_absolute_error": "Negative median of |y − t|.",
    "neg_root_mean_squared_error": "Negative square root of the mean of (y − t)².",
    "neg_root_mean_squared_log_error": f"Negative square root of the mean of {_LOGARITHMIC}",
    "root_mean_squared_error": "Square root of the mean of (y − t)².",
}
"""For each metric its description, in the order of the catalogue."""

_PROBABLE: Mapping[str, Any] = {"task": CLASSES, "response": "probability"}
_TOLD: dict[str, Any] = {**_PROBABLE, "knows_classes": True}
_CURVE = {**_PROBABLE, "function": "roc_auc_score"}
_PAIRS = {**_CURVE, "weighted": False}
_RATIO: dict[str, Any] = {
    "task": BINARY,
    "weighted": False,
    "function": "class_likelihood_ratios",
    "arguments": {"replace_undefined_by": 1.0},
}
_ERROR = {"larger_is_better": False}
_ABSOLUTE = {"statistic": partialmethod(_mean, _distances), "figure": figures.mean_absolute_error}
_SQUARED = {"statistic": partialmethod(_mean, _squares), "figure": figures.mean_squared_error}
_ROOT = {"statistic": partialmethod(_mean, _squares, root=True), "figure": figures.root_mean_squared_error}
_FACTS: dict[str, dict[str, Any]] = {
    "accuracy": {
        "task": LABELS,
        "function": "accuracy_score",
        "statistic": partialmethod(_mean, _matches),
        "figure": figures.accuracy_score,
    },
    "roc_auc": {
        **_CURVE,
        "task": BINARY | MULTILABEL,
        "statistic": _area,
        "figure": figures.roc_auc_score,
    },
    "roc_auc_ovo": {**_PAIRS, "arguments": {"multi_class": "ovo"}},
    "roc_auc_ovo_weighted": {**_PAIRS, "arguments": {"multi_class": "ovo", "average": "weighted"}},
    "roc_auc_ovr": {**_CURVE, "arguments": {"multi_class": "ovr"}},
    "roc_auc_ovr_weighted": {**_CURVE, "arguments": {"multi_class": "ovr", "average": "weighted"}},
    "average_precision": {**_PROBABLE, "task": LABELS, "function": "average_precision_score"},
    "balanced_accuracy": {
        "task": CLASSES,
        "function": "balanced_accuracy_score",
        "figure": figures.balanced_accuracy_score,
    },
    "neg_brier_score": {**_TOLD, "function": "brier_score_loss"},
    "d2_brier_score": _TOLD,
    "neg_log_loss": {**_TOLD, "figure": figures.log_loss},
    "d2_log_loss_score": _TOLD,
    "matthews_corrcoef": {"task": CLASSES},
    "neg_negative_likelihood_ratio": {**_RATIO, "item": 1},
    "positive_likelihood_ratio": {**_RATIO, "item": 0},
    "top_k_accuracy": {**_TOLD, "task": frozenset({"classes"}), "function": "top_k_accuracy_score"},
    "r2": {"function": "r2_score", "statistic": _determination, "figure": figures.r2_score},
    "explained_variance": {"function": "explained_variance_score"},
    "mean_absolute_error": {**_ERROR, **_ABSOLUTE, "aliases": ("mae",)},
    "mean_squared_error": {**_ERROR, **_SQUARED, "aliases": ("mse",)},
    "neg_max_error": {"weighted": False},
    "neg_mean_absolute_error": _ABSOLUTE,
    "neg_mean_absolute_percentage_error": {"statistic": partialmethod(_mean, _relative_distances)},
    "neg_mean_squared_error": _SQUARED,
    "neg_mean_squared_log_error": {"statistic": partialmethod(_mean, _squared_logarithms)},
    "neg_root_mean_squared_error": _ROOT,
    "neg_root_mean_squared_log_error": {"statistic": partialmethod(_mean, _squared_logarithms, root=True)},
    "root_mean_squared_error": {**_ERROR, **_ROOT, "aliases": ("rmse",)},
}
"""For each metric what differs from a metric of numbers without settings: its class attributes."""
_WITHOUT_UNITS = ("r2", "explained_variance", "d2_absolute_error_score", "neg_mean_absolute_percentage_error")
_FIELDS = {
    "top_k_accuracy": {"k": (PositiveInteger, Field(2, description="number of most probable classes to consider"))}
}
_AVERAGED = {
    "f1": "2·precision·recall / (precision + recall)",
    "jaccard": "Rows in both the class and its prediction, divided by rows in either",
    "precision": "Fraction of the rows predicted as a class that belong to it",
    "recall": "Fraction of the rows of a class that are predicted as it",
}
_AVERAGED_FIGURES = {"f1": figures.f1_score, "precision": figures.precision_score, "recall": figures.recall_score}
_AVERAGES = {
    "binary": (BINARY, "of the second class"),
    "macro": (LABELS, "the mean over classes"),
    "micro": (LABELS, "all classes together"),
    "samples": (MULTILABEL, "the mean over rows"),
    "weighted": (LABELS, "classes weighted by rows"),
}
"""For each of scikit-learn's averages where it makes sense, and how a description ends."""


def _made(name: str, meaning: str, attributes: Mapping[str, Any]) -> type[Scorer]:
    """Return a metric, as a class statement with these attributes and a ``type`` of its own would make it."""
    fields: Any = {"type": (Literal[name], name), **_FIELDS.get(name, {})}
    metric = create_model(class_name(name), __base__=Scorer, __doc__=meaning, __module__=__name__, **fields)
    has_units = attributes.get("task", VALUES) == VALUES and name not in _WITHOUT_UNITS
    attributes = {"has_units": has_units, **attributes}
    for attribute, value in {"sign": -1 if name.startswith("neg_") else 1, **attributes}.items():
        setattr(metric, attribute, value)
    return metric


def _averaged(name: str, average: str) -> type[Scorer]:
    task, ending = _AVERAGES[average]
    keywords = {"average": average, "zero_division": 0.0}  # 0 where it is not defined
    figure = _AVERAGED_FIGURES.get(name)
    attributes = {"task": task, "function": f"{name}_score", "arguments": keywords, "figure": figure}
    return _made(name if average == "binary" else f"{name}_{average}", f"{_AVERAGED[name]}; {ending}.", attributes)


SCORERS: Mapping[str, Callable[[], type[Scorer]]] = {
    class_name(name if average == "binary" else f"{name}_{average}"): partial(_averaged, name, average)
    for name in _AVERAGED
    for average in _AVERAGES
} | {class_name(name): partial(_made, name, meaning, _FACTS.get(name, {})) for name, meaning in _MEANINGS.items()}
"""What makes each class, by its name; it is made when it is first used, because all of them take long."""


def __getattr__(name: str) -> type[Scorer]:
    if name not in SCORERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    metric = globals()[name] = SCORERS[name]()
    return metric
