"""Both engines on the same random network: what they compute, and how far they agree.

python -m tests.training.steps.engines      compares them on 300 networks, and calls of 1, 3 and all steps

With ``--sanitize``, the compiled functions look for mistakes in memory; the process needs the sanitizers' libraries:
``LD_PRELOAD="$(cc -print-file-name=libasan.so) $(cc -print-file-name=libubsan.so)" ASAN_OPTIONS=detect_leaks=0``.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any
from unittest.mock import patch

import numpy as np

import specnet
from specnet import Network
from specnet.compiler.native import c_plan
from specnet.compiler.native.toolchain import libraries
from specnet.files.interruptions import Interruptions
from specnet.training.steps.compiled_steps import CompiledStepper
from specnet.training.steps.trainer import EpochSpan
from tests.networks import Stepper, TrainingRows
from tests.random_specs import random_rows, random_spec
from tests.registry import names

STEPS = 20
CLOSE = 1e-9
"""Of numbers after some steps."""
OPTIMIZERS: dict[str, list[dict[str, Any]]] = {
    "sgd": [{}, {"momentum": 0.9, "nesterov": True}, {"weight_decay": 0.01}],
    "adam": [{}, {"amsgrad": True}],
    "rmsprop": [{}, {"momentum": 0.5, "centered": True}],
}
"""Settings of optimizers beside their defaults."""
SCHEDULES: list[dict[str, Any]] = [
    {"type": "constant"},
    {"type": "exponential_decay", "decay_rate": 0.9},
    {"type": "one_cycle"},
]
SIZES = (1, 2, 7, 15, 16, 17, 33)
STEPPING = [name for name in names("optimizer") if name != "lbfgs"]


def random_training(seed: int) -> tuple[dict[str, Any], np.ndarray, np.ndarray, np.ndarray | None]:
    """Return a random spec with every kind of training, and rows for it: X, y and perhaps weights."""
    rng = np.random.default_rng([seed, 11])
    spec, name = random_spec(rng, seed), STEPPING[seed % len(STEPPING)]
    training = spec["training"]
    known = OPTIMIZERS.get(name, [{}])
    training["optimizer"] = {"type": name, **known[rng.integers(len(known))]}
    full = name == "rprop" or rng.random() < 0.3
    if name != "rprop":
        training["optimizer"]["schedule"] = SCHEDULES[rng.integers(len(SCHEDULES))]
    rows = int(rng.choice(SIZES)) + int(rng.integers(2, 20))
    training |= {"epochs": 3, "batch_size": "full" if full else int(min(rng.choice(SIZES[1:]), rows))}
    for key, value in (("clip_norm", 0.5), ("clip_value", 0.1), ("l1", 0.01), ("l2", 0.01)):
        if rng.random() < 0.2:
            training[key] = value
    if rng.random() < 0.3:
        training["average_weights"] = {"type": "exponential", "decay": 0.9}
    X, y = random_rows(rng, spec, rows)
    weight = rng.uniform(0, 2, rows) * (rng.random(rows) < 0.8) if rng.random() < 0.3 else None
    if weight is not None and not weight.any():
        weight[0] = 1
    return spec, X, y, weight


def steppers(
    spec: dict[str, Any], X: np.ndarray, y: np.ndarray, weight: np.ndarray | None
) -> tuple[Stepper, CompiledStepper, Network, Network]:
    """Return a stepper of each engine on the same rows, and their networks."""
    numpy = specnet.build(spec)
    compiled = numpy.run_by("compiled")
    first, second = stepper(Stepper, numpy, X, y, weight), stepper(CompiledStepper, compiled, X, y, weight)
    return first, second, numpy, compiled


def stepper(kind: type[Stepper], network: Network, X: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> Any:
    """Return a stepper of one engine, at the beginning."""
    target = y if network.spec.training.loss.target == "classes" else y.astype(network.dtype).reshape(len(X), -1)
    given = None if weight is None else weight.astype(network.dtype)
    rows = TrainingRows(np.ascontiguousarray(X.astype(network.dtype)), np.ascontiguousarray(target), given)
    return kind(network, network.initial_parameters(), rows.feed(network), rows.layer_state(network))


def make_all(
    stepper: Stepper, batches: Sequence[np.ndarray], with_loss: bool = False
) -> tuple[list[float], list[float]]:
    """Make a step on each of the next batches, as many at once as there can be: losses, and sums of weights."""
    losses: list[float] = []
    weights: list[float] = []
    while left := batches[len(losses) :]:
        places = None if len(left[0]) == stepper._feed.rows else np.concatenate(left)
        made = stepper.make(places, np.full(len(left), with_loss))
        losses.extend(made[0].tolist())
        weights.extend(made[1].tolist())
    return losses, weights


class Unseen(list[float]):
    """Progress that nothing follows, the losses of epochs: training ends with its first steps."""

    def passed(self, losses: np.ndarray) -> None:
        self.extend(losses.tolist())

    after_epoch = list.append


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference, relative to the largest number, where they are finite; infinite where only one is."""
    finite = np.isfinite(theirs)
    if not np.array_equal(finite, np.isfinite(ours)):
        return np.inf
    largest = max(np.abs(theirs[finite]).max(initial=0), 1e-3)
    return float(np.abs(ours[finite] - theirs[finite]).max(initial=0) / largest)


