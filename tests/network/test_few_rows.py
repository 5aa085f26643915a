"""Predictions of a few rows by one compiled call: the same answers, and the same errors, as by any other way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import Network, SpecError, SpecnetError
from tests.compiling import compiles
from tests.networks import dense

EMBEDDING = {"type": "embedding", "columns": [0], "categories": [3], "size": [2]}
pytestmark = [compiles, pytest.mark.slow]


def networks(dtype: str = "float64", **network: Any) -> tuple[Network, Network, np.ndarray]:
    sizes = network or {"layer_sizes": [3, 5, 2]}
    numpy = specnet.build({"network": {"dtype": dtype, **sizes}, "training": {"loss": "mean_squared_error"}})
    return Network(numpy.resolved, "compiled"), numpy, numpy.initial_parameters()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [1, 2, 7, 15, 16, 17, 300])
def test_few_rows_get_the_same_answers(dtype: str, rows: int):
    compiled, numpy, theta = networks(dtype)
    X = np.random.default_rng(rows).normal(size=(rows, 3))
    close = 1e-13 if dtype == "float64" else 1e-5
    for given in (X, X.astype(np.float32), X[::-1], np.asfortranarray(X), X.astype(">f8"), X.tolist()):
        answer = compiled.predict(theta, given)
        np.testing.assert_allclose(answer, numpy.predict(theta, given), rtol=close, atol=close)
        assert answer.dtype == dtype
    wide = np.random.default_rng(0).normal(size=(rows, 6))[:, ::2]
    np.testing.assert_allclose(compiled.predict(theta, wide), numpy.predict(theta, wide), rtol=close, atol=close)
    for other in (theta.astype(np.float16), theta.astype(np.longdouble), np.repeat(theta, 2)[::2], theta.tolist()):
        np.testing.assert_allclose(compiled.predict(other, X), numpy.predict(other, X), rtol=1e-2, atol=1e-2)


def refused() -> dict[str, tuple[Any, Any]]:
    theta, X = networks("float32")[2], np.zeros((2, 3))
    odd = {str(number): np.where(np.eye(2, 3, dtype=bool), number, 0.0) for number in (np.nan, np.inf, -np.inf)}
    return {
        **{name: (theta, rows) for name, rows in odd.items()},
        "beyond single precision": (theta, X + 1e39),
        "a column too many": (theta, np.zeros((2, 4))),
        "no rows": (theta, np.zeros((0, 3))),
        "one axis": (theta, np.zeros(3)),
        "no axis": (theta, np.array(3.0)),
        "three axes": (theta, np.zeros((2, 3, 1))),
        "complex": (theta, X.astype(complex)),
        "texts": (theta, X.astype(str)),
        "objects": (theta, X.astype(object)),
        "dates": (theta, X.astype("M8[s]")),
        "masked": (theta, np.ma.masked_equal(X, 0)),
        "parameters too many": (np.zeros(len(theta) + 1), X),
        "parameters in rows": (theta.reshape(1, -1), X),
        "no parameters": (None, X),
        "complex parameters": (theta.astype(complex), X),
    }


@pytest.mark.parametrize("name", refused())
def test_what_is_refused_is_refused_in_the_same_words(name: str):
    found = []
    for network in networks("float32")[:2]:
        try:
            found.append(repr(network.predict(*refused()[name])))
        except SpecnetError as error:
            found.append(str(error))
    assert found[0] == found[1]
    assert name != "beyond single precision" or "1e+39" in found[0]


def test_threads_have_room_of_their_own():
    compiled, numpy, theta = networks(layer_sizes=[3, 400, 2])
    X = np.random.default_rng(0).normal(size=(8, 200, 3))
    expected = numpy.predict(theta, X.reshape(-1, 3)).reshape(8, 200, 2)

    def answered(thread: int) -> np.ndarray:
        return np.array([compiled.predict(theta, X[thread, row : row + 1])[0] for row in range(200)])

    with ThreadPoolExecutor(8) as pool:
        for thread, answer in enumerate(pool.map(answered, range(8))):
            np.testing.assert_allclose(answer, expected[thread], rtol=1e-10, atol=1e-12)


def test_columns_and_layer_states_are_read_as_ever():
    compiled, numpy, theta = networks(input_size=3, layers=[EMBEDDING, dense(2)])
    X = np.array([[2.0, 0.5, 1.0]])
    np.testing.assert_allclose(compiled.predict(theta, X), numpy.predict(theta, X), rtol=1e-12)
    with pytest.raises(SpecnetError):
        compiled.predict(theta, np.array([[3.0, 0.5, 1.0]]))
    compiled, numpy, theta = networks(input_size=3, layers=["batch_normalization", dense(2)])
    state = {name: array + 0.5 for name, array in numpy.initial_state().items()}
    for kept in (None, state):
        np.testing.assert_allclose(compiled.predict(theta, X, kept), numpy.predict(theta, X, kept), rtol=1e-12)


def test_what_cannot_be_compiled_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CC", "false")
    network = networks(layer_sizes=[3, 17, 2])[0]  # of which no library has been compiled before
    for call in (network.predict, network.raw_outputs):
        with pytest.raises(SpecError, match="not available: false failed"):
            call(network.initial_parameters(), np.zeros((1, 3)))
