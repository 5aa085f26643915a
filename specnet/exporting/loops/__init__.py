"""Programs as loops over the features of a single row, for C and JavaScript.

`row_loops` turns a program into statements, which `language` writes in one of the languages; `gradient_loops` does so
with its derivatives.
"""
