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

OPTIMIZERS = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "adamax": torch.optim.Adamax,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
    "rprop": torch.optim.Rprop,
    "lion": optax.lion,
}
VARIANTS = [
    {"type": "sgd"},
    {"type": "sgd", "momentum": 0.9},
    {"type": "sgd", "momentum": 0.9, "nesterov": True},
    {"type": "adam"},
    {"type": "adam", "learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3},
    {"type": "adam", "learning_rate": 0.1, "beta_2": 0.5, "amsgrad": True},
    {"type": "adamw"},
    {"type": "adamw", "learning_rate": 0.1, "weight_decay": 0.3, "amsgrad": True},
    {"type": "nadam"},
    {"type": "nadam", "learning_rate": 0.1, "beta_1": 0.7, "momentum_decay": 0.1, "weight_decay": 0.3},
    {"type": "radam"},
    {"type": "radam", "learning_rate": 0.1, "beta_2": 0.9, "epsilon": 1e-3, "weight_decay": 0.3},
    {"type": "radam", "beta_2": 0.5},
    {"type": "adamax"},
    {"type": "adamax", "learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.7, "epsilon": 1e-3},
    {"type": "rmsprop"},
    {"type": "rmsprop", "rho": 0.9, "momentum": 0.9},
    {"type": "rmsprop", "centered": True},
    {"type": "rmsprop", "epsilon": 1e-3, "momentum": 0.5, "centered": True},
    {"type": "adagrad"},
    {"type": "adagrad", "learning_rate": 0.1, "initial_accumulator_value": 0.1, "epsilon": 1e-3},
    {"type": "adadelta"},
    {"type": "adadelta", "learning_rate": 0.5, "rho": 0.7, "epsilon": 1e-2},
    {"type": "rprop"},
    {"type": "rprop", "learning_rate": 0.3, "eta_minus": 0.7, "eta_plus": 1.5, "step_min": 0.2, "step_max": 0.6},
    {"type": "lion"},
    {"type": "lion", "learning_rate": 0.1, "beta_1": 0.5, "beta_2": 0.8, "weight_decay": 0.3},
]
TORCH_NAMES = {"learning_rate": "lr", "epsilon": "eps"}
TORCH_PAIRS = {
    "betas": {"beta_1": 0.9, "beta_2": 0.999},
    "etas": {"eta_minus": 0.5, "eta_plus": 1.2},
    "step_sizes": {"step_min": 1e-6, "step_max": 50},
}
"""Settings that are one argument in PyTorch, with its defaults."""


def torch_arguments(fields: dict) -> dict:
    """Return PyTorch's arguments for an optimizer's settings."""
    paired = {"type"}.union(*TORCH_PAIRS.values())
    found = {TORCH_NAMES.get(key, key): value for key, value in fields.items() if key not in paired}
    for name, pair in TORCH_PAIRS.items():
        if pair.keys() & fields.keys():
            found[name] = tuple((pair | fields)[key] for key in pair)
    if fields["type"] == "rmsprop" and "rho" in found:
        found["alpha"] = found.pop("rho")
    if fields["type"] in ("nadam", "radam") and "weight_decay" in found:
        found["decoupled_weight_decay"] = True
    return found | ({"lr": 0.01} if fields["type"] == "sgd" else {})


def problem() -> dict[str, np.ndarray]:
    """Return the start, the curvature (coordinates,) and the shifts (steps, coordinates)."""
    rng = np.random.default_rng(0)
    scale = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 1e-5, 1e3])
    return {
        "start": rng.normal(size=COORDINATES),
        "curvature": rng.uniform(0.1, 2, COORDINATES) * (scale == 1),
        "shifts": rng.normal(size=(STEPS, COORDINATES)) * scale,
    }


def torch_path(optimizer: type, fields: dict, start, curvature, shifts) -> list[list[float]]:
    """Return theta after each step."""
    theta = torch.tensor(start, requires_grad=True)
    stepping = optimizer([theta], **torch_arguments(fields))
    path = []
    for shift in shifts:
        theta.grad = torch.tensor(curvature) * theta.detach() + torch.tensor(shift)
        stepping.step()
        path.append(theta.tolist())
    return path


def optax_path(optimizer, fields: dict, start, curvature, shifts) -> list[list[float]]:
    """Return theta after each step."""
    names = {"beta_1": "b1", "beta_2": "b2"}
    arguments = {names.get(key, key): value for key, value in fields.items() if key != "type"}
    stepping = optimizer(**({"learning_rate": 1e-4, "weight_decay": 0.0} | arguments))
    theta = jax.numpy.array(start)
    state, path = stepping.init(theta), []
    for shift in shifts:
        updates, state = stepping.update(curvature * theta + shift, state, theta)
        theta = optax.apply_updates(theta, updates)
        path.append(theta.tolist())
    return path


def main() -> None:
    """Write the figures beside this script."""
    jax.config.update("jax_enable_x64", True)
    torch.set_default_dtype(torch.float64)  # of what nadam keeps beside the parameters: its product of momenta
    arrays, paths = problem(), []
    for fields in VARIANTS:
        optimizer = OPTIMIZERS[fields["type"]]
        library = optimizer.__module__.split(".")[0]
        path = {"torch": torch_path, "optax": optax_path}[library](optimizer, fields, **arrays)
        paths.append({"optimizer": fields, "library": library, "path": path})
    versions = {name: version(name) for name in ("torch", "optax", "jax")}
    figures = {"versions": versions, **{name: array.tolist() for name, array in arrays.items()}, "paths": paths}
    Path(__file__).with_name("optimizers.json").write_text(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
