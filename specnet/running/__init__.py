"""From a spec to a trained and evaluated model, and the folder in which a run is saved.

A spec and a table or arrays come in; a `Model`, or a run with its metrics, findings and files, goes out.
`runner` has `fit` and `run`; both end in `fitting.fit_rows`, which trains on `SpecData`. `training_run` trains and
evaluates one run, `run_folder` writes its files (and its checkpoint, which it reads when the run resumes), and
`folder_pages` writes its page; `specnet.saved` reads them later.
Modules for many runs: `repeated_runs` for folds and seeds, `sweeps`, and `verification`, which repeats runs; `workers`
compute all of these. `evaluation` measures models.
"""

from specnet.running.runner import RunInterrupted, RunResult, fit, run

__all__ = ["RunInterrupted", "RunResult", "fit", "run"]
