"""Training goes on from what an earlier one reached, with its whole state or from its weights alone."""

from typing import Literal

import numpy as np
import pytest

import specnet
from specnet import DataError, parse_spec, resolve
from specnet.parts.layers import Layer
from specnet.parts.parameters import StateTensor
from specnet.running.data_rows import SpecData, check_rows, fit_preparation
from specnet.running.fitting import fit_rows
from specnet.training import TrainingRows, train
from tests.texts.pinned import Refused
from tests.training.test_loop import rows_of


class Sums(Layer):
    """x; keeps the sum of the means of all batches."""

    type: Literal["sums"] = "sums"

    def states(self, input_sizes):
        return (StateTensor("sum", (input_sizes[0], 1), 0.0),)

    def apply(self, scope, inputs, parameters):
        if scope.training:
            scope.commit(scope.state("sum"), scope.state("sum") + scope.batch_mean(inputs[0]))
        return inputs[0]


def network_of(**training) -> specnet.Network:
    spec = {
        "network": {"dtype": "float64", "input_size": 3, "layers": ["sums", {"type": "dense", "units": 2}]},
        "training": {"loss": "mse", "epochs": 50, "batch_size": 4, **training},
    }
    return specnet.build(parse_spec(spec, parts=[Sums]))


@pytest.mark.parametrize("optimizer", ["adam", {"type": "sgd", "learning_rate": 0.1, "momentum": 0.9}])
@pytest.mark.parametrize("average", [{}, {"average_weights": {"type": "exponential", "decay": 0.9}}])
def test_epochs_one_by_one_are_those_of_one_run(optimizer, average):
    network, rows = network_of(optimizer=optimizer, **average), rows_of(10)
    whole, start = train(network, network.initial_parameters(), rows, epochs=5), network.initial_parameters()
    last = None
    for epoch in range(1, 6):
        last = train(network, start, rows, checkpoint=last and last.reached, epochs=epoch)
        assert last.epochs == epoch
    assert last.steps == whole.steps == 15
    np.testing.assert_array_equal(last.theta, whole.theta)
    np.testing.assert_array_equal(last.state["layers.0.sum"], whole.state["layers.0.sum"])
    assert last.history[-1] == whole.history[-1]


@pytest.mark.parametrize(
    "training", [{}, {"optimizer": "lbfgs"}, {"average_weights": {"type": "exponential", "decay": 0.5}}]
)
def test_layers_start_with_what_they_kept(training):
    network, rows = network_of(epochs=1, batch_size="full", **training), rows_of(10)
    theta = network.initial_parameters()
    states = [
        train(network, theta, rows, state=state).state["layers.0.sum"]
        for state in ({"layers.0.sum": np.full(3, value)} for value in (0.0, 7.0))
    ]
    np.testing.assert_allclose(states[1] - states[0], 7.0)


def test_lbfgs_goes_on_from_its_start():
    network = network_of(optimizer="lbfgs", epochs=2, batch_size="full")
    reached = train(network, network.initial_parameters(), rows_of(10)).reached
    assert (reached.facts["epochs"], reached.facts["steps"], reached.history) == (0, 0, [])


def model_of(rows: TrainingRows, start=None, **network):
    spec = parse_spec(
        {
            "network": {"hidden_layer_sizes": [4], "preprocessing": ["standardize"], "dtype": "float64", **network},
            "training": {"loss": "mse", "epochs": 3, "optimizer": {"type": "adam", "learning_rate": 0.1}},
        }
    )
    given = check_rows(rows.X, rows.target)
    spec, preparation = fit_preparation(spec, given)
    if start is not None:
        preparation = start.preprocessing
    resolved = resolve(spec, inputs=3, outputs=2)
    return fit_rows(SpecData(resolved, None, preparation, {"train": given}), start=start).model


def test_a_fit_starts_from_a_model_with_its_preprocessing(refused: Refused):
    rows = rows_of(30)
    first = model_of(rows)
    loss = first.evaluate(rows.X, rows.target)["loss"]
    second = model_of(rows, first)
    assert second.history[0]["loss"] == pytest.approx(loss, rel=1e-12)
    assert second.network is first.network
    moved = model_of(TrainingRows(rows.X * 9 + 5, rows.target), first)
    for kept, theirs in zip(moved.preprocessing.fitted, first.preprocessing.fitted, strict=True):
        np.testing.assert_array_equal(kept["mean"], theirs["mean"])
    with refused(DataError):
        model_of(rows, first, hidden_layer_sizes=[5])
    with refused(DataError):
        model_of(rows, first, preprocessing=[])
