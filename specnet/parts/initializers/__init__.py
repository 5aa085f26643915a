"""Initializers: what weights and biases are before the first step.

In: a generator of random numbers, a shape, and the place of the array in its layer. Out: an array. Start with
`Initializer` in `base`; then `distributions`, of which `named_scalings` have the usual settings, and `special`.
A new initializer is a class in one of the modules, and its name stands in the list below.
"""

from typing import TYPE_CHECKING

from specnet.lazy import lazily

if TYPE_CHECKING:
    from specnet.parts.initializers.base import *
    from specnet.parts.initializers.base import Generator as Generator
    from specnet.parts.initializers.distributions import *
    from specnet.parts.initializers.named_scalings import *
    from specnet.parts.initializers.special import *
else:
    __all__, __getattr__ = lazily(
        __name__,
        {
            "base": "Generator Initializer Place ConstantWeights Zeros Ones",
            "distributions": "RandomNormal RandomUniform TruncatedNormal VarianceScaling",
            "named_scalings": "GlorotUniform GlorotNormal HeUniform HeNormal LecunUniform LecunNormal",
            "special": "Orthogonal Identity PytorchLinear SklearnMlp",
        },
    )
