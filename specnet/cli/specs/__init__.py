"""Verbs about specs: written, checked, shown, compared."""
