"""Readers of saved results: of a run, of runs on folds or with seeds, or of a sweep; each file is read when needed.

A path comes in; a `SavedFolder` goes out, for tables, pages, comparisons and verification. Start in
`saved_series.saved_in`. `specnet.run_files` defines the kinds of folders and their files. Nothing is written by this
package.
"""
