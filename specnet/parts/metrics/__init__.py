"""Metrics by the names of scikit-learn's scorers, and three errors by their own; scikit-learn computes them all."""

from specnet.parts.metrics.base import Metric as Metric
from specnet.parts.metrics.scorers import *
