"""From a resolved spec to functions of one flat parameter vector."""

from specnet.network.bound import LayerOutputs
from specnet.network.layout import Layout
from specnet.network.network import Network, build

__all__ = ["LayerOutputs", "Layout", "Network", "build"]
