"""Whole runs and processes: what they take, and what each part adds."""
