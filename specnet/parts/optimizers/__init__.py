"""Optimizers, written over the flat parameter vector in the language of the compiler."""

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
