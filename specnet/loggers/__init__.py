"""Loggers: observers that write the records of a run to another system while it trains.

In: the events that a run reports to its observers. Out: JSON lines, TensorBoard's event files, a run of MLflow.
Start with `logger`: the three methods of a logger, and the handling of their errors.
"""

from specnet.loggers.logger import JsonLinesLogger, LoggedRun, Logger, Outcome
from specnet.loggers.mlflow import MLflowLogger
from specnet.loggers.tensorboard import TensorBoardLogger

__all__ = ["JsonLinesLogger", "LoggedRun", "Logger", "MLflowLogger", "Outcome", "TensorBoardLogger"]
