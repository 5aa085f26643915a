"""Training: rows are fed to bound programs, step after step, and what happens is recorded."""

from specnet.training.loop import TrainingResult, train
from specnet.training.observer import Observer
from specnet.training.stepper import Stepper, TrainingRows

__all__ = ["Observer", "Stepper", "TrainingResult", "TrainingRows", "train"]
