"""What commands print: tables, scores, and progress on a line that changes.

The input is streams and records, the output lines that fit the window. Start with `terminal_output`, which folds tables
and writes everything. `run_progress` shows a run while it trains, by the bars of `bars`; `scores` and `rate_curve` are
the tables and curves of single verbs.
"""
