"""From a resolved spec to functions of one flat parameter vector."""

from specnet.network.bound import LayerOutputs
from specnet.network.building import build
from specnet.network.layout import Layout
from specnet.network.network import Network

__all__ = ["LayerOutputs", "Layout", "Network", "build"]
