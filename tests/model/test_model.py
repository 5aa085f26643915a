"""What a model answers, compared with the same computation written out in NumPy and with scikit-learn's metrics."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, softmax
from sklearn import metrics

import specnet
from specnet import DataError, Model, SpecError, SpecnetWarning
from tests.model.models import KINDS, make_model, make_network, make_rows
from tests.registry import find
from tests.texts.pinned import Pinned, Refused


def raw_outputs(model: Model, X: np.ndarray) -> np.ndarray:
    """Return the network's outputs before the last activation, from the model's arrays and its raw columns."""
    if model.preprocessing.steps:
        (fitted,) = model.preprocessing.fitted
        X = (X - fitted["mean"]) / fitted["scale"]
    arrays: list[np.ndarray] = list(model.network.parameters(model.theta).values())
    for weight, bias in zip(arrays[:-2:2], arrays[1:-2:2], strict=True):
        X = np.maximum(X @ weight.T + bias, 0)
    outputs: np.ndarray = X @ arrays[-2].T + arrays[-1]
    return outputs


def probabilities(model: Model, X: np.ndarray) -> np.ndarray:
    z = raw_outputs(model, X)
    if model.spec.training.loss.target == "classes":
        return np.asarray(softmax(z, axis=1))
    p = np.asarray(expit(z))
    return np.hstack([1 - p, p]) if p.shape[1] == 1 else p


@pytest.mark.parametrize("kind", ["binary", "binary, text", "classes", "classes, integers", "classes, text"])
def test_classes_are_answered_by_label(kind: str) -> None:
    model = make_model(kind)
    X, _ = make_rows(model)
    expected = probabilities(model, X)
    labels = np.array(KINDS[kind].get("labels", range(expected.shape[1])))
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), labels[expected.argmax(axis=1)])
    assert model.labels is not None
    assert model.labels.tolist() == labels.tolist()


def test_an_output_of_exactly_one_half_is_the_first_class() -> None:
    network = make_network("binary")
    model = Model(network, np.zeros(network.parameter_count))
    assert model.predict(np.ones((2, 3))).tolist() == [0, 0]
    assert model.predict_proba(np.ones((1, 3))).tolist() == [[0.5, 0.5]]


def test_several_binary_outputs_are_answered_each() -> None:
    model = make_model("multilabel")
    X, _ = make_rows(model)
    expected = probabilities(model, X)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), (expected > 0.5).astype(int))
    assert model.predict(X).dtype == np.int64
    assert model.labels is None


@pytest.mark.parametrize(("kind", "shape"), [("value", (40,)), ("values", (40, 2)), ("plain values", (40, 2))])
def test_values_are_answered_in_their_own_units(kind: str, shape: tuple[int, ...], refused: Refused) -> None:
    model = make_model(kind)
    X, _ = make_rows(model)
    expected = raw_outputs(model, X)
    if model.target_preprocessing.steps:
        (fitted,) = model.target_preprocessing.fitted
        expected = expected * fitted["scale"] + fitted["mean"]
    assert model.predict(X).shape == shape
    np.testing.assert_allclose(model.predict(X), expected.reshape(shape), rtol=1e-12)
    with refused(DataError):
        model.predict_proba(X)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_row_is_answered_as_among_others(kind: str, dtype: str) -> None:
    model = make_model(kind, dtype)
    X, _ = make_rows(model, 5)
    together = model.predict(X)
    for row, answer in zip(X, together, strict=True):
        alone = model.predict(row[None])
        assert alone.shape == (1, *together.shape[1:])
        if answer.dtype.kind == "f":  # rounding may depend on the rows beside it
            tolerance = 10 * np.finfo(dtype).eps
            np.testing.assert_allclose(alone[0], answer, rtol=tolerance, atol=tolerance * np.abs(together).max())
        else:
            np.testing.assert_array_equal(alone[0], answer)


def test_lists_integers_and_booleans_convert() -> None:
    model = make_model("value")
    expected = model.predict(np.array([[1.0, 0.0, 1.0]]))
    assert model.predict([[1, 0, 1]]) == expected
    assert model.predict(np.array([[True, False, True]])) == expected


def test_answers_belong_to_the_caller() -> None:
    for kind in KINDS:
        model = make_model(kind)
        X, _ = make_rows(model)
        first = model.predict(X)
        kept = first.copy()
        model.predict(X[::-1])
        np.testing.assert_array_equal(first, kept)
        first[...] = first[0]
        np.testing.assert_array_equal(model.predict(X), kept)


def of_second(function: Callable[..., float]) -> Callable[..., float]:
    """A metric of the second class's probability, or of each output's."""
    return lambda t, y, p, w: function(t, p[:, 1] if t.ndim == 1 else p, sample_weight=w)


def of_labels(function: Callable[..., float]) -> Callable[..., float]:
    return lambda t, y, p, w: function(t, y, sample_weight=w)


SCIKIT_LEARNS: dict[str, Callable[..., float]] = {
    "accuracy": of_labels(metrics.accuracy_score),
    "f1": of_labels(metrics.f1_score),
    "precision": of_labels(metrics.precision_score),
    "jaccard": of_labels(metrics.jaccard_score),
    "matthews_corrcoef": of_labels(metrics.matthews_corrcoef),
    "r2": of_labels(metrics.r2_score),
    "mean_squared_error": of_labels(metrics.mean_squared_error),
    "neg_log_loss": lambda t, y, p, w: -metrics.log_loss(t, p, sample_weight=w),
    "roc_auc": of_second(metrics.roc_auc_score),
    "average_precision": of_second(metrics.average_precision_score),
    "neg_brier_score": lambda *compared: -of_second(metrics.brier_score_loss)(*compared),
}
OF_CLASSES = ["accuracy", "neg_log_loss", "matthews_corrcoef"]
OF_TWO = [*OF_CLASSES, "roc_auc", "f1", "precision", "jaccard", "average_precision", "neg_brier_score"]
EVALUATED = {
    **dict.fromkeys(("classes", "classes, text"), OF_CLASSES),
    **dict.fromkeys(("binary", "binary, text", "two classes"), OF_TWO),
    "multilabel": ["accuracy", "average_precision"],
    **dict.fromkeys(("value", "values"), ("r2", "mean_squared_error")),
}


def losses(model: Model, X: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return each row's loss, of values in the units of training."""
    if model.network.task == "values":
        (fitted,) = model.target_preprocessing.fitted
        wanted = (target.reshape(len(target), -1) - fitted["mean"]) / fitted["scale"]
        return np.asarray(((raw_outputs(model, X) - wanted) ** 2).mean(1))
    p = probabilities(model, X)
    return -np.log(np.where(target, p, 1 - p)).mean(1) if target.ndim == 2 else -np.log(p[np.arange(len(X)), target])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", EVALUATED)
