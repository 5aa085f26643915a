"""Schedules: how a setting changes over a run, as a factor on it: a learning rate, weight decay, a dropout rate.

In: a step, and the numbers of steps in the run and in an epoch. Out: a factor. Start with `Schedule` in `base`; all
schedules except the constant rate are in `factors`. Other libraries have absolute rates; with factors, a schedule fits
any optimizer. To add a schedule, write a class in `factors` and add its name to the list below.
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
            "base": "Schedule ConstantRate metric_problems",
            "factors": "ExponentialDecay StepDecay PiecewiseConstant PolynomialDecay InverseTimeDecay InverseScaling "
            "CosineDecay FlatCosine CosineLog CosineDecayRestarts OneCycle ReduceOnPlateau Warmup",
        },
    )
