"""Losses, each written for one row; what is minimised is their mean, weighted where rows have weights.

Losses whose name says a distribution see the network's raw output (logits), so that value and gradient stay finite and
keep their digits; the activation that belongs to them is applied for predictions only.

Every module of this package is taken whole, so that a new loss is written in one of them and nowhere else.
"""

from specnet.parts.losses.base import Loss as Loss
from specnet.parts.losses.base import mean_over_outputs as mean_over_outputs
from specnet.parts.losses.class_losses import *
from specnet.parts.losses.value_losses import *