def disagreement(seed: int, steps: int = STEPS) -> dict[str, float]:
    """Return by what the engines differ on a random network: functions of the network, and steps of training."""
    spec, X, y, weight = random_training(seed)
    numpy_steps, compiled_steps, numpy, compiled = steppers(spec, X, y, weight)
    theta, state = numpy.initial_parameters(), numpy.fitted_state(X, y, weight)
    found = {}
    with np.errstate(all="ignore"):
        both = (compiled, numpy)
        found["predictions"] = relative(*(each.predict(theta, X, state) for each in both))
        found["input gradient"] = relative(*(each.input_gradient(theta, X, y, weight, state) for each in both))
        trained = [
            each.loss_and_gradient(theta, X, y, weight, numpy.fitted_state(X, y, weight), training=True, step=3)
            for each in both
        ]
        found["loss"] = relative(*(np.array(loss) for loss, _ in trained))
        found["gradient"] = relative(*(gradient for _, gradient in trained))
        found |= _steps(numpy_steps, compiled_steps, steps)
    return found


def _steps(numpy_steps: Stepper, compiled_steps: CompiledStepper, steps: int) -> dict[str, float]:
    """Compare steps in one call, as far as rounding is not all that there is of a gradient.

    A bias before batch normalization has a true gradient of 0, of which its rounding is left, and optimizers that
    divide by the gradient's size make a step of it. From there on each step begins with NumPy's numbers again.
    """
    losses, sums, found = ([], []), ([], []), {"numbers": 0.0}
    follows = False
    for epoch in count(0):
        run = list(compiled_steps._feed.batches(epoch))
        for part in [[batch] for batch in run] if follows else [run]:
            for k, stepper in enumerate((numpy_steps, compiled_steps)):
                made = make_all(stepper, part, True)
                losses[k].extend(made[0])
                sums[k].extend(made[1])
            sizes = np.maximum(np.abs(numpy_steps.gradient), np.abs(compiled_steps.gradient))
            sizes /= max(sizes.max(initial=0), 1e-3)
            is_rounding = (sizes > 0) & (sizes < 1e-9)
            if follows:
                found["numbers"] = max(found["numbers"], _numbers(numpy_steps, compiled_steps, is_rounding))
            follows = follows or bool(is_rounding.any())
            if follows:
                for name, numbers in numpy_steps.tensors().items():
                    compiled_steps.tensors()[name][...] = numbers
            found["gradient of a step"] = relative(compiled_steps.gradient, numpy_steps.gradient)
        if len(losses[0]) >= steps:
            break
    found["losses of steps"] = relative(*(np.array(each) for each in losses[::-1]))
    found["weights of steps"] = relative(*(np.array(each) for each in sums[::-1]))
    if not follows:
        found["numbers"] = _numbers(numpy_steps, compiled_steps, np.zeros(0))
    found["steps"] = float(compiled_steps.step_number != numpy_steps.step_number)
    found["updates"] = float(compiled_steps.updates != numpy_steps.updates)
    return found


