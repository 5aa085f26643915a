"""Writes optimizers.json: paths of twenty steps by PyTorch's and optax's optimizers.

To be run by hand, where torch and optax are installed: ``python tests/figures/make_optimizers.py``. The gradient of
step t is curvature·θ + shifts[t]; one coordinate has none at all, one a tiny one and one a large one.
"""

import json
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np
import optax
import torch

STEPS = 20
COORDINATES = 7

VARIANTS = [
    ({"type": "sgd"}, torch.optim.SGD, {"lr": 0.01}),
    ({"type": "sgd", "momentum": 0.9}, torch.optim.SGD, {"lr": 0.01, "momentum": 0.9}),
    (
        {"type": "sgd", "momentum": 0.9, "nesterov": True},
        torch.optim.SGD,
        {"lr": 0.01, "momentum": 0.9, "nesterov": True},
    ),
    ({"type": "adam"}, torch.optim.Adam, {}),
    (
        {"type": "adam", "learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3},
        torch.optim.Adam,
        {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-3},
    ),
    (
        {"type": "adam", "learning_rate": 0.1, "beta_2": 0.5, "amsgrad": True},
        torch.optim.Adam,
        {"lr": 0.1, "betas": (0.9, 0.5), "amsgrad": True},
    ),
    ({"type": "adamw"}, torch.optim.AdamW, {}),
    (
        {"type": "adamw", "learning_rate": 0.1, "weight_decay": 0.3, "amsgrad": True},
        torch.optim.AdamW,
        {"lr": 0.1, "weight_decay": 0.3, "amsgrad": True},
    ),
    ({"type": "nadam"}, torch.optim.NAdam, {}),
    (
        {"type": "nadam", "learning_rate": 0.1, "beta_1": 0.7, "momentum_decay": 0.1, "weight_decay": 0.3},
        torch.optim.NAdam,
        {"lr": 0.1, "betas": (0.7, 0.999), "momentum_decay": 0.1, "weight_decay": 0.3, "decoupled_weight_decay": True},
    ),
    ({"type": "radam"}, torch.optim.RAdam, {}),
    (
        {"type": "radam", "learning_rate": 0.1, "beta_2": 0.9, "epsilon": 1e-3, "weight_decay": 0.3},
        torch.optim.RAdam,
        {"lr": 0.1, "betas": (0.9, 0.9), "eps": 1e-3, "weight_decay": 0.3, "decoupled_weight_decay": True},
    ),
    ({"type": "radam", "beta_2": 0.5}, torch.optim.RAdam, {"betas": (0.9, 0.5)}),
    ({"type": "adamax"}, torch.optim.Adamax, {}),
    (
        {"type": "adamax", "learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.7, "epsilon": 1e-3},
        torch.optim.Adamax,
        {"lr": 0.1, "betas": (0.8, 0.7), "eps": 1e-3},
    ),
    ({"type": "rmsprop"}, torch.optim.RMSprop, {}),
    ({"type": "rmsprop", "rho": 0.9, "momentum": 0.9}, torch.optim.RMSprop, {"alpha": 0.9, "momentum": 0.9}),
    ({"type": "rmsprop", "centered": True}, torch.optim.RMSprop, {"centered": True}),
    (
        {"type": "rmsprop", "epsilon": 1e-3, "momentum": 0.5, "centered": True},
        torch.optim.RMSprop,
        {"eps": 1e-3, "momentum": 0.5, "centered": True},
    ),
    ({"type": "adagrad"}, torch.optim.Adagrad, {}),
    (
        {"type": "adagrad", "learning_rate": 0.1, "initial_accumulator_value": 0.1, "epsilon": 1e-3},
        torch.optim.Adagrad,
        {"lr": 0.1, "initial_accumulator_value": 0.1, "eps": 1e-3},
    ),
    ({"type": "adadelta"}, torch.optim.Adadelta, {}),
    (
        {"type": "adadelta", "learning_rate": 0.5, "rho": 0.7, "epsilon": 1e-2},
        torch.optim.Adadelta,
        {"lr": 0.5, "rho": 0.7, "eps": 1e-2},
    ),
    ({"type": "rprop"}, torch.optim.Rprop, {}),
    (
        {"type": "rprop", "learning_rate": 0.3, "eta_minus": 0.7, "eta_plus": 1.5, "step_min": 0.2, "step_max": 0.6},
        torch.optim.Rprop,
        {"lr": 0.3, "etas": (0.7, 1.5), "step_sizes": (0.2, 0.6)},
    ),
    ({"type": "lion"}, optax.lion, {"learning_rate": 1e-4, "weight_decay": 0.0}),
    (
        {"type": "lion", "learning_rate": 0.1, "beta_1": 0.5, "beta_2": 0.8, "weight_decay": 0.3},
        optax.lion,
        {"learning_rate": 0.1, "b1": 0.5, "b2": 0.8, "weight_decay": 0.3},
    ),
]


def problem() -> dict[str, np.ndarray]:
    """Return the start, the curvature (coordinates,) and the shifts (steps, coordinates)."""
    rng = np.random.default_rng(0)
    scale = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 1e-5, 1e3])
    return {
        "start": rng.normal(size=COORDINATES),
        "curvature": rng.uniform(0.1, 2, COORDINATES) * (scale == 1),
        "shifts": rng.normal(size=(STEPS, COORDINATES)) * scale,
    }


def torch_path(optimizer: type, arguments: dict, start, curvature, shifts) -> list[list[float]]:
    """Return theta after each step."""
    theta = torch.tensor(start, requires_grad=True)
    stepping = optimizer([theta], **arguments)
    path = []
    for shift in shifts:
        theta.grad = torch.tensor(curvature) * theta.detach() + torch.tensor(shift)
        stepping.step()
        path.append(theta.tolist())
    return path


def optax_path(optimizer, arguments: dict, start, curvature, shifts) -> list[list[float]]:
    """Return theta after each step."""
    stepping, theta = optimizer(**arguments), jax.numpy.array(start)
    state, path = stepping.init(theta), []
    for shift in shifts:
        updates, state = stepping.update(curvature * theta + shift, state, theta)
        theta = optax.apply_updates(theta, updates)
        path.append(theta.tolist())
    return path


def main() -> None:
    """Write the figures beside this script."""
    jax.config.update("jax_enable_x64", True)
    torch.set_default_dtype(
        torch.float64
    )  # of what optimizers keep beside the parameters: nadam its product of momenta
    arrays, paths = problem(), []
    for fields, optimizer, arguments in VARIANTS:
        library = optimizer.__module__.split(".")[0]
        path = {"torch": torch_path, "optax": optax_path}[library](optimizer, arguments, **arrays)
        paths.append({"optimizer": fields, "library": library, "path": path})
    versions = {name: version(name) for name in ("torch", "optax", "jax")}
    figures = {"versions": versions, **{name: array.tolist() for name, array in arrays.items()}, "paths": paths}
    Path(__file__).with_name("optimizers.json").write_text(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
