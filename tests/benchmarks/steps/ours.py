"""specnet's own training steps: the steppers that the training loop calls, fed as the loop feeds them."""

from collections.abc import Iterator

import numpy as np

import specnet
from specnet.compiler.native.toolchain.processors import Processor
from specnet.data.feed import Feed
from specnet.files.interruptions import Interruptions
from specnet.training import Stepper, TrainingRows
from specnet.training.steps.compiled_steps import CompiledStepper
from specnet.training.steps.trainer import Stretch
from tests.benchmarks.steps.cases import Case
from tests.benchmarks.timing import Run
from tests.training.steps.engines import Unseen


def stepper_of(case: Case, stepper_type: type[Stepper] = Stepper, engine: str = "numpy") -> tuple[Stepper, Feed]:
    """A stepper from the network's initial parameters, and the feed of the case's rows that it is on."""
    network = specnet.build(case.document(), engine=engine)
    X, labels = case.data()
    target = labels.astype(case.dtype if case.binary else np.intp)
    feed = TrainingRows(X, target).feed(network)
    return stepper_type(network, network.initial_parameters(), feed, network.fitted_state(X)), feed


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
    (stepper, _), upcoming = stepper_of(case), batches(case)

    def run(count: int) -> int:
        with np.errstate(all="ignore"):
            for _ in range(count):
                stepper.step(next(upcoming))
        return count

    return run


def compiled_stepper(target: Processor | None = None) -> type[CompiledStepper]:
    """The stepper of the compiled engine for a CPU; default: this machine's."""
    if target is None:
        return CompiledStepper
    return type("TargetedStepper", (CompiledStepper,), {"target": target})


def compiled_run(case: Case, target: Processor | None = None) -> Run:
    """The compiled engine's steps without their loss, on epochs that nothing looks at."""
    stepper, feed = stepper_of(case, compiled_stepper(target), "compiled")

    def run(count: int) -> int:
        epochs = -(-count // feed.batches_per_epoch)
        first = stepper.step_number // feed.batches_per_epoch
        stepper.so_far.set()
        stepper.run(Stretch(first, epochs, lambda epoch: False, 1.0, False), Unseen(), Interruptions())
        return epochs * feed.batches_per_epoch

    return run
