"""Models as loops over single rows, for languages that write them as C does.

In comes a `Program`; out go the functions of a text in C or JavaScript. Start at `Loops` in `row_loops`, which goes
through columns, layers and answers; `formula_loops` says which steps of a formula share a loop. A `Language` is what
differs, C's is in `c_language`; `c_harness` compiles and runs an export in C for its proof.
"""
