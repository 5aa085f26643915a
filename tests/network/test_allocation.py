"""A training step allocates no array, whatever the size of its batch: tracemalloc counts what NumPy allocates too."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import specnet
from specnet.training.steps.stepper import DENORMAL_INTERVAL
from tests.networks import Stepper, TrainingRows, dense, document

ROWS = 2048
MOST_BYTES = 16_000
STEPS = 5

DECAYED = {"type": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 0.01, "schedule": "cosine_decay"}
CLASSES, VALUES = "categorical_crossentropy", "mean_squared_error"
WAVES = {"type": "periodic_embedding", "frequencies": 4, "size": 3}
EMBEDDED: list[Any] = [
    {"type": "embedding", "columns": [7], "categories": 5, "size": 3},
    {**WAVES, "variant": "plr_lite", "columns": [0, 2, 3]},
    {**WAVES, "variant": "pbld"},
    "scale",
    *(dense(32, parametrization="ntk"), "batch_normalization", "gaussian_noise"),
    *(dense(16, use_bias=False), "layer_normalization", dense(2)),
]
BINS = {"type": "piecewise_linear_embedding", "bins": 5, "size": 3}
DROPOUT = {"type": "dropout", "rate": 0.2}
FLOAT32: dict[str, Any] = {"dtype": "float32"}
SPECS = {
    "sgd": document(dense(5, "relu"), dense(1), inputs=2, loss="binary_crossentropy", optimizer="sgd"),
    "adam with dropout": document(
        *(dense(64, "relu"), DROPOUT, dense(64, "gelu"), dense(3)), inputs=30, loss=CLASSES, optimizer="adam", **FLOAT32
    ),
    "normalization and embeddings": document(*EMBEDDED, inputs=8, loss=CLASSES, optimizer="adam", **FLOAT32),
    "bins": document(BINS, dense(2), inputs=6, loss=VALUES, optimizer="sgd", **FLOAT32),
    "nesterov with a schedule and decay": document(
        *(dense(32, "elu"), dense(2)), inputs=8, loss=VALUES, optimizer=DECAYED, **FLOAT32
    ),
}


def peak_bytes(run) -> int:
    """The most that was allocated at once while `run` ran, above what was there before.

    The least of three: threads of what runs the tests may allocate meanwhile.
    """
    peaks = []
    tracemalloc.start()
    try:
        for _ in range(3):
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            run()
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    return min(peaks)


def target_of(network) -> np.ndarray:
    generator = np.random.default_rng(1)
    loss = network.spec.training.loss
    if loss.target == "classes":
        return generator.integers(0, network.outputs, ROWS)
    if loss.target == "binary":
        return generator.integers(0, 2, (ROWS, network.outputs)).astype(network.dtype)
    return generator.standard_normal((ROWS, network.outputs)).astype(network.dtype)


def stepping(name: str, batch: int, steps: int, with_loss: bool) -> Callable[[], None]:
    """A run of so many steps, with everything bound that is bound once."""
    spec = SPECS[name]
    network = specnet.build(spec | {"training": spec["training"] | {"batch_size": batch}})
    generator = np.random.default_rng(0)
    X = generator.standard_normal((ROWS, network.inputs)).astype(network.dtype)
    X[:, -1] = generator.integers(0, 5, ROWS)  # what an embedding can read
    rows = TrainingRows(X, target_of(network)).some(slice(ROWS if batch == ROWS else 3 * batch))
    state, requested = rows.layer_state(network), np.array([with_loss])
    stepper = Stepper(network, network.initial_parameters(), rows.feed(network), state)
    batches = [None] if batch == ROWS else list(rows.feed(network).batches(0))

    def run() -> None:
        with np.errstate(all="ignore"):
            for step in range(steps):
                stepper.make(batches[step % len(batches)], requested)

    with np.errstate(all="ignore"):
        stepper.make(batches[0], requested)
    return run


@pytest.mark.slow
@pytest.mark.parametrize(("batch", "with_loss"), [(1, False), (7, True), (240, False), (ROWS, True)])
@pytest.mark.parametrize("name", SPECS)
def test_a_step_allocates_nothing(name, batch, with_loss):
    assert peak_bytes(stepping(name, batch, STEPS, with_loss)) < MOST_BYTES


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_what_is_done_now_and_then_allocates_nothing(name):
    assert peak_bytes(stepping(name, 7, DENORMAL_INTERVAL + 1, with_loss=False)) < MOST_BYTES


def test_the_measure_sees_an_array():
    assert peak_bytes(lambda: np.ones(MOST_BYTES // 8)) >= MOST_BYTES
