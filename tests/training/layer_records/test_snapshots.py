"""What an observer sees while a network is trained: against NumPy, and without a trace in what is trained."""

from typing import Any

import numpy as np
import pytest
from scipy.special import erf

import specnet
from specnet import DataError, Observer
from tests.networks import dense, network_of, rows_of, trained
from tests.texts.pinned import Refused


def deep_network(**training: Any) -> specnet.Network:
    block = {"type": "block", "layers": [dense(3, "relu")], "repeat": 2}
    layers = [dense(5, "gelu", name="first"), "batch_normalization", {"type": "dropout", "rate": 0.3}, dense(3, "tanh")]
    fields = {"optimizer": "adam", "batch_size": 4, "epochs": 5} | training
    return network_of(fields.pop("optimizer"), *layers, block, dense(2), **fields)


class Seeing(Observer):
    """Keeps all that there is to see, as it was at the time and as it is in the end."""

    def __init__(self, X: np.ndarray) -> None:
        self.X, self.epochs = X, []
        self.parameters, self.gradients, self.outputs = list[Any](), list[Any](), list[Any]()

    def trained(self, epoch: int, snapshot: Any) -> None:
        self.epochs.append(epoch)
        self.parameters.append(snapshot.parameters())
        self.gradients.append(snapshot.gradient())
        self.outputs.append(snapshot.layer_outputs(self.X))


def seen(network: specnet.Network, rows: Any, **arguments: Any) -> tuple[Seeing, Any]:
    observer = Seeing(rows.X)
    return observer, trained(network, rows, observer=observer, **arguments)


def test_layer_outputs_are_those_of_a_forward_pass_by_hand():
    network, rows = deep_network(), rows_of(10)
    observer, result = seen(network, rows)
    tensors, state, outputs = observer.parameters[-1], result.state, observer.outputs[-1]
    assert list(outputs) == [node.key for node in network.nodes]

    def by_hand(key: str, x: np.ndarray) -> np.ndarray:
        return x @ tensors[f"{key}.weight"].T + tensors[f"{key}.bias"]

    expected = {}
    first = by_hand("layers.first", rows.X)
    x = first * 0.5 * (1 + erf(first / np.sqrt(2)))
    expected["layers.first"] = first, x
    x = (x - state["layers.1.running_mean"]) / np.sqrt(state["layers.1.running_variance"] + 1e-5)
    x = x * tensors["layers.1.scale"] + tensors["layers.1.shift"]
    expected["layers.1"] = expected["layers.2"] = x, x  # dropout is not for predictions

    def relu(raw: np.ndarray) -> np.ndarray:
        return np.maximum(raw, 0)

    for key, activation in (("3", np.tanh), ("4.0.0", relu), ("4.1.0", relu), ("5", np.copy)):
        raw = by_hand(f"layers.{key}", x)
        x = activation(raw)
        expected[f"layers.{key}"] = raw, x
    assert expected.keys() == outputs.keys()
    for key, (raw, activated) in expected.items():
        np.testing.assert_allclose(outputs[key].raw, raw, rtol=1e-12, atol=1e-14, err_msg=key)
        np.testing.assert_allclose(outputs[key].activated, activated, rtol=1e-12, atol=1e-14, err_msg=key)
    np.testing.assert_array_equal(x.shape, (10, 2))


def test_the_gradient_is_that_of_the_last_step():
    network, rows = deep_network(batch_size="full", optimizer="sgd"), rows_of(10)
    observer = seen(network, rows)[0]
    theta, state = network.initial_parameters(), network.initial_state()
    assert observer.gradients[0] is None
    for step in range(5):
        for name, tensor in network.parameters(theta).items():
            np.testing.assert_allclose(observer.parameters[step][name], tensor, rtol=1e-11, atol=1e-14)
        arguments = {"state": state, "training": True, "step": step}
        gradient = network.loss_and_gradient(theta, rows.X, rows.target, **arguments)[1]
        for name, expected in network.parameters(gradient).items():
            np.testing.assert_allclose(observer.gradients[step + 1][name], expected, rtol=1e-9, atol=1e-13)
        theta = theta - 0.01 * gradient


def test_what_is_frozen_has_a_gradient_of_0():
    network = network_of("sgd", dense(4, trainable=False), dense(2), dtype="float32", epochs=2)
    gradient = seen(network, rows_of(8, dtype=np.float32))[0].gradients[-1]
    assert not gradient["layers.0.weight"].any()
    assert gradient["layers.1.weight"].any()


def test_what_is_seen_is_read_only_and_stays_as_it_was():
    network, rows = network_of("sgd", batch_size=5), rows_of(20)
    observer, _ = seen(network, rows)
    start = network.parameters(network.initial_parameters())
    for name, tensor in observer.parameters[0].items():
        np.testing.assert_array_equal(tensor, start[name])
    arrays = [*observer.parameters[1].values(), *observer.gradients[1].values()]
    arrays += [array for pair in observer.outputs[1].values() for array in pair]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_the_outputs_of_the_last_layer_are_predictions(refused: Refused):
    network, rows = deep_network(), rows_of(7)
    theta = network.initial_parameters()
    outputs = network.layer_outputs(theta, rows.X)
    np.testing.assert_allclose(outputs["layers.5"].activated, network.predict(theta, rows.X), rtol=1e-13)
    with refused(DataError):
        network.layer_outputs(theta, rows.X[:, :2])
