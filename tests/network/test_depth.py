"""What it takes to make the programs of deep networks."""

from __future__ import annotations

import gc
import sys
from typing import Any

import pytest

import specnet

DENSE = {"type": "dense", "units": 4}
REPEATED: dict[str, list[dict[str, Any]]] = {
    "relu": [{**DENSE, "activation": "relu"}],
    "gelu": [{**DENSE, "activation": "gelu"}],
    "normalized": [
        DENSE,
        {"type": "batch_normalization"},
        {"type": "dropout", "rate": 0.1},
        {"type": "dense", "units": 4},
    ],
    "residual": [{**DENSE, "name": "changed", "activation": "swish"}, {"type": "add", "inputs": ["input", "changed"]}],
    "concatenated": [
        {**DENSE, "name": "changed", "activation": "elu"},
        {"type": "concatenate", "inputs": ["input", "changed"]},
        DENSE,
    ],
}


def calls_made(layers: list[dict[str, Any]], depth: int) -> int:
    """Return how many functions are called to make a deep network's programs."""
    deep = [DENSE, {"type": "block", "repeat": depth, "layers": layers}, {"type": "dense", "units": 1}]
    spec = {"network": {"input_size": 3, "layers": deep}, "training": {"loss": "mean_squared_error", "l2": 0.001}}
    count, before = 0, sys.getprofile()
    gc.disable()  # others may have asked to be called when it runs

    def counting(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(counting)
    try:
        network = specnet.build(spec)
        for program in ("step", "predict"):
            network.plan(program)
    finally:
        sys.setprofile(before)
        gc.enable()
    return count


@pytest.mark.slow
@pytest.mark.parametrize("name", REPEATED)
def test_twice_the_depth_takes_twice_the_calls(name: str):
    calls_made(REPEATED[name], 1)  # what is imported and cached on the first use
    shallow, middle, deep = (calls_made(REPEATED[name], depth) for depth in (10, 20, 40))
    assert deep - middle == 2 * (middle - shallow)
