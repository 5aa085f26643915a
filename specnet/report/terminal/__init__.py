"""What commands print: tables, scores, and progress on a line that moves.

In come streams and records, out go lines that fit the window. Start with `terminal_output`, through which all is
written, and `text_tables`, which folds tables. `run_progress` shows what goes on, by the line of
`bars`; `run_table`, `scores` and `rate_curve` are what the verbs show.
"""