def test_rows_are_evaluated_as_scikit_learn_does(kind: str, weighted: bool) -> None:
    model = make_model(kind)
    X, y = make_rows(model)
    weights = np.random.default_rng(2).random(len(X)) if weighted else None
    encoded = [
        values if model.labels is None else np.searchsorted(model.labels, values) for values in (y, model.predict(X))
    ]
    compared = (*encoded, None if model.network.task == "values" else probabilities(model, X), weights)
    expected = {name: SCIKIT_LEARNS[name](*compared) for name in EVALUATED[kind]}
    expected["loss"] = np.average(losses(model, X, encoded[0]), weights=weights)
    assert model.evaluate(X, y, weights, list(EVALUATED[kind])) == pytest.approx(expected, rel=1e-12)
    assert make_model(kind, metrics=list(EVALUATED[kind])).evaluate(X, y, weights) == pytest.approx(expected, rel=1e-12)
    assert model.evaluate(X, y, weights) == pytest.approx({"loss": expected["loss"]}, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_spec_takes_the_metrics_that_its_model_can_be_asked_for(kind: str) -> None:
    model = make_model(kind)
    X, y = make_rows(model)
    for name in [part.part_name() for part in model.spec.registry.of_kind("metric")]:
        try:
            make_network(kind, metrics=[name])
        except SpecError:
            with pytest.raises(DataError, match=f'"{name}"'):
                model.evaluate(X, y, metrics=name)
        else:
            assert name in model.evaluate(X, y, metrics=name)


@pytest.mark.parametrize("kind", ["binary", "classes"])
def test_the_loss_is_measured_without_label_smoothing(kind: str) -> None:
    plain = make_model(kind)
    smoothed = make_model(kind, loss={"type": KINDS[kind]["loss"], "label_smoothing": 0.3})
    X, y = make_rows(plain)
    assert smoothed.evaluate(X, y) == plain.evaluate(X, y)
    assert smoothed.network.loss(smoothed.theta, X, y) != plain.network.loss(plain.theta, X, y)


def test_a_metric_can_be_given_with_its_fields() -> None:
    model = make_model("classes")
    X, y = make_rows(model)
    expected = metrics.top_k_accuracy_score(y, probabilities(model, X), k=2)
    metric = find("metric", "top_k_accuracy")(k=2)
    for given in (metric, [metric]):
        assert model.evaluate(X, y, metrics=given)["top_k_accuracy"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("kind", "metric"),
    [("classes", "r2"), ("value", "accuracy"), ("two classes", "top_k_accuracy"), ("binary", "acuracy"), ("binary", 3)],
)
def test_a_metric_that_does_not_fit_is_refused(kind: str, metric: Any, refused: Refused) -> None:
    model = make_model(kind)
    with refused(DataError):
        model.evaluate(*make_rows(model), metrics=[metric])


@pytest.mark.parametrize(
    "X",
    [np.ones((2, 4)), np.ones(3), np.ones((0, 3)), [[1, 2, np.nan]], [["1", "2", "3"]], [[1j, 2, 3]], [[None, 2, 3]]],
)
def test_columns_that_do_not_fit_are_refused(X: np.ndarray, refused: Refused) -> None:
    for kind in ("value", "plain values"):
        model = make_model(kind)
        for method in (model.predict, lambda X, model=model: model.evaluate(X, [0.0])):
            with refused(DataError):
                method(X)


@pytest.mark.parametrize(
    ("kind", "y"),
    [
        ("classes, text", ["a", ""]),
        ("classes, text", [0, 1]),
        ("classes, integers", [1, 0]),
        ("classes", [0, 1, 2]),
        ("value", [0, 1, 2]),
        ("values", [0, 1]),
        ("multilabel", [[0, 1], [2, 1]]),
    ],
)
def test_a_target_that_does_not_fit_is_refused(kind: str, y: list[Any], refused: Refused) -> None:
    with refused(DataError):
        make_model(kind).evaluate(np.ones((2, 3)), y)


def test_weights_that_do_not_fit_are_refused(refused: Refused) -> None:
    with refused(DataError):
        make_model("value").evaluate(np.ones((2, 3)), [0.0, 1.0], sample_weight=[1.0])


def test_arrays_that_do_not_fit_the_network_are_refused(refused: Refused) -> None:
    network = make_network("classes")
    with refused(DataError):
        Model(network, np.zeros(3))
    theta = np.zeros(network.parameter_count)
    with refused(DataError):
        Model(network, theta, labels=np.array([0, 1]))
    values = make_network("value")
    with refused(DataError):
        Model(values, np.zeros(values.parameter_count), labels=np.array([0, 1]))


def test_a_model_has_parameters_of_its_own() -> None:
    network = make_network("value", "float32")
    theta = np.arange(network.parameter_count, dtype=np.float32)
    model = Model(network, theta)
    theta[:] = 0
    assert model.theta.dtype == np.float32
    assert model.theta.tolist() == list(range(network.parameter_count))


@pytest.mark.parametrize("kind", KINDS)
def test_a_pickled_model_answers_the_same(kind: str) -> None:
    model = make_model(kind)
    X, y = make_rows(model)
    model.history.append({"epoch": 1, "loss": 0.5})
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict(X), model.predict(X))
    assert copy.evaluate(X, y) == model.evaluate(X, y)
    assert copy.history == model.history
    assert copy.spec == model.spec


