"""The reference run of specs/moons.toml, held against NumPy code that shares nothing with specnet."""

from pathlib import Path

import numpy as np
import pytest

import specnet
from tests.reference import tutorial
from tests.reference.moons import reference_run

MOONS = Path(__file__).parents[3] / "specs" / "moons.toml"


@pytest.fixture(scope="module")
def result():
    return specnet.run(str(MOONS))


@pytest.fixture(scope="module")
def reference():
    return reference_run()


@pytest.mark.slow
def test_the_published_figures(result):
    """The figures are the independent implementation's, written out so that both cannot move together."""
    history = result.history
    assert history[0]["epoch"] == 1
    assert history[0]["loss"] == pytest.approx(0.84402, abs=5e-6)
    assert history[-1]["epoch"] == 20_000
    assert history[-1]["loss"] == pytest.approx(0.29931096, abs=5e-9)
    assert result.metrics["train"]["loss"] == pytest.approx(0.29931016, abs=5e-9)
    assert result.metrics["test"]["accuracy"] == 0.85


@pytest.mark.slow
def test_every_weight_is_the_independent_implementations(result, reference):
    expected, _ = reference
    parameters = result.model.network.parameters(result.model.theta)
    assert parameters.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(parameters[name], array, rtol=0, atol=1e-9)


@pytest.mark.slow
def test_every_logged_loss_is_the_independent_implementations(result, reference):
    """An epoch's loss is the one before its update: with a full batch, that of the parameters the epoch began with."""
    _, losses = reference
    logged = [record["epoch"] for record in result.history]
    assert len(logged) > 900
    found = [record["loss"] for record in result.history]
    np.testing.assert_allclose(found, losses[np.array(logged) - 1], rtol=0, atol=1e-9)
    assert result.metrics["train"]["loss"] == pytest.approx(losses[-1], abs=1e-9)


@pytest.mark.slow
def test_the_tutorials_script_computes_the_same(reference):
    """What the times are compared with does the same work: a few hundred of its steps end at the reference's."""
    X, _, y, _ = tutorial.load()
    parameters = tutorial.initialize(2, 5, 1)
    for _ in range(300):
        tutorial.update(parameters, tutorial.backward(parameters, X, y, *tutorial.forward(parameters, X)))
    _, losses = reference
    assert tutorial.cost(tutorial.forward(parameters, X)[-1], y) == pytest.approx(losses[300], abs=1e-12)
