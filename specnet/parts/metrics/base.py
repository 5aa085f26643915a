"""The base class of metrics: a function of scikit-learn with its arguments."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from specnet.parts.blame import ask
from specnet.parts.fields import PositiveInteger
from specnet.parts.metrics.statistics import Statistic
from specnet.parts.registry import PartKind, installed_registry

Task = Literal["binary", "classes", "multilabel", "values"]

BINARY: frozenset[Task] = frozenset({"binary"})
CLASSES: frozenset[Task] = frozenset({"binary", "classes"})
LABELS: frozenset[Task] = frozenset({"binary", "classes", "multilabel"})
MULTILABEL: frozenset[Task] = frozenset({"multilabel"})
VALUES: frozenset[Task] = frozenset({"values"})


PREFERRED = ("accuracy", "r2")
"""Well-known metrics, which are the main metric if a spec has them."""


def main_metric(names: Iterable[str]) -> str | None:
    """Return the main metric: accuracy or R², else the first name that is not the loss, else None."""
    metrics = [name for name in names if name != "loss"]
    return next((name for name in PREFERRED if name in metrics), metrics[0] if metrics else None)


def metric_of(figure: str, metrics: Iterable[str]) -> str | None:
    """Return the metric of a figure, whose name may end in the name of a target; None if no metric matches."""
    found = [name for name in metrics if figure == name or figure.startswith(f"{name}_")]
    return max(found, key=len, default=None)


def larger_is_better(figure: str) -> bool:
    """Return whether larger values of a metric are better; True for a metric of a module that is not loaded."""
    registry = installed_registry()
    part = registry.find("metric", metric_of(figure, registry.names("metric")))
    return figure != "loss" and bool(getattr(part, "larger_is_better", True))


class Metric(PartKind):
    """A measure of predictions, with the name and the definition of scikit-learn's scorer.

    A name that begins with ``neg_`` is the negative of an error, so that more is better.
    """

    kind: ClassVar[str] = "metric"
    task: ClassVar[frozenset[Task]]
    """The tasks that support the metric: two classes, more classes, several 0/1 outputs, or numbers."""
    function: ClassVar[str] = ""
    """The function of ``sklearn.metrics``; default: the metric's name without ``neg_``."""
    arguments: ClassVar[dict[str, Any]] = {}
    """Arguments of the function in addition to target, response and weights."""
    response: ClassVar[Literal["prediction", "probability"]] = "prediction"
    """The array that the function compares with the target."""
    sign: ClassVar[Literal[-1, 1]] = 1
    """-1 if the metric is the negative of the function's result."""
    knows_classes: ClassVar[bool] = False
    """Whether the function accepts the list of all classes, which may include classes without rows."""
    has_units: ClassVar[bool] = False
    """Whether the metric is in the target's units, so that figures of several targets cannot be averaged."""
    larger_is_better: ClassVar[bool] = True
    """Whether larger is better, as for all scorers of scikit-learn; false for errors by their own names."""
    weighted: ClassVar[bool] = True
    """Whether the metric uses the weights of rows; otherwise all rows count equally."""

    def score(
        self,
        target: NDArray[Any],
        prediction: NDArray[Any],
        probability: NDArray[Any] | None = None,
        sample_weight: NDArray[Any] | None = None,
    ) -> float:
        """Return the metric.

        Parameters
        ----------
        target : ndarray
            Class indices (rows,), numbers 0 and 1 (rows, outputs) for several binary outputs, or values in their own
            units, (rows,) or (rows, outputs).
        prediction : ndarray
            Predictions in the same form as the target.
        probability : ndarray (rows, classes) or (rows, outputs), or None
            Probability of each class, also for two classes; not needed if the target is values.
        sample_weight : ndarray (rows,) or None
            Weight of each row.

        Returns
        -------
        float
            Metric, or NaN if scikit-learn does not define it for these rows, such as an area under a curve if all rows
            are of one class.

        Raises
        ------
        PartError
            If a metric from another package fails.
        """
        keywords = dict(ask(self, self.keywords))
        response = prediction
        if self.response == "probability":
            assert probability is not None  # tasks with classes always have probabilities
            response = probability[:, 1] if target.ndim == 1 and probability.shape[1] == 2 else probability
            if self.knows_classes:
                keywords["labels"] = np.arange(probability.shape[1])
        if self.weighted and sample_weight is not None:
            keywords["sample_weight"] = sample_weight
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # scikit-learn warns if a metric is 0 or NaN because rows are missing
            return self.sign * ask(self, lambda: float(self.compute(target, response, keywords)))

    def statistic(
        self, target: NDArray[Any], prediction: NDArray[Any], probability: NDArray[Any] | None = None
    ) -> Statistic | None:
        """Return a function that computes the metric of rows under many weightings at once.

        Return None if the metric has no such function; it then has no interval.
        """
        return None

    def figures(
        self, targets: Sequence[str], target: NDArray[Any], prediction: NDArray[Any]
    ) -> Iterator[tuple[str, NDArray[Any], NDArray[Any]]]:
        """Yield the name of each figure, with the columns of target and prediction that it compares.

        There is one figure, or one for each of several named targets if `has_units`: ``mean_absolute_error_price``.
        """
        if not self.has_units or len(targets) < 2:
            yield self.type, target, prediction
            return
        for column, name in enumerate(targets):
            yield f"{self.type}_{name}", target[:, column], prediction[:, column]

    def keywords(self) -> dict[str, Any]:
        """Return the keyword arguments of scikit-learn's function besides sample weights."""
        return self.arguments

    def compute(self, target: NDArray[Any], response: NDArray[Any], keywords: dict[str, Any]) -> float:
        """Return the result of scikit-learn's function for these rows, NaN where it is not defined for them."""
        from sklearn import metrics

        function = getattr(metrics, self.function or self.type.removeprefix("neg_"))
        try:
            return self.chosen(function(target, response, **keywords))
        except ValueError as error:
            if isinstance(error, TypeError):  # scikit-learn's error about an argument instead of the rows
                raise
            return float("nan")

    def chosen(self, returned: Any) -> float:
        """Return the metric, given the result of scikit-learn's function."""
        return float(returned)


