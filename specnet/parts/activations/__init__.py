"""Activations. Each says its value; its derivative follows.

In: a value (features, batch) and what the activation learns. Out: a value. Start with `Activation` in `base`; then
`curves`, `rectifiers`, `gates`, and `distributions` over the features, which also has the shift of log-sum-exp.
Every module of this package is taken whole, so that a new activation is written in one of them and nowhere else.
Its figures by another library come from tests/figures/make_activations.py, and the JSON Schema is written anew.
"""

from specnet.parts.activations.base import Activation as Activation
from specnet.parts.activations.curves import *
from specnet.parts.activations.distributions import *
from specnet.parts.activations.gates import *
from specnet.parts.activations.rectifiers import *
