"""Values, gradients and running averages of layers from PyTorch, in float64.

`python tests/figures/make_layers.py`, in an environment with the `peers` extra, writes `layers.json` beside this file.
The embeddings of numbers are written here in PyTorch's operations, as their authors' packages have them.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

ROWS, FEATURES = 7, 3
rng = np.random.default_rng(0)


def tensor(*shape: int) -> Tensor:
    """Random numbers that are short in JSON and exact in float32."""
    return torch.tensor(np.round(rng.normal(0, 1, shape) * 64) / 64)


def listed(value: Tensor) -> Any:
    return value.detach().tolist()


def figures_of(function: Callable[..., Tensor], x: Tensor, **parameters: Tensor) -> dict[str, Any]:
    """The value, and the gradients of a weighted sum of it."""
    x = x.clone().requires_grad_(x.is_floating_point())
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    y = function(x, **leaves)
    weights = tensor(*y.shape)
    (y * weights).sum().backward()
    gradient = {name: listed(leaf.grad) for name, leaf in leaves.items()}
    if x.is_floating_point():
        gradient["x"] = listed(x.grad)
    given = {name: listed(value) for name, value in parameters.items()}
    return {"x": listed(x), "weights": listed(weights), "parameters": given, "value": listed(y), "gradient": gradient}


def batch_normalization() -> dict[str, Any]:
    """Some steps of training, batches of several sizes, and the evaluation after them."""
    module = nn.BatchNorm1d(FEATURES, eps=1e-3, momentum=0.2, dtype=torch.float64)
    scale, shift = tensor(FEATURES), tensor(FEATURES)
    with torch.no_grad():
        module.weight.copy_(scale)
        module.bias.copy_(shift)

    def normalized(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        return torch.func.functional_call(module, {"weight": scale, "bias": shift}, (x,))

    steps = []
    for rows in (ROWS, 2, ROWS):
        step = figures_of(normalized, 2 * tensor(rows, FEATURES) + 1, scale=scale, shift=shift)
        state = {"running_mean": listed(module.running_mean), "running_variance": listed(module.running_var)}
        steps.append({**step, "state": state})
    module.eval()
    return {"steps": steps, "evaluation": figures_of(normalized, tensor(ROWS, FEATURES), scale=scale, shift=shift)}


def layer_normalization() -> dict[str, Any]:
    def normalized(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        return nn.functional.layer_norm(x, (FEATURES,), scale, shift, 1e-3)

    return figures_of(normalized, tensor(ROWS, FEATURES), scale=tensor(FEATURES), shift=tensor(FEATURES))


def embedding() -> dict[str, Any]:
    index = torch.tensor(rng.integers(0, 4, (ROWS, 2)))

    def looked_up(x: Tensor, table_0: Tensor, table_1: Tensor) -> Tensor:
        parts = [nn.functional.embedding(x[:, k], table) for k, table in enumerate((table_0, table_1))]
        return torch.cat(parts, 1)

    return figures_of(looked_up, index, table_0=tensor(4, 2), table_1=tensor(5, 3))


def linear_of_columns(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """From (rows, columns, inputs) to (rows, columns, outputs), as rtdl_num_embeddings' NLinear has it."""
    return (x[..., None, :] @ weight).squeeze(-2) + bias


def side_by_side(x: Tensor) -> Tensor:
    """The first numbers of all columns, then the second ones: from (rows, columns, numbers) to (rows, features)."""
    return x.transpose(1, 2).reshape(len(x), -1)


def plr(x: Tensor, frequency: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """PeriodicEmbeddings of rtdl_num_embeddings: frequency (columns, k), weight (columns, 2k, size)."""
    angle = 2 * math.pi * frequency * x[..., None]
    waves = torch.cat([angle.sin(), angle.cos()], -1)
    return side_by_side(torch.relu(linear_of_columns(waves, weight, bias)))


def plr_lite(x: Tensor, frequency: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The same with lite=True: weight (2k, size)."""
    angle = 2 * math.pi * frequency * x[..., None]
    waves = torch.cat([angle.sin(), angle.cos()], -1)
    return side_by_side(torch.relu(waves @ weight + bias))


def pbld(x: Tensor, frequency: Tensor, phase: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """RealMLP's: weight (columns, k, size - 1)."""
    waves = torch.cos(2 * math.pi * x[..., None] * frequency + phase)
    return side_by_side(torch.cat([linear_of_columns(waves, weight, bias), x[..., None]], -1))


def periodic() -> dict[str, Any]:
    k, size = 4, 3
    x, frequency = tensor(ROWS, FEATURES), tensor(FEATURES, k)
    own = {"weight": tensor(FEATURES, 2 * k, size), "bias": tensor(FEATURES, size)}
    figures = {"plr": figures_of(plr, x, frequency=frequency, **own)}
    shared = {"weight": tensor(2 * k, size), "bias": tensor(size)}
    figures["plr_lite"] = figures_of(plr_lite, x, frequency=frequency, **shared)
    linear = {"phase": tensor(FEATURES, k), "weight": tensor(FEATURES, k, size - 1), "bias": tensor(FEATURES, size - 1)}
    return figures | {"pbld": figures_of(pbld, x, frequency=frequency, **linear)}


def encoded(x: Tensor, edges: list[Tensor]) -> Tensor:
    """Equation 1 of Gorishniy et al. 2022, bins below or above their column's others being open."""
    columns = []
    for column, edge in enumerate(edges):
        filled = (x[:, column, None] - edge[:-1]) / edge.diff()
        low = torch.tensor([-math.inf] + [0.0] * (len(edge) - 2))
        high = torch.tensor([1.0] * (len(edge) - 2) + [math.inf])
        columns.append(torch.clamp(filled, low, high))
    return torch.stack(columns, 1)


def piecewise() -> dict[str, Any]:
    """Quantiles of training rows as edges, then other rows that go beyond them."""
    bins, size = 4, 2
    training = tensor(20, FEATURES)
    quantiles = torch.quantile(training, torch.linspace(0, 1, bins + 1, dtype=torch.float64), dim=0)
    edges = list(quantiles.T)
    x = 2 * tensor(ROWS, FEATURES)

    def embedded(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return side_by_side(torch.relu(linear_of_columns(encoded(x, edges), weight, bias)))

    return {
        "training": listed(training),
        "edges": listed(quantiles),
        "encoding": figures_of(lambda x: side_by_side(encoded(x, edges)), x),
        "embedding": figures_of(embedded, x, weight=tensor(FEATURES, bins, size), bias=tensor(FEATURES, size)),
    }


def main() -> None:
    figures = {
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
        "batch_normalization": batch_normalization(),
        "layer_normalization": layer_normalization(),
        "embedding": embedding(),
        "periodic_embedding": periodic(),
        "piecewise_linear_embedding": piecewise(),
    }
    Path(__file__).with_name("layers.json").write_text(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
