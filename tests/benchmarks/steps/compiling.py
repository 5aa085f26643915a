"""How long compiling the steps of a deep network takes."""

import os
import time
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import specnet
from specnet.compiler.native.toolchain import libraries
from specnet.training.steps.compiled_steps import steps_text
from tests.benchmarks.report import Report
from tests.compiling import missing

LAYERS = 60
LONGEST_SECONDS = 4.0


def deep_network(layers: int, *units: int) -> dict[str, Any]:
    """A spec of dense layers of so many units, in turns, each with batch normalization and gelu."""
    made: list[dict[str, Any]] = []
    for k in range(layers):
        dense = {"type": "dense", "units": units[k % len(units)]}
        made += [dense, {"type": "batch_normalization"}, {"type": "activation", "activation": "gelu"}]
    network = {"input_size": 8, "layers": [*made, {"type": "dense", "units": 1}]}
    return {"network": network, "training": {"loss": "binary_crossentropy", "optimizer": "adam", "batch_size": 32}}


def compiling_seconds(layers: int) -> float:
    """CPU seconds of this process and of the compiler until the steps of a deep network are made, by no cache."""
    network = specnet.build(deep_network(layers, 8))
    libraries._compiled.cache_clear()
    libraries._loaded.clear()
    with TemporaryDirectory() as folder, patch.dict(os.environ, SPECNET_CACHE=folder):
        start = _cpu_seconds()
        libraries.library(steps_text(network, 32), ("steps",))
        return _cpu_seconds() - start


def _cpu_seconds() -> float:
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def compiling(report: Report) -> None:
    """The whole of what is built for training: gradient, updates and steps."""
    if missing() is None:
        report.table("compiled, not from the cache", "CPU s", "under")
        title = f"{LAYERS} layers of dense 8, batch normalization and gelu"
        report.limited(title, compiling_seconds(LAYERS), LONGEST_SECONDS)
