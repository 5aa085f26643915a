"""Losses, each defined for one row. Training minimizes their mean, weighted if rows have weights.

Losses named after a distribution read the network's raw output (logits), so that value and gradient stay finite and
precise. The activation that belongs to such a loss is applied for predictions only.

To add a loss, write a class in one of the modules and add its name to the list below.
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
