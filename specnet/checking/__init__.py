"""Checks of a user's network before training: its gradient against central differences, and statistics of its layers.

In: a parsed spec. Out: a `GradientCheck`, with a comparison for each tensor and, if one is wrong, for each layer. Start
with `check_spec` in `gradient_check`. `point` has the rows and parameters at which a network is checked, `derivatives`
compares the derivatives of any program with difference quotients, also for `specnet.testing`.
"""

from specnet.checking.derivatives import STEP, TOLERANCE, GradientComparison
from specnet.checking.gradient_check import GradientCheck, LayerComparison, LayerStart, check_spec

__all__ = ["STEP", "TOLERANCE", "GradientCheck", "GradientComparison", "LayerComparison", "LayerStart", "check_spec"]
