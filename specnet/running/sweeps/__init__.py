"""Sweeps: many runs of one spec, each with a few values drawn from the space of its table ``[sweep]``.

A spec comes in. A folder with all trials, the best trial's spec and run, the model of a team, and a page go out. Start
in `sweeping.searched`. Then read `coordinator`, which draws trials by `search`, has `trials` computed, compares them by
`trial_judge` and writes them. `teams` chooses the trials of the team.
"""
