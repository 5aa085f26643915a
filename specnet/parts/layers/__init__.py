"""Layers: functions of inputs of known sizes, with the parameters that they need.

In the engine, activations are (features, batch). A layer declares its parameters as blocks, which are arrays in the
engine's form, and for each block the names and shapes of the arrays that users see in it.
A new layer is a class in one of the modules; add its name to the list below.
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
            "structure": "Add Multiply Average Concatenate Block",
        },
    )
