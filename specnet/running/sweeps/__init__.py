"""Sweeps: many runs of one spec, each with a few values drawn from the space of its table ``[sweep]``.

A spec comes in; trials in a folder, the best one as a spec and as a run, the model of a team, and a page go out. Start
in `sweeping.searched`, then `coordinator`, which draws trials by `search` from `space`, has `trials` computed, compares
them by `trial_judge` and writes to `sweep_folder` what `trial_records` makes of them. `teams` chooses those that answer
together; what is read of a sweep again, for pages and verification, `specnet.saved.saved_sweep` says.
"""
