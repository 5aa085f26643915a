"""A spec and what is said in its place, names that lead into it, clones, seeds, and what is refused."""

import tomllib
from typing import Literal

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_friedman1, make_moons

import specnet
from specnet import SpecClassifier, SpecError, SpecRegressor, parts

X, Y = make_moons(200, noise=0.2, random_state=0)
TEXT = """
seed = 3
[network]
hidden_layer_sizes = [6]
activations = "tanh"
dtype = "float64"
[training]
loss = "binary_crossentropy"
optimizer = { type = "adam", learning_rate = 0.02 }
epochs = 30
"""
SPEC = tomllib.loads(TEXT)


class Wave(parts.Activation):
    """sin x."""

    type: Literal["wave"] = "wave"

    def expression(self, x):
        return parts.sin(x)


def trained(estimator):
    """Return the parameters that an estimator has after fitting the moons."""
    return estimator.fit(X, Y).model_.theta


@pytest.mark.parametrize("form", ["mapping", "text", "path", "path object", "spec"])
def test_a_spec_in_any_form_trains_what_fit_trains_and_names_lead_into_it(form, tmp_path):
    path = tmp_path / "spec.toml"
    path.write_text(TEXT)
    forms = {"mapping": SPEC, "text": TEXT, "path": str(path), "path object": path, "spec": specnet.parse_spec(SPEC)}
    source = forms[form]
    np.testing.assert_array_equal(trained(SpecClassifier(source)), specnet.fit(SPEC, X, Y).theta)
    changed = {**SPEC, "training": {**SPEC["training"], "optimizer": {"type": "adam", "learning_rate": 0.1}}}
    estimator = SpecClassifier(source).set_params(spec__training__optimizer__learning_rate=0.1)
    np.testing.assert_array_equal(trained(estimator), specnet.fit(changed, X, Y).theta)
    assert estimator.get_params()["spec__training__optimizer__learning_rate"] == 0.1
    assert SpecClassifier(source).get_params()["spec__training__optimizer__learning_rate"] == 0.02
    assert SPEC["training"]["optimizer"]["learning_rate"] == 0.02
    np.testing.assert_array_equal(trained(clone(estimator)), estimator.model_.theta)


def test_arguments_take_the_place_of_what_the_spec_says():
    loss = {"type": "binary_crossentropy", "label_smoothing": 0.1}
    training = {"loss": loss, "optimizer": "sgd", "epochs": 7, "batch_size": "full", "l2": 0.01}
    training["early_stopping"] = {"monitor": "loss", "patience": 3}
    network = {"hidden_layer_sizes": [5, 4], "activations": "relu"}
    said = SpecClassifier(SPEC, **network, **training, class_weight={0: 2.0}).fit(X, Y)
    written = {"network": {**network, "dtype": "float64"}, "training": {**training, "class_weight": {"0": 2.0}}}
    assert said.model_.spec == specnet.fit({**written, "seed": 3}, X, Y).spec


def test_without_arguments_the_default_spec_is_listed_and_changed():
    estimator = SpecRegressor()
    assert estimator.get_params()["spec__network__hidden_layer_sizes"] == (400,)
    estimator.set_params(spec__training__optimizer__learning_rate=0.01, spec__network__hidden_layer_sizes=(7,))
    network = estimator.fit(*make_friedman1(30, random_state=0)).model_.spec
    assert [layer.units for layer in network.network.layers] == [7, 1]
    assert network.training.optimizer.learning_rate == 0.01
    assert SpecRegressor().get_params()["spec__network__hidden_layer_sizes"] == (400,)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sizes", "units"),
    [(5, [5]), (np.int32(5), [5]), ((5,), [5]), (np.array([5, 4]), [5, 4]), (np.array(5), [5]), ([], [])],
    ids=repr,
)
@pytest.mark.parametrize("estimator", [SpecClassifier, SpecRegressor])
def test_sizes_of_hidden_layers_in_any_form(estimator, sizes, units):
    given = estimator(hidden_layer_sizes=sizes, epochs=1)
    assert given.get_params()["hidden_layer_sizes"] is sizes
    assert given.get_params()["spec__network__hidden_layer_sizes"] == tuple(units)
    for made in (given, clone(given), estimator(epochs=1).set_params(hidden_layer_sizes=sizes)):
        assert [layer.units for layer in made.fit(X, Y).model_.spec.network.layers] == [*units, 1]


