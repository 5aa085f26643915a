"""Writes schedules.json: the course of fifty learning rates by PyTorch, Keras, optax and scikit-learn.

To be run by hand, where those are installed: ``python tests/figures/make_schedules.py``. All rates start from 1, so
that they are factors. The figures of reduce_on_plateau are losses, and the rate after each of them.
"""

import json
from collections.abc import Callable
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

LENGTH = 50


def by_torch(scheduler: type, **arguments) -> list[float]:
    """Return the rates of a scheduler that is stepped fifty times."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    course, rates = scheduler(optimizer, **arguments), []
    for _ in range(LENGTH):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        course.step()
    return rates


def by_torch_after_warmup(scheduler: type, warmup: int, **arguments) -> list[float]:
    """Return the rates of a linear rise and another scheduler behind it."""

    def both(optimizer: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
        rise = lr_scheduler.LambdaLR(optimizer, lambda position: (position + 1) / warmup)
        return lr_scheduler.SequentialLR(optimizer, [rise, scheduler(optimizer, **arguments)], [warmup])

    return by_torch(both)


def by_torch_on_losses(losses: list[float], **arguments) -> list[float]:
    """Return the rate after each loss."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    course, rates = lr_scheduler.ReduceLROnPlateau(optimizer, eps=0, **arguments), []
    for loss in losses:
        course.step(loss)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def by_function(schedule: Callable) -> list[float]:
    """Return the rates of a schedule of Keras or optax."""
    return [float(schedule(np.float64(position))) for position in range(LENGTH)]


def by_sklearn(power: float) -> list[float]:
    """Return the rates of a scikit-learn network that sees one row per epoch."""
    optimizer, rates = SGDOptimizer([], 1.0, "invscaling", power_t=power), [1.0]
    for rows in range(1, LENGTH):
        optimizer.iteration_ends(rows)
        rates.append(float(optimizer.learning_rate))
    return rates


