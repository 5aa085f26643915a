"""A training step allocates no array, whatever the size of its batch: tracemalloc counts what NumPy allocates too."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

import specnet
from specnet.training import Stepper, TrainingRows
from specnet.training.steps.stepper import DENORMAL_INTERVAL

ROWS = 2048
MOST_BYTES = 16_000
STEPS = 5

SPECS = {
    "sgd": {
        "network": {"layer_sizes": [2, 5, 1], "dtype": "float64"},
        "training": {"loss": "binary_crossentropy", "optimizer": "sgd"},
    },
    "adam with dropout": {
        "network": {
            "input_size": 30,
            "layers": [
                {"type": "dense", "units": 64, "activation": "relu"},
                {"type": "dropout", "rate": 0.2},
                {"type": "dense", "units": 64, "activation": "gelu"},
                {"type": "dense", "units": 3},
            ],
        },
        "training": {"loss": "categorical_crossentropy", "optimizer": "adam"},
    },
    "normalization and embeddings": {
        "network": {
            "input_size": 8,
            "layers": [
                {"type": "embedding", "columns": [7], "categories": 5, "size": 3},
                {
                    "type": "periodic_embedding",
                    "variant": "plr_lite",
                    "frequencies": 4,
                    "size": 3,
                    "columns": [0, 2, 3],
                },
                {"type": "periodic_embedding", "variant": "pbld", "frequencies": 4, "size": 3},
                {"type": "scale"},
                {"type": "dense", "units": 32, "parametrization": "ntk"},
                {"type": "batch_normalization"},
                {"type": "gaussian_noise"},
                {"type": "dense", "units": 16, "use_bias": False},
                {"type": "layer_normalization"},
                {"type": "dense", "units": 2},
            ],
        },
        "training": {"loss": "categorical_crossentropy", "optimizer": "adam"},
    },
    "bins": {
        "network": {
            "input_size": 6,
            "layers": [{"type": "piecewise_linear_embedding", "bins": 5, "size": 3}, {"type": "dense", "units": 2}],
        },
        "training": {"loss": "mean_squared_error", "optimizer": "sgd"},
    },
    "nesterov with a schedule and decay": {
        "network": {"layer_sizes": [8, 32, 2], "activations": ["elu", "linear"]},
        "training": {
            "loss": "mean_squared_error",
            "optimizer": {
                "type": "sgd",
                "momentum": 0.9,
                "nesterov": True,
                "weight_decay": 0.01,
                "schedule": "cosine_decay",
            },
        },
    },
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
    state, wanted = network.fitted_state(X), np.array([with_loss])
    stepper = Stepper(network, network.initial_parameters(), rows.feed(network), state)
    batches = [None] if batch == ROWS else list(rows.feed(network).batches(0))

    def run() -> None:
        with np.errstate(all="ignore"):
            for step in range(steps):
                stepper.make(batches[step % len(batches)], wanted)

    with np.errstate(all="ignore"):
        stepper.make(batches[0], wanted)
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
