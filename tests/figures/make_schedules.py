"""Writes schedules.json: the course of fifty learning rates by PyTorch, Keras, optax and scikit-learn.

To be run by hand, where those are installed: ``python tests/figures/make_schedules.py``. All rates start from 1, so
that they are factors. The figures of reduce_on_plateau are losses, and the rate after each of them.
"""

import json
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path

import jax
import keras
import numpy as np
import optax
import torch
from keras.optimizers import schedules
from sklearn.neural_network._stochastic_optimizers import SGDOptimizer
from torch.optim import lr_scheduler

jax.config.update("jax_enable_x64", True)
keras.config.set_floatx("float64")
LENGTH = 50


def torch_rates(
    scheduler: Callable, losses: Iterable[tuple] = [()] * LENGTH, *, after: bool = False, **arguments
) -> list[float]:
    """Return the rates before each step of a scheduler, or after it."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    schedule, rates = scheduler(optimizer, **arguments), []
    for position, loss in enumerate(losses, 1):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if after or position < LENGTH:  # OneCycleLR takes no step beyond its length
            schedule.step(*loss)
    return [*rates[1:], optimizer.param_groups[0]["lr"]] if after else rates


def warmup(scheduler: type, length: int, **arguments) -> Callable:
    """Return a linear rise and another scheduler behind it."""

    def both(optimizer: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
        rise = lr_scheduler.LambdaLR(optimizer, lambda position: (position + 1) / length)
        return lr_scheduler.SequentialLR(optimizer, [rise, scheduler(optimizer, **arguments)], [length])

    return both


def flat_cosine(flat: int, alpha: float = 0.0) -> Callable:
    """Return a constant rate for some steps and a cosine over the rest."""
    parts = [optax.constant_schedule(1.0), optax.cosine_decay_schedule(1.0, LENGTH - flat, alpha)]
    return optax.join_schedules(parts, [flat])


def function_rates(schedule: Callable) -> list[float]:
    """Return the rates of a schedule of Keras or optax."""
    return [float(schedule(np.float64(position))) for position in range(LENGTH)]


def sklearn_rates(power: float) -> list[float]:
    """Return the rates of a scikit-learn network that sees one row per epoch."""
    optimizer, rates = SGDOptimizer([], 1.0, "invscaling", power_t=power), [1.0]
    for rows in range(1, LENGTH):
        optimizer.iteration_ends(rows)
        rates.append(float(optimizer.learning_rate))
    return rates


def steps(boundaries: list[int], *factors: float) -> dict:
    return {"boundaries": boundaries, "factors": [1.0, *factors]}


HALVES, SEVENS = {"factor": 0.5, "every": 7}, {"decay_rate": 0.5, "every": 7}
RESTARTS = {"t_mul": 1.5, "m_mul": 0.8, "alpha": 0.1}
CYCLE = {"pct_start": 0.5, "div_factor": 4.0, "final_div_factor": 10.0}
LATE_STEPS = {"length": 8, "then": {"type": "step_decay", "factor": 0.5, "every": 10}}
LATE_FALL = {"length": 8, "then": {"type": "polynomial_decay"}}
T, K = lr_scheduler, schedules
RATES: dict[str, list[tuple]] = {
    "torch": [
        ("constant", {}, T.ConstantLR, {"factor": 1.0}),
        ("exponential_decay", {"decay_rate": 0.9}, T.ExponentialLR, {"gamma": 0.9}),
        ("step_decay", HALVES, T.StepLR, {"step_size": 7, "gamma": 0.5}),
        ("piecewise_constant", steps([10, 30], 0.1, 0.01), T.MultiStepLR, {"milestones": [10, 30], "gamma": 0.1}),
        ("polynomial_decay", {}, T.PolynomialLR, {"total_iters": LENGTH}),
        ("polynomial_decay", {"power": 2.5}, T.PolynomialLR, {"total_iters": LENGTH, "power": 2.5}),
        ("cosine_decay", {}, T.CosineAnnealingLR, {"T_max": LENGTH}),
        ("cosine_decay_restarts", {"first_length": 6, "t_mul": 1.0}, T.CosineAnnealingWarmRestarts, {"T_0": 6}),
        ("cosine_decay_restarts", {"first_length": 5, "alpha": 0.1}, T.CosineAnnealingWarmRestarts,
         {"T_0": 5, "T_mult": 2, "eta_min": 0.1}),
        *[("one_cycle", fields, T.OneCycleLR, {"max_lr": 1.0, "total_steps": LENGTH, **fields})
          for fields in ({}, CYCLE, {"pct_start": 0.0})],
        ("warmup", LATE_STEPS, warmup(T.StepLR, 8, step_size=10, gamma=0.5), {}),
        ("warmup", LATE_FALL, warmup(T.PolynomialLR, 8, total_iters=LENGTH - 8), {}),
    ],
    "keras": [
        ("exponential_decay", SEVENS, K.ExponentialDecay(1.0, 7, 0.5)),
        ("step_decay", HALVES, K.ExponentialDecay(1.0, 7, 0.5, staircase=True)),
        ("piecewise_constant", steps([11, 31], 0.5, 2.0), K.PiecewiseConstantDecay([10, 30], [1.0, 0.5, 2.0])),
        ("polynomial_decay", {"power": 0.5, "alpha": 0.1}, K.PolynomialDecay(1.0, LENGTH, 0.1, power=0.5)),
        ("inverse_time_decay", SEVENS, K.InverseTimeDecay(1.0, 7, 0.5)),
        ("cosine_decay", {"alpha": 0.1}, K.CosineDecay(1.0, LENGTH, alpha=0.1)),
        ("cosine_decay_restarts", {"first_length": 6, **RESTARTS}, K.CosineDecayRestarts(1.0, 6, **RESTARTS)),
    ],
    "optax": [
        ("piecewise_constant", steps([10, 30], 0.5, 2.0), optax.piecewise_constant_schedule(1.0, {10: 0.5, 30: 4.0})),
        ("cosine_decay", {"alpha": 0.1}, optax.cosine_decay_schedule(1.0, LENGTH, 0.1)),
        ("flat_cosine", {}, flat_cosine(25)),
        ("flat_cosine", {"flat": 0.6, "alpha": 0.1}, flat_cosine(30, alpha=0.1)),
        ("flat_cosine", {"flat": 0.0}, flat_cosine(0)),
    ],
    "sklearn": [("inverse_scaling", {}, 0.5), ("inverse_scaling", {"power": 0.8}, 0.8)],
}  # fmt: skip
"""By library: specnet's schedule and its fields, and what the library computes them with."""


