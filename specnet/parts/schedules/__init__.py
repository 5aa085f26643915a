"""Schedules: how a learning rate changes over a run, as a factor on the optimizer's own rate.

In: a step, the steps of the run and of an epoch. Out: a factor. Start with `Schedule` in `base`; all but the constant
rate are in `factors`. Libraries have absolute rates; factors let one schedule go with any optimizer.
A new schedule is a class in `factors`, and its name stands in the list below.
"""

from typing import TYPE_CHECKING

from specnet.lazy import lazily

if TYPE_CHECKING:
    from specnet.parts.schedules.base import *
    from specnet.parts.schedules.factors import *
else:
    __all__, __getattr__ = lazily(
        __name__,
        {
            "base": "Schedule ConstantRate",
            "factors": "ExponentialDecay StepDecay PiecewiseConstant PolynomialDecay InverseTimeDecay InverseScaling "
            "CosineDecay CosineLog CosineDecayRestarts OneCycle ReduceOnPlateau Warmup",
        },
    )
