"""The comparison of an export's training steps with those of the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from specnet.compiler import FLAT, NUMPY
from specnet.data import RawColumns
from specnet.errors import ExportError
from specnet.exporting.learning.learning_plan import LearningPlan
from specnet.exporting.model_program import Program
from specnet.model import TrainedNetwork
from specnet.network.programs import CLIPPING
from specnet.parts.arrays import Array
from specnet.training.steps.stepper import clipping_factor

ROWS, FIRST = 64, 40
"""The rows of all steps, and those of every other step from the first one on; the others are on the rest."""
STEPS = 8
GRADIENT_TOLERANCES = {"float64": 1e-12, "float32": 2e-6}
"""The largest allowed difference of the first gradient, relative to its largest number."""
LOSS_TOLERANCES = {"float64": 1e-9, "float32": 1e-4}
"""The largest allowed difference of a loss, relative to the largest one if that is above 1."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSteps:
    """The results of some training steps from the initial parameters on.

    Attributes
    ----------
    losses : ndarray (steps,)
        The mean loss before each step.
    weights : ndarray (steps, parameters)
        The parameters after each step.
    gradients : ndarray (steps, trainable parameters)
    """

    losses: Array
    weights: Array
    gradients: Array


RunTraining = Callable[[RawColumns, Array, Sequence[slice]], TrainingSteps]
"""A function that trains an export on rows with their targets, a part of them in each step."""


def prove_training(program: Program, rows: RawColumns, run: RunTraining) -> float:
    """Compare training steps of an export with those of the engine, and return the largest difference of the gradient.

    The gradient of the first step is compared, and the loss before every step, which shows the effect of all updates:
    Adam makes of the rounding of a gradient of 0 a step as large as any.

    Parameters
    ----------
    program : Program
    rows : RawColumns
    run : callable

    Returns
    -------
    float
        Relative to the largest number of the gradient.

    Raises
    ------
    ExportError
        If they differ by more than the tolerance.
    """
    learning, dtype = program.learning, program.dtype.name
    assert learning is not None, "the program has a training step"
    rows = rows.part(slice(ROWS))
    answers = targets_of(learning, program, np.random.default_rng(0))
    trained = learning.trained if learning.trained.network.dtype == program.dtype else learning.trained.astype(dtype)
    batches = [slice(FIRST), slice(FIRST, ROWS)] * (STEPS // 2)
    expected, given = engine_steps(trained, rows, answers, batches), run(rows, answers, batches)
    if given.gradients.shape != expected.gradients.shape or given.weights.shape != expected.weights.shape:
        raise ExportError("the training step of the export has other parameters than the model; nothing was written")
    largest = float(np.abs(expected.gradients[0]).max(initial=0.0)) or 1.0
    difference = float(np.abs(given.gradients[0] - expected.gradients[0]).max(initial=0.0)) / largest
    allowed = GRADIENT_TOLERANCES[dtype]
    if not difference <= allowed:
        raise ExportError(
            f"the gradient of the export's training step differs from the engine's by {difference:.2g} of the largest "
            f"(tolerance {allowed:.2g}); nothing was written"
        )
    scale = float(np.abs(expected.losses).max(initial=1.0))
    apart = float(np.abs(given.losses - expected.losses).max()) / scale
    if not apart <= LOSS_TOLERANCES[dtype]:
        raise ExportError(
            f"the losses of the export's training steps differ from the engine's by {apart:.2g} "
            f"(tolerance {LOSS_TOLERANCES[dtype]:.2g}); nothing was written"
        )
    return difference


def targets_of(learning: LearningPlan, program: Program, generator: np.random.Generator) -> Array:
    """Return random targets (rows, targets), exact in the export's precision, in the units that an export takes."""
    trained = learning.trained
    loss, shape = trained.network.spec.training.loss, (ROWS, learning.targets)
    if loss.target != "values":
        kinds = 2 if loss.target == "binary" else trained.network.outputs
        return generator.integers(0, kinds, shape).astype(np.float64)
    prepared = generator.standard_normal(shape)
    if loss.domain != "any":
        prepared = np.abs(prepared) + 0.1
    if loss.domain == "distribution":
        prepared /= prepared.sum(axis=1, keepdims=True)
    raw: Array = trained.target_preprocessing.invert(prepared).astype(program.answer_dtype).astype(np.float64)
    return raw


def engine_steps(trained: TrainedNetwork, rows: RawColumns, answers: Array, batches: Sequence[slice]) -> TrainingSteps:
    """Return training steps by NumPy, each on a part of rows with their targets in the units that an export takes."""
    network = trained.network.run_by("numpy")
    training, layout, blueprint = network.spec.training, network.layout, network.blueprint
    optimizer, size = training.optimizer.stepping, network.layout.trainable_size
    assert optimizer is not None, "it was checked"
    theta, gradient = network.initial_parameters(), np.zeros(size, network.dtype)
    states = {
        f"optimizer.{name}": np.full(size, start, network.dtype) for name, start in blueprint.update.states.items()
    }
    factors = {"rate_factors": layout.rate_factors(), "decay_factors": layout.decay_factors()}
    arrays = states | {name: array.astype(network.dtype) for name, array in factors.items()}
    needed = {str(call.attributes) for call in blueprint.update.plan.calls if call.operation.role == "leaf"}
    arrays = {name: array for name, array in arrays.items() if name in needed}
    bound = NUMPY.bind(
        blueprint.update.plan, network.dtype, {FLAT: size}, {"theta": theta[:size], "gradient": gradient, **arrays}
    )
    inputs = trained.inputs(rows)
    loss, found = training.loss, TrainingSteps(*(np.zeros((len(batches), count)) for count in (1, len(theta), size)))
    target = answers if loss.target != "values" else trained.target_preprocessing.prepare(answers)
    target = target[:, 0].astype(np.intp) if loss.target == "classes" else target
    for number, batch in enumerate(batches):
        found.losses[number], every = network.loss_and_gradient(
            theta, inputs[batch], target[batch], None, trained.state, True
        )
        gradient[:] = found.gradients[number] = every[:size]
        scalars = {"decay": optimizer.learning_rate * optimizer.decay}
        scalars |= optimizer.scalars(number + 1, optimizer.learning_rate)
        if training.clip_norm is not None:
            scalars[CLIPPING] = clipping_factor(gradient, training.clip_norm)
        for name in blueprint.update.scalars:
            bound.inputs[name][()] = scalars[name]
        bound.run()
        found.weights[number] = theta
    return TrainingSteps(found.losses[:, 0], found.weights, found.gradients)


def steps_of_bytes(program: Program, written: bytes) -> TrainingSteps:
    """Return the training steps that a C program has written: the loss of each in float64, then its state."""
    learning = program.learning
    assert learning is not None, "the program has a training step"
    size, trainable = learning.size, learning.trainable_size
    count = size + trainable * (1 + len(learning.states)) + 1
    found = np.frombuffer(written, [("loss", np.float64), ("state", program.dtype, (count,))])
    states = found["state"].astype(np.float64)
    return TrainingSteps(found["loss"], states[:, :size], states[:, size : size + trainable])
