"""The gradient of the mean loss of a batch, by a program bound once per batch size."""

from __future__ import annotations

from specnet.compiler import BATCH, BoundPlan
from specnet.data.feed import Feed
from specnet.network.programs import INVERSE_ROWS, NOISE
from specnet.network.random import StepNoise
from specnet.training.steps.trainer import Trainer


class Gradients(dict[int, "BatchGradient"]):
    """Programs for the gradient with respect to trainable parameters, by batch size; each is bound on first access.

    Parameters
    ----------
    trainer : Trainer
        Whose parameters and layer states they read, and whose gradient they compute.
    feed : Feed
    member : int, optional
        Number of the member of an ensemble, which has random numbers of its own.
    """

    def __init__(self, trainer: Trainer, feed: Feed, member: int | None = None) -> None:
        super().__init__()
        network, self._dtype = trainer.network, trainer.theta.dtype
        self._feed, self._noise = feed, StepNoise(network.spec.seed, member)
        self._bind = network.blueprint.backend.bind
        self._program = network.plan("step" if feed.weight is None else "step, weighted")
        self._arrays = trainer.arrays()

    def __missing__(self, rows: int) -> BatchGradient:
        bound = self._bind(self._program, self._dtype, {BATCH: rows}, self._arrays)
        if INVERSE_ROWS in bound.inputs:
            bound.inputs[INVERSE_ROWS][...] = 1 / rows
        self[rows] = BatchGradient(bound, self._feed, rows, self._noise)
        return self[rows]


class BatchGradient:
    """The program for the gradient bound to a number of rows, and the sources of its rows and random numbers.

    Attributes
    ----------
    feed : callable
        Copies the rows of the given indices into the program, and returns the sum of their weights.
    """

    def __init__(self, bound: BoundPlan, feed: Feed, rows: int, noise: StepNoise) -> None:
        self.feed = feed.bound_to(bound.inputs, rows).fill
        self._random = {name: array for name, array in bound.inputs.items() if name.startswith(NOISE)}
        self._bound, self._loss, self._noise = bound, bound.outputs[0], noise

    def take(self, step: int, with_loss: bool) -> float:
        """Compute the gradient, with the random numbers of a step, and return the mean loss (0 without `with_loss`)."""
        if self._random:
            self._noise.fill(self._random, step)
        if not with_loss:
            self._bound.run_commits()
            return 0.0
        self._bound.run()
        return float(self._loss)
