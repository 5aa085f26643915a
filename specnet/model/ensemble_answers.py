"""What the members of an ensemble answer together: sums in float64, in the members' order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from specnet.network import Network
from specnet.parts.activations import Activation
from specnet.parts.arrays import Array
from specnet.parts.layers import ActivationLayer
from specnet.spec import NetworkSpec, resolve

NO_PARAMETERS = np.empty(0)
"""Of the network that `output_network` returns."""


def mean_of_members(answers: Sequence[Array]) -> Array:
    """Return the mean of the members' answers, in their dtype; those of a single network as they are."""
    return answers[0] if len(answers) == 1 else _mean(answers).astype(answers[0].dtype)


def spread_of_members(answers: Sequence[Array]) -> Array:
    """Return the standard deviation of the members' answers, √(mean of squared deviations), in their dtype."""
    center = _mean(answers)
    return np.sqrt(_mean([(answer - center) ** 2 for answer in answers])).astype(answers[0].dtype)


def outputs_of_mean(network: Network, raw: Sequence[Array]) -> Array:
    """Return outputs as the loss sees them, such as logits, of the mean of the members' activated outputs.

    Parameters
    ----------
    network : Network
    raw : sequence of (rows, outputs)
        The members' outputs as the loss sees them.

    Returns
    -------
    ndarray (rows, outputs)
        float64. The mean itself where the loss sees activated outputs, or an activation that it does not know.
    """
    activation = network.nodes[-1].layer.split_activation()[1]
    if network.spec.training.loss.accepted_activations is None or activation is None:
        return _mean(raw)
    match activation.type:
        case "sigmoid":
            return _log_mean([_log_sigmoid(z) for z in raw]) - _log_mean([_log_sigmoid(-z) for z in raw])
        case "softmax":
            return _log_mean([z - np.logaddexp.reduce(z.astype(np.float64), axis=1, keepdims=True) for z in raw])
        case "exponential":
            return _log_mean(raw)
    return _mean(raw)


def output_network(network: Network) -> Network:
    """Return a network without parameters, in float64, whose inputs are the outputs that the loss sees.

    It measures outputs by the network's loss, whatever they come from.
    """
    spec, loss = network.spec, network.spec.training.loss
    name = "linear" if loss.accepted_activations is None else loss.output_activation
    activation = spec.registry.find(Activation.kind, name)
    assert activation is not None, "a loss names an activation that exists"
    layer = ActivationLayer(activation=cast(Activation, activation.model_validate({"type": name})))
    size = network.outputs
    last = NetworkSpec(
        dtype="float64",
        input_size=size,
        output_size=size,
        target_preprocessing=spec.network.target_preprocessing,
        layers=(layer,),
    )
    return Network(resolve(spec.model_copy(update={"network": last, "data": None})))


def _mean(arrays: Sequence[Array]) -> NDArray[np.float64]:
    total = np.zeros(arrays[0].shape)
    for array in arrays:
        total += array
    return total / len(arrays)


def _log_mean(logarithms: Sequence[Array]) -> NDArray[np.float64]:
    """Return the logarithm of the mean of what has these logarithms."""
    total = logarithms[0].astype(np.float64)
    for array in logarithms[1:]:
        total = np.logaddexp(total, array.astype(np.float64))
    return total - math.log(len(logarithms))


def _log_sigmoid(z: Array) -> NDArray[np.float64]:
    return -np.logaddexp(0, -z.astype(np.float64))