def courses() -> list[tuple[dict, str, list[float]]]:
    """Return specnet's fields, the library, and its rates."""
    return [
        ({"type": "constant"}, "torch", by_torch(lr_scheduler.ConstantLR, factor=1.0)),
        ({"type": "exponential_decay", "decay_rate": 0.9}, "torch", by_torch(lr_scheduler.ExponentialLR, gamma=0.9)),
        (
            {"type": "exponential_decay", "decay_rate": 0.5, "every": 7},
            "keras",
            by_function(schedules.ExponentialDecay(1.0, 7, 0.5)),
        ),
        (
            {"type": "step_decay", "factor": 0.5, "every": 7},
            "torch",
            by_torch(lr_scheduler.StepLR, step_size=7, gamma=0.5),
        ),
        (
            {"type": "step_decay", "factor": 0.5, "every": 7},
            "keras",
            by_function(schedules.ExponentialDecay(1.0, 7, 0.5, staircase=True)),
        ),
        (
            {"type": "piecewise_constant", "boundaries": [10, 30], "factors": [1.0, 0.1, 0.01]},
            "torch",
            by_torch(lr_scheduler.MultiStepLR, milestones=[10, 30], gamma=0.1),
        ),
        (
            {"type": "piecewise_constant", "boundaries": [11, 31], "factors": [1.0, 0.5, 2.0]},
            "keras",
            by_function(schedules.PiecewiseConstantDecay([10, 30], [1.0, 0.5, 2.0])),
        ),
        (
            {"type": "piecewise_constant", "boundaries": [10, 30], "factors": [1.0, 0.5, 2.0]},
            "optax",
            by_function(optax.piecewise_constant_schedule(1.0, {10: 0.5, 30: 4.0})),
        ),
        ({"type": "polynomial_decay"}, "torch", by_torch(lr_scheduler.PolynomialLR, total_iters=LENGTH)),
        (
            {"type": "polynomial_decay", "power": 2.5},
            "torch",
            by_torch(lr_scheduler.PolynomialLR, total_iters=LENGTH, power=2.5),
        ),
        (
            {"type": "polynomial_decay", "power": 0.5, "alpha": 0.1},
            "keras",
            by_function(schedules.PolynomialDecay(1.0, LENGTH, end_learning_rate=0.1, power=0.5)),
        ),
        (
            {"type": "inverse_time_decay", "decay_rate": 0.5, "every": 7},
            "keras",
            by_function(schedules.InverseTimeDecay(1.0, 7, 0.5)),
        ),
        ({"type": "inverse_scaling"}, "sklearn", by_sklearn(0.5)),
        ({"type": "inverse_scaling", "power": 0.8}, "sklearn", by_sklearn(0.8)),
        ({"type": "cosine_decay"}, "torch", by_torch(lr_scheduler.CosineAnnealingLR, T_max=LENGTH)),
        ({"type": "cosine_decay", "alpha": 0.1}, "keras", by_function(schedules.CosineDecay(1.0, LENGTH, alpha=0.1))),
        ({"type": "cosine_decay", "alpha": 0.1}, "optax", by_function(optax.cosine_decay_schedule(1.0, LENGTH, 0.1))),
        (
            {"type": "cosine_decay_restarts", "first_length": 6, "t_mul": 1.0},
            "torch",
            by_torch(lr_scheduler.CosineAnnealingWarmRestarts, T_0=6),
        ),
        (
            {"type": "cosine_decay_restarts", "first_length": 5, "alpha": 0.1},
            "torch",
            by_torch(lr_scheduler.CosineAnnealingWarmRestarts, T_0=5, T_mult=2, eta_min=0.1),
        ),
        (
            {"type": "cosine_decay_restarts", "first_length": 6, "t_mul": 1.5, "m_mul": 0.8, "alpha": 0.1},
            "keras",
            by_function(schedules.CosineDecayRestarts(1.0, 6, t_mul=1.5, m_mul=0.8, alpha=0.1)),
        ),
        ({"type": "one_cycle"}, "torch", by_torch_one_cycle()),
        (
            {"type": "one_cycle", "pct_start": 0.5, "div_factor": 4.0, "final_div_factor": 10.0},
            "torch",
            by_torch_one_cycle(pct_start=0.5, div_factor=4.0, final_div_factor=10.0),
        ),
        ({"type": "one_cycle", "pct_start": 0.0}, "torch", by_torch_one_cycle(pct_start=0.0)),
        (
            {"type": "warmup", "length": 8, "then": {"type": "step_decay", "factor": 0.5, "every": 10}},
            "torch",
            by_torch_after_warmup(lr_scheduler.StepLR, 8, step_size=10, gamma=0.5),
        ),
        (
            {"type": "warmup", "length": 8, "then": {"type": "polynomial_decay"}},
            "torch",
            by_torch_after_warmup(lr_scheduler.PolynomialLR, 8, total_iters=LENGTH - 8),
        ),
    ]


def by_torch_one_cycle(**arguments) -> list[float]:
    """Return the rates of PyTorch's OneCycleLR, which takes no step beyond its length."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    course = lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=LENGTH, **arguments)
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(LENGTH - 1):
        optimizer.step()
        course.step()
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def plateaus() -> list[dict]:
    """Return specnet's fields, losses, and PyTorch's rate after each of them."""
    rng = np.random.default_rng(0)
    falling = (0.2 + 1 / np.arange(1, LENGTH + 1) + 0.05 * rng.normal(size=LENGTH)).tolist()
    flat = [1.0] * 15 + [0.99995] * 10 + [0.9998] * 25  # the second is no improvement of 1e-4, the third is one
    return [
        {"schedule": fields, "losses": losses, "factors": by_torch_on_losses(losses, **arguments)}
        for losses in (falling, flat)
        for fields, arguments in (
            ({}, {}),
            ({"factor": 0.5, "patience": 2, "threshold": 0.1}, {"factor": 0.5, "patience": 2, "threshold": 0.1}),
            (
                {"factor": 0.5, "patience": 0, "threshold": 0.01, "relative": False},
                {"factor": 0.5, "patience": 0, "threshold": 0.01, "threshold_mode": "abs"},
            ),
        )
    ]


def main() -> None:
    """Write the figures beside this script."""
    jax.config.update("jax_enable_x64", True)
    keras.config.set_floatx("float64")
    figures = {
        "versions": {name: version(name) for name in ("torch", "keras", "optax", "scikit-learn")},
        "courses": [
            {"schedule": fields, "library": library, "factors": factors} for fields, library, factors in courses()
        ],
        "plateaus": plateaus(),
    }
    Path(__file__).with_name("schedules.json").write_text(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
