"""The C text of a program.

In comes a plan; out goes text for the toolchain. Start at `CText.add` in `emit_function`: it writes a plan as a
function, each group of calls by `emit_loop` (elements and reductions, whose forms are in `c_forms`) or `emit_call` (all
others; products in `matrix_products`). They call functions of `c_head`, `c_functions` and `thread_pool`. The statements
of a long program are functions of their own (`SharedFunctions` in `c_forms`).
"""
