"""Layers: from inputs of known sizes to an output, with the parameters they need.

Inside the engine an activation is (features, batch). A layer declares its parameters as blocks, arrays in the engine's
form, and says for each block which arrays a user sees in it under which name.
A new layer is a class in one of the modules, and its name stands in the list below.
"""

from typing import TYPE_CHECKING

from specnet.lazy import lazily

if TYPE_CHECKING:
    from specnet.parts.layers.base import *
    from specnet.parts.layers.connected import *
    from specnet.parts.layers.embeddings import *
    from specnet.parts.layers.noise import *
    from specnet.parts.layers.normalization import *
    from specnet.parts.layers.structure import *
else:
    __all__, __getattr__ = lazily(
        __name__,
        {
            "base": "Layer LayerContext LearningLayer LearningRules Scope",
            "connected": "Dense ActivationLayer",
            "embeddings": "Embedding PeriodicEmbedding PiecewiseLinearEmbedding",
            "noise": "Dropout GaussianNoise",
            "normalization": "Scale BatchNormalization LayerNormalization",
            "structure": "Add Multiply Concatenate Block",
        },
    )
