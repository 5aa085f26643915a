"""Metrics by the names of scikit-learn's scorers, and three errors by their own; scikit-learn computes them all.

In: targets, predictions, probabilities and weights of rows, as `Model.evaluate` has them. Out: a number, or a function
of many weightings at once for intervals. Start with `Metric` in `base`; `scorers` has a row for each metric, and
`statistics` those that resampling computes without scikit-learn.
"""

from specnet.parts.metrics.base import Metric as Metric
from specnet.parts.metrics.scorers import *
