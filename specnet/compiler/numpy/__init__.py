"""The backend that runs plans with NumPy.

In: a plan. Out: a `BoundPlan`, whose run is a list of NumPy calls that allocate no memory. Start at `bind` in
`binding`; its `allocate` assigns values to storages. `calls` has the NumPy calls for each operation.
"""

from specnet.compiler.lowering import Backend
from specnet.compiler.numpy.binding import BoundCalls, bind
from specnet.compiler.numpy.calls import EXPANSIONS

__all__ = ["NUMPY", "BoundCalls", "bind"]

NUMPY = Backend(EXPANSIONS, bind)
"""Computes in float32 or float64, and in complex128 for the complex step."""
