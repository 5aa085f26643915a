"""Verbs about trained models: predictions, figures, exports, imports.

In come the names of a model and of rows, out tables and files. Start at the verb's own module; what `predict` writes is
made part by part in `prediction_files`, whose texts `spreadsheet_formulas` keeps from being computed.
"""
