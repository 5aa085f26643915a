"""Sweeps: many runs of one spec, each with a few values drawn from the space of its table ``[sweep]``."""
