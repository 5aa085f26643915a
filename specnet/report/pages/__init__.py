"""Pages of HTML, each one file without any other: of a run, of many runs, of a sweep, and of a comparison.

The input is saved folders and `model_answers`, the output the text of a file. Each page has a function that renders the
template beside it: start with `run_page.page`, `series_page`, `sweep_page` or `comparison_page`. `headline` says how
good a network is, in a sentence and as the first chart; `training_charts` draws curves by epoch. ``panel.js`` is the
script of the panel in which a reader changes inputs and sees the predictions.
"""
