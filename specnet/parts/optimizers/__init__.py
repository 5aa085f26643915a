"""Optimizers, written over the flat parameter vector in the language of the compiler.

In: theta, its gradient, and states and scalars by name. Out: what each becomes. Start with `base` (what an optimizer
is, and decay); then `descent`, `moments` (Adam and its kin), `scaled_steps`, and `second_order`, which SciPy runs.
Every module of this package is taken whole, so that a new optimizer is written in one of them and nowhere else.
"""

from specnet.parts.optimizers.base import Commits as Commits
from specnet.parts.optimizers.base import DecayingOptimizer as DecayingOptimizer
from specnet.parts.optimizers.base import Optimizer as Optimizer
from specnet.parts.optimizers.base import ScalarLookup as ScalarLookup
from specnet.parts.optimizers.base import StateLookup as StateLookup
from specnet.parts.optimizers.base import SteppingOptimizer as SteppingOptimizer
from specnet.parts.optimizers.descent import *
from specnet.parts.optimizers.moments import *
from specnet.parts.optimizers.scaled_steps import *
from specnet.parts.optimizers.second_order import *
