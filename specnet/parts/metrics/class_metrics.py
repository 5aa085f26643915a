"""Metrics of classes, from predicted classes or from probabilities."""

from typing import Any, ClassVar, Literal

from numpy.typing import NDArray
from pydantic import Field

from specnet.parts.fields import PositiveInteger
from specnet.parts.metrics.base import BINARY, CLASSES, LABELS, Metric, Task
from specnet.parts.metrics.statistics import Statistic, area_statistic

__all__ = [
    "Accuracy",
    "AreaUnderCurve",
    "AreaUnderCurvePairs",
    "AreaUnderCurvePairsWeighted",
    "AreaUnderCurveRest",
    "AreaUnderCurveRestWeighted",
    "AveragePrecision",
    "BalancedAccuracy",
    "BrierScore",
    "BrierScoreExplained",
    "LogLoss",
    "LogLossExplained",
    "MatthewsCorrelation",
    "NegativeLikelihoodRatio",
    "PositiveLikelihoodRatio",
    "TopAccuracy",
]


class Accuracy(Metric):
    """Fraction of rows predicted correctly; with several 0/1 outputs, in all of them."""

    task = LABELS
    function = "accuracy_score"
    type: Literal["accuracy"] = "accuracy"


class BalancedAccuracy(Metric):
    """Mean recall over the classes."""

    task = CLASSES
    function = "balanced_accuracy_score"
    type: Literal["balanced_accuracy"] = "balanced_accuracy"


class MatthewsCorrelation(Metric):
    """Correlation of target and prediction, from −1 to 1, 0 being chance (Matthews 1975, Gorodkin 2004)."""

    task = CLASSES
    type: Literal["matthews_corrcoef"] = "matthews_corrcoef"


class LikelihoodRatio(Metric):
    """Change of the odds of the second class by a prediction; 1 if undefined.

    Ignores sample weights.
    """

    task = BINARY
    function = "class_likelihood_ratios"
    arguments: ClassVar[dict[str, Any]] = {"replace_undefined_by": 1.0}
    weighted = False
    which: ClassVar[int]
    """Which of the two ratios that the function returns."""

    def chosen(self, returned: Any) -> float:
        return float(returned[self.which])


class PositiveLikelihoodRatio(LikelihoodRatio):
    """Recall / (1 − specificity): factor on the odds of the second class if it is predicted. Ignores sample weights."""

    which = 0
    type: Literal["positive_likelihood_ratio"] = "positive_likelihood_ratio"


class NegativeLikelihoodRatio(LikelihoodRatio):
    """−(1 − recall) / specificity: negative factor on the odds of the second class if the first is predicted.

    Ignores sample weights.
    """

    which = 1
    sign = -1
    type: Literal["neg_negative_likelihood_ratio"] = "neg_negative_likelihood_ratio"


class OfProbabilities(Metric):
    """A metric that compares probabilities with the target."""

    task = CLASSES
    response = "probability"


class TopAccuracy(OfProbabilities):
    """Fraction of rows whose class is among the k most probable ones."""

    task: ClassVar[frozenset[Task]] = frozenset({"classes"})
    function = "top_k_accuracy_score"
    knows_classes = True
    type: Literal["top_k_accuracy"] = "top_k_accuracy"
    k: PositiveInteger = Field(2, description="number of most probable classes to consider")

    def keywords(self) -> dict[str, Any]:
        return {"k": self.k}


class AveragePrecision(OfProbabilities):
    """Area under the precision-recall curve, as a sum of steps; the mean over more than two classes."""

    task = LABELS
    function = "average_precision_score"
    type: Literal["average_precision"] = "average_precision"


class BrierScore(OfProbabilities):
    """Negative mean squared difference of probability and outcome; summed over more than two classes."""

    function = "brier_score_loss"
    sign = -1
    knows_classes = True
    type: Literal["neg_brier_score"] = "neg_brier_score"


class BrierScoreExplained(OfProbabilities):
    """Fraction of the Brier score explained, relative to predicting the class frequencies."""

    knows_classes = True
    type: Literal["d2_brier_score"] = "d2_brier_score"


class LogLoss(OfProbabilities):
    """Mean log probability of the class of each row: the negative cross-entropy."""

    sign = -1
    knows_classes = True
    type: Literal["neg_log_loss"] = "neg_log_loss"


class LogLossExplained(OfProbabilities):
    """Fraction of the cross-entropy explained, relative to predicting the class frequencies."""

    knows_classes = True
    type: Literal["d2_log_loss_score"] = "d2_log_loss_score"


class OfCurve(OfProbabilities):
    """An area under the ROC curve."""

    function = "roc_auc_score"


class AreaUnderCurve(OfCurve):
    """Area under the ROC curve."""

    task: ClassVar[frozenset[Task]] = frozenset({"binary", "multilabel"})
    type: Literal["roc_auc"] = "roc_auc"

    def statistic(
        self, target: NDArray[Any], prediction: NDArray[Any], probability: NDArray[Any] | None = None
    ) -> Statistic | None:
        return area_statistic(target, probability[:, 1]) if target.ndim == 1 and probability is not None else None


class AreaUnderCurveRest(OfCurve):
    """Area under the ROC curve, one class against the rest, the mean over classes."""

    arguments: ClassVar[dict[str, Any]] = {"multi_class": "ovr"}
    type: Literal["roc_auc_ovr"] = "roc_auc_ovr"


class AreaUnderCurveRestWeighted(OfCurve):
    """Area under the ROC curve, one class against the rest, classes weighted by rows."""

    arguments: ClassVar[dict[str, Any]] = {"multi_class": "ovr", "average": "weighted"}
    type: Literal["roc_auc_ovr_weighted"] = "roc_auc_ovr_weighted"


class AreaUnderCurvePairs(OfCurve):
    """Area under the ROC curve, the mean over pairs of classes (Hand and Till 2001). Ignores sample weights."""

    arguments: ClassVar[dict[str, Any]] = {"multi_class": "ovo"}
    weighted = False
    type: Literal["roc_auc_ovo"] = "roc_auc_ovo"


class AreaUnderCurvePairsWeighted(OfCurve):
    """Area under the ROC curve, the mean over pairs of classes weighted by rows. Ignores sample weights."""

    arguments: ClassVar[dict[str, Any]] = {"multi_class": "ovo", "average": "weighted"}
    weighted = False
    type: Literal["roc_auc_ovo_weighted"] = "roc_auc_ovo_weighted"
