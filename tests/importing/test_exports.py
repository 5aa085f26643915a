"""What specnet has exported comes back with the same bits, also of tables, and is asked and measured as the model."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import specnet
from specnet import ExportError, FileError, Model, export
from specnet.importing import open_model, read_network
from tests.exporting.models import DTYPES, NAMES, built, dense, ensemble_of, spec_model
from tests.exporting.tables import raw, table_model, training_rows
from tests.exporting.tools import probe
from tests.importing.answers import edited, edited_facts
from tests.importing.conftest import Refuse
from tests.model.models import KINDS, make_model, make_rows
from tests.random_specs import random_rows, random_spec
from tests.texts.pinned import Refused

METRICS = {"values": ["r2", "mean_absolute_error"], "binary": ["accuracy", "roc_auc", "neg_log_loss"]}
METRICS |= {"classes": ["accuracy", "f1_macro", "neg_log_loss"], "multilabel": ["accuracy", "f1_macro"]}
SUFFIXES = {"onnx": ".onnx", "sklearn": ".skops", "keras": ".keras"}
KERAS = [pytest.mark.peers, pytest.mark.filterwarnings("ignore::DeprecationWarning")]  # its own
TARGETS = ["onnx", "sklearn", pytest.param("keras", marks=KERAS)]


def opened(model: Model, target: str, folder: Path) -> Model:
    path = folder / f"m{SUFFIXES[target]}"
    export(model, target, path)
    return open_model(path)


def check_the_same(found: Model, model: Model, X: Any, y: np.ndarray, weight: Any = None) -> None:
    np.testing.assert_array_equal(found.predict(X), model.predict(X))
    assert found.gives_probabilities == model.gives_probabilities
    if model.gives_probabilities:
        np.testing.assert_array_equal(found.predict_proba(X), model.predict_proba(X))
    assert found.evaluate(X, y, weight) == model.evaluate(X, y, weight)
    assert found.spec.training.loss == model.spec.training.loss
    assert found.spec.training.metrics == model.spec.training.metrics
    if model.labels is not None:
        np.testing.assert_array_equal(found.labels, model.labels)


@pytest.mark.parametrize("target", TARGETS)
def test_labels_as_far_apart_as_integers_go(target: str, tmp_path: Path):
    model = make_model("classes")
    labels = np.array([-(2**63), 0, 2**63 - 1])
    model = Model(model.network, model.theta, preprocessing=model.preprocessing, labels=labels)
    np.testing.assert_array_equal(opened(model, target, tmp_path).labels, labels)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", TARGETS)
def test_every_kind(target: str, kind: str, dtype: str, tmp_path: Path, refused: Refused):
    model = make_model(kind, dtype, metrics=METRICS[make_model(kind).network.task])
    if target == "sklearn" and kind == "two classes":
        with refused(ExportError):
            opened(model, target, tmp_path)
        return
    X, y = make_rows(model)
    found = opened(model, target, tmp_path)
    check_the_same(found, model, X, y)
    check_the_same(found, model, X, y, np.random.default_rng(0).random(len(X)))


@pytest.mark.parametrize("kind", ["binary, text", "classes", "multilabel", "values"])
def test_ensembles_come_back_from_onnx(kind: str, tmp_path: Path):
    model = ensemble_of(make_model(kind, "float32", metrics=METRICS[make_model(kind).network.task]))
    found, (X, y) = opened(model, "onnx", tmp_path), make_rows(model)
    check_the_same(found, model, X, y)
    np.testing.assert_array_equal(found.theta, model.theta)
    np.testing.assert_array_equal(found.predict_spread(X), model.predict_spread(X))


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_ensembles_do_not_come_back_from_keras(tmp_path: Path):
    with pytest.raises(FileError, match="as of an ensemble") as caught:
        opened(ensemble_of(make_model("classes")), "keras", tmp_path)
    assert caught.value.diagnostics[0].hint == "import its ONNX file, from `specnet export RUN --to onnx`"


LOSSES: list[Any] = ["mean_absolute_error", "log_cosh", "poisson", "gamma", "tweedie", "gaussian_nll"]
LOSSES += ["hinge", "squared_hinge", "binary_focal_crossentropy", "categorical_focal_crossentropy", "categorical_hinge"]
LOSSES += [{"type": "huber", "delta": 0.3}, {"type": "quantile", "quantile": 0.9}]


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_loss_is_that_of_training(loss: Any, tmp_path: Path):
    outputs = 2 if loss == "gaussian_nll" else 3 if str(loss).startswith("categorical") else 1
    model = built(dtype="float64", loss=loss, layer_sizes=[3, 4, outputs])
    generator = np.random.default_rng(0)
    X = generator.normal(size=(50, 3))
    y = generator.integers(0, 3 if outputs == 3 else 2, 50) if model.labels is not None else generator.gamma(1, 1, 50)
    check_the_same(opened(model, "onnx", tmp_path), model, X, y)


@pytest.mark.parametrize("activation", ["linear", "softplus"])
def test_an_output_that_the_loss_does_not_expect(activation: str, tmp_path: Path):
    model, X = built(dense(1, activation=activation), input_size=2), np.ones((4, 2))
    check_the_same(opened(model, "onnx", tmp_path), model, X, np.arange(4.0))


COMPARED = "compared with onnxruntime on 240 rows: max difference "


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_reference_specs(name: str, tmp_path: Path):
    model, path = spec_model(name), tmp_path / "m.onnx"
    assert export(model, "onnx", path).dtype == model.network.dtype.name
    found, proof = open_model(path), read_network(path).proof
    rows, _, outputs = probe(model, "onnx")
    assert proof.startswith(COMPARED)
    largest = np.abs(outputs).max(initial=1.0)
    assert float(proof.removeprefix(COMPARED)) <= 1e-5 * largest
    for ours, theirs in (
        (found.preprocessing, model.preprocessing),
        (found.target_preprocessing, model.target_preprocessing),
    ):
        assert ours.tensors().keys() == theirs.tensors().keys()
        for key, array in theirs.tensors().items():
            np.testing.assert_array_equal(ours.tensors()[key], array)
    X = rows.part(slice(200))
    y = model.predict(X)
    y = np.where(np.arange(200) % 3, y, np.roll(y, 1))
    if model.labels is not None:
        y[: len(model.labels)] = model.labels
    check_the_same(found, model, X, y)
    data = found.spec.data
    if name in ("wine_csv.toml", "penguins.toml", "expectations.toml"):
        written = model.spec.data
        assert str(written.path).startswith("data/")
        assert data == written.model_copy(update={"path": str(written.path).removeprefix("data/")})
    else:
        assert data is None


def network_outputs(model: specnet.Model, X: np.ndarray) -> np.ndarray:
    """The network's own outputs for raw columns, whatever its loss makes of them."""
    prepared = model.preprocessing.apply(X.astype(np.float64)) if model.preprocessing.steps else X
    return model.network.predict(model.theta, prepared, model.state)


