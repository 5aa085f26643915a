"""The data of a diagram that shows the activations for inputs that a reader chooses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from specnet.spec import Resolved

Numbers = NDArray[np.float64]

ACTIVATIONS: dict[str, Callable[[Numbers], Numbers]] = {
    "linear": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "sigmoid": lambda z: 0.5 * (1 + np.tanh(0.5 * z)),
    "softmax": lambda z: np.exp(z - np.logaddexp.reduce(z, axis=-1, keepdims=True)),
}
"""Those of the page's script."""
DIGITS = 6


@dataclass(frozen=True, eq=False)
class DenseLayer:
    """A dense layer: activation(W·x + b)."""

    weight: Numbers
    bias: Numbers
    activation: str


@dataclass(frozen=True, eq=False)
class Live:
    """A network with two inputs and one hidden layer, from columns to answers.

    Attributes
    ----------
    low, high : ndarray (2,)
        Ranges of the columns.
    offset, factor : ndarray (2,)
        Of the columns; they make the network's inputs.
    layers : tuple of DenseLayer
    shift, scale : float
        Of the outputs; they make the answers.
    """

    low: Numbers
    high: Numbers
    offset: Numbers
    factor: Numbers
    layers: tuple[DenseLayer, ...]
    shift: float = 0.0
    scale: float = 1.0

    def answers(self, columns: Numbers) -> Numbers:
        """Return what the page's script computes for rows (rows, 2), (rows, outputs)."""
        values = self.offset + self.factor * columns
        for layer in self.layers:
            values = ACTIVATIONS[layer.activation](values @ layer.weight.T + layer.bias)
        return np.asarray(self.shift + self.scale * values)

    def data(self, names: Sequence[str]) -> dict[str, Any]:
        """Return it as plain data for the script, with what stands before each answer."""
        layers = [
            {"weight": _plain(layer.weight), "bias": _plain(layer.bias), "activation": layer.activation}
            for layer in self.layers
        ]
        ends = {"shift": self.shift, "scale": self.scale, "names": list(names)}
        return {"offset": _plain(self.offset), "factor": _plain(self.factor), "layers": layers, **ends}


def dense_layers(resolved: Resolved, parameters: Mapping[str, NDArray[Any]]) -> tuple[DenseLayer, ...] | None:
    """Return the layers of a network with two inputs and one hidden layer; None if it is another one.

    Whether they compute what the network does has to be tried: a layer may scale its weights.
    """
    found = []
    for place, node in enumerate(resolved.nodes):
        if node.inputs != (place - 1,):
            return None
        if not node.layer.parameter_count(node.input_sizes):
            continue  # such as dropout: nothing else fits what is tried
        activation = node.layer.split_activation()[1]
        weight = parameters.get(f"{node.key}.weight")
        if weight is None or weight.ndim != 2 or activation is None or activation.type not in ACTIVATIONS:
            return None
        bias = parameters.get(f"{node.key}.bias", np.zeros(len(weight)))
        found.append(DenseLayer(weight.astype(np.float64), bias.astype(np.float64), activation.type))
    return tuple(found) if resolved.inputs == 2 and len(found) == 2 else None


def _plain(array: Numbers) -> Any:
    """Return an array as lists of numbers with few digits."""
    return [_plain(inner) if inner.ndim else float(f"{inner:.{DIGITS}g}") for inner in array]
