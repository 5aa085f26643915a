"""Activations. Each says its value; its derivative follows.

In: a value (features, batch) and what the activation learns. Out: a value. Start with `Activation` in `base`; then
`sigmoids`, `curves`, `rectifiers`, `leaky_rectifiers`, `gates`, and `softmaxes` with the shift of log-sum-exp.
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
    from specnet.parts.activations.sigmoids import *
    from specnet.parts.activations.softmaxes import *
else:
    __all__, __getattr__ = lazily(
        __name__,
        {
            "base": "Activation Linear",
            "sigmoids": "Sigmoid HardSigmoid LogSigmoid Tanh HardTanh",
            "curves": "Clip TanhShrink SoftShrink HardShrink Softsign Softplus Squareplus Exponential",
            "softmaxes": "Softmax LogSoftmax",
            "gates": "Gelu Silu HardSwish Mish Glu",
            "rectifiers": "Relu Relu6",
            "leaky_rectifiers": "LeakyRelu Prelu Elu Celu Selu Threshold",
        },
    )
