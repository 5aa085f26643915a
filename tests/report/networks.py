"""Networks to draw, described as specs do."""

from __future__ import annotations

from typing import Any

import numpy as np

from specnet import Network, Resolved, parse_spec, resolve


def dense(units: int, activation: str | None = None, **fields: Any) -> dict[str, Any]:
    """Return a dense layer."""
    return {"type": "dense", "units": units, **({"activation": activation} if activation else {}), **fields}


def network(*layers: dict[str, Any], inputs: int = 2, loss: str = "binary_crossentropy", **fields: Any) -> Resolved:
    """Return a network of layers."""
    described = {"input_size": inputs, "layers": list(layers), **fields}
    return resolve(parse_spec({"name": "drawn", "network": described, "training": {"loss": loss, "epochs": 1}}))


def residual(repeat: int) -> Resolved:
    """Return a network of residual blocks."""
    branch = [dense(4, "relu"), dense(4, name="branch"), {"type": "add", "inputs": ["input", "branch"]}]
    return network(dense(4), {"type": "block", "repeat": repeat, "layers": branch}, dense(1))


def initial(resolved: Resolved) -> dict[str, np.ndarray]:
    """Return the parameters and layer states of a network before training."""
    made = Network(resolved)
    return made.parameters(made.initial_parameters()) | made.initial_state()
