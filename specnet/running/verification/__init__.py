"""Verification of runs: they are reproduced, and all files are compared.

The folder of a run, of many runs or of a sweep comes in; a `Verification` goes out. Start in `verifying.verify`, which
reproduces many runs by `verified_series`. `compared_runs` compares a run with its folder and the SHA-256 recorded
there, `file_differences` lists the files that differ and by how much, and `result` has possible causes and a summary.
"""
