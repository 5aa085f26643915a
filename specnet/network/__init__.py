"""From a resolved spec to functions of one flat parameter vector.

In comes a spec; out goes a `Network`: predictions, losses and gradients for theta and rows. Start at `Network.predict`:
`programs` writes the network in the compiler's language (`Blueprint.forward`), `layout` has the position of each
parameter in theta, `bound` has the arrays and bound programs of a thread and the backend of each engine (for "auto",
`specnet.training.steps.engine_choice` chooses the engine), `random` has the streams of random numbers.
"""

from specnet.network.bound import LayerOutputs
from specnet.network.layout import Layout
from specnet.network.network import Network, build

__all__ = ["LayerOutputs", "Layout", "Network", "build"]
