"""Whole pages: of a run, of several, of a sweep. Their templates stand beside them."""
