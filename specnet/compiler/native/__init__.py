"""Plans as compiled functions in C.

In comes a plan, or the plans of a training step; out goes a program bound to arrays, as from NumPy, or one that makes
many steps in a call. On the way: `c_plan` groups calls into loops (`fuse`), `allocate` assigns memory to values,
`c_text/` writes the text (start at `emit_function`), `toolchain/` compiles and loads a library. `binding` binds a plan,
`training_steps` a whole training, `row_calls` predictions of a few rows.
"""

LONG_PROGRAM = 200
"""Number of operations above which a program is long."""
