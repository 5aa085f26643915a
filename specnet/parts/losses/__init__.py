"""Losses, each written for one row; what is minimised is their mean, weighted where rows have weights.

Losses whose name says a distribution see the network's raw output (logits), so that value and gradient stay finite and
keep their digits; the activation that belongs to them is applied for predictions only.

A new loss is a class in one of the modules, and its name stands in the list below.
"""

from typing import TYPE_CHECKING

from specnet.lazy import lazily

if TYPE_CHECKING:
    from specnet.parts.losses.base import *
    from specnet.parts.losses.class_losses import *
    from specnet.parts.losses.likelihoods import *
    from specnet.parts.losses.margin_losses import *
    from specnet.parts.losses.value_losses import *
else:
    __all__, __getattr__ = lazily(
        __name__,
        {
            "base": "Loss mean_over_outputs",
            "class_losses": "BinaryCrossentropy CategoricalCrossentropy BinaryFocalCrossentropy "
            "CategoricalFocalCrossentropy",
            "margin_losses": "Hinge SquaredHinge CategoricalHinge",
            "value_losses": "MeanSquaredError MeanAbsoluteError Huber LogCosh MeanSquaredLogarithmicError Quantile "
            "CosineSimilarity",
            "likelihoods": "Poisson Gamma Tweedie GaussianNll KlDivergence",
        },
    )
