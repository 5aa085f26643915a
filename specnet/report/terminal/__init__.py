"""Output of commands in the terminal: tables, scores, and progress on a line that is updated.

The input is streams and records; the output is lines that fit the window. Start with `terminal_output`, which folds and
writes tables and texts. `run_progress` shows a run during training with the bars from `bars`; `scores` and `rate_curve`
make the tables and curves of particular commands.
"""