def test_numbers_and_arrays_of_numpy_are_what_they_hold():
    pairs = {
        "hidden_layer_sizes": (np.array([3, 2]), [3, 2]),
        "activations": (np.array(["tanh", "relu", "sigmoid"]), ["tanh", "relu", "sigmoid"]),
        "optimizer": tuple({"type": "sgd", "learning_rate": rate} for rate in (np.float32(0.5), 0.5)),
        "epochs": (np.int64(2), 2),
        "l2": (np.float64(0.25), 0.25),
        "class_weight": ({np.int64(1): np.float64(2)}, {1: 2.0}),
        "early_stopping": (np.False_, False),
        "warm_start": (np.True_, False),
        "random_state": (np.int64(4), 4),
    }
    given, written = (SpecClassifier(**{name: pair[which] for name, pair in pairs.items()}) for which in (0, 1))
    assert clone(given).fit(X, Y).model_.spec == written.fit(X, Y).model_.spec
    said = {"spec__network__preprocessing": np.array([]), "spec__training__batch_size": np.int64(50)}
    given.set_params(spec__network__hidden_layer_sizes__1=np.int8(6), **said)
    written.set_params(hidden_layer_sizes=(3, 6), spec__network__preprocessing=[], batch_size=50)
    assert clone(given).fit(X, Y).model_.spec == written.fit(X, Y).model_.spec


def test_a_name_changes_the_argument_that_says_what_stands_there():
    estimator = SpecClassifier(SPEC, optimizer="sgd", epochs=9, class_weight={0: 1}, early_stopping=True)
    settings = {"optimizer__learning_rate": 0.5, "epochs": 8, "class_weight__1": 3, "early_stopping__patience": 4}
    estimator.set_params(**{f"spec__training__{name}": value for name, value in settings.items()})
    assert estimator.spec is SPEC
    assert estimator.optimizer == {"type": "sgd", "learning_rate": 0.5}
    assert estimator.epochs == 8
    assert estimator.class_weight == {"0": 1, "1": 3}
    assert estimator.early_stopping == {"patience": 4}
    assert estimator.set_params(spec__training__epochs=None).epochs is None
    off = SpecClassifier(early_stopping=False).set_params(spec__training__early_stopping__monitor="loss")
    assert off.early_stopping == {"monitor": "loss"}


def test_digits_lead_into_lists_and_none_leaves_out():
    layers = [{"type": "dense", "units": 4, "activation": "relu"}, {"type": "dense", "units": 1}]
    estimator = SpecClassifier({"network": {"layers": layers}, "training": {"clip_norm": 1.0, "epochs": 2}})
    assert estimator.get_params()["spec__network__layers__0__units"] == 4
    settings = {"network__layers__0__units": 9, "training__clip_norm": None, "training__early_stopping": None}
    estimator.set_params(**{f"spec__{name}": value for name, value in settings.items()})
    spec = estimator.fit(X, Y).model_.spec
    assert spec.network.layers[0].units == 9
    assert spec.training.clip_norm is None
    assert layers[0]["units"] == 4


NUMBERS = np.abs(X[:, 0]) + 0.1
LAYERS = [{"type": "dense", "units": 3, "activation": "tanh"}, {"type": "dense", "units": 1}]
WRITTEN = {"training": {"batch_size": 200, "loss": "mse"}, "network": SpecRegressor.default_spec["network"]}


def regressor(spec=None, settings=None, **arguments):
    """Return a regressor with settings of its spec, by their keys without the first word."""
    names = {f"spec__{name}": value for name, value in (settings or {}).items()}
    return SpecRegressor(spec, **arguments).set_params(**names)


