"""Judging of expectations: whether a trained model satisfies what its spec expects of it.

In: a model, rows, its answers for them and the comparison with baselines. Out: a `JudgedExpectation` for each table.
Start at `judging`; `named_cells` selects and reads rows, `measuring` has intervals of metrics and differences between
groups, and `moved_rows` has directions, exchanged columns and single rows, which chance does not affect.
"""
