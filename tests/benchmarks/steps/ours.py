"""specnet's own training steps: the steppers that the training loop calls, fed as the loop feeds them."""

from typing import Any

import numpy as np

import specnet
from tests.benchmarks.steps.cases import Case
from tests.benchmarks.timing import Run
from tests.compiling import Processor
from tests.networks import Stepper, TrainingRows
from tests.training.steps.engines import CompiledStepper, run_epochs


def stepper_of(case: Case, stepper_type: type[Stepper] = Stepper, engine: str = "numpy") -> tuple[Stepper, Any]:
    """A stepper from the network's initial parameters, and the feed of the case's rows that it is on."""
    network = specnet.build(case.document(), engine=engine)
    X, labels = case.data()
    target = labels.astype(case.dtype if case.binary else np.intp)
    rows = TrainingRows(X, target)
    feed = rows.feed(network)
    return stepper_type(network, network.initial_parameters(), feed, rows.layer_state(network)), feed


def training_run(case: Case, stepper_type: type[Stepper] = Stepper, engine: str = "numpy") -> Run:
    """Steps without their loss, on epochs that nothing looks at: no peer in the table is asked for it either.

    They are whole epochs, whose orders are drawn.
    """
    stepper, feed = stepper_of(case, stepper_type, engine)

    def run(count: int) -> int:
        epochs = -(-count // feed.batches_per_epoch)
        first = stepper.step_number // feed.batches_per_epoch
        stepper.so_far.set()
        run_epochs(stepper, first, epochs, lambda epochs: epochs < 0)
        return epochs * feed.batches_per_epoch

    return run


def compiled_run(case: Case, target: Processor | None = None) -> Run:
    """The compiled engine's steps for a CPU, as `training_run` makes them; default: this machine's."""
    return training_run(case, compiled_stepper(target), "compiled")


def compiled_stepper(target: Processor | None = None) -> type[CompiledStepper]:
    return type("TargetedStepper", (CompiledStepper,), {"target": target} if target else {})
