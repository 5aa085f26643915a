"""From a spec to a trained and measured model, and the folder that keeps a run."""

from specnet.running.fitting import fit
from specnet.running.runner import RunInterrupted, RunResult, run

__all__ = ["RunInterrupted", "RunResult", "fit", "run"]
