"""The page of a run, collected from the run's folder."""