def random_networks(count: int = 40) -> Iterator[tuple[specnet.Model, np.ndarray]]:
    """Random networks over the whole catalogue after an epoch, and their rows."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        spec = random_spec(rng, seed)
        spec["network"]["dtype"] = ("float32", "float64")[seed % 2]
        X, y = random_rows(rng, spec, 60)
        with np.errstate(all="ignore"):
            yield specnet.fit({**spec, "training": {**spec["training"], "epochs": 1}}, X, y), X


@pytest.mark.slow
def test_random_networks_over_the_whole_catalogue(tmp_path: Path):
    tried = 0
    for number, (model, X) in enumerate(random_networks()):
        if export(model, "onnx", tmp_path / "network.onnx").dtype != model.network.dtype.name:
            continue  # in single precision, for want of an operator in double
        found = specnet.import_model(tmp_path / "network.onnx")
        np.testing.assert_array_equal(network_outputs(found, X), network_outputs(model, X), err_msg=f"seed {number}")
        assert found.spec.training.loss == model.spec.training.loss
        tried += 1
    assert tried >= 30, tried


@pytest.mark.slow
@pytest.mark.parametrize("form", ["one_hot", "ordinal", "embedding"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_tables(form: str, dtype: str, tmp_path: Path):
    model, path = table_model(form, dtype), tmp_path / "m.onnx"
    rows, found = raw(model, training_rows()), opened(model, "onnx", tmp_path)
    np.testing.assert_array_equal(found.predict_proba(rows), model.predict_proba(rows))
    np.testing.assert_array_equal(found.predict(rows), model.predict(rows))
    assert found.spec.feature_kinds == model.spec.feature_kinds
    assert read_network(path).proof.startswith(COMPARED.partition(":")[0])
    found.save(tmp_path / "m.safetensors")
    assert specnet.load_model(tmp_path / "m.safetensors").spec.sha256 == model.spec.sha256


@pytest.mark.parametrize("target", TARGETS)
def test_names_of_columns(target: str, tmp_path: Path):
    model = built(feature_names=["a", 'b "c"'], layer_sizes=[2, 1])
    assert opened(model, target, tmp_path).feature_names == model.feature_names == ("a", 'b "c"')


def periodic_model() -> Model:
    """A model with a layer that cannot be recognized by its operators alone."""
    return built({"type": "periodic_embedding", "frequencies": 2, "size": 3}, dense(1), input_size=2)


def layer(facts: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = facts["network"]["layers"][0]
    return first


Change = Callable[[Any], object]
FREQUENCY, CODES = "layers.0.frequency", "preprocessing.0.0."
CHANGES: list[Change] = [
    lambda facts: facts["numbers"][FREQUENCY].reverse(),
    lambda facts: layer(facts).update(variant="plr_lite"),
    lambda facts: layer(facts).update(frequencies=10**9),
    lambda facts: layer(facts).update(type="dense", units=2),
    lambda facts: layer(facts).update(type="snake"),
    lambda facts: facts["network"].update(layers=3),
    lambda facts: facts["network"]["layers"].pop(),
    lambda facts: facts.update(numbers=[]),
    *(
        partial(lambda facts, numbers: facts["numbers"].update({FREQUENCY: numbers}), numbers=numbers)
        for numbers in (["1", 2, 3, 4], [1], [10**400] * 4)
    ),
    lambda facts: facts.update(labels=[0, 1]),
    lambda facts: facts.update(labels=[1, 0]),
    lambda facts: facts.pop("network"),
    lambda facts: facts.update(training={"loss": "mse", "metrics": 3}),
    lambda facts: facts.update(training={"loss": 7}),
    lambda facts: facts.pop("training"),
    lambda facts: facts.update(data={"type": "make_moons", "n": 3}),
    lambda facts: facts["network"].update(feature_names=["a"]),
    lambda facts: facts["network"].update(feature_names=3),
]
NUMBERS = [("categories", value) for value in ([1, 2, 3], [], [300] * 5, [-1])]
NUMBERS += [("offsets", [0] * 23), ("offsets", [0.5] * 23), ("starts", [0, 3]), ("starts", [0, 1e300, 22])]
CHANGES_OF_TABLES: list[Change] = [
    *(partial(lambda facts, item: facts["numbers"].update({CODES + item[0]: item[1]}), item=item) for item in NUMBERS),
    lambda facts: facts["network"].pop("feature_names"),
    lambda facts: facts["network"].pop("feature_kinds"),
    lambda facts: facts["network"].pop("preprocessing"),
]


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_what_a_file_says_is_not_taken_at_its_word(change: Change, tmp_path: Path, refused: Refused):
    opened(periodic_model(), "onnx", tmp_path)
    with edited_facts(tmp_path / "m.onnx") as facts:
        change(facts)
    with refused(FileError, at="m.onnx"):
        open_model(tmp_path / "m.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES_OF_TABLES)
def test_what_a_file_says_of_its_table_is_not_taken_at_its_word(change: Change, tmp_path: Path):
    export(table_model(), "onnx", tmp_path / "m.onnx")
    with edited_facts(tmp_path / "m.onnx") as facts:
        change(facts)
    with pytest.raises(FileError):
        read_network(tmp_path / "m.onnx")


def encoder(model: onnx.ModelProto, name: str) -> Any:
    """Return an attribute of the graph's last table of codes."""
    node = [node for node in model.graph.node if node.op_type == "LabelEncoder"][-1]
    (attribute,) = (attribute for attribute in node.attribute if attribute.name == name)
    return attribute


