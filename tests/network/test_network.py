"""The network's interface: shapes, ownership, errors, threads, random numbers, and the example for embedders."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from weakref import WeakSet

import numpy as np
import pytest
from sklearn.datasets import make_moons

import specnet
from specnet import DataError, SpecError, parse_spec
from specnet.network.bound import BatchProgram
from specnet.network.random import NumberedStreams, stream
from specnet.running.data_rows import resolved_with_data
from tests.networks import dense, document
from tests.texts.pinned import Refused

MOONS = Path(__file__).parents[2] / "specs/moons.toml"
DROPOUT = document(dense(6, "tanh"), {"type": "dropout", "rate": 0.4}, dense(2))


def network_of(loss: str, outputs: int, dtype: str = "float64") -> specnet.Network:
    network = {"dtype": dtype, "layer_sizes": [3, 4, outputs]}
    return specnet.build({"network": network, "training": {"loss": loss}})


def rows(count: int, columns: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, columns))


@pytest.mark.slow
def test_the_embedders_example():
    X, y = make_moons(300, noise=0.2, random_state=0)
    spec = specnet.parse_spec(MOONS)
    network = specnet.build(spec, inputs=2, outputs=1)
    theta = network.initial_parameters()
    loss, gradient = network.loss_and_gradient(theta, X, y, sample_weight=None, state=None, training=False, step=0)
    assert theta.shape == gradient.shape == (21,)
    assert loss == pytest.approx(network.loss(theta, X, y), rel=1e-14)
    assert network.predict(theta, X).shape == (300, 1)
    assert network.input_gradient(theta, X, y).shape == X.shape
    assert [view.shape for view in network.parameters(theta).values()] == [(5, 2), (5,), (1, 5), (1,)]
    assert list(network.parameters(theta)) == [f"layers.{k}.{name}" for k in (0, 1) for name in ("weight", "bias")]
    assert network.initial_state() == {}
    model = specnet.fit(spec, X, y, validation=None, sample_weight=None)
    assert model.network.spec.network.layers == network.spec.network.layers
    assert set(model.predict(X)) == {0, 1}
    assert model.predict_proba(X).shape == (300, 2)
    assert model.state == {}
    assert len(model.history) == 1001


def test_every_public_name_is_there_and_no_other():
    assert set(specnet.__all__) == {name for name in dir(specnet) if not name.startswith("_")}
    for name in specnet.__all__:
        assert getattr(specnet, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing"):
        _ = specnet.nothing


def test_parameters_are_views_of_theta_and_of_gradients(refused: Refused):
    network = network_of("mean_squared_error", 2)
    theta = network.initial_parameters()
    network.parameters(theta)["layers.1.bias"][:] = 7
    assert (theta == 7).sum() == 2
    assert all(np.shares_memory(view, theta) for view in network.parameters(theta).values())
    with refused(DataError):
        network.parameters(np.zeros(3))


def test_results_belong_to_the_caller_and_arguments_stay():
    network = network_of("mean_squared_error", 2)
    theta, X, y = network.initial_parameters(), rows(5), rows(5, 2)
    before = theta.copy(), X.copy(), y.copy()
    first, (_, gradient) = network.predict(theta, X), network.loss_and_gradient(theta, X, y)
    kept = first.copy(), gradient.copy()
    network.predict(theta, X + 1)
    network.loss_and_gradient(theta, X + 1, y)
    np.testing.assert_array_equal(first, kept[0])
    np.testing.assert_array_equal(gradient, kept[1])
    for now, then in zip((theta, X, y), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_everything_has_the_network_s_dtype_whatever_comes_in(dtype: str):
    network = network_of("mean_squared_error", 2, dtype)
    for given in (np.float16, np.float32, np.float64, int, bool):
        X, y = rows(4).astype(given), rows(4, 2).astype(given)
        theta = np.asarray(network.initial_parameters(), np.float64)
        assert network.predict(theta, X).dtype == dtype
        loss, gradient = network.loss_and_gradient(theta, X, y)
        assert isinstance(loss, float)
        assert gradient.dtype == dtype
        assert network.input_gradient(theta, X, y).dtype == dtype


@pytest.mark.parametrize(
    ("loss", "outputs", "forms"),
    [
        ("mean_squared_error", 1, [np.array([0.5, -1, 2]), np.array([[0.5], [-1], [2]])]),
        ("binary_crossentropy", 1, [np.array([0, 1, 1]), np.array([[0], [1], [1]]), np.array([False, True, True])]),
        ("categorical_crossentropy", 3, [np.array([0, 2, 1]), np.array([0.0, 2.0, 1.0]), np.eye(3)[[0, 2, 1]]]),
    ],
)
def test_forms_of_a_target_mean_the_same(loss: str, outputs: int, forms: list[np.ndarray]):
    network = network_of(loss, outputs)
    theta, X = network.initial_parameters(), rows(3)
    assert len({network.loss(theta, X, y) for y in forms}) == 1
    assert len({network.loss_and_gradient(theta, X, y)[1].tobytes() for y in forms}) == 1


def test_sample_weights_repeat_rows():
    network = network_of("categorical_crossentropy", 3)
    theta, X, y = network.initial_parameters(), rows(4), np.array([0, 1, 2, 1])
    times = np.array([1, 3, 0, 2])
    weighted, gradient = network.loss_and_gradient(theta, X, y, sample_weight=times)
    repeated, expected = network.loss_and_gradient(theta, np.repeat(X, times, 0), np.repeat(y, times))
    assert weighted == pytest.approx(repeated, rel=1e-13)
    assert network.loss(theta, X, y, times) == pytest.approx(repeated, rel=1e-13)
    np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-15)


WRONG: dict[str, list[Any]] = {
    "X": [
        *(rows(4, 2), rows(4)[0], rows(4).astype(object), np.array([["a", "b", "c"]]), rows(4).astype(complex)),
        *(rows(4)[:0], np.where(rows(4) == rows(4)[2, 1], np.nan, 1.0), rows(4) * np.inf, [[1.0, 2.0], [3.0]]),
    ],
    "y": [rows(3), rows(4, 2), rows(4, 3), [0, 1, 3, 2], [0, 1, -1, 2], [0, 1, 0.5, 2]],
    "theta": [np.zeros(4)],
    "sample_weight": [[1, 1], [1, 1, -1, 1], [0, 0, 0, 0]],
    "state": [{"layers.0.mean": np.zeros(3)}],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_arguments_that_do_not_fit_are_named(name: str, value: Any, refused: Refused):
    network = network_of("categorical_crossentropy", 3)
    given = {"theta": network.initial_parameters(), "X": rows(4), "y": [0, 1, 2, 1]} | {name: value}
    with refused(DataError) as caught:
        network.loss_and_gradient(**given)
    assert isinstance(caught.value, ValueError)


def test_binary_targets_are_0_and_1(refused: Refused):
    network = network_of("binary_crossentropy", 2)
    with refused(DataError):
        network.loss(network.initial_parameters(), rows(2), [[0, 0.5], [1, 1]])


def test_rows_in_chunks_are_the_same_rows():
    network = network_of("mean_squared_error", 2)
    theta, X = network.initial_parameters(), rows(9001)
    whole = network.predict(theta, X)
    for part in (slice(0, 1), slice(3, 20), slice(4095, 4098), slice(8190, 9001)):
        np.testing.assert_allclose(network.predict(theta, X[part]), whole[part], rtol=1e-13)
    target = rows(9001, 2, seed=1)
    assert network.loss(theta, X, target) == pytest.approx(((whole - target) ** 2).mean(), rel=1e-12)


def test_few_numbers_of_rows_are_bound(monkeypatch):
    bound, bind = WeakSet(), BatchProgram.__init__

    def recorded(self, *given):
        bound.add(self)
        bind(self, *given)

    monkeypatch.setattr(BatchProgram, "__init__", recorded)
    network = network_of("mean_squared_error", 2)
    theta = network.initial_parameters()
    for count in range(1, 65):
        network.predict(theta, rows(count))
    assert len(bound) == 4


def test_dropout_depends_on_seed_and_step_alone_and_keeps_the_mean():
    network = specnet.build(DROPOUT)
    theta, X, y = network.initial_parameters(), rows(50), rows(50, 2)
    first = network.loss_and_gradient(theta, X, y, training=True, step=3)
    network.loss_and_gradient(theta, X, y, training=True, step=4)
    again = network.loss_and_gradient(theta, X, y, training=True, step=3)
    other = specnet.build({"seed": 1, **DROPOUT})
    assert first[0] == again[0]
    np.testing.assert_array_equal(first[1], again[1])
    assert first[0] != network.loss_and_gradient(theta, X, y, training=True, step=4)[0]
    assert first[0] != other.loss_and_gradient(theta, X, y, training=True, step=3)[0]
    assert network.loss_and_gradient(theta, X, y)[0] == pytest.approx(network.loss(theta, X, y), rel=1e-14)


@pytest.mark.slow
def test_eight_threads_do_not_disturb_each_other():
    network = network_of("mean_squared_error", 2)
    thetas = [np.random.default_rng(seed).normal(size=network.parameter_count) for seed in range(8)]
    X, y = rows(30), rows(30, 2)
    expected = [(network.predict(theta, X), network.loss_and_gradient(theta, X, y)[1]) for theta in thetas]

    def work(number: int) -> bool:
        theta = thetas[number % 8]
        same = np.array_equal(network.predict(theta, X), expected[number % 8][0])
        return same and np.array_equal(network.loss_and_gradient(theta, X, y)[1], expected[number % 8][1])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(1600)))


def test_a_network_without_parameters_is_a_network():
    network = specnet.build(document({"type": "activation", "activation": "tanh"}, inputs=2))
    theta = network.initial_parameters()
    assert theta.shape == (0,)
    np.testing.assert_allclose(network.predict(theta, [[0.5, -1]]), np.tanh([[0.5, -1]]), rtol=1e-14)
    assert network.loss_and_gradient(theta, [[0.5, -1]], [[0, 0]])[1].shape == (0,)


def test_sizes_that_the_rows_of_a_table_tell_are_told_how_to_be_had(tmp_path):
    (tmp_path / "rows.csv").write_text("a,b,y\n" + "".join(f"{row},{'xyz'[row % 3]},{row % 2}\n" for row in range(60)))
    data = {"type": "csv", "path": str(tmp_path / "rows.csv"), "target": "y"}
    spec = {"data": data, "network": {"hidden_layer_sizes": [4]}, "training": {"loss": "categorical_crossentropy"}}
    with pytest.raises(SpecError) as caught:
        specnet.build(spec)
    inputs, outputs = caught.value.diagnostics
    for problem, name in ((inputs, "inputs"), (outputs, "outputs")):
        assert "depends on the rows of the data, which are not read here" in problem.message
        assert problem.hint.startswith(f"set {name[:-1]}_size, or pass {name} in Python; `specnet show --resolved` ")
    # Two columns that are known, and of which preprocessing makes more: to pass them tells nothing.
    spec["data"] = {**data, "columns": {"a": "numeric", "b": "category", "y": "category"}}
    spec["network"]["preprocessing"] = ["impute", "standardize"]
    with pytest.raises(SpecError) as caught:
        specnet.build(spec, inputs=2, outputs=2)
    (problem,) = caught.value.diagnostics
    assert problem.hint.startswith("set input_size; `specnet show --resolved` ")
    resolved = resolved_with_data(parse_spec(spec)).spec
    assert specnet.build(resolved.to_json()).inputs == 4


def test_a_network_by_another_engine_is_made_once():
    network = network_of("mse", 1)
    assert network.run_by("numpy") is network
    compiled = network.run_by("compiled")
    assert compiled.engine == "compiled"
    assert network.run_by("compiled") is compiled


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32 - 1, 2**32, 2**64 + 3, 2**128 - 1])
@pytest.mark.parametrize("keys", [(), (0,), (7,)])
def test_numbered_streams_are_the_streams_of_their_last_key(seed: int, keys: tuple[int, ...]):
    streams = NumberedStreams(seed, "shuffling", *keys)
    for number in [0, 1, 255, 256, 254, *range(1000, 1300), 100, 2**31 - 1]:
        assert streams(number).bit_generator.state == stream(seed, "shuffling", *keys, number).bit_generator.state
