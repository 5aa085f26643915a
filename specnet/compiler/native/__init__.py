"""Plans as compiled functions in C.

In comes a plan, or the plans of a training step; out goes a program bound to arrays, as from NumPy, or one that makes
many steps in a call. On the way: `c_plan` asks what each call is for loops, `fuse` groups calls, `allocate` places
values, `c_text/` writes the text (start at `emit_function`), `toolchain/` makes a loaded library of it. `binding` binds
a plan, `training_steps` a whole training, `row_calls` predictions of a few rows.
"""

from specnet.compiler.backend import Backend
from specnet.compiler.native.binding import bind as bind
from specnet.compiler.native.row_calls import few_rows as few_rows
from specnet.compiler.native.toolchain.compilers import missing as missing
from specnet.compiler.native.toolchain.libraries import unusable as unusable

NATIVE = Backend({}, bind)
"""The backend that compiles programs; it has a form of every operation."""
