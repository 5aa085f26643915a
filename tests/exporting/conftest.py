"""Exports of NumPy and JavaScript are run without a process for each."""

from tests.exporting.at_home import javascript_at_home, node, numpy_at_home
from tests.exporting.tools import change

__all__ = ["change", "javascript_at_home", "node", "numpy_at_home"]
