"""The C code of a program.

In: a plan. Out: C code for the toolchain. Start at `CText.add` in `emit_function`: it writes a plan as a function, and
each group of calls with `emit_loop` (elements and reductions, whose forms are in `c_forms`) or `emit_call` (all other
calls; products in `matrix_products`). The code calls functions of `c_head`, `c_functions` and `thread_pool`. The loops
of a long program become separate functions (`SharedFunctions` in `c_forms`).
"""
