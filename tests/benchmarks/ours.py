"""specnet's own training step: the stepper that the training loop calls, fed as the loop feeds it."""

from collections.abc import Iterator

import numpy as np

import specnet
from specnet.training import Stepper, TrainingRows
from tests.benchmarks.cases import Case
from tests.benchmarks.timing import Run


def stepper_of(case: Case) -> Stepper:
    """A stepper on the case's rows, from the network's initial parameters."""
    network = specnet.build(case.document())
    X, labels = case.data()
    target = labels.astype(case.dtype if case.binary else np.intp)
    feed = TrainingRows(X, target).feed(network)
    return Stepper(network, network.initial_parameters(), feed, network.fitted_state(X))


def batches(case: Case) -> Iterator[np.ndarray]:
    """Indices of batch after batch, without end; each epoch has a new order unless it is a single batch."""
    generator = np.random.default_rng(0)
    order = np.arange(case.rows)
    while True:
        if not case.full_batch:
            generator.shuffle(order)
        for start in range(0, case.rows, case.batch):
            yield order[start : start + case.batch]


def training_run(case: Case) -> Run:
    """Steps without their loss, as on epochs that are not logged: no peer in the table is asked for it either."""
    stepper, upcoming = stepper_of(case), batches(case)

    def run(count: int) -> int:
        with np.errstate(all="ignore"):
            for _ in range(count):
                stepper.step(next(upcoming))
        return count

    return run
