"""The trainings of two reference specs as loops in PyTorch, with the same layers, epochs, batches and schedules."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from tests.benchmarks.steps.peers import THREADS

if TYPE_CHECKING:
    from tests.benchmarks.whole.whole_runs import Rows

DIGITS_EPOCHS, DIGITS_BATCH = 60, 32
EPOCHS, BATCH, RATE = 128, 128, 0.04
FREQUENCIES, EMBEDDED, UNITS = 16, 4, 64
SMOOTHING = 0.1


def digits_training(rows: Rows) -> Callable[[np.ndarray], np.ndarray]:
    """specs/digits.toml."""
    _begin()
    X, y = torch.from_numpy(rows.X), torch.from_numpy(rows.y)
    layers: list[nn.Module] = []
    for inputs, outputs in ((64, 128), (128, 64)):
        layers += [nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(0.2)]
    model = nn.Sequential(*layers, nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.002, fused=True)
    steps = DIGITS_EPOCHS * math.ceil(len(X) / DIGITS_BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 + math.cos(math.pi * step / steps)) / 2)
    criterion = nn.CrossEntropyLoss()
    for _ in range(DIGITS_EPOCHS):
        for picked in torch.randperm(len(X)).split(DIGITS_BATCH):
            optimizer.zero_grad()
            criterion(model(X[picked]), y[picked]).backward()
            optimizer.step()
            schedule.step()
    return _predicting(model, lambda z: z.argmax(1))


class RealMlp(nn.Module):
    """The network of specs/realmlp.toml."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(0.1 * torch.randn(columns, FREQUENCIES))
        self.phases = nn.Parameter(math.pi * (2 * torch.rand(columns, FREQUENCIES) - 1))
        bound = FREQUENCIES**-0.5
        self.weights = nn.Parameter(bound * (2 * torch.rand(columns, FREQUENCIES, EMBEDDED - 1) - 1))
        self.biases = nn.Parameter(bound * (2 * torch.rand(columns, EMBEDDED - 1) - 1))
        self.scale = nn.Parameter(torch.ones(columns * EMBEDDED))
        sizes = [columns * EMBEDDED, UNITS, UNITS, UNITS, 1]
        self.linear_weights = nn.ParameterList(torch.randn(i, o) for i, o in pairwise(sizes))
        self.linear_biases = nn.ParameterList(torch.randn(o) for o in sizes[1:])
        self.alphas = nn.ParameterList(torch.ones(UNITS) for _ in range(3))
        self.dropout = nn.Dropout(0.15)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (rows,) of x (rows, columns)."""
        waves = torch.cos(2 * math.pi * self.frequencies * x[:, :, None] + self.phases)
        made = torch.einsum("bcf,cfo->bco", waves, self.weights) + self.biases
        h = torch.cat([made, x[:, :, None]], 2).flatten(1) * self.scale
        for k, (weight, bias) in enumerate(zip(self.linear_weights, self.linear_biases, strict=True)):
            h = h @ weight / math.sqrt(len(weight)) + bias
            if k < len(self.alphas):
                h = self.dropout(h + self.alphas[k] * (nn.functional.selu(h) - h))
        return h[:, 0]

    def groups(self) -> Iterator[dict]:
        """Parameters with their learning rates and weight decays."""
        decayed, free = {"weight_decay": 0.02}, {"weight_decay": 0.0}
        yield {"params": [self.weights], "lr": 0.1 * RATE, **decayed}
        yield {"params": [self.frequencies, self.phases, self.biases], "lr": 0.1 * RATE, **free}
        yield {"params": [self.scale], "lr": 6 * RATE, **free}
        yield {"params": list(self.linear_weights), "lr": RATE, **decayed}
        yield {"params": list(self.linear_biases), "lr": RATE, **free}
        yield {"params": list(self.alphas), "lr": 0.1 * RATE, **free}


def realmlp_training(rows: Rows) -> Callable[[np.ndarray], np.ndarray]:
    """specs/realmlp.toml: the loss of the validation set is taken after each epoch, and the best epoch is kept."""
    _begin()
    assert rows.validation is not None, "the spec has a validation set"
    X, y = torch.from_numpy(rows.X), torch.from_numpy(rows.y.astype(np.float32))
    X_held_out, y_held_out = (torch.from_numpy(part.astype(np.float32)) for part in rows.validation)
    model, criterion = RealMlp(X.shape[1]), nn.BCEWithLogitsLoss()
    optimizer = torch.optim.AdamW(model.groups(), betas=(0.9, 0.95), fused=True)
    steps = EPOCHS * math.ceil(len(X) / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cosine_log(step / steps))
    best, kept = math.inf, model.state_dict()
    for _ in range(EPOCHS):
        model.train()
        for picked in torch.randperm(len(X)).split(BATCH):
            optimizer.zero_grad()
            criterion(model(X[picked]), _smoothed(y[picked])).backward()
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            loss = criterion(model(X_held_out), _smoothed(y_held_out)).item()
        if loss < best:
            best, kept = loss, copy.deepcopy(model.state_dict())
    model.load_state_dict(kept)
    return _predicting(model, lambda z: (z > 0).long())


def cosine_log(position: float, cycles: int = 4) -> float:
    """The schedule of RealMLP (Holzmüller et al. 2024) at a position from 0 to 1."""
    return (1 - math.cos(2 * math.pi * math.log2(1 + (2**cycles - 1) * position))) / 2


def _smoothed(targets: torch.Tensor) -> torch.Tensor:
    return targets * (1 - SMOOTHING) + SMOOTHING / 2


def _begin() -> None:
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)


def _predicting(model: nn.Module, decide: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[np.ndarray], np.ndarray]:
    """The classes of rows by a trained model."""
    model.eval()

    def predict(X: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return decide(model(torch.from_numpy(X))).numpy()

    return predict
