"""Models in files: the same model comes back, in the same bytes, and what could not come back is not written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from specnet import FileError, Model, Observer, build, fit, load_model
from tests.model.models import KINDS, make_model, make_rows, saved
from tests.networks import dense, document
from tests.texts.pinned import Refused

HEADER_BYTES = 2**21
"""What the format allows for the header of a file."""


def arrays_of(model: Model) -> dict[str, np.ndarray]:
    """Return every array of a model by the name that its file gives it."""
    found = model.error_quantiles
    low = found.not_negative.astype(np.uint8)
    quantiles = {"error_quantiles": found.values, "error_knots": found.knots, "not_negative": low}
    return {
        **model.network.parameters(model.theta),
        **{f"preprocessing.{name}": array for name, array in model.preprocessing.tensors().items()},
        **{f"target_preprocessing.{name}": array for name, array in model.target_preprocessing.tensors().items()},
        **{name: array for name, array in quantiles.items() if array.size},
    }


@pytest.mark.parametrize(
    "steps",
    [
        [{"type": "impute", "indicator": True}, "standardize"],
        [{"type": "impute", "indicator": [0, 2]}],
        ["calendar", {"type": "impute", "indicator": True}, "minmax"],
    ],
)
def test_steps_that_add_columns_to_arrays_come_back(steps: list[object], tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(scale=1000, size=(30, 3))
    spec = {"network": {"hidden_layer_sizes": [2], "preprocessing": steps}, "training": {"loss": "mse", "epochs": 1}}
    model = fit(spec, X, X[:, 0], observer=Observer())
    assert model.network.inputs > 3
    model.save(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert loaded.network.resolved.columns == 3
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model_comes_back_bit_for_bit(kind: str, dtype: str, tmp_path: Path) -> None:
    model = make_model(kind, dtype, metrics=[])
    content = saved(model, tmp_path / "first")
    loaded = load_model(tmp_path / "first")
    assert saved(loaded, tmp_path / "second") == content
    assert saved(model, tmp_path / "third") == content
    assert loaded.spec == model.spec
    assert loaded.theta.dtype == dtype
    assert loaded.theta.tobytes() == model.theta.tobytes()
    assert arrays_of(loaded).keys() == arrays_of(model).keys()
    for name, array in arrays_of(model).items():
        assert arrays_of(loaded)[name].tobytes() == array.tobytes()
    np.testing.assert_array_equal(loaded.labels, model.labels)
    X, y = make_rows(model)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.evaluate(X, y) == model.evaluate(X, y)


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_safetensors_reader_sees_the_arrays_by_name(kind: str, tmp_path: Path) -> None:
    model = make_model(kind)
    model.save(tmp_path / "model")
    tensors = load_file(tmp_path / "model")
    for name, array in arrays_of(model).items():
        np.testing.assert_array_equal(tensors.pop(name), array)
    if model.labels is None:
        assert not tensors
    elif model.labels.dtype.kind == "i":
        assert tensors.keys() == {"labels"}
        np.testing.assert_array_equal(tensors["labels"], model.labels)
    else:
        assert tensors.keys() == {"labels.bytes", "labels.offsets"}
        data, ends = tensors["labels.bytes"].tobytes(), tensors["labels.offsets"]
        texts = [data[ends[k] : ends[k + 1]].decode() for k in range(len(ends) - 1)]
        assert texts == model.labels.tolist()


def test_names_shapes_and_metadata_are_the_documented_ones(tmp_path: Path) -> None:
    make_model("value", "float32").save(tmp_path / "model")
    with safe_open(tmp_path / "model", framework="numpy") as file:
        shapes = {name: (file.get_slice(name).get_dtype(), file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - no dict
        metadata = json.loads(file.metadata()["specnet"])
    fitted = {f"preprocessing.0.0.{name}": ("F64", [3]) for name in ("mean", "scale")}
    fitted |= {f"target_preprocessing.0.0.{name}": ("F64", [1]) for name in ("mean", "scale")}
    weights = {"layers.0.weight": ("F32", [4, 3]), "layers.1.weight": ("F32", [1, 4])}
    assert shapes == fitted | weights | {"layers.0.bias": ("F32", [4]), "layers.1.bias": ("F32", [1])}
    assert list(metadata) == ["format_version", "needs", "models"]
    assert (metadata["format_version"], metadata["needs"]) == (3, [])
    ((share, spec),) = (each.values() for each in metadata["models"])
    assert share == 1
    assert [layer["units"] for layer in spec["network"]["layers"]] == [4, 1]


def test_named_and_repeated_layers_carry_their_place(tmp_path: Path) -> None:
    block = {"type": "block", "repeat": 2, "layers": [dense(3), dense(3, name="second", use_bias=False)]}
    network = build(document(dense(3, name="first"), block, "batch_normalization", dense(1)))
    Model(network, network.initial_parameters()).save(tmp_path / "model")
    biased, unbiased = ["first", "1.0.0", "1.1.0", "3"], ["1.0.second", "1.1.second"]
    expected = {f"layers.{key}.weight" for key in biased + unbiased} | {f"layers.{key}.bias" for key in biased}
    expected |= {f"layers.2.{name}" for name in ("scale", "shift", "running_mean", "running_variance")}
    assert set(load_file(tmp_path / "model")) == expected
    assert load_model(tmp_path / "model").theta.tobytes() == network.initial_parameters().tobytes()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda model: model.theta.__setitem__(0, np.nan),
        lambda model: model.preprocessing.fitted[0]["mean"].__setitem__(0, np.inf),
        lambda model: model.labels.__setitem__(0, 9),
    ],
)
def test_a_model_that_could_not_be_read_is_not_written(
    spoil: Callable[[Model], None], tmp_path: Path, refused: Refused
) -> None:
    path = tmp_path / "model"
    content = saved(make_model("classes"), path)
    model = make_model("classes")
    spoil(model)
    with refused(FileError, at="model"):
        model.save(path)
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["model"]


def test_a_spec_too_long_for_a_header_is_not_written(tmp_path: Path, refused: Refused) -> None:
    names = [f"{index:03}" + "x" * (HEADER_BYTES // 500) for index in range(500)]
    data = {"type": "csv", "path": "rows.csv", "target": "y", "features": names}
    network = build({"data": data, "network": {"layer_sizes": [len(names), 1]}, "training": {"loss": "mse"}})
    model = Model(network, network.initial_parameters())
    assert model.feature_names == tuple(names)
    with refused(FileError, at="model"):
        model.save(tmp_path / "model")
    assert not os.listdir(tmp_path)
