"""Models in files: the same model comes back, in the same bytes, and nothing else is taken for one."""

from __future__ import annotations

import json
import os
import random
import resource
import time
import tracemalloc
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save

from specnet.compiler import Value
from specnet.errors import FileError
from specnet.model import Model, load_model
from specnet.network import Network
from specnet.parts.activations import Activation
from specnet.parts.layers import Layer, Scope
from specnet.parts.parameters import StateTensor
from specnet.spec import parse_spec, resolve
from specnet.tensor_file import HEADER_LIMIT, Array
from tests.model.models import KINDS, make_model, make_rows


def saved(model: Model, path: Path) -> bytes:
    model.save(path)
    return path.read_bytes()


def arrays_of(model: Model) -> dict[str, Array]:
    """Return every array of a model by the name that its file gives it."""
    return {
        **model.network.parameters(model.theta),
        **{f"preprocessing.{name}": array for name, array in model.preprocessing.tensors().items()},
        **{f"target_preprocessing.{name}": array for name, array in model.target_preprocessing.tensors().items()},
    }


def message(path: Path) -> str:
    """Return the only mistake that loading a file reports, which names it."""
    with pytest.raises(FileError) as error:
        load_model(path)
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.source == str(path)
    return diagnostic.message


Change = Callable[[dict[str, Array], dict[str, Any]], None]


