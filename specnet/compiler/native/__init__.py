"""Plans as compiled functions in C.

In: a plan, or the plans of a training step. Out: a program bound to arrays, as with NumPy, or one that makes many steps
in a call. In between, `c_plan` groups calls into loops (`fuse`), `allocate` assigns memory to values, `c_text/` writes
the C code (start at `emit_function`), `toolchain/` compiles and loads a library. `binding` binds a plan,
`training_steps` binds training steps, `row_calls` predicts a few rows.
"""

LONG_PROGRAM = 200
"""Number of operations above which a program is long, and is written as several functions."""
