"""Writes optimizers.json: paths of twenty steps by PyTorch's and optax's optimizers.

To be run by hand, where torch and optax are installed: ``python tests/figures/make_optimizers.py``. The gradient of
step t is curvature·θ + shifts[t]; one coordinate has none at all, one a tiny one and one a large one.
"""

import json
import tomllib
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np
import optax
import torch

STEPS = 20
COORDINATES = 7

VARIANTS = """
SGD | momentum=0.9 | momentum=0.9, nesterov=true
Adam | learning_rate=0.1, beta_1=0.8, beta_2=0.95, epsilon=1e-3 | learning_rate=0.1, beta_2=0.5, amsgrad=true
AdamW | learning_rate=0.1, weight_decay=0.3, amsgrad=true
NAdam | learning_rate=0.1, beta_1=0.7, momentum_decay=0.1, weight_decay=0.3
RAdam | learning_rate=0.1, beta_2=0.9, epsilon=1e-3, weight_decay=0.3 | beta_2=0.5
Adamax | learning_rate=0.1, beta_1=0.8, beta_2=0.7, epsilon=1e-3
RMSprop | rho=0.9, momentum=0.9 | centered=true | epsilon=1e-3, momentum=0.5, centered=true
Adagrad | learning_rate=0.1, initial_accumulator_value=0.1, epsilon=1e-3
Adadelta | learning_rate=0.5, rho=0.7, epsilon=1e-2
Rprop | learning_rate=0.3, eta_minus=0.7, eta_plus=1.5, step_min=0.2, step_max=0.6
lion | learning_rate=0.1, beta_1=0.5, beta_2=0.8, weight_decay=0.3
"""
"""What is run beside each optimizer with its defaults: its fields, as in TOML."""
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
    for name, *variants in ([text.strip() for text in line.split("|")] for line in VARIANTS.split("\n")[1:-1]):
        for text in ["", *variants]:
            fields = {"type": name.lower(), **tomllib.loads(f"fields = {{ {text} }}")["fields"]}
            if name == "lion":
                library, path = "optax", optax_path(optax.lion, fields, **arrays)
            else:
                library, path = "torch", torch_path(getattr(torch.optim, name), fields, **arrays)
            paths.append({"optimizer": fields, "library": library, "path": path})
    versions = {name: version(name) for name in ("torch", "optax", "jax")}
    figures = {"versions": versions, **{name: array.tolist() for name, array in arrays.items()}, "paths": paths}
    Path(__file__).with_name("optimizers.json").write_text(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
