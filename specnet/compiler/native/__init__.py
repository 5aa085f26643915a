"""Plans as compiled functions in C."""