def _numbers(numpy_steps: Stepper, compiled_steps: CompiledStepper, left_out: np.ndarray) -> float:
    """The largest difference between what both steppers keep, but for what belongs to some parameters."""
    ours, differences = compiled_steps.tensors(), [0.0]
    for name, theirs in numpy_steps.tensors().items():
        kept = np.ones(theirs.shape, np.bool_)
        if not name.startswith(("state.", "average.layers")):
            kept.flat[: len(left_out)] = ~left_out.astype(np.bool_)
        differences.append(relative(ours[name][kept], theirs[kept]))
    return max(differences)


def run_epochs(stepper: Stepper, first: int, epochs: int, logs: Callable[[int], bool], share: float = 1.0) -> Unseen:
    """Make the steps of epochs, and return the losses of those that are logged."""
    progress = Unseen()
    with np.errstate(all="ignore"):
        stepper.run(EpochSpan(first, epochs, logs, share, False), progress, Interruptions())
    return progress


def results_of_calls(seed: int, kind: type[Stepper]) -> list[tuple[int, int, bytes]]:
    """The numbers of steps and updates, and the bits, that a random network reaches by 1, 3 and all steps in a call."""
    spec, X, y, weight = random_training(seed)
    network, found = specnet.build(spec).run_by("compiled" if kind is CompiledStepper else "numpy"), []
    for most in (1, 3, kind.max_steps_per_call):
        with patch.object(kind, "max_steps_per_call", most):
            made = stepper(kind, network, X, y, weight)
            progress = run_epochs(made, 0, 9, lambda epochs: epochs % 3 == 0, 0.9)
        bits = [repr(list(progress)).encode(), *(array.tobytes() for array in made.tensors().values())]
        found.append((made.step_number, made.updates, b"".join(bits)))
    return found


def main() -> int:
    """Compare both engines on random networks: the worst disagreement of each kind, and networks that are apart."""
    parser = ArgumentParser(description=main.__doc__)
    parser.add_argument("--networks", type=int, default=300)
    parser.add_argument("--sanitize", action="store_true", help="compile with AddressSanitizer and UBSan")
    parser.add_argument("--parts", action="store_true", help="write each program as several functions")
    arguments = parser.parse_args()
    if arguments.sanitize:
        sanitize()
    if arguments.parts:
        c_plan.LONG_PROGRAM = 0
    worst: dict[str, float] = {}
    apart = []
    for seed in range(arguments.networks):
        found = disagreement(seed)
        for kind in (Stepper, CompiledStepper):
            found[f"calls of {kind.__name__}"] = float(len({*results_of_calls(seed, kind)}) > 1)
        worst |= {name: max(error, worst.get(name, 0.0)) for name, error in found.items()}
        apart += [seed] if max(found.values()) > CLOSE else []
    for name, error in worst.items():
        print(f"{name}: {error:.1e}")
    print(f"{arguments.networks} networks, {len(apart)} apart: {apart}")
    return int(bool(apart))


def sanitize() -> None:
    """Let every library from now on look for wrong reads, writes and arithmetic, and end the process at the first."""
    os.environ.pop("LD_PRELOAD", None)  # this process has them; compilers would only become slow
    sanitizers = "-fsanitize=address,undefined,float-cast-overflow"
    libraries._FLAGS = (*libraries._FLAGS, "-g", sanitizers, "-fno-sanitize-recover=all")


if __name__ == "__main__":
    sys.exit(main())