def other_inputs(model: onnx.ModelProto) -> None:
    model.graph.input[1].name = "words"
    for node in model.graph.node:
        node.input[:] = ["words" if name == "texts" else name for name in node.input]


CHANGES_OF_GRAPHS: dict[str, Change] = {
    "code": lambda model: encoder(model, "values_int64s").ints.__setitem__(0, 2),
    "text": lambda model: encoder(model, "keys_strings").strings.__setitem__(0, b"other"),
    "default": lambda model: setattr(encoder(model, "default_int64"), "i", 1),
    "inputs": other_inputs,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES_OF_GRAPHS)
def test_a_graph_of_a_table_that_was_changed_is_refused(name: str, tmp_path: Path):
    export(table_model(), "onnx", tmp_path / "m.onnx")
    with edited(tmp_path / "m.onnx") as model:
        before = model.SerializeToString()
        CHANGES_OF_GRAPHS[name](model)
        assert model.SerializeToString() != before
    with pytest.raises(FileError):
        read_network(tmp_path / "m.onnx")


def test_without_what_specnet_says_texts_are_refused(tmp_path: Path, refuse: Refuse):
    export(table_model(), "onnx", tmp_path / "m.onnx")
    with edited(tmp_path / "m.onnx") as model:
        del model.metadata_props[:]
    refuse(tmp_path / "m.onnx")


