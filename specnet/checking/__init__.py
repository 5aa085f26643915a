"""Checks of a user's own network: its gradient proved, and its layers before the first step.

In: a parsed spec. Out: a `GradientCheck`, with a comparison for each tensor and, on a fault, for each layer. Start with
`check_spec` in `gradient_check`; `point` has the rows and parameters at which a network is checked, and `derivatives`
compares the derivatives of any program with difference quotients, also for `specnet.testing`.
"""

from specnet.checking.derivatives import STEP, TOLERANCE, GradientComparison
from specnet.checking.gradient_check import GradientCheck, LayerComparison, LayerStart, check_spec

__all__ = ["STEP", "TOLERANCE", "GradientCheck", "GradientComparison", "LayerComparison", "LayerStart", "check_spec"]