REFUSED = [
    ("out-of-bounds", "network.hidden_layer_sizes.0", SpecClassifier(hidden_layer_sizes=0), Y),
    ("wrong-type", "network.hidden_layer_sizes", SpecClassifier(hidden_layer_sizes=True), Y),
    ("unknown-part", "network.activations", SpecClassifier(TEXT.replace("tanh", "tahn")), Y),
    ("wrong-type", "training.epochs", SpecClassifier(TEXT, epochs="ten"), Y),
    (None, None, SpecClassifier(loss="mse"), Y),
    ("data", None, SpecClassifier(validation_size=0.0, early_stopping=True), Y),
    ("class-weight", None, SpecClassifier(class_weight={7: 1.0}), Y),
    # What is specified does not give way, as a default does.
    ("batch-size", "training.batch_size", regressor(optimizer="lbfgs", batch_size=200), NUMBERS),
    ("batch-size", "training.batch_size", regressor(None, {"training__batch_size": 200}, optimizer="rprop"), NUMBERS),
    ("batch-size", "training.batch_size", regressor(None, {"training__optimizer": "lbfgs"}, batch_size=200), NUMBERS),
    ("batch-size", "training.batch_size", regressor(WRITTEN, optimizer="lbfgs"), NUMBERS),
    ("batch-size", "training.batch_size", regressor(WRITTEN, {"training__optimizer": "lbfgs"}), NUMBERS),
    ("target-preprocessing", "network.target_preprocessing", regressor(WRITTEN, loss="poisson"), NUMBERS),
    (
        *("target-preprocessing", "network.target_preprocessing"),
        regressor(None, {"network__target_preprocessing": ["standardize"]}, loss="poisson"),
        NUMBERS,
    ),
    ("network-form", "network.layers", regressor(None, {"network__layers": LAYERS}, hidden_layer_sizes=[4]), NUMBERS),
    ("activation-count", "network.activations", regressor(activations=["relu", "relu", "linear"]), NUMBERS),
    ("out-of-bounds", "training.epochs", regressor(optimizer="lbfgs", epochs=0), NUMBERS),
    # Targets that do not go with the loss.
    (None, None, SpecRegressor(SPEC), Y),
    (None, None, SpecClassifier(), np.full(len(X), 4)),
    (None, None, SpecClassifier(loss="binary_crossentropy"), np.arange(len(X)) % 3),
    (None, None, SpecClassifier(loss="categorical_crossentropy"), np.eye(2, dtype=int)[Y]),
    (None, None, SpecClassifier(), np.column_stack([Y, Y + 1])),
]


@pytest.mark.parametrize(("code", "at", "estimator", "y"), REFUSED)
def test_what_is_refused(code, at, estimator, y, refused):
    with refused((ValueError, SpecError), code=code, at=at):
        clone(estimator).fit(X, y)


NOWHERE = ["network__dtype__bits", "seed__x", "network__hidden_layer_sizes__5"]


@pytest.mark.parametrize("name", [*(f"spec__{name}" for name in NOWHERE), "optimizer__learning_rate"])
def test_a_name_that_leads_nowhere_is_an_error(name, refused):
    estimator = SpecClassifier(SPEC)
    with refused((ValueError, SpecError), code="unknown-value"):
        estimator.set_params(**{name: 1}).fit(X, Y)


def test_parts_of_ones_own_stay_known(refused):
    spec = specnet.parse_spec({**SPEC, "network": {"hidden_layer_sizes": [4], "activations": "wave"}}, parts=[Wave])
    estimator = clone(SpecClassifier(spec, epochs=3)).set_params(spec__network__hidden_layer_sizes=(5,))
    assert isinstance(estimator.fit(X, Y).model_.spec.network.layers[0].activation, Wave)
    with refused(SpecError, code="unknown-key", at="training.epohcs"):
        estimator.set_params(spec__training__epohcs=3)


WRONG = {
    "validation_size == 1.0, must be < 1": {"validation_size": 1.0},
    "cannot be used to seed": {"random_state": "now"},
    "Seed must be between": {"random_state": -1},
    "Invalid parameter 'sepc'": {"sepc__training__epochs": 1},
}


@pytest.mark.parametrize("message", WRONG)
def test_scikit_learn_says_what_is_no_argument(message):
    with pytest.raises(ValueError, match=message):
        SpecClassifier().set_params(**WRONG[message]).fit(X, Y)


def test_random_state_is_the_seed():
    assert SpecClassifier(SPEC).fit(X, Y).model_.spec.seed == 3
    assert SpecClassifier(SPEC, random_state=8).fit(X, Y).model_.spec.seed == 8
    expected = specnet.fit({**SPEC, "seed": 8}, X, Y).theta
    np.testing.assert_array_equal(trained(SpecClassifier(SPEC, random_state=8)), expected)
    unsaid = {name: section for name, section in SPEC.items() if name != "seed"}
    for spec in (None, unsaid, specnet.parse_spec(unsaid)):
        seeds = {SpecClassifier(spec, epochs=1).fit(X, Y).model_.spec.seed for _ in range(3)}
        assert len(seeds) == 3
    drawn = [trained(SpecClassifier(epochs=1, random_state=np.random.RandomState(number))) for number in (0, 0, 1)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
