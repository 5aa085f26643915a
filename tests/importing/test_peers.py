"""Models of Keras and PyTorch, made here, against what they answer themselves."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import ExportError, export
from specnet.importing.keras_files import _ACTIVATIONS as KERAS_ACTIVATIONS
from specnet.importing.torch_modules import MODULES
from tests.importing.answers import TOLERANCE, difference, outputs
from tests.importing.test_exports import network_outputs, random_networks

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

X = np.random.default_rng(0).normal(0, 2, (60, 4)).astype(np.float32)


def read_again(model: Any, folder: Path) -> specnet.Model:
    """Return what is made of a model of Keras, saved in a file."""
    model.save(folder / "network.keras")
    return specnet.import_model(folder / "network.keras")


@pytest.mark.parametrize("name", KERAS_ACTIVATIONS)
def test_each_activation_of_keras(name: str, tmp_path: Path):
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name)])
    if name != "glu":  # behind which Keras counts as many features as before it
        model.add(keras.layers.Dense(2))
    found = read_again(model, tmp_path)
    assert difference(outputs(found, X), model.predict(X, verbose=0)) <= TOLERANCE["float32"]


def keras_layers() -> list[Any]:
    from keras import layers

    return [
        layers.LeakyReLU(0.2), layers.PReLU("random_normal"), layers.ELU(0.3), layers.ReLU(), layers.ReLU(6.0),
        layers.ReLU(max_value=6), layers.ReLU(max_value=2.5), layers.ReLU(threshold=0.4), layers.Rescaling(0.5, -1.0),
        layers.Rescaling([1.0, 2.0, 0.5, 1.0, 3.0], 0.25), layers.AlphaDropout(0.1), layers.GaussianDropout(0.1),
        layers.ActivityRegularization(0.1),
        layers.ReLU(negative_slope=0.1), layers.Softmax(), layers.BatchNormalization(), layers.Flatten(),
        layers.BatchNormalization(scale=False, center=False), layers.LayerNormalization(), layers.Identity(),
        layers.LayerNormalization(scale=False), layers.Dropout(0.5), layers.GaussianNoise(0.1),
        layers.Activation("tanh"),
    ]  # fmt: skip # several to a line


@pytest.mark.parametrize("number", range(24))
def test_each_layer_of_keras(number: int, tmp_path: Path):
    import keras

    layer = keras_layers()[number]
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5), layer, keras.layers.Dense(2)])
    random = np.random.default_rng(number)
    for variable in model.weights:
        if "seed" not in variable.path:
            variable.assign(variable.numpy() + random.uniform(0.1, 0.9, variable.shape))
    found = read_again(model, tmp_path)
    assert difference(outputs(found, X), model.predict(X, verbose=0)) <= TOLERANCE["float32"]


@pytest.mark.parametrize("before", [[], [0.5]])
def test_images_that_keras_flattens(before: list[float], tmp_path: Path):
    import keras

    layers = [keras.layers.Rescaling(factor) for factor in before]
    model = keras.Sequential([keras.Input((3, 4)), *layers, keras.layers.Flatten(), keras.layers.Dense(2)])
    images = np.random.default_rng(0).normal(size=(6, 3, 4)).astype(np.float32)
    found = read_again(model, tmp_path)
    wanted = model.predict(images, verbose=0)
    assert difference(outputs(found, images.reshape(6, 12)), wanted) <= TOLERANCE["float32"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adapted_columns_and_both_precisions(dtype: str, tmp_path: Path):
    import keras

    columns = keras.layers.Normalization(dtype=dtype)
    columns.adapt(X * 3 + 1)
    layers = [keras.Input((4,), dtype=dtype), columns, keras.layers.Dense(3, "tanh", dtype=dtype)]
    model = keras.Sequential(layers)
    found = read_again(model, tmp_path)
    assert found.network.dtype == dtype
    assert difference(outputs(found, X), model.predict(X.astype(dtype), verbose=0)) <= TOLERANCE["float32"]


def test_a_lambda_is_refused(tmp_path: Path):
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x * 2)])
    with pytest.raises(specnet.FileError, match="a Lambda is code, which is not executed"):
        read_again(model, tmp_path)


def test_random_networks_of_keras_come_back_bit_for_bit(tmp_path: Path):
    tried = 0
    for number, (model, rows) in enumerate(random_networks(240)):
        try:
            export(model, "keras", tmp_path / "network.keras")
        except ExportError:  # that it names what Keras cannot say is tested with the exports
            continue
        if any(node.layer.type == "average" for node in model.network.nodes):  # refused as the mean of an ensemble is
            with pytest.raises(specnet.FileError, match="the mean of several networks"):
                specnet.import_model(tmp_path / "network.keras")
            continue
        found = specnet.import_model(tmp_path / "network.keras")
        np.testing.assert_array_equal(network_outputs(found, rows), network_outputs(model, rows), f"seed {number}")
        tried += 1
    assert tried >= 20


def torch_module(kind: str) -> Any:
    """A module between layers of 4 features."""
    from torch import nn

    arguments: dict[str, tuple[Any, ...]] = {
        "BatchNorm1d": (4,), "LayerNorm": (4,), "Linear": (4, 4), "PReLU": (4,), "Threshold": (0.1, -0.5), "GLU": (1,),
        "LeakyReLU": (0.3,), "ELU": (0.4,), "CELU": (1.3,), "Softmax": (1,), "LogSoftmax": (1,),
        "Hardtanh": (-0.3, 2.0),
    }  # fmt: skip # several to a line
    return getattr(nn, kind)(*arguments.get(kind, ()))


@pytest.mark.parametrize("kind", MODULES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_module_of_pytorch(kind: str, dtype: str):
    import torch
    from torch import nn

    torch.manual_seed(0)
    inner = nn.Sequential(torch_module(kind), nn.Linear(2 if kind == "GLU" else 4, 3))
    module = nn.Sequential(nn.Linear(4, 4), inner).to(getattr(torch, dtype)).eval()
    with torch.no_grad():
        for tensor in [*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())]:
            tensor += torch.rand_like(tensor)
        wanted = module(torch.from_numpy(X.astype(dtype))).numpy()
    if (kind, dtype) == ("Softplus", "float64"):
        with pytest.raises(specnet.DataError, match=r'module "1.0" \(Softplus\)'):
            specnet.import_model(module)
        return
    found = specnet.import_model(module)
    assert found.network.dtype == dtype
    assert difference(outputs(found, X.astype(dtype)), wanted) <= TOLERANCE[dtype]


# GLU halves its features. The exporter writes no Threshold, and CELU from opset 12 on.
AROUND = [(kind, opset) for kind in MODULES if kind not in ("GLU", "Threshold") for opset in (9, 11, 13, 17)]
AROUND = [(kind, opset) for kind, opset in AROUND if kind != "CELU" or opset >= 12]


@pytest.mark.parametrize(("kind", "opset"), AROUND)
def test_each_module_around_a_normalization_in_an_onnx_file(kind: str, opset: int, tmp_path: Path):
    import torch
    from torch import nn

    torch.manual_seed(0)
    modules = [nn.Linear(4, 4), torch_module(kind), nn.LayerNorm(4), torch_module(kind), nn.Linear(4, 3)]
    network = nn.Sequential(*modules).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.3 * torch.rand_like(parameter)
        wanted = network(torch.from_numpy(X)).numpy()
    torch.onnx.export(
        network, (torch.from_numpy(X),), tmp_path / "network.onnx", dynamo=False, opset_version=opset,
        input_names=["X"], dynamic_axes={"X": {0: "rows"}},
    )  # fmt: skip # several to a line
    found = specnet.import_model(tmp_path / "network.onnx")
    assert difference(outputs(found, X), wanted) <= TOLERANCE["float32"]
    layers: list[Any] = list(found.spec.network.layers or ())
    assert "layer_normalization" in [layer.type for layer in layers]


def test_modules_whose_answers_are_more_than_their_numbers():
    import torch
    from torch import nn

    torch.manual_seed(0)
    relu, shared = nn.ReLU(), nn.Linear(4, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PyTorch's, about its older ways
        normalized = nn.Sequential(nn.utils.weight_norm(nn.Linear(4, 3)), nn.Linear(3, 1))
        spectral = nn.Sequential(nn.utils.spectral_norm(nn.Linear(4, 3)), nn.Linear(3, 1))
    with torch.no_grad():
        normalized[0].weight_g *= 3
    observed = nn.Sequential(nn.Linear(4, 2))
    observed[0].register_forward_hook(lambda *_: None)
    for module in [
        nn.Sequential(nn.Linear(4, 8), relu, nn.Linear(8, 8), relu, nn.Linear(8, 1)),
        nn.Sequential(shared, nn.Tanh(), nn.Sequential(shared, nn.Tanh()), nn.Linear(4, 1)),
        nn.Sequential(nn.GLU(), nn.Linear(2, 1)),
        normalized,
        spectral,
        observed,
    ]:
        module.train()
        found = specnet.import_model(module)
        assert module.training
        columns = X.astype(np.float32)
        with torch.no_grad():
            wanted = module.eval()(torch.from_numpy(columns)).numpy()
        assert difference(outputs(found, columns), wanted) <= TOLERANCE["float32"]


@pytest.mark.parametrize(("name", "said"), [("0", "0"), ("", "the whole")])
def test_hooks_that_change_answers_are_named(name: str, said: str):
    from torch import nn

    module = nn.Sequential(nn.Linear(4, 2))
    module.get_submodule(name).register_forward_hook(lambda _, given, answer: answer + 1)
    with pytest.raises(specnet.DataError, match="differ from PyTorch on 240 of 240 rows") as caught:
        specnet.import_model(module)
    assert caught.value.diagnostics[0].hint == f"there are hooks, in {said}"


def test_objects_say_what_is_accepted_instead():
    import keras
    import torch

    class Mine(torch.nn.Module):
        pass

    class MyKeras(keras.Model):
        pass

    for source, hint in [
        (Mine(), "nn.Sequential, or write it with torch.onnx.export"),
        (torch.nn.Linear(2, 2).state_dict(), "a state dict has no layers"),
        (keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), 'model.save("network.keras")'),
        (MyKeras(), 'model.save("network.keras")'),
        (torch.nn.Sequential(torch.nn.Linear(2, 2)).half(), "convert the network to float32"),
    ]:
        with pytest.raises(specnet.DataError) as caught:
            specnet.import_model(source)
        assert hint in str(caught.value.diagnostics[0].hint)


def test_modules_that_are_not_understood():
    import torch
    from torch import nn

    class Mine(nn.ReLU):
        pass

    for module, reason in [
        (nn.Linear(2, 2), "expected an nn.Sequential"),
        (nn.Sequential(), "is empty"),
        (nn.Sequential(nn.ReLU()), "number of inputs"),
        (nn.Sequential(nn.Linear(2, 2), Mine()), "Mine"),
        (nn.Sequential(nn.Linear(2, 2), nn.Conv1d(1, 1, 1)), r'module "1" \(Conv1d\): it is not supported'),
        (nn.Sequential(nn.Linear(2, 2), nn.Linear(3, 2)), "it has 3 features, and reads 2"),
        (nn.Sequential(nn.Linear(2, 2), nn.Softmax(0)), "the axis 0"),
        (nn.Sequential(nn.Linear(2, 2), nn.Softplus(2)), "another beta"),
        (nn.Sequential(nn.Linear(2, 2).double(), nn.Linear(2, 2)), "float32 and float64"),
        (nn.Sequential(nn.Linear(2, 2)).to(torch.bfloat16), "bfloat16"),
        (nn.Sequential(nn.Linear(2, 2, device="meta")), "is on the device meta"),
    ]:
        with pytest.raises(specnet.DataError, match=reason):
            specnet.import_model(module)
