"""Training: epochs of steps, and what is measured, recorded and saved between them.

In: a network, its initial parameters and rows in the form that it reads. Out: a `TrainingResult` with parameters,
history, statistics of the layers and the checkpoint to resume from. Start with `loop.train`.
`after_epoch.TrainingProgress` does the work after each epoch, `steps/` chooses the engine and makes the steps of an
epoch, `members` trains ensembles. `after_epoch.Watchers` decides whether training ends early, by `EarlyStopping.after`
in `specnet.spec.document`. A `Checkpoint` becomes bytes here; `specnet.running.run_folder` writes and reads its file.
"""

from specnet.training.after_epoch import Keeper
from specnet.training.checkpoint import Checkpoint, RunIdentity
from specnet.training.loop import TrainingResult, train
from specnet.training.observer import Observer, Observers, PythonWarnings, Snapshot, StopTraining, WarningRecorder
from specnet.training.steps.stepper import Stepper
from specnet.training.training_rows import TrainingRows

__all__ = [
    "Checkpoint",
    "Keeper",
    "Observer",
    "Observers",
    "PythonWarnings",
    "RunIdentity",
    "Snapshot",
    "Stepper",
    "StopTraining",
    "TrainingResult",
    "TrainingRows",
    "WarningRecorder",
    "train",
]
