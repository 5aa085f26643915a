"""Losses, gradients and whole trainings against PyTorch, in float64: `pytest -m peers`, with the peers extra."""

from itertools import pairwise

import numpy as np
import pytest

import specnet
from specnet.training import Stepper, TrainingRows

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

SIZES = [5, 8, 6, 3]
ROWS = 40
LOSSES = {
    "categorical_crossentropy": "CrossEntropyLoss",
    "binary_crossentropy": "BCEWithLogitsLoss",
    "mean_squared_error": "MSELoss",
}
OPTIMIZERS = {
    "sgd": ({"type": "sgd", "learning_rate": 0.1}, "SGD", {"lr": 0.1}),
    "momentum": ({"type": "sgd", "learning_rate": 0.1, "momentum": 0.9}, "SGD", {"lr": 0.1, "momentum": 0.9}),
    "nesterov": (
        {"type": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True},
        "SGD",
        {"lr": 0.1, "momentum": 0.9, "nesterov": True},
    ),
    "adam": ({"type": "adam", "learning_rate": 0.01}, "Adam", {"lr": 0.01}),
    "amsgrad": ({"type": "adam", "learning_rate": 0.01, "amsgrad": True}, "Adam", {"lr": 0.01, "amsgrad": True}),
    "adamw": ({"type": "adamw", "learning_rate": 0.01, "weight_decay": 0.1}, "AdamW", {"lr": 0.01}),
}


def network_of(loss="categorical_crossentropy", optimizer="adam"):
    return specnet.build(
        {
            "network": {"dtype": "float64", "hidden_layer_sizes": SIZES[1:-1], "activations": "tanh"},
            "training": {"loss": loss, "optimizer": optimizer, "batch_size": "full"},
        },
        inputs=SIZES[0],
        outputs=SIZES[-1],
    )


def torch_twin(network, theta):
    """The same network in PyTorch, without its last activation."""
    import torch

    arrays = network.parameters(theta)
    modules = []
    for k, (inputs, outputs) in enumerate(pairwise(SIZES)):
        linear = torch.nn.Linear(inputs, outputs, dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(arrays[f"layers.{k}.weight"].copy()))
            linear.bias.copy_(torch.tensor(arrays[f"layers.{k}.bias"].copy()))
        modules += [linear, torch.nn.Tanh()]
    return torch.nn.Sequential(*modules[:-1])


def rows_for(loss):
    generator = np.random.default_rng(0)
    X = generator.normal(size=(ROWS, SIZES[0]))
    if loss == "categorical_crossentropy":
        return X, generator.integers(0, SIZES[-1], ROWS)
    if loss == "binary_crossentropy":
        return X, generator.integers(0, 2, (ROWS, SIZES[-1])).astype(float)
    return X, generator.normal(size=(ROWS, SIZES[-1]))


def by_name(twin, part):
    """Weights or their gradients of the twin, by specnet's names."""
    linears = [module for module in twin if hasattr(module, "weight")]
    return {
        f"layers.{k}.{name}": part(getattr(linear, name)).detach().numpy()
        for k, linear in enumerate(linears)
        for name in ("weight", "bias")
    }


@pytest.mark.parametrize("loss", LOSSES)
def test_loss_and_gradient_are_torch_s(loss):
    """Those of each activation and layer are compared where they are exported to torch."""
    import torch

    network = network_of(loss)
    theta = network.initial_parameters()
    X, y = rows_for(loss)
    twin = torch_twin(network, theta)
    expected = getattr(torch.nn, LOSSES[loss])()(twin(torch.tensor(X)), torch.tensor(y))
    expected.backward()
    found, gradient = network.loss_and_gradient(theta, X, y)
    assert found == pytest.approx(expected.item(), rel=1e-13)
    for name, array in by_name(twin, lambda parameter: parameter.grad).items():
        np.testing.assert_allclose(network.parameters(gradient)[name], array, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_takes_torch_s_course(name):
    """Weight decay leaves biases alone in specnet, so torch is told to as well."""
    import torch

    ours, theirs, options = OPTIMIZERS[name]
    network = network_of(optimizer=ours)
    theta = network.initial_parameters()
    X, y = rows_for("categorical_crossentropy")
    twin = torch_twin(network, theta)
    parameters = dict(twin.named_parameters())
    decay = ours.get("weight_decay", 0.0)
    groups = [
        {"params": [p for n, p in parameters.items() if n.endswith("weight")], "weight_decay": decay},
        {"params": [p for n, p in parameters.items() if n.endswith("bias")], "weight_decay": 0.0},
    ]
    optimizer = getattr(torch.optim, theirs)(groups, **options)
    stepper = Stepper(network, theta, TrainingRows(X, y).feed(network), {})
    for _ in range(200):
        stepper.make(None, np.array([False]))
        optimizer.zero_grad()
        torch.nn.CrossEntropyLoss()(twin(torch.tensor(X)), torch.tensor(y)).backward()
        optimizer.step()
    for key, array in by_name(twin, lambda parameter: parameter).items():
        np.testing.assert_allclose(network.parameters(theta)[key], array, rtol=0, atol=1e-9)
