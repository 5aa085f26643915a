"""Pages of HTML that need nothing else, of a run, of many runs, of a sweep, and of runs side by side.

In come records (`page_record`, `series_record`), out goes the text of a file. Each page has a function that fills its
template beside it: start with `run_page.page`, `series_page`, `sweep_page` or `comparison_page`. `headline` says in a
sentence what was reached, `answer_charts` how a page begins; `training_charts` and `sweep_charts` draw.
"""
