"""What rows, columns and targets have that looks like a mistake: leaks, copies, rows that depend on each other.

In: raw columns and targets of the parts of a split. Out: warnings. Start with `suspicious_columns` and
`suspicious_targets`; `dependent_rows` finds groups and times that a split at random would tear apart.
"""