def test_a_graph_that_was_changed_is_read_as_another_tool_s(tmp_path: Path):
    model = built(loss="mean_absolute_error", layer_sizes=[2, 3, 1], activations=["tanh", "linear"])
    export(model, "onnx", tmp_path / "m.onnx")
    with edited(tmp_path / "m.onnx") as loaded:
        next(node for node in loaded.graph.node if node.op_type == "Tanh").op_type = "Sigmoid"
    found = open_model(tmp_path / "m.onnx")
    assert [layer.activation.type for layer in found.spec.network.layers or ()] == ["sigmoid", "linear"]
    assert found.spec.training.loss == model.spec.training.loss


def test_labels_that_were_changed_are_not_those_of_the_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # which would tell the labels apart
    export(make_model("classes, text"), "onnx", tmp_path / "m.onnx")
    with edited(tmp_path / "m.onnx") as loaded:
        labels = next(tensor for tensor in loaded.graph.initializer if tensor.string_data)
        labels.string_data[:] = reversed(labels.string_data)
    with refused(FileError, at="m.onnx"):
        open_model(tmp_path / "m.onnx")


def test_labels_that_numpy_would_shorten_are_refused(tmp_path: Path, refused: Refused):
    export(make_model("classes, text"), "onnx", tmp_path / "m.onnx")
    with edited_facts(tmp_path / "m.onnx") as facts:
        facts["labels"][-1] += "\0"
    with refused(FileError, at="m.onnx"):
        open_model(tmp_path / "m.onnx")


def test_a_part_that_is_not_installed_is_named(tmp_path: Path, refused: Refused):
    from tests.exporting.test_export import plugin_model

    export(plugin_model("snake"), "onnx", tmp_path / "m.onnx")
    with refused(FileError, at="m.onnx"):
        open_model(tmp_path / "m.onnx")


@pytest.mark.parametrize("name", ["m.py", "m.c", "m.js", "m.mjs"])
def test_a_program_answers_by_itself(name: str, tmp_path: Path, refused: Refused):
    with refused(FileError):
        open_model(tmp_path / name)


@pytest.mark.parametrize("name", ["sklearn_words.onnx", "keras_binary.keras"])
def test_files_that_name_no_loss_are_refused(name: str, refused: Refused):
    with refused(FileError):
        open_model(Path(__file__).parent / "files" / name)
