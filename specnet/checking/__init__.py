"""Checks of a user's own network: its gradient proved, and how it stands before the first step."""

from specnet.checking.check import GradientCheck, check_spec
from specnet.checking.differences import STEP, TOLERANCE, Comparison
from specnet.checking.layers import LayerComparison
from specnet.checking.start import LayerStart

__all__ = ["STEP", "TOLERANCE", "Comparison", "GradientCheck", "LayerComparison", "LayerStart", "check_spec"]
