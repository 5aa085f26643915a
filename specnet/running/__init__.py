"""From a spec to a trained and measured model, and the folder that keeps a run; many runs, and sweeps of them."""

from specnet.running.fitting import fit
from specnet.running.many.runs import RepeatedResult, RepeatedRun, run_many
from specnet.running.runner import RunInterrupted, RunResult, run
from specnet.running.sweeps.records import Trial
from specnet.running.sweeps.results import NestedResult, SweepResult
from specnet.running.sweeps.sweep import nested_sweep, sweep

__all__ = [
    "NestedResult",
    "RepeatedResult",
    "RepeatedRun",
    "RunInterrupted",
    "RunResult",
    "SweepResult",
    "Trial",
    "fit",
    "nested_sweep",
    "run",
    "run_many",
    "sweep",
]
