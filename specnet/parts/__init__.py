"""The parts of a network and a run, and everything that an author of further parts needs.

These are the base classes of the kinds, the types of numbers for fields, and the operations on symbolic arrays in which
activations, layers, losses and optimizers are written. A part is one class; see `specnet.parts.activations` for many.
In: the fields in a document. Out: symbolic values, fitted arrays, or numbers. Start with `part` (the base class of all
parts) and `registry` (lookup of parts by name); then a module or folder for each kind.
"""

from specnet.compiler import BATCH as BATCH
from specnet.compiler import FLAT as FLAT
from specnet.compiler import Value as Value
from specnet.compiler import constant as constant
from specnet.compiler import expand as expand
from specnet.compiler import sum_over as sum_over
from specnet.compiler import with_local_derivative as with_local_derivative
from specnet.compiler.operations import *
from specnet.parts.activations import Activation as Activation
from specnet.parts.data import Data as Data
from specnet.parts.fields import Fraction as Fraction
from specnet.parts.fields import Integer as Integer
from specnet.parts.fields import NonNegativeInteger as NonNegativeInteger
from specnet.parts.fields import NonNegativeNumber as NonNegativeNumber
from specnet.parts.fields import PositiveInteger as PositiveInteger
from specnet.parts.fields import PositiveNumber as PositiveNumber
from specnet.parts.fields import Share as Share
from specnet.parts.initializers import Fans as Fans
from specnet.parts.initializers import Initializer as Initializer
from specnet.parts.layers import Layer as Layer
from specnet.parts.layers import LayerContext as LayerContext
from specnet.parts.layers import LearningLayer as LearningLayer
from specnet.parts.layers import Scope as Scope
from specnet.parts.losses import Loss as Loss
from specnet.parts.losses import mean_over_outputs as mean_over_outputs
from specnet.parts.metrics import Metric as Metric
from specnet.parts.optimizers import DecayingOptimizer as DecayingOptimizer
from specnet.parts.optimizers import Optimizer as Optimizer
from specnet.parts.optimizers import SteppingOptimizer as SteppingOptimizer
from specnet.parts.parameters import ParameterBlock as ParameterBlock
from specnet.parts.parameters import StateTensor as StateTensor
from specnet.parts.parameters import Tensor as Tensor
from specnet.parts.parameters import per_feature as per_feature
from specnet.parts.preprocessing import Preprocessing as Preprocessing
from specnet.parts.schedules import Schedule as Schedule
from specnet.parts.searches import Pruner as Pruner
from specnet.parts.searches import Sampler as Sampler
