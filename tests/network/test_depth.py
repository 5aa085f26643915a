"""What it takes to make the programs of deep networks."""

from __future__ import annotations

import gc
import sys
from typing import Any

import pytest

import specnet
from tests.networks import dense, document

REPEATED: dict[str, list[Any]] = {
    "relu": [dense(4, "relu")],
    "gelu": [dense(4, "gelu")],
    "normalized": [dense(4), "batch_normalization", {"type": "dropout", "rate": 0.1}, dense(4)],
    "residual": [dense(4, "swish", name="changed"), {"type": "add", "inputs": ["input", "changed"]}],
    "concatenated": [
        *(dense(4, "elu", name="changed"), {"type": "concatenate", "inputs": ["input", "changed"]}, dense(4))
    ],
}


def calls_made(layers: list[dict[str, Any]], depth: int) -> int:
    """Return how many functions are called to make a deep network's programs."""
    spec = document(dense(4), {"type": "block", "repeat": depth, "layers": layers}, dense(1), l2=0.001)
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
