"""Proof of what runs have written: they are made again, and all files are compared.

The folder of a run, of many or of a sweep comes in; a `Verification` goes out. Start in `verifying.verify`; of many
runs `verified_series` finds and makes each, `kept_sweeps` reads what a sweep says of them, and `verified_tables` and
`verified_team` make what follows from them. `repeated_run` lays one beside its folder, with the SHA-256 that it
recorded: `file_differences` says which files differ and how far, `condition_changes` why that may be,
`prediction_differences` what it means.
"""
