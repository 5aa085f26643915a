"""Plans as compiled functions in C.

In: a plan, or the plans of a training step. Out: a program bound to arrays, as with NumPy, or one that makes many steps
in a call. In between, `c_plan` groups calls into loops (`fuse`), `allocate` assigns memory to values, `c_text/` writes
the C code (start at `emit_function`), `toolchain/` compiles and loads a library. `binding` binds a plan,
`training_steps` binds training steps, `row_calls` predicts a few rows.
"""

LONG_PROGRAM = 200
"""Number of operations above which a program is long, and is written as several functions."""
THREADS_PAY = 2**22
"""Minimum number of multiplications of a matrix product that threads share: a tenth of a millisecond of one thread. For
smaller products a second thread saves less than a third of the time, and threads wait for the next product at full
speed: 4 to 18 times the work."""
