"""What the page of a run, or of a folder of runs, is made of: collected from the folder, and from the rows again.

A `SavedRun` comes in, and an HTML file goes out, the same whenever it is made. Start in `run_report.answers_shown`;
`importance` asks the model about rows, `asking` makes a page's panel, and `folder_pages` finds out which page a folder
has.
"""
