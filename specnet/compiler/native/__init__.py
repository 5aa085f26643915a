"""Plans as compiled functions in C."""

from specnet.compiler.backend import Backend
from specnet.compiler.native.binding import bind as bind
from specnet.compiler.native.building import unusable as unusable
from specnet.compiler.native.compilers import missing as missing
from specnet.compiler.native.rows import few_rows as few_rows

NATIVE = Backend({}, bind)
"""The backend that compiles programs; it has a form of every operation."""
