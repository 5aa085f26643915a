"""Checks of a user's own network: its gradient proved, and how it stands before the first step.

In: a parsed spec. Out: a `GradientCheck`, with a comparison for each tensor and, on a fault, for each layer. Start with
`check_spec` in `gradient_check`; `point` has the rows and parameters at which a network is looked at,
`central_differences` compares, and `switches` says where a difference quotient means nothing.
"""

from specnet.checking.central_differences import STEP, TOLERANCE, GradientComparison
from specnet.checking.gradient_check import GradientCheck, check_spec
from specnet.checking.layer_gradients import LayerComparison
from specnet.checking.layer_starts import LayerStart

__all__ = ["STEP", "TOLERANCE", "GradientCheck", "GradientComparison", "LayerComparison", "LayerStart", "check_spec"]
