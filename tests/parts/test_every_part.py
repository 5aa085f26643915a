"""The matrix of parts: each part that specnet brings, in each setting of one table, by checks, exports and engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet.parts.part import Part
from specnet.testing import check_layer, check_part
from specnet.testing.part_checks import check_activation, check_loss, check_values_and_gradients
from tests.compiling import compiles
from tests.exporting.at_home import javascript_at_home, node, numpy_at_home
from tests.exporting.models import built, dense
from tests.importing.answers import edited
from tests.registry import REGISTRY, figures, find, names, settings, variants
from tests.training.steps.engines import relative

__all__ = ["javascript_at_home", "node", "numpy_at_home"]

OPENED = {"block"}
"""What is opened before it is computed."""
JOINING = {"add", "multiply", "concatenate", "average"}
WITHOUT_FIGURES = {"lbfgs", "cosine_log", "reduce_on_plateau", "unit_deviation", "he_plus"}
"""What no other library steps or draws: they have tests of their own."""
SMALL = {"periodic_embedding": [{"frequencies": 3, "size": 2}, {"frequencies": 2, "size": 3, "variant": "pbld"}]}
"""In place of the usual numbers, with which checks would take long."""


def rows_for(layer: Any, count: int) -> np.ndarray:
    """Random rows of three columns, with categories where the layer needs them."""
    rng = np.random.default_rng(count)
    X = rng.normal(size=(count, 3))
    if layer.type == "embedding":
        X[:, list(layer.columns)] = rng.integers(0, 3, (count, len(layer.columns)))
    return X


@pytest.mark.parametrize("kind", ["activation", "loss", "layer", "optimizer", "schedule", "initializer"])
def test_every_part_has_its_row(kind: str):
    """With its defaults where it has some; and each optimizer with others."""
    rows = [row[kind] for row in figures(kind)["draws"]] if kind == "initializer" else settings(kind)
    tried = {find(kind, row["type"]).part_name() for row in rows}
    assert tried == set(names(kind)) - OPENED - JOINING - WITHOUT_FIGURES
    if kind in ("activation", "loss", "optimizer"):
        assert {find(kind, name)() for name in tried} <= {*variants(kind)}
    if kind == "optimizer":
        assert all(sum(row["type"] == name for row in rows) > 1 for name in tried)


@pytest.mark.parametrize("part", [*variants("activation"), *variants("loss")], ids=str)
def test_derivatives_are_the_complex_steps(part: Any):
    """And at kinks they lie between the one-sided differences."""
    (check_activation if part.kind == "activation" else check_loss)(str(part), part, None, {})


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("layer", variants("layer"), ids=lambda layer: layer.type)
def test_derivatives_of_layers_are_the_complex_steps(layer: Any, count: int):
    check_values_and_gradients(layer.type, layer, None, {}, [rows_for(layer, count)])


@pytest.mark.slow
@pytest.mark.parametrize("part", [part for part in REGISTRY if part.part_name() not in OPENED], ids=str)
def test_the_checks_of_authors_are_passed(part: type[Part]):
    """Names, documents and bounds, and exports to NumPy, C, JavaScript and ONNX that answer as the part does."""
    if (part.kind, part.part_name()) == ("layer", "embedding"):
        check_layer(part, inputs=[np.random.default_rng(0).integers(0, 5, (7, 3))])
    else:
        check_part(part, settings=SMALL.get(part.part_name()))


def side_by_side() -> dict[str, Any]:
    """Return the spec of a network in which all activations and layers read the same three columns."""
    layers: list[dict[str, Any]] = []
    for number, fields in enumerate(settings("layer")):
        layers.append({**fields, "name": f"layer{number}", "inputs": ["input"]})
    for number, activation in enumerate(settings("activation")):
        layers.append({**dense(4), "name": f"before{number}", "inputs": ["input"]})
        layers.append({"type": "activation", "activation": activation, "name": f"layer{number}a"})
    ends = [layer["name"] for layer in layers if not layer["name"].startswith("before")]
    layers += [{"type": "concatenate", "inputs": ends}, dense(1)]
    network = {"dtype": "float64", "input_size": 3, "layers": layers}
    return {"network": network, "training": {"loss": "mean_squared_error"}}


@compiles
@pytest.mark.slow
@pytest.mark.usefixtures("compiled_quickly")
def test_both_engines_compute_the_same():
    numpy = specnet.build(side_by_side())
    compiled, rng = numpy.run_by("compiled"), np.random.default_rng(0)
    X, y = np.column_stack([rng.integers(0, 3, (2, 17)).T, rng.integers(0, 3, 17)]).astype(float), rng.normal(size=17)
    theta = numpy.initial_parameters() + rng.normal(0, 0.1, numpy.parameter_count)
    ours, theirs = (
        engine.loss_and_gradient(theta, X, y, state=numpy.fitted_state(X, y), training=True)
        for engine in (compiled, numpy)
    )
    assert ours[0] == pytest.approx(theirs[0], rel=1e-12)
    for name, array in numpy.parameters(theirs[1]).items():
        assert relative(compiled.parameters(ours[1])[name], array) < 1e-9, name


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", names("activation"))
def test_an_activation_comes_back_from_onnx_with_the_same_bits(name: str, dtype: str, tmp_path: Path):
    """As what it is, whether the file says that specnet has written it or not."""
    model, path = built(dense(4, activation=name), dense(2), dtype=dtype, seed=0, input_size=3), tmp_path / "m.onnx"
    if (written := specnet.export(model, "onnx", path)).dtype != dtype:
        assert (name, written.dtype) == ("gelu", "float32")  # for want of an operator in double
        return
    X = np.random.default_rng(1).normal(0, 3, (100, 3))
    found = specnet.import_model(path)
    assert found.spec == model.spec
    np.testing.assert_array_equal(found.predict(X), model.predict(X))
    with edited(path) as graph:
        del graph.metadata_props[:]
        graph.producer_name = "another"
    found = specnet.import_model(path)
    assert found.spec.network.layers[0].activation.type == {"celu": "elu"}.get(name, name)  # the same by default
    np.testing.assert_array_equal(found.predict(X), model.predict(X))
