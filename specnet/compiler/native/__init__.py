"""Plans as compiled functions in C."""

from specnet.compiler.backend import Backend
from specnet.compiler.native.binding import bind as bind
from specnet.compiler.native.row_calls import few_rows as few_rows
from specnet.compiler.native.toolchain.compilers import missing as missing
from specnet.compiler.native.toolchain.libraries import unusable as unusable

NATIVE = Backend({}, bind)
"""The backend that compiles programs; it has a form of every operation."""
