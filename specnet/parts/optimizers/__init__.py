"""Optimizers, written over the flat parameter vector in the language of the compiler.

In: theta, its gradient, and states and scalars by name. Out: the new values of theta and of the states. Start with
`base` (the base classes, and weight decay); then `moments` (sgd and Adam), `adam_variants`, `scaled_steps`, and
`second_order`, which SciPy runs. To add an optimizer, write a class in one of the modules and add its name below.
"""

from typing import TYPE_CHECKING

from specnet.lazy import lazily

if TYPE_CHECKING:
    from specnet.parts.optimizers.adam_variants import *
    from specnet.parts.optimizers.base import *
    from specnet.parts.optimizers.moments import *
    from specnet.parts.optimizers.scaled_steps import *
    from specnet.parts.optimizers.second_order import *
else:
    __all__, __getattr__ = lazily(
        __name__,
        {
            "base": "Commits DecayingOptimizer Optimizer ScalarLookup StateLookup SteppingOptimizer",
            "moments": "Sgd Adam AdamW",
            "adam_variants": "Nadam Radam Adamax",
            "scaled_steps": "Rmsprop Adagrad Adadelta Rprop Lion",
            "second_order": "Lbfgs",
        },
    )
