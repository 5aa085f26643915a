"""From a resolved spec to functions of one flat parameter vector.

In comes a spec; out goes a `Network`: predictions, losses and gradients for theta and rows. Start at `Network.predict`:
`programs` writes the network in the compiler's language (`Blueprint.forward`), `layout` says where each parameter lies
in theta, `bound` keeps a thread's arrays and bound programs and has the backend of each engine (which
engine trains where a spec says "auto" is chosen by `specnet.training.steps.engine_choice`), `random` names the streams
of random numbers.
"""

from specnet.network.bound import LayerOutputs
from specnet.network.layout import Layout
from specnet.network.network import Network, build

__all__ = ["LayerOutputs", "Layout", "Network", "build"]
