"""Training: batches are fed to bound programs step by step, and the course is recorded."""

from specnet.training.checkpoint import Checkpoint
from specnet.training.course import Keeper
from specnet.training.identity import RunIdentity
from specnet.training.loop import Trained, TrainingResult, train
from specnet.training.members import joined_result, train_members
from specnet.training.observer import Observer, Observers, PythonWarnings, StopTraining, WarningRecorder
from specnet.training.rows import TrainingRows
from specnet.training.snapshot import Snapshot
from specnet.training.stepper import Stepper

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
    "Trained",
    "TrainingResult",
    "TrainingRows",
    "WarningRecorder",
    "joined_result",
    "train",
    "train_members",
]