def courses() -> list[dict]:
    """Return specnet's fields, the library, and its rates."""
    found = []
    for library, rows in RATES.items():
        for name, fields, given, *arguments in rows:
            if library == "torch":
                factors = torch_rates(given, **arguments[0])
            else:
                factors = (sklearn_rates if library == "sklearn" else function_rates)(given)
            found.append({"schedule": {"type": name, **fields}, "library": library, "factors": factors})
    return found


def plateaus() -> list[dict]:
    """Return specnet's fields, losses, and PyTorch's rate after each of them."""
    rng = np.random.default_rng(0)
    falling = (0.2 + 1 / np.arange(1, LENGTH + 1) + 0.05 * rng.normal(size=LENGTH)).tolist()
    flat = [1.0] * 15 + [0.99995] * 10 + [0.9998] * 25  # the second is no improvement of 1e-4, the third is one
    some, least = {"factor": 0.5, "patience": 2, "threshold": 0.1}, {"factor": 0.5, "patience": 0, "threshold": 0.01}
    variants = [({}, {}), (some, some), ({**least, "relative": False}, {**least, "threshold_mode": "abs"})]
    found = []
    for losses in (falling, flat):
        for fields, arguments in variants:
            each = [(loss,) for loss in losses]
            factors = torch_rates(lr_scheduler.ReduceLROnPlateau, each, after=True, eps=0, **arguments)
            found.append({"schedule": fields, "losses": losses, "factors": factors})
    return found


def main() -> None:
    """Write the figures beside this script."""
    versions = {name: version(name) for name in ("torch", "keras", "optax", "scikit-learn")}
    figures = {"versions": versions, "courses": courses(), "plateaus": plateaus()}
    Path(__file__).with_name("schedules.json").write_text(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
