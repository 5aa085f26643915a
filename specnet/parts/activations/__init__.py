"""Activations. Each says its value; its derivative follows.

In: a value (features, batch) and what the activation learns. Out: a value. Start with `Activation` in `base`; then
`curves` (and distributions over the features, with the shift of log-sum-exp), `rectifiers`, `leaky_rectifiers` and
`gates`.
A new activation is a class in one of the modules, and its name stands in the list below.
Its figures by another library come from tests/figures/make_activations.py, and the JSON Schema is written anew.
"""

from typing import TYPE_CHECKING

from specnet.lazy import lazily

if TYPE_CHECKING:
    from specnet.parts.activations.base import *
    from specnet.parts.activations.curves import *
    from specnet.parts.activations.gates import *
    from specnet.parts.activations.leaky_rectifiers import *
    from specnet.parts.activations.rectifiers import *
else:
    __all__, __getattr__ = lazily(
        __name__,
        {
            "base": "Activation",
            "curves": "Linear Sigmoid HardSigmoid LogSigmoid Tanh HardTanh Clip TanhShrink SoftShrink HardShrink "
            "Softsign Softplus Squareplus Exponential Softmax LogSoftmax",
            "gates": "Gelu Silu HardSwish Mish Glu",
            "rectifiers": "Relu Relu6",
            "leaky_rectifiers": "LeakyRelu Prelu Elu Celu Selu Threshold",
        },
    )
