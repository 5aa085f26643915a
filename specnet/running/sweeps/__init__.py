"""Sweeps: many runs of one spec, each with a few values drawn from the space of its table ``[sweep]``.

A spec comes in; trials in a folder, the best one as a spec and as a run, and a page go out. Start in
`sweeping.searched`, then `coordinator`, which draws trials by `search` from `space`, has `trials` computed and writes
to `sweep_folder` what `trial_records` makes of them. `sweep_report` reads that again for pages.
"""
