"""Checks of a user's own network: its gradient proved, and how it stands before the first step."""

from specnet.checking.central_differences import STEP, TOLERANCE, GradientComparison
from specnet.checking.gradient_check import GradientCheck, check_spec
from specnet.checking.layer_gradients import LayerComparison
from specnet.checking.layer_starts import LayerStart

__all__ = ["STEP", "TOLERANCE", "GradientCheck", "GradientComparison", "LayerComparison", "LayerStart", "check_spec"]
