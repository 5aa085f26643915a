"""Many runs of one spec: each is an ordinary run whose bytes do not depend on where it was computed.

A spec comes in; runs in a folder, with a table, a summary and a page, go out. Start in `repeated_runs.run_many`:
`repetitions` says which runs there are, `run_tasks` what is sent to whoever computes one and what comes back, `workers`
who that is; sweeps and verification use all three.
"""
