"""Layers: from inputs of known sizes to an output, with the parameters they need.

Inside the engine an activation is (features, batch). A layer declares its parameters as blocks, arrays in the engine's
form, and says for each block which arrays a user sees in it under which name. Every module of this package is taken
whole, so that a new layer is written in one of them and nowhere else.
"""

from specnet.parts.layers.base import Layer as Layer
from specnet.parts.layers.base import LayerContext as LayerContext
from specnet.parts.layers.base import LearningLayer as LearningLayer
from specnet.parts.layers.base import LearningRules as LearningRules
from specnet.parts.layers.base import Scope as Scope
from specnet.parts.layers.connected import *
from specnet.parts.layers.embeddings import *
from specnet.parts.layers.noise import *
from specnet.parts.layers.normalization import *
from specnet.parts.layers.structure import *
