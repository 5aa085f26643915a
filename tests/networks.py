"""Small networks and rows for them, and their training: what tests of the inside begin with."""

from __future__ import annotations

from typing import Any

import numpy as np

import specnet
from specnet.training import Checkpoint, RunIdentity, Snapshot, Stepper, TrainingRows, train

__all__ = ["Checkpoint", "RunIdentity", "Snapshot", "Stepper", "TrainingRows", "batches_of", "dense"]
__all__ += ["document", "network_of", "rows_of", "trained"]


def dense(units: int, activation: Any = None, **fields: Any) -> dict[str, Any]:
    """Return a dense layer as a spec has it."""
    return {"type": "dense", "units": units, **({"activation": activation} if activation else {}), **fields}


def document(
    *layers: Any, inputs: int = 3, dtype: str = "float64", loss: Any = "mse", **training: Any
) -> dict[str, Any]:
    """Return the spec of a network of such layers."""
    network = {"dtype": dtype, "input_size": inputs, "layers": list(layers)}
    return {"network": network, "training": {"loss": loss, **training}}


def network_of(
    optimizer: Any = "adam", *layers: Any, sizes: tuple[int, ...] = (3, 4, 2), dtype: str = "float64", **training: Any
) -> specnet.Network:
    """Return a network of layers, by default of dense ones of these sizes with tanh."""
    if layers:
        return specnet.build(document(*layers, dtype=dtype, optimizer=optimizer, **training))
    network = {"dtype": dtype, "layer_sizes": list(sizes), "activations": "tanh"}
    return specnet.build({"network": network, "training": {"loss": "mse", "optimizer": optimizer, **training}})


def rows_of(count: int, seed: int = 0, dtype: Any = np.float64, inputs: int = 3, outputs: int = 2) -> TrainingRows:
    """Return random rows; of one output, the targets are a vector."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(count, inputs)).astype(dtype), rng.normal(size=(count, outputs)).astype(dtype)
    return TrainingRows(X, y[:, 0] if outputs == 1 else y)


def batches_of(rows: int, size: int, epochs: int, shuffle: bool = True) -> list[np.ndarray]:
    """Return the rows of each batch, in the documented order: of epoch k, drawn from the stream of its number."""
    from specnet.network.random import stream

    orders = [
        stream(0, "shuffling", epoch).permutation(rows) if shuffle else np.arange(rows) for epoch in range(epochs)
    ]
    return [order[start : start + size] for order in orders for start in range(0, rows, size)]


def trained(network: specnet.Network, rows: TrainingRows, theta: Any = None, **options: Any) -> Any:
    """Return the result of training, from the initial parameters unless others are given."""
    return train(network, network.initial_parameters() if theta is None else theta, rows, **options)
