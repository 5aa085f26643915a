"""Metrics of numbers, in the target's own units; with several outputs, the mean over them."""

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from specnet.parts.metrics.base import VALUES, Metric
from specnet.parts.metrics.statistics import Statistic, determination_statistic, mean_statistic

Values = NDArray[Any]

__all__ = [
    "AbsoluteErrorExplained",
    "DeterminationCoefficient",
    "ExplainedVariance",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "NegativeMaximumError",
    "NegativeMeanAbsoluteError",
    "NegativeMeanAbsolutePercentageError",
    "NegativeMeanGammaDeviance",
    "NegativeMeanPoissonDeviance",
    "NegativeMeanSquaredError",
    "NegativeMeanSquaredLogarithmicError",
    "NegativeMedianAbsoluteError",
    "NegativeRootMeanSquaredError",
    "NegativeRootMeanSquaredLogarithmicError",
    "RootMeanSquaredError",
]


class OfValues(Metric):
    """A metric that compares numbers."""

    task = VALUES


class Negated(OfValues):
    """The negative of an error."""

    sign = -1


class Error(OfValues):
    """A metric of which less is better."""

    larger_is_better = False


class OfErrors(OfValues):
    """A mean over rows of an error of each, or its root."""

    root: ClassVar[bool] = False

    def errors(self, target: Values, prediction: Values) -> Values:
        """Return each row's error, (rows,) or (rows, outputs)."""
        raise NotImplementedError(f"{type(self).__name__} has no errors")

    def statistic(
        self, target: NDArray[Any], prediction: NDArray[Any], probability: NDArray[Any] | None = None
    ) -> Statistic | None:
        return mean_statistic(self.errors(target, prediction), sign=self.sign, root=self.root)


class OfSquares(OfErrors):
    """A mean of squared differences."""

    def errors(self, target: Values, prediction: Values) -> Values:
        errors: Values = np.square(prediction - target)
        return errors


class OfDistances(OfErrors):
    """A mean of distances."""

    def errors(self, target: Values, prediction: Values) -> Values:
        errors: Values = np.abs(prediction - target)
        return errors


class OfRelativeDistances(OfErrors):
    """A mean of distances as fractions of the target."""

    def errors(self, target: Values, prediction: Values) -> Values:
        errors: Values = np.abs(prediction - target) / np.maximum(np.abs(target), np.finfo(np.float64).eps)
        return errors


class OfSquaredLogarithms(OfErrors):
    """A mean of squared differences of logarithms."""

    def errors(self, target: Values, prediction: Values) -> Values:
        with np.errstate(all="ignore"):
            errors: Values = np.square(np.log1p(prediction) - np.log1p(target))
        return errors


class MeanSquaredError(OfSquares, Error):
    """Mean of (y − t)²."""

    aliases = ("mse",)
    type: Literal["mean_squared_error"] = "mean_squared_error"


class NegativeMeanSquaredError(OfSquares, Negated):
    """Negative mean of (y − t)²."""

    type: Literal["neg_mean_squared_error"] = "neg_mean_squared_error"


class RootMeanSquaredError(OfSquares, Error):
    """Square root of the mean of (y − t)²."""

    aliases = ("rmse",)
    root = True
    type: Literal["root_mean_squared_error"] = "root_mean_squared_error"


class NegativeRootMeanSquaredError(OfSquares, Negated):
    """Negative square root of the mean of (y − t)²."""

    root = True
    type: Literal["neg_root_mean_squared_error"] = "neg_root_mean_squared_error"


class MeanAbsoluteError(OfDistances, Error):
    """Mean of |y − t|."""

    aliases = ("mae",)
    type: Literal["mean_absolute_error"] = "mean_absolute_error"


class NegativeMeanAbsoluteError(OfDistances, Negated):
    """Negative mean of |y − t|."""

    type: Literal["neg_mean_absolute_error"] = "neg_mean_absolute_error"


class NegativeMedianAbsoluteError(Negated):
    """Negative median of |y − t|."""

    type: Literal["neg_median_absolute_error"] = "neg_median_absolute_error"


class NegativeMaximumError(Negated):
    """Negative of the largest |y − t|, for one output. Ignores sample weights."""

    weighted = False
    type: Literal["neg_max_error"] = "neg_max_error"


class NegativeMeanAbsolutePercentageError(OfRelativeDistances, Negated):
    """Negative mean of |y − t| / |t|, as a fraction."""

    type: Literal["neg_mean_absolute_percentage_error"] = "neg_mean_absolute_percentage_error"


class NegativeMeanSquaredLogarithmicError(OfSquaredLogarithms, Negated):
    """Negative mean of (ln(1 + y) − ln(1 + t))²; NaN if a number is −1 or less."""

    type: Literal["neg_mean_squared_log_error"] = "neg_mean_squared_log_error"


class NegativeRootMeanSquaredLogarithmicError(OfSquaredLogarithms, Negated):
    """Negative square root of the mean of (ln(1 + y) − ln(1 + t))²; NaN if a number is −1 or less."""

    root = True
    type: Literal["neg_root_mean_squared_log_error"] = "neg_root_mean_squared_log_error"


class NegativeMeanPoissonDeviance(Negated):
    """Negative mean of 2·(t·ln(t/y) − t + y), for one output; NaN if a prediction is not positive."""

    type: Literal["neg_mean_poisson_deviance"] = "neg_mean_poisson_deviance"


class NegativeMeanGammaDeviance(Negated):
    """Negative mean of 2·(ln(y/t) + t/y − 1), for one output; NaN if a number is not positive."""

    type: Literal["neg_mean_gamma_deviance"] = "neg_mean_gamma_deviance"


class DeterminationCoefficient(OfValues):
    """R²: the fraction of the squared deviation of the target from its mean that is explained."""

    function = "r2_score"
    type: Literal["r2"] = "r2"

    def statistic(
        self, target: NDArray[Any], prediction: NDArray[Any], probability: NDArray[Any] | None = None
    ) -> Statistic | None:
        return determination_statistic(target, prediction)


class ExplainedVariance(OfValues):
    """Fraction of the variance of the target that is explained: R² that ignores a constant error."""

    function = "explained_variance_score"
    type: Literal["explained_variance"] = "explained_variance"


class AbsoluteErrorExplained(OfValues):
    """Fraction of the mean absolute deviation of the target from its median that is explained."""

    type: Literal["d2_absolute_error_score"] = "d2_absolute_error_score"
