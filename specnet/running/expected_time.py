"""The expected time of a run on this machine: its first network is trained for a moment, which is timed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from specnet.compiler.thread_limits import available_threads, limited_threads
from specnet.network import Network
from specnet.parts.splits import TRAIN
from specnet.running.data_rows import SpecData
from specnet.running.fitting import fit_rows
from specnet.training import Observer, StopTraining, TrainingResult
from specnet.training.members import train_member
from specnet.training.steps.engine_choice import choose, expected_seconds, members_worth, threads_worth

START_AND_REPORT_SECONDS = 0.5
"""Seconds in which a run on a small table starts Python, evaluates a small network and writes its files."""
EPOCHS_OF_EVALUATION = 1.0
"""Evaluating a network and drawing its page takes about as long as this number of epochs for each column of the table:
each column is shuffled and varied, and the network predicts the rows anew."""
TIMED_SECONDS, TIMED_EPOCHS = 0.1, 2
"""Minimum seconds and epochs after the first epoch for which training is timed, unless it ends earlier."""
MAX_EPOCH_SECONDS = 0.3
"""Training is not timed if an epoch of a network probably takes longer; its operations are counted instead."""


class _EpochClock(Observer):
    """Measures the CPU time of the training thread in each epoch, and stops training when enough is known.

    The CPU time is independent of what other processes use. The first epoch is not counted: it includes compiling,
    whose result the run itself finds in the cache.

    Attributes
    ----------
    encoding_seconds : float
        CPU time between the creation of this clock and the start of training: rows are encoded, and columns that
        depend on the target are fitted to each fold.
    """

    follows_log = False

    def __init__(self) -> None:
        self.encoding_seconds = 0.0
        self._created = time.thread_time()
        self._times, self._epochs = list[float](), list[int]()

    def started(self, network: Network, rows: Mapping[str, int], epochs: int) -> None:
        self.encoding_seconds = time.thread_time() - self._created

    def logged(self, epoch: int, record: Mapping[str, Any]) -> None:
        self._times.append(time.thread_time())
        self._epochs.append(epoch)
        if len(self._times) > TIMED_EPOCHS and self._times[-1] - self._times[0] >= TIMED_SECONDS:
            raise StopTraining(epoch)

    def epoch_seconds(self) -> float | None:
        """Return the median time of an epoch, or None if fewer than two epochs were trained."""
        return float(np.median(np.diff(self._times) / np.diff(self._epochs))) if len(self._times) > 1 else None


def run_seconds(data: SpecData, reading_seconds: float) -> float:
    """Return the expected wall time in seconds of `specnet run` for a spec, if nothing else uses the CPUs.

    Parameters
    ----------
    data : SpecData
        The rows of the spec, whose training is expected to take all of its epochs.
    reading_seconds : float
        Seconds of importing libraries, reading the table, splitting it and fitting its preprocessing, which the run
        repeats.

    Raises
    ------
    SpecnetError
        If the first network cannot be trained.

    Notes
    -----
    The expected time is the sum of: starting, and reporting on a small table; reading; encoding the rows; fitting what
    the layers of each ensemble member learn from the rows before training, such as bins; all epochs; and the
    evaluation. The bins are fitted twice here, because the first time may include the import of a library.
    """
    network, training = Network(data.resolved), data.resolved.spec.training
    cores, rows = available_threads(), len(data.splits[TRAIN])
    counted = expected_seconds(network, rows)
    epochs, others = training.members * training.epochs, START_AND_REPORT_SECONDS + reading_seconds
    columns = int(data.splits[TRAIN].columns.shape[1])
    evaluation = EPOCHS_OF_EVALUATION * training.members * columns
    if counted > MAX_EPOCH_SECONDS * epochs:
        return others + counted * (1 + evaluation / epochs)
    parallel, fitting = 1, 0.0

    def first_member(*arguments: Any, observer: Observer, **_: Any) -> list[TrainingResult]:
        nonlocal parallel, fitting
        own = arguments[-1](0)[0]
        times = [time.process_time()]
        while len(times) < 3:
            own.layer_state(network)
            times.append(time.process_time())
        fitting = times[1] - times[0] + (training.members - 1) * (times[2] - times[1])
        if choose(network, len(own), training.epochs).engine == "compiled":
            parallel = min(members_worth(network, own, cores), training.members)
        return [train_member(0, *arguments, observer=observer)]

    # As in a run. More threads would also wait for each other on a busy machine, which takes CPU time.
    with limited_threads(threads_worth(data.resolved, rows)):
        clock = _EpochClock()
        with suppress(StopTraining):
            fit_rows(data, clock, train_ensemble=first_member)
    each = clock.epoch_seconds() or counted / epochs
    return others + clock.encoding_seconds + fitting + each * (epochs / parallel + evaluation)
