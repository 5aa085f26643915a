"""The benchmarks' contenders do the same work, and a missed bound is told."""

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

import specnet
from tests.benchmarks import peers
from tests.benchmarks.cases import CASES, Bound, Case
from tests.benchmarks.onnx_file import dense_network
from tests.benchmarks.ours import training_run
from tests.benchmarks.prediction import prediction_runs
from tests.benchmarks.report import Report
from tests.benchmarks.timing import medians

SMALL = [replace(case, rows=case.rows if case.full_batch else 2 * case.batch) for case in CASES]
ALWAYS = [name for name in peers.PEERS if name not in peers.MODULES]


def title(case: Case) -> str:
    return case.title


@pytest.mark.slow
@pytest.mark.parametrize("case", SMALL, ids=title)
def test_each_contender_makes_the_steps_that_it_is_asked_for(case):
    assert training_run(case)(3) == 3
    for name in set(ALWAYS) & set(peers.peers_of(case)):
        assert peers.PEERS[name](case)(3) >= 3


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", SMALL, ids=title)
@pytest.mark.parametrize("name", peers.MODULES)
def test_each_peer_makes_the_steps_that_it_is_asked_for(case, name):
    try:
        assert peers.PEERS[name](case)(3) == 3
    finally:
        if name == "Keras":
            import keras

            # A benchmark sets it for its whole process, and Keras keeps a policy of it.
            keras.config.set_floatx("float32")
            keras.config.set_dtype_policy("float32")


def test_every_bound_belongs_to_a_row_of_the_table():
    for case in CASES:
        can_train = {name for name in peers.PEERS if name != "tutorial" or len(case.sizes) == 3}
        assert case.bounds.keys() <= can_train


@pytest.mark.slow
def test_predictions_are_timed_on_one_row():
    assert all(seconds > 0 for seconds in medians(prediction_runs(), rounds=1, seconds=1e-4).values())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_onnx_file_is_the_network(dtype):
    network = specnet.build(
        {
            "network": {"layer_sizes": [3, 7, 300, 2], "activations": ["relu", "tanh", "sigmoid"], "dtype": dtype},
            "training": {"loss": "binary_crossentropy"},
        }
    )
    theta = network.initial_parameters()
    theta += np.random.default_rng(0).normal(size=theta.shape)
    arrays = network.parameters(theta)
    layers = [
        (arrays[f"layers.{k}.weight"], arrays[f"layers.{k}.bias"], operator)
        for k, operator in enumerate(("Relu", "Tanh", "Sigmoid"))
    ]
    session = onnxruntime.InferenceSession(dense_network(layers), providers=["CPUExecutionProvider"])
    X = np.random.default_rng(1).normal(size=(5, 3)).astype(dtype)
    tolerance = 1e-12 if dtype == "float64" else 2e-6
    np.testing.assert_allclose(session.run(None, {"x": X})[0], network.predict(theta, X), rtol=0, atol=tolerance)


def test_a_missed_bound_is_remembered_and_a_missed_goal_is_not(capsys):
    report = Report()
    report.compared("net", "peer", 3e-6, 10e-6, Bound(0.4, 0.2), 1e6)
    assert not report.missed
    report.compared("net", "other", 5e-6, 10e-6, Bound(0.4, 0.2), 1e6)
    report.compared("net", "unbounded", 5e-6, 10e-6, None, 1e6)
    report.limited("command", 0.5, 0.3)
    assert report.missed == ["net against other", "command"]
    assert "| net | 5 | other | 10 | 0.5 | 0.4 (0.2) |" in capsys.readouterr().out
    assert report.exit_status() == 1
    assert Report().exit_status() == 0