def forge(path: Path, kind: str, change: Change) -> None:
    """Save a model of a kind after changing its arrays and its metadata."""
    model = make_model(kind)
    model.save(path)
    tensors = load_file(path)
    with safe_open(path, framework="numpy") as file:
        metadata = json.loads(file.metadata()["specnet"])
    change(tensors, metadata)
    path.write_bytes(save(tensors, {"specnet": json.dumps(metadata)}))


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
    for name, array in arrays_of(model).items():
        assert arrays_of(loaded)[name].tobytes() == array.tobytes()
    assert (loaded.labels is None) == (model.labels is None)
    if loaded.labels is not None and model.labels is not None:
        assert loaded.labels.tolist() == model.labels.tolist()
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
        shapes = {name: (file.get_slice(name).get_dtype(), file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        metadata = json.loads(file.metadata()["specnet"])
    assert shapes == {
        "layers.0.weight": ("F32", [4, 3]),
        "layers.0.bias": ("F32", [4]),
        "layers.1.weight": ("F32", [1, 4]),
        "layers.1.bias": ("F32", [1]),
        "preprocessing.0.0.mean": ("F64", [3]),
        "preprocessing.0.0.scale": ("F64", [3]),
        "target_preprocessing.0.0.mean": ("F64", [1]),
        "target_preprocessing.0.0.scale": ("F64", [1]),
    }
    assert list(metadata) == ["format_version", "spec"]
    assert metadata["format_version"] == 1
    assert [layer["units"] for layer in metadata["spec"]["network"]["layers"]] == [4, 1]


def test_named_and_repeated_layers_carry_their_place(tmp_path: Path) -> None:
    dense = {"type": "dense", "units": 3, "activation": "tanh"}
    spec = {
        "network": {
            "input_size": 3,
            "layers": [
                {**dense, "name": "first"},
                {"type": "block", "repeat": 2, "layers": [dense, {**dense, "name": "second", "use_bias": False}]},
                {"type": "dense", "units": 1},
            ],
        },
        "training": {"loss": "mean_squared_error"},
    }
    network = Network(resolve(parse_spec(spec)))
    Model(network, network.initial_parameters()).save(tmp_path / "model")
    assert set(load_file(tmp_path / "model")) == {
        "layers.first.weight",
        "layers.first.bias",
        "layers.1.0.0.weight",
        "layers.1.0.0.bias",
        "layers.1.0.second.weight",
        "layers.1.1.0.weight",
        "layers.1.1.0.bias",
        "layers.1.1.second.weight",
        "layers.2.weight",
        "layers.2.bias",
    }
    assert load_model(tmp_path / "model").theta.tobytes() == network.initial_parameters().tobytes()


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model"
    content = saved(make_model("classes, text"), path)
    places = [*range(40), *random.Random(0).sample(range(len(content)), 200), len(content) - 1]
    for length in places:
        path.write_bytes(content[:length])
        assert message(path)


def test_any_byte_of_the_header_changed_is_refused_or_a_whole_model(tmp_path: Path) -> None:
    path = tmp_path / "model"
    content = saved(make_model("classes, text"), path)
    length = int.from_bytes(content[:8], "little")
    generator = random.Random(0)
    for place in range(8 + length):
        bit = 1 << generator.randrange(8)
        path.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
        with suppress(FileError):
            model = load_model(path)
            model.save(tmp_path / "again")
            assert model.predict(np.ones((1, 3))).shape == (1,)


def drop(name: str) -> Change:
    return lambda tensors, _: tensors.__delitem__(name)


def put(name: str, tensor: Any) -> Change:
    return lambda tensors, _: tensors.update({name: np.asarray(tensor)})


def say(*path: str | int, value: Any) -> Change:
    def change(_: dict[str, Array], metadata: dict[str, Any]) -> None:
        table: Any = metadata
        for key in path[:-1]:
            table = table[key]
        table[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("kind", "change", "expected"),
    [
        ("classes", drop("layers.0.bias"), "'layers.0.bias' is missing"),
        ("classes", drop("preprocessing.0.0.scale"), "'preprocessing.0.0.scale' is missing"),
        ("value", drop("target_preprocessing.0.0.mean"), "'target_preprocessing.0.0.mean' is missing"),
        ("classes", drop("labels"), "'labels' is missing"),
        ("classes, text", drop("labels.bytes"), "'labels' is missing"),
        ("classes, text", drop("labels.offsets"), "'labels.offsets' is missing"),
        ("classes", put("layers.9.bias", [0.0]), "'layers.9.bias' is no tensor of this spec"),
        ("classes, text", put("labels", [1, 2, 3]), "'labels' is no tensor of this spec"),
        ("value", put("labels", [1]), "'labels' is no tensor of this spec"),
        ("multilabel", put("labels", [0, 1]), "'labels' is no tensor of this spec"),
        (
            "classes",
            put("layers.0.weight", np.zeros((3, 4))),
            "'layers.0.weight' is float64 of shape (3, 4), and the spec needs float64 of shape (4, 3)",
        ),
        (
            "classes",
            put("layers.0.weight", np.zeros((4, 3), np.float32)),
            "'layers.0.weight' is float32 of shape (4, 3), and the spec needs float64 of shape (4, 3)",
        ),
        ("classes", put("labels", [0, 1]), "'labels' is int64 of shape (2,), and the spec needs int64 of shape (3,)"),
        (
            "classes, text",
            put("labels.offsets", [0, 1]),
            "'labels.offsets' is int64 of shape (2,), and the spec needs int64 of shape (4,)",
        ),
        (
            "classes, text",
            put("labels.bytes", np.zeros((2, 2), np.uint8)),
            "'labels.bytes' is uint8 of shape (2, 2), and the spec needs uint8 of shape (4,)",
        ),
        ("classes", put("labels", [0, 2, 1]), "the class labels are not in ascending order, each once"),
        ("classes, text", put("labels.offsets", [0, 9, 7, 14]), "the class labels' offsets do not divide their bytes"),
        ("classes", put("layers.0.bias", [0, 0, np.nan, 0]), "'layers.0.bias' holds numbers that are not finite"),
        (
            "classes",
            put("preprocessing.0.0.mean", [0, 0, np.inf]),
            "'preprocessing.0.0.mean' holds numbers that are not finite",
        ),
        (
            "classes",
            say("format_version", value=2),
            "the file was written by a newer specnet, in format 2; this one reads up to 1",
        ),
        ("classes", say("spec", value=[]), "the metadata is not exactly a format version and a spec"),
        ("classes", say("more", value=1), "the metadata is not exactly a format version and a spec"),
        (
            "classes",
            say("spec", "network", "layers", 0, "units", value=5),
            "'layers.0.weight' is float64 of shape (4, 3), and the spec needs float64 of shape (5, 3)",
        ),
        (
            "classes",
            say("spec", "network", "input_size", value=4),
            "'layers.0.weight' is float64 of shape (4, 3), and the spec needs float64 of shape (4, 4)",
        ),
        (
            "classes",
            say("spec", "network", "dtype", value="float32"),
            "'layers.0.weight' is float64 of shape (4, 3), and the spec needs float32 of shape (4, 3)",
        ),
    ],
)
def test_a_file_that_is_not_its_spec_s_is_refused(kind: str, change: Change, expected: str, tmp_path: Path) -> None:
    forge(tmp_path / "model", kind, change)
    assert message(tmp_path / "model") == expected


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (say("spec", value={}), "network"),
        (say("spec", "network", "layers", 0, "units", value=0), "network.layers.0.units"),
        (say("spec", "network", "layers", 0, "units", value=10**9), "network.layers.0.units"),
        (say("spec", "network", "layers", 0, "units", value=None), "network.layers.0.units"),
        (say("spec", "network", "layers", 0, "type", value="dens"), "network.layers.0"),
        (say("spec", "training", "optimizer", "type", value="os.system"), "training.optimizer"),
        (say("spec", "network", "output_size", value=4), "network.layers.1.units"),
        (say("spec", "seed", value=-1), "seed"),
        (say("spec", "\x1b[31m", value=1), "\\x1b[31m"),
        (
            say(
                "spec",
                "network",
                "layers",
                value=[{"type": "block", "repeat": 10**15, "layers": [{"type": "dense", "units": 1}]}],
            ),
            "network.layers",
        ),
    ],
)
def test_a_spec_inside_is_checked_like_any_other(change: Change, place: str, tmp_path: Path) -> None:
    forge(tmp_path / "model", "classes", change)
    begin = time.process_time()
    with pytest.raises(FileError) as error:
        load_model(tmp_path / "model")
    assert time.process_time() - begin < 1
    assert any(
        diagnostic.message.startswith(f"the spec in this file is not valid, at '{place}")
        for diagnostic in error.value.diagnostics
    )
    assert all(diagnostic.source == str(tmp_path / "model") for diagnostic in error.value.diagnostics)
    assert all(line.isprintable() for line in str(error.value).split("\n"))


