"""From a spec to a trained and measured model, and the folder that keeps a run.

A spec and a table or arrays come in; a `Model`, or a run with its figures, findings and files, goes out.
`runner.run` and `fit_arrays.fit` are where a call arrives; both end in `fitting.fit_rows`, which trains on `SpecData`.
`training_run` is the course of a run, `run_folder` its files (a checkpoint is written there, and read when a run
resumes); what is read of them later, `specnet.saved` says.
Rooms: `evaluation`, `reports`, `many` (folds and seeds), `sweeps`, `verification`.
"""

from specnet.running.fit_arrays import fit
from specnet.running.runner import RunInterrupted, RunResult, run

__all__ = ["RunInterrupted", "RunResult", "fit", "run"]