@pytest.mark.parametrize("kind", KINDS)
def test_raw_outputs_are_those_before_the_last_activation(kind: str) -> None:
    model = make_model(kind)
    X, _ = make_rows(model)
    np.testing.assert_allclose(model.raw_outputs(X), raw_outputs(model, X), rtol=1e-12, atol=1e-12)


def test_a_model_of_several_networks_has_their_mean_and_no_parameters_of_its_own(refused: Refused) -> None:
    first = make_model("value")
    second = Model(first.network, 1 - first.theta, first.state, first.preprocessing, first.target_preprocessing)
    X, _ = make_rows(first)
    model = Model.joined([first, second], [3, 1])
    np.testing.assert_allclose(model.predict(X), (3 * first.predict(X) + second.predict(X)) / 4, rtol=1e-12)
    assert (model.shares, model.network, model.spec) == ((3, 1), first.network, first.spec)
    with refused(DataError):
        _ = model.theta
    for name in ("state", "preprocessing", "target_preprocessing", "members"):
        with pytest.raises(DataError, match=f"has no {name} of its own"):
            getattr(model, name)
        assert getattr(model.networks[1], name) is not None
    with pytest.raises(DataError, match="of 2 networks"):
        Model.joined([model, first], [1, 1])


@pytest.mark.parametrize("shares", [[1], [1, 0], [1, 2, 3]])
def test_each_network_has_a_share(shares: list[int], refused: Refused) -> None:
    with refused(DataError):
        Model.joined([make_model("value")] * 2, shares)


def of_column(cells: list[float], steps: list[str]) -> Model:
    network = {"layer_sizes": [1, 1], "preprocessing": steps, "target_preprocessing": ["standardize"]}
    spec = {"network": network, "training": {"loss": "mse", "epochs": 1}}
    return specnet.fit(spec, pd.DataFrame({"a": cells}), np.arange(len(cells), dtype=float))


def test_cells_are_known_to_a_model_if_they_are_to_each_of_its_networks(pinned: Pinned, refused: Refused) -> None:
    filled = ["impute", "standardize"]
    seen, unseen = of_column([1.0, 4.0, np.nan, 2.0], filled), of_column([1.0, 4.0, 3.0, 2.0], filled)
    rows = pd.DataFrame({"a": [np.nan, 2.0]})
    seen.predict(rows)
    with pytest.warns(SpecnetWarning) as caught:
        Model.joined([seen, unseen], [1, 1]).predict(rows)
    pinned(str(caught[0].message))
    assert caught[0].filename == __file__
    with refused(DataError):
        Model.joined([seen, of_column([1.0, 4.0, 3.0, 2.0], ["standardize"])], [1, 1]).predict(rows)
