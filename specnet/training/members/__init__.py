"""The members of an ensemble, trained one after the other or side by side."""
