"""Metrics by the names of scikit-learn's scorers, which computes most of them, and errors by their own names.

In: targets, predictions, probabilities and weights of rows, as `Model.evaluate` has them. Out: a number, or a function
of many weightings at once for intervals. Start with `Metric` in `base`; `scorers` has a row for each of
scikit-learn's, `figures` the commonest without its import, `probabilities` what it does not have, and `statistics` what
resampling computes.
"""

from specnet.parts.metrics.base import Metric as Metric
from specnet.parts.metrics.base import main_metric as main_metric
from specnet.parts.metrics.base import metric_of as metric_of
from specnet.parts.metrics.probabilities import ExpectedCalibrationError as ExpectedCalibrationError
from specnet.parts.metrics.scorers import *
