"""From a resolved spec to functions of one flat parameter vector."""

from specnet.network.layout import Layout
from specnet.network.network import Network, build

__all__ = ["Layout", "Network", "build"]