def test_a_spec_that_asks_for_much_gets_nothing(tmp_path: Path) -> None:
    """A network within the limits, but without the numbers in the file: refused before room for them is made."""
    forge(tmp_path / "model", "classes", say("spec", "network", "layers", 0, "units", value=10_000_000))
    tracemalloc.start()
    try:
        assert message(tmp_path / "model").startswith("'layers.0.weight' is float64 of shape (4, 3)")
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "change",
    [
        say("spec", "network", "layers", value=[{"type": "dense", "units": 1}] * 16_000),
        say("spec", "network", value={f"key{index}": 1 for index in range(49_000)}),
        say("spec", "network", "preprocessing", value=["standardize"] * 49_000),
        say("spec", "training", "metrics", value=["acuracy"] * 49_000),
        say("spec", "training", "metrics", value=["accuracy"] * 200_000),
        say("spec", "data", value={"type": "csv", "path": "a", "target": "y", "features": ["a"] * 49_000}),
        say(
            "spec",
            "data",
            value={"type": "csv", "path": "a", "target": "y", "features": [str(n) for n in range(49_000)]},
        ),
        say("spec", "name", value="n" * 1_000_000),
    ],
)
def test_a_spec_full_of_mistakes_is_refused_soon(change: Change, tmp_path: Path) -> None:
    forge(tmp_path / "model", "classes", change)
    begin = time.process_time()
    with pytest.raises(FileError) as error:
        load_model(tmp_path / "model")
    assert time.process_time() - begin < 2
    assert len(str(error.value)) < 50_000