class ExpectedCalibrationError(Metric):
    """Mean |accuracy − confidence| over equal bins of confidence, weighted by their rows (Guo et al. 2017).

    Confidence is the probability of the predicted class. With several 0/1 outputs, the mean over them.
    """

    aliases = ("ece",)
    task = LABELS
    response = "probability"
    larger_is_better = False
    type: Literal["expected_calibration_error"] = "expected_calibration_error"
    bins: PositiveInteger = Field(15, description="number of bins of equal width between 0 and 1")

    def compute(self, target: NDArray[Any], response: NDArray[Any], keywords: dict[str, Any]) -> float:
        if response.ndim > target.ndim:
            confidence, right = response.max(axis=1), response.argmax(axis=1) == target
        else:
            confidence, right = np.maximum(response, 1 - response), (response > 0.5) == target
        weight = keywords.get("sample_weight")
        weight = np.ones(len(target)) if weight is None else weight
        columns = zip(confidence.reshape(len(target), -1).T, right.reshape(len(target), -1).T, strict=True)
        return float(np.mean([self._error(*column, weight) for column in columns]))

    def _error(self, confidence: NDArray[Any], right: NDArray[np.bool_], weight: NDArray[Any]) -> float:
        inner_edges = np.linspace(0, 1, self.bins + 1)[1:-1]
        bins = np.searchsorted(inner_edges, confidence)  # a bin is without its lower end
        excess = np.bincount(bins, weight * (right - confidence.astype(np.float64)), self.bins)
        return float(np.abs(excess).sum() / weight.sum())
