"""Parts that are passed to other processes, which import this module and little else."""

import gc
import os
import signal
import time
import tracemalloc
from multiprocessing import parent_process
from typing import Any, ClassVar, Literal

import numpy as np

from specnet.compiler.thread_limits import available_threads
from specnet.parts import Activation
from specnet.parts.metrics import Metric
from specnet.parts.metrics.base import CLASSES, VALUES
from specnet.parts.schedules import Schedule

SECONDS_OF_A_STEP = "SECONDS_OF_A_STEP"
"""The variable of the environment that says how long `Slowed` waits."""


class Halved(Activation):
    """x / 2."""

    type: Literal["halved"] = "halved"

    def expression(self, x: Any) -> Any:
        return 0.5 * x


class Raising(Metric):
    """Fails."""

    type: Literal["raising"] = "raising"
    task = CLASSES

    def compute(self, target: np.ndarray, response: np.ndarray, keywords: dict[str, Any]) -> float:
        raise ValueError(f"no metric of {len(target)} rows")


class Killing(Metric):
    """Kills a process that was started by another."""

    type: Literal["killing"] = "killing"
    task = CLASSES

    def compute(self, target: np.ndarray, response: np.ndarray, keywords: dict[str, Any]) -> float:
        if parent_process() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0.0


class Exiting(Metric):
    """Ends such a process."""

    type: Literal["exiting"] = "exiting"
    task = CLASSES

    def compute(self, target: np.ndarray, response: np.ndarray, keywords: dict[str, Any]) -> float:
        if parent_process() is not None:
            os._exit(3)
        return 0.0


class Limited(Metric):
    """The number of threads that compiled functions may have, in the process that trains."""

    type: Literal["limited"] = "limited"
    task = CLASSES

    def compute(self, target: np.ndarray, response: np.ndarray, keywords: dict[str, Any]) -> float:
        return float(available_threads())


class Picky(Metric):
    """Fails on 21 rows: 61 rows have one fold of so many."""

    type: Literal["picky"] = "picky"
    task = VALUES

    def compute(self, target: np.ndarray, response: np.ndarray, keywords: dict[str, Any]) -> float:
        if len(target) == 21:
            raise ValueError("not these")
        return 1.0


class Looking(Metric):
    """The number of the process that computes it, after a while."""

    type: Literal["looking"] = "looking"
    task = VALUES

    def compute(self, target: np.ndarray, response: np.ndarray, keywords: dict[str, Any]) -> float:
        time.sleep(0.3)
        return float(os.getpid())


class Taken(Metric):
    """Notes how much memory is taken."""

    type: Literal["taken"] = "taken"
    task = VALUES
    bytes: ClassVar[list[int]] = []

    def compute(self, target: np.ndarray, response: np.ndarray, keywords: dict[str, Any]) -> float:
        gc.collect()
        self.bytes.append(tracemalloc.get_traced_memory()[0])
        return 0.0


class Slowed(Schedule):
    """Waits in each step, where the environment says so: training is as long as a signal needs to arrive."""

    type: Literal["slowed"] = "slowed"

    def depends_on_length(self) -> bool:
        return False

    def multiplier(self, position: int, length: int) -> float:
        time.sleep(float(os.environ.get(SECONDS_OF_A_STEP, "0")))
        return 1.0
