"""Verbs that train, and those about the folders of runs."""
