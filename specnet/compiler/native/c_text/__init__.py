"""The text in C of a program.

In comes a plan; out goes text for the toolchain. Start at `CText.add` in `emit_function`: it writes a plan as a
function, each group of calls by `emit_loop` (elements and reductions, whose forms are in `c_forms`) or `emit_call` (all
others; products in `matrix_products`). `c_head`, `c_functions` and `thread_team` are what it calls,
`uniform_numbers` what steps draw. Long programs are functions of their own, kept by `shared_functions`.
"""
