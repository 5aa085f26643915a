"""Plans as compiled functions in C.

In comes a plan, or the plans of a training step; out goes a program bound to arrays, as from NumPy, or one that makes
many steps in a call. On the way: `c_plan` asks what each call is for loops, `fuse` groups calls, `allocate` places
values, `c_text/` writes the text (start at `emit_function`), `toolchain/` makes a loaded library of it. `binding` binds
a plan, `training_steps` a whole training, `row_calls` predictions of a few rows.
"""

LONG_PROGRAM = 200
"""Operations from which on a program is long."""
