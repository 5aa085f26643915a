"""What a folder of results says: of a run, of runs on folds or with seeds, or of a sweep, each read when it is needed.

A path comes in; a `SavedFolder` goes out, which tables, pages, comparisons and verification take. Start in
`saved_series.saved_in`; which kind a folder is and what is in it, `specnet.run_files` decides. Nothing is written
here.
"""
