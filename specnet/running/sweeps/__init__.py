"""Sweeps: many runs of one spec, each with a few values drawn from the space of its table ``[sweep]``.

A spec comes in; trials in a folder, the best one as a spec and as a run, the model of a team, and a page go out. Start
in `sweeping.searched`, then `coordinator`, which draws trials by `search`, has `trials` computed, compares them by
`trial_judge` and writes them; `teams` chooses those that answer together.
"""
