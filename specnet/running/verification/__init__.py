"""Proof of what runs have written: they are made again, and all files are compared.

The folder of a run, of many or of a sweep comes in; a `Verification` goes out. Start in `verifying.verify`; of many
runs `verified_series` makes each again. `compared_runs` compares one with its folder and the SHA-256 recorded there:
`file_differences` lists which files differ and how far, `result` why that may be and what it means.
"""