def test_a_sparse_file_of_a_terabyte_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "model"
    size = 2**40
    entry = {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}
    content = saved(make_model("classes, text"), path)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    text = json.dumps({"__metadata__": header["__metadata__"], "labels.bytes": entry}).encode()
    with open(path, "wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        stream.truncate(8 + len(text) + size)
    tracemalloc.start()
    try:
        assert message(path)
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()
    text = json.dumps({**header, "labels.bytes": entry}).encode()
    with open(path, "wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        stream.truncate(8 + len(text) + size)
    assert "overlaps another tensor" in message(path) or "needs" in message(path)


def test_places_without_a_model(tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text('name = "moons"\n[network]\n')
    np.savez(tmp_path / "data.npz", X=np.ones(3))
    (tmp_path / "other.safetensors").write_bytes(save({"weight": np.ones(3)}, {"format": "pt"}))
    for name, expected in {
        "absent": "there is no such file",
        ".": "this is a folder, not a file",
        "spec.toml": "this is no model file: it seems to be a text",
        "data.npz": "this is no model file: it seems to be a zip archive, as .npz, .keras and .pt files are",
        "other.safetensors": 'this is a safetensors file, but no specnet model: its metadata is not one text "specnet"',
    }.items():
        assert message(tmp_path / name) == expected


class Cube(Activation):
    """x³."""

    type: Literal["cube"] = "cube"

    def expression(self, x: Value) -> Value:
        return x * x * x


def test_a_model_with_a_part_of_one_s_own(tmp_path: Path) -> None:
    spec = {"network": {"layer_sizes": [2, 3, 1], "activations": "cube"}, "training": {"loss": "mean_squared_error"}}
    network = Network(resolve(parse_spec(spec, parts=[Cube])))
    model = Model(network, network.initial_parameters())
    model.save(tmp_path / "model")
    loaded = load_model(tmp_path / "model", parts=[Cube])
    np.testing.assert_array_equal(loaded.predict([[1.0, 2.0]]), model.predict([[1.0, 2.0]]))
    assert '"cube" is not an activation' in message(tmp_path / "model")


class Centre(Layer):
    """x less the mean of what was seen in training."""

    type: Literal["centre"] = "centre"

    def states(self, input_sizes: tuple[int, ...]) -> tuple[StateTensor, ...]:
        return (StateTensor("running_mean", (input_sizes[0], 1), 0.0),)

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        return inputs[0] - scope.state("running_mean")


def test_what_layers_keep_is_saved(tmp_path: Path) -> None:
    spec = {
        "network": {"input_size": 2, "dtype": "float64", "layers": ["centre", {"type": "dense", "units": 2}]},
        "training": {"loss": "mean_squared_error"},
    }
    network = Network(resolve(parse_spec(spec, parts=[Centre])))
    state = {"layers.0.running_mean": np.array([3.0, -4.0])}
    model = Model(network, network.initial_parameters(), state)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(load_file(tmp_path / "model")["layers.0.running_mean"], [3.0, -4.0])
    loaded = load_model(tmp_path / "model", parts=[Centre])
    np.testing.assert_array_equal(loaded.state["layers.0.running_mean"], [3.0, -4.0])
    np.testing.assert_array_equal(loaded.predict([[3.0, -4.0]]), network.predict(model.theta, [[3.0, -4.0]], state))
    np.testing.assert_array_equal(loaded.predict([[3.0, -4.0]]), [[0.0, 0.0]])


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda model: model.theta.__setitem__(0, np.nan), "'layers.0.weight' holds numbers that are not finite"),
        (
            lambda model: model.preprocessing.fitted[0]["mean"].__setitem__(0, np.inf),
            "'preprocessing.0.0.mean' holds numbers that are not finite",
        ),
        (lambda model: model.labels.__setitem__(0, 9), "the class labels are not in ascending order, each once"),
    ],
)
def test_a_model_that_could_not_be_read_is_not_written(
    spoil: Callable[[Model], None], expected: str, tmp_path: Path
) -> None:
    path = tmp_path / "model"
    content = saved(make_model("classes"), path)
    model = make_model("classes")
    spoil(model)
    with pytest.raises(FileError) as error:
        model.save(path)
    assert str(error.value) == f"{path}: error[file]: {expected}"
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["model"]


def test_a_disk_that_is_full_leaves_the_old_model(tmp_path: Path) -> None:
    path = tmp_path / "model"
    content = saved(make_model("classes"), path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(FileError, match="larger than a file may be here"):
            make_model("values").save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["model"]
    assert load_model(path).labels is not None


def test_a_spec_too_long_for_a_header_is_not_written(tmp_path: Path) -> None:
    names = [f"{index:03}" + "x" * (HEADER_LIMIT // 500) for index in range(500)]
    spec = {
        "data": {"type": "csv", "path": "rows.csv", "target": "y", "features": names},
        "network": {"layer_sizes": [len(names), 1]},
        "training": {"loss": "mean_squared_error"},
    }
    network = Network(resolve(parse_spec(spec)))
    model = Model(network, network.initial_parameters())
    assert model.feature_names == tuple(names)
    with pytest.raises(FileError, match=f"at most {HEADER_LIMIT} are allowed"):
        model.save(tmp_path / "model")
    assert not os.listdir(tmp_path)
