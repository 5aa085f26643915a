"""Checks of a user's own network: its gradient proved, and how it stands before the first step."""

from specnet.checking.central_differences import STEP, TOLERANCE, Comparison
from specnet.checking.gradient_check import GradientCheck, check_spec
from specnet.checking.layer_gradients import LayerComparison
from specnet.checking.layer_starts import LayerStart

__all__ = ["STEP", "TOLERANCE", "Comparison", "GradientCheck", "LayerComparison", "LayerStart", "check_spec"]
