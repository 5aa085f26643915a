"""Checks of whole networks: right ones pass, planted faults are named with their layers, kinks are no faults."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet.checking import check_spec
from specnet.checking.point import ROWS, point_of
from specnet.compiler import operations
from tests.compiling import compiles, wrong_form
from tests.network.test_gradients import replaced, wrong_by_a_thousandth
from tests.networks import dense
from tests.random_specs import random_spec
from tests.registry import REGISTRY, find
from tests.repository.test_specs import FOLDER, SPECS
from tests.texts.pinned import Refused


def check(spec: dict[str, Any]) -> Any:
    return check_spec(specnet.parse_spec(spec))


def comparisons_of(spec: dict[str, Any]) -> dict[str, Any]:
    return {comparison.name: comparison for comparison in check(spec).comparisons}


def stack_of(*layers: dict[str, Any], loss: Any = "mean_squared_error", **training: Any) -> dict[str, Any]:
    network = {"input_size": 3, "output_size": layers[-1]["units"], "layers": list(layers)}
    return {"network": network, "training": {"loss": loss, **training}}


STACK = stack_of(
    *(dense(6, "tanh", name="first"), dense(6, "silu", name="second"), {"type": "add", "inputs": ["first", "second"]}),
    *({"type": "dropout", "rate": 0.3}, dense(4, "selu", name="third"), dense(2, name="head")),
    loss={"type": "binary_crossentropy", "label_smoothing": 0.1},
    l1=0.001,
    l2=0.01,
)


@compiles
@pytest.mark.slow
@pytest.mark.usefixtures("compiled_quickly")
def test_the_compiled_gradient_is_checked():
    spec = STACK | {"training": STACK["training"] | {"engine": "compiled"}}
    assert check(spec).agrees
    with wrong_form(operations.TANH):
        assert not check(spec).agrees


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_the_reference_specs_have_right_gradients(name: str):
    found = check_spec(specnet.parse_spec(FOLDER / name))
    assert found.agrees
    assert found.layers == ()
    assert "training rows of" in found.source
    assert found.worst.share < 1e-7


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(16))
def test_random_networks_have_right_gradients(seed: int):
    found = check(random_spec(np.random.default_rng(seed), seed))
    assert found.agrees, found.wrong
    assert "random rows" in found.source
    assert [start.key for start in found.start] == [node.key for node in found.network.nodes]


def test_every_tensor_and_the_input_is_compared_by_its_name():
    found = check(STACK)
    names = {name: array.shape for name, array in found.network.parameters(found.network.initial_parameters()).items()}
    assert {comparison.name: comparison.shape for comparison in found.comparisons} == {**names, "input": (ROWS, 3)}
    for comparison in found.comparisons:
        assert comparison.compared + comparison.left_out == np.prod(comparison.shape)
    assert found.network.dtype == np.float64


PLANTED = {
    "tanh": ((operations.TANH, "slopes"), {"layers.first"}),
    "sigmoid, within silu": ((operations.SIGMOID, "slopes"), {"layers.second"}),
    "selu's own": ((find("activation", "selu"), "derivative_from_output"), {"layers.third"}),
    "affine": ((operations.AFFINE, "adjoint"), {"layers.first", "layers.second", "layers.third", "layers.head"}),
    "softplus": ((operations.SOFTPLUS, "slopes"), {"loss"}),
    "absolute, of a penalty": ((operations.ABSOLUTE, "slopes"), {"loss"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTED)
def test_a_rule_that_is_wrong_by_a_thousandth_is_named_with_its_layer(name: str):
    rule, layers = PLANTED[name]
    with replaced(rule, wrong_by_a_thousandth):
        found = check(STACK)
    assert not found.agrees
    assert {layer.key for layer in found.wrong_layers} == layers
    assert {"layers.first.weight"} <= {comparison.name for comparison in found.wrong}
    for layer in found.wrong_layers:
        assert 1e-5 < layer.worst.share < 2e-3


def test_a_fault_behind_a_layer_does_not_reach_those_after_it():
    with replaced((operations.SIGMOID, "slopes"), wrong_by_a_thousandth):
        wrong = {comparison.name for comparison in check(STACK).wrong}
    assert not wrong & {"layers.third.weight", "layers.head.weight", "layers.head.bias"}


def test_layers_that_draw_noise_of_different_sizes_are_checked_by_themselves():
    dropout = {"type": "dropout", "rate": 0.2}
    with replaced((operations.TANH, "slopes"), wrong_by_a_thousandth):
        found = check(stack_of(dense(4, "tanh"), dropout, dense(6, "silu"), dropout, dense(2)))
    assert [layer.key for layer in found.wrong_layers] == ["layers.0"]


def test_a_zero_initialised_relu_stands_on_its_kinks():
    found = comparisons_of(stack_of(dense(4, "relu", weight_initializer="zeros"), dense(1)))
    assert found["layers.0.weight"].verdict == found["layers.0.bias"].verdict == "at kinks"
    assert found["layers.0.weight"].left_out == 12
    assert found["layers.1.weight"].left_out == found["layers.1.bias"].left_out == found["input"].left_out == 0
    assert found["layers.1.bias"].verdict == "ok"


def test_a_zero_initialised_head_is_smooth():
    for loss in ("categorical_crossentropy", "binary_crossentropy"):
        found = check(stack_of(dense(3, weight_initializer="zeros"), loss=loss))
        assert found.agrees
        assert sum(comparison.left_out for comparison in found.comparisons) == 0


def with_rows(folder: Path, spec: dict[str, Any], **arrays: np.ndarray) -> dict[str, Any]:
    """Return a spec that trains on all of some rows, which are in a file."""
    np.savez(folder / "rows.npz", **arrays)
    return {**spec, "data": {"type": "npz", "path": str(folder / "rows.npz"), "split": {"test_size": 0.0}}}


def test_inputs_at_a_kink_are_left_out_and_counted(tmp_path: Path):
    X = np.random.default_rng(0).normal(size=(8, 3))
    X[:4, 0] = 0
    spec = stack_of({"type": "activation", "activation": "relu"}, dense(1))
    found = comparisons_of(with_rows(tmp_path, spec, X=X, y=X.sum(1)))
    assert found["input"].left_out == 4
    assert found["input"].compared == 20


def test_columns_of_categories_cannot_be_moved_and_get_fitting_rows():
    embedding = {"type": "embedding", "columns": [1], "categories": 4, "size": 2}
    spec = stack_of(embedding, dense(1))
    comparisons = comparisons_of(spec)
    assert all(comparison.agrees for comparison in comparisons.values())
    # A little less than 1 is category 0; a little less than 0 is cut off to 0.
    ones = int(point_of(specnet.parse_spec(spec)).X[:, 1].sum())
    assert 0 < ones < ROWS
    assert comparisons["input"].left_out == ones
    assert comparisons["layers.0.table_1"].compared == 8


def test_rows_are_prepared_and_weighted_as_in_training(tmp_path: Path):
    rng = np.random.default_rng(0)
    X = rng.normal(5, 3, (60, 3))
    y, weight = (X[:, 0] > 6).astype(int), rng.integers(0, 2, 60).astype(float)
    spec = stack_of(dense(1), loss="binary_crossentropy", class_weight={"0": 1.0, "1": 3.0})
    spec["network"]["preprocessing"] = ["standardize"]
    spec = with_rows(tmp_path, spec, X=X, y=y, sample_weight=weight)
    rows = point_of(specnet.parse_spec(spec))
    assert rows.X.shape == (ROWS, 3)
    # Rows of weight 0 are passed over, and the others stand as they do in training.
    heavy = np.flatnonzero(weight)
    centered = X - np.average(X, 0, weight)
    whole = (centered / np.sqrt(np.average(centered**2, 0, weight)))[heavy]
    one = rows.weight.min()  # only ratios mean anything
    for row, label, given in zip(rows.X, rows.y, rows.weight, strict=True):
        (place,) = np.flatnonzero(np.isclose(whole, row).all(1))
        assert label == y[heavy][place]
        assert given == pytest.approx(3 * one if label else one, rel=1e-15)
    assert check(spec).agrees


def test_masks_are_those_of_the_first_step():
    found = check(STACK)
    rows = point_of(specnet.parse_spec(STACK))
    theta = found.network.initial_parameters()
    losses = {
        step: found.network.loss_and_gradient(theta, rows.X, rows.y, training=True, step=step)[0] for step in (0, 1)
    }
    assert found.loss == losses[0] != losses[1]
    assert found.as_dict() == check(STACK).as_dict()


@pytest.mark.slow
def test_of_large_tensors_some_coordinates_are_drawn_by_the_seed():
    found = check(stack_of(dense(300, "tanh"), dense(1)))
    assert [comparison.compared for comparison in found.comparisons] == [200, 200, 200, 1, 3 * ROWS]
    assert check(stack_of(*[dense(2, "tanh")] * 120)).limit == 20_000 // 241


def test_dead_and_saturated_units_are_counted():
    def biased(value: float, activation: str) -> dict[str, Any]:
        weight, bias = {"type": "random_normal", "stddev": 0.01}, {"type": "constant", "value": value}
        return dense(5, activation, weight_initializer=weight, bias_initializer=bias)

    layers = [biased(-9, "relu"), biased(9, "tanh"), biased(0.5, "sigmoid")]
    starts = check(stack_of(*layers, {"type": "activation", "activation": "softmax"}, dense(1))).start
    assert [(start.dead, start.saturated) for start in starts] == [(5, 0), (0, 5), (0, 0), (None, None), (0, 0)]
    assert starts[0].mean == starts[0].deviation == starts[0].gradient == 0
    assert starts[1].mean == pytest.approx(1)
    assert starts[3].gradient is None


def test_what_is_told_of_layers_is_what_plain_numpy_finds():
    spec = stack_of(dense(4, "sigmoid"), dense(2))
    found, rows = check(spec), point_of(specnet.parse_spec(spec))
    theta = found.network.initial_parameters()
    weights = found.network.parameters(theta)
    hidden = 1 / (1 + np.exp(-(rows.X @ weights["layers.0.weight"].T + weights["layers.0.bias"])))
    gradient = found.network.parameters(found.network.loss_and_gradient(theta, rows.X, rows.y)[1])
    first = np.concatenate([gradient["layers.0.weight"].ravel(), gradient["layers.0.bias"]])
    assert found.start[0].mean == pytest.approx(hidden.mean(), rel=1e-12)
    assert found.start[0].deviation == pytest.approx(hidden.std(), rel=1e-12)
    assert found.start[0].gradient == pytest.approx(np.sqrt((first**2).mean()), rel=1e-12)


@pytest.mark.slow
def test_made_targets_fit_every_loss():
    for loss in REGISTRY.of_kind("loss"):
        network: dict[str, Any] = {"layer_sizes": [3, 4, 2], "activations": ["tanh", loss.output_activation]}
        assert check({"network": network, "training": {"loss": loss.part_name()}}).agrees, loss


def test_without_a_finite_loss_or_sizes_there_is_no_gradient_to_check(refused: Refused):
    large = {"type": "random_normal", "stddev": 1e200}
    with refused(specnet.TrainingError):
        check(stack_of(dense(1, weight_initializer=large)))
    with refused(specnet.SpecError, code="unknown-size", at="network"):
        check({"network": {"hidden_layer_sizes": [4]}, "training": {"loss": "mse"}})
