"""Verbs that train, and those about the folders of runs.

In comes a spec or a folder, out go folders, pages and tables. Start at `run`, which goes on in `folds_and_seeds` for
many runs; `verb_folders` makes the folder that a verb writes and says how to resume what was interrupted.
"""
