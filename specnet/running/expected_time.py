"""The expected time of a run on this machine: its first network is trained for a moment and evaluated.

These are timed, so that the expected time needs no figures of a certain machine except the seconds to start Python and
to draw an empty page.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.compiler.thread_limits import available_threads, limited_threads
from specnet.data import RawColumns
from specnet.model import Model
from specnet.network import Network
from specnet.parts.splits import TEST, TRAIN
from specnet.running.data_rows import Rows, SpecData
from specnet.running.evaluation.evaluation import evaluate_run
from specnet.running.explanations import predicted_rows
from specnet.running.fitting import fit_rows
from specnet.training import Observer, TrainingResult
from specnet.training.members import train_member
from specnet.training.observer import Stopped
from specnet.training.steps.engine_choice import choose, expected_seconds, members_worth, threads_worth

START_AND_REPORT_SECONDS = 0.7
"""Seconds in which a run starts Python, writes its files, and draws a page whose charts need no predictions."""
PREDICTED_ROWS = 500
"""Number of rows whose prediction is timed."""
TIMED_SECONDS, TIMED_EPOCHS = 0.1, 2
"""Minimum seconds and epochs after the first epoch for which training is timed, unless it ends earlier."""
MAX_EPOCH_SECONDS, MIN_TIMED_ROWS = 0.3, 1_000
"""If an epoch of a network probably takes longer, some of the rows are timed instead of all: as many as take so long,
but not fewer than the minimum."""


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
            raise Stopped

    def seconds_since_training(self) -> float:
        """Return the CPU time since the last epoch ended."""
        return time.thread_time() - self._times[-1]

    @property
    def epoch_seconds(self) -> float | None:
        """The median time of an epoch, or None if fewer than two epochs were trained."""
        return float(np.median(np.diff(self._times) / np.diff(self._epochs))) if len(self._times) > 1 else None


def run_seconds(data: SpecData, reading_seconds: float) -> float:
    """Return the expected wall time in seconds of `specnet run` for a spec, from its start until the page is written.

    It is the time if nothing else uses the CPUs.

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
    The expected time is the sum of: starting, and drawing the page of a small table; reading; encoding the rows;
    fitting what the layers of each ensemble member learn from the rows before training, such as bins; all epochs; the
    evaluation, with calibration and baselines; and the predictions for the charts of the page. The bins are fitted
    twice here, because the first time may include the import of a library. The evaluated model has the first network,
    trained for a moment, in place of each member. If only some rows are timed, all but the page is proportional to the
    number of rows.
    """
    network, training, rows = Network(data.resolved), data.resolved.spec.training, len(data.splits[TRAIN])
    counted = expected_seconds(network, rows) / (training.members * training.epochs)
    cores, timed = available_threads(), _some_rows(data, min(1.0, MAX_EPOCH_SECONDS / counted))
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
        return [replace(train_member(0, *arguments, observer=observer), interruption=None)] * training.members

    # As in a run. More threads would also wait for each other on a busy machine, which takes CPU time.
    with limited_threads(threads_worth(data.resolved, rows)), np.errstate(over="ignore", invalid="ignore"):
        clock = _EpochClock()
        fitted = fit_rows(timed, clock, train_ensemble=first_member)
        evaluate_run(fitted)
        evaluation = clock.seconds_since_training()
        page = _page_seconds(fitted.model, data.splits.get(TEST))
    scale = rows / len(timed.splits[TRAIN])
    each = counted if clock.epoch_seconds is None else scale * clock.epoch_seconds
    epochs = training.members * training.epochs / parallel
    others = START_AND_REPORT_SECONDS + reading_seconds + page
    return others + scale * (clock.encoding_seconds + fitting + evaluation) + each * epochs


def _some_rows(data: SpecData, share: float) -> SpecData:
    """Return the data with this share of the rows of each split, at equal distances, but not fewer than a minimum."""
    share = max(share, min(1.0, MIN_TIMED_ROWS / len(data.splits[TRAIN])))
    if share == 1:
        return data
    parts = {name: rows.some(_spread(len(rows), share)) for name, rows in data.splits.items()}
    return replace(data, splits=parts)


def _spread(rows: int, share: float) -> NDArray[np.intp]:
    return np.unique(np.linspace(0, rows - 1, math.ceil(share * rows)).round().astype(np.intp))


def _page_seconds(model: Model, test: Rows | None) -> float:
    """Return the time of the predictions for the charts of a page, from that of some test rows; 0 without test rows."""
    if not test:
        return 0.0
    some = RawColumns(np.asarray(test.columns[np.arange(PREDICTED_ROWS) % len(test)]), test.kinds)
    begun = time.thread_time()
    model.predict(some)
    each = (time.thread_time() - begun) / PREDICTED_ROWS
    return each * predicted_rows(model, some.X.shape[1], len(test))
