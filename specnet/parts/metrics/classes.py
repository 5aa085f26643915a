"""Metrics of classes, from predicted classes or from probabilities."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from specnet.parts.fields import PositiveInteger
from specnet.parts.metrics.base import BINARY, CLASSES, LABELS, Metric, Task

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
    """Share of rows whose class is predicted; with several 0/1 outputs, of rows that are right in all of them."""

    task = LABELS
    function = "accuracy_score"
    type: Literal["accuracy"] = "accuracy"


class BalancedAccuracy(Metric):
    """Mean over the classes of the share of their rows that is predicted."""

    task = CLASSES
    function = "balanced_accuracy_score"
    type: Literal["balanced_accuracy"] = "balanced_accuracy"


class MatthewsCorrelation(Metric):
    """Correlation of target and prediction, from −1 to 1; 0 is chance (Matthews 1975, Gorodkin 2004)."""

    task = CLASSES
    type: Literal["matthews_corrcoef"] = "matthews_corrcoef"


class LikelihoodRatio(Metric):
    """How a prediction changes the odds of the second class; 1, which tells nothing, where it is not defined.

    Rows count alike.
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
    """Recall / (1 − specificity): how predicting the second class multiplies its odds. Rows count alike."""

    which = 0
    type: Literal["positive_likelihood_ratio"] = "positive_likelihood_ratio"


class NegativeLikelihoodRatio(LikelihoodRatio):
    """−(1 − recall) / specificity: the negative of how predicting the first class multiplies the second one's odds.

    Rows count alike.
    """

    which = 1
    sign = -1
    type: Literal["neg_negative_likelihood_ratio"] = "neg_negative_likelihood_ratio"


class OfProbabilities(Metric):
    """A metric that compares probabilities with the target."""

    task = CLASSES
    response = "probability"


class TopAccuracy(OfProbabilities):
    """Share of rows whose class is among the k most probable ones."""

    task: ClassVar[frozenset[Task]] = frozenset({"classes"})
    function = "top_k_accuracy_score"
    knows_classes = True
    type: Literal["top_k_accuracy"] = "top_k_accuracy"
    k: PositiveInteger = Field(2, description="how many classes a prediction may name")

    def keywords(self) -> dict[str, Any]:
        return {"k": self.k}


class AveragePrecision(OfProbabilities):
    """Mean precision over the recall that is gained, the mean over classes where there are more than two."""

    task = LABELS
    function = "average_precision_score"
    type: Literal["average_precision"] = "average_precision"


class BrierScore(OfProbabilities):
    """Negative mean squared difference of probability and outcome, summed over classes where there are over two."""

    function = "brier_score_loss"
    sign = -1
    knows_classes = True
    type: Literal["neg_brier_score"] = "neg_brier_score"


class BrierScoreExplained(OfProbabilities):
    """Share of the Brier score that the model takes away from that of the classes' frequencies."""

    knows_classes = True
    type: Literal["d2_brier_score"] = "d2_brier_score"


class LogLoss(OfProbabilities):
    """Mean of ln p of the row's class: the negative cross-entropy."""

    sign = -1
    knows_classes = True
    type: Literal["neg_log_loss"] = "neg_log_loss"


class LogLossExplained(OfProbabilities):
    """Share of the cross-entropy that the model takes away from that of the classes' frequencies."""

    knows_classes = True
    type: Literal["d2_log_loss_score"] = "d2_log_loss_score"


class OfCurve(OfProbabilities):
    """An area under the ROC curve."""

    function = "roc_auc_score"


class AreaUnderCurve(OfCurve):
    """Probability that a row of the second class gets a higher probability of it than a row of the first."""

    task: ClassVar[frozenset[Task]] = frozenset({"binary", "multilabel"})
    type: Literal["roc_auc"] = "roc_auc"


class AreaUnderCurveRest(OfCurve):
    """Area under the ROC curve, each class against the rest, the mean over classes."""

    arguments: ClassVar[dict[str, Any]] = {"multi_class": "ovr"}
    type: Literal["roc_auc_ovr"] = "roc_auc_ovr"


class AreaUnderCurveRestWeighted(OfCurve):
    """Area under the ROC curve, each class against the rest, classes weighted by their rows."""

    arguments: ClassVar[dict[str, Any]] = {"multi_class": "ovr", "average": "weighted"}
    type: Literal["roc_auc_ovr_weighted"] = "roc_auc_ovr_weighted"


class AreaUnderCurvePairs(OfCurve):
    """Area under the ROC curve, the mean over pairs of classes (Hand and Till 2001). Rows count alike."""

    arguments: ClassVar[dict[str, Any]] = {"multi_class": "ovo"}
    weighted = False
    type: Literal["roc_auc_ovo"] = "roc_auc_ovo"


class AreaUnderCurvePairsWeighted(OfCurve):
    """Area under the ROC curve, the mean over pairs of classes weighted by their rows. Rows count alike."""

    arguments: ClassVar[dict[str, Any]] = {"multi_class": "ovo", "average": "weighted"}
    weighted = False
    type: Literal["roc_auc_ovo_weighted"] = "roc_auc_ovo_weighted"
