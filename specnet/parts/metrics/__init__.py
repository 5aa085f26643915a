"""Metrics with the names of scikit-learn's scorers, most of which it computes, and errors by their own names.

In: targets, predictions, probabilities and weights of rows, as in `Model.evaluate`. Out: a number, or a function
of many weightings at once for intervals. Start with `Metric` in `base`; `scorers` has an entry for each scorer of
scikit-learn, `figures` computes the most common ones without importing it, and `statistics` is for resampling.
"""

from typing import TYPE_CHECKING

from specnet.lazy import lazily

if TYPE_CHECKING:
    from specnet.parts.metrics.base import *
else:
    __all__, __getattr__ = lazily(
        __name__,
        {
            "base": "Metric larger_is_better main_metric metric_of ExpectedCalibrationError",
            "scorers": "F1 F1Macro F1Micro F1Samples F1Weighted Jaccard JaccardMacro JaccardMicro JaccardSamples "
            "JaccardWeighted Precision PrecisionMacro PrecisionMicro PrecisionSamples PrecisionWeighted "
            "Recall RecallMacro RecallMicro RecallSamples RecallWeighted Accuracy RocAuc RocAucOvo "
            "RocAucOvoWeighted RocAucOvr RocAucOvrWeighted AveragePrecision BalancedAccuracy "
            "NegBrierScore D2BrierScore NegLogLoss D2LogLossScore MatthewsCorrcoef "
            "NegNegativeLikelihoodRatio PositiveLikelihoodRatio TopKAccuracy D2AbsoluteErrorScore R2 "
            "ExplainedVariance MeanAbsoluteError MeanSquaredError NegMaxError NegMeanAbsoluteError "
            "NegMeanAbsolutePercentageError NegMeanGammaDeviance NegMeanPoissonDeviance "
            "NegMeanSquaredError NegMeanSquaredLogError NegMedianAbsoluteError NegRootMeanSquaredError "
            "NegRootMeanSquaredLogError RootMeanSquaredError",
        },
    )
