"""The backend that makes every call with NumPy.

In comes a plan; out goes a `BoundPlan`, whose run is a list of calls that allocate nothing. Start at `bind` in
`binding`, whose `allocate` assigns the values to storages; `calls` has the calls of NumPy for each operation.
"""

from specnet.compiler.lowering import Backend
from specnet.compiler.numpy.binding import BoundCalls, bind
from specnet.compiler.numpy.calls import EXPANSIONS

__all__ = ["NUMPY", "BoundCalls", "bind"]

NUMPY = Backend(EXPANSIONS, bind)
"""Computes in float32 or float64, and in complex128 for the complex step."""
