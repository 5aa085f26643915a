"""From a resolved spec to functions of one flat parameter vector.

In: a spec. Out: a `Network`, which returns predictions, losses and gradients, given parameters (theta) and rows. Start
at `Network.predict`. `programs` writes the network in the compiler's language (`Blueprint.forward`), `layout` has the
position of each parameter in theta, `bound` has the arrays and bound programs of a thread and the backend of each
engine, `random` has the streams of random numbers. `specnet.training.steps.engine_choice` chooses the engine for
"auto".
"""

from specnet.network.bound import LayerOutputs
from specnet.network.layout import Layout
from specnet.network.network import Network, build

__all__ = ["LayerOutputs", "Layout", "Network", "build"]
