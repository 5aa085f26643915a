"""Pages of HTML that need nothing else, of a run, of many runs, of a sweep, and of runs side by side.

In come saved folders and `model_answers`, out goes the text of a file. Each page has a function that fills its template
beside it: start with `run_page.page`, `series_page`, `sweep_page` or `comparison_page`. `headline` says in a sentence
what was reached, `answer_charts` how a page begins, and `training_charts` draws curves by epoch. ``panel.js`` is the
script of the panel that one can ask.
"""
