"""Proof of what runs have written: they are made again, and all files are compared.

The folder of a run, of many or of a sweep comes in; a `Verification` goes out. Start in `verifying.verify`; of many
runs `verified_series` finds and makes each. `repeated_run` lays one beside its folder: `file_differences` says which
files differ and how far, `condition_changes` why that may be, `prediction_differences` what it means.
"""
