"""Initializers: the values of weights and biases before the first step.

In: a generator of random numbers, an array's shape, and the fans of its layer. Out: the array. Start with `Initializer`
in `base`; then `distributions`, whose draws are independent, `matrices`, and `fitted`, which read training rows.
A new initializer is a class in one of the modules; add its name to the list below.
"""

from typing import TYPE_CHECKING

from specnet.lazy import lazily

if TYPE_CHECKING:
    from specnet.parts.initializers.base import *
    from specnet.parts.initializers.base import Generator as Generator
    from specnet.parts.initializers.distributions import *
    from specnet.parts.initializers.fitted import *
    from specnet.parts.initializers.matrices import *
else:
    __all__, __getattr__ = lazily(
        __name__,
        {
            "base": "Generator Initializer Fans ConstantWeights Zeros Ones",
            "distributions": "RandomNormal RandomUniform TruncatedNormal VarianceScaling GlorotUniform GlorotNormal "
            "HeUniform HeNormal LecunUniform LecunNormal PytorchLinear SklearnMlp",
            "matrices": "Orthogonal Identity",
            "fitted": "UnitDeviation HePlus",
        },
    )
