"""Self-contained HTML pages of a run, a series of runs, a sweep, and a comparison.

The input is saved folders and `model_answers`; the output is the text of a file. Each page has a function that renders
the template of the same folder: start with `run_page.page`, `series_page`, `sweep_page` or `comparison_page`.
`headline` summarizes the quality of a network in a sentence and a chart; `training_charts` draws curves by epoch.
``panel.js`` is the script of the panel in which a reader changes inputs and sees the predictions.
"""
