"""Write the files that the tests import: networks as other tools store them, with the answers of these tools.

Each file has a `.npz` of the same name beside it, with rows ``X`` and what the tool itself answers for them, and with
the versions that wrote both. Run by hand, in environments that have the tools:

    python tests/importing/make_files.py sklearn pandas torch keras  # skl2onnx, pandas, onnxscript, torch, keras
    python tests/importing/make_files.py tensorflow                  # tensorflow-cpu, tf2onnx
"""

from __future__ import annotations

import os
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

FILES = Path(__file__).parent / "files"
ROWS = 40


def columns(count: int, dtype: Any = np.float32) -> np.ndarray:
    """Rows of numbers, the first few of them far from 0."""
    X = np.random.default_rng(0).normal(0, 1.5, (ROWS, count))
    X[:3] *= 4
    return X.astype(dtype)


def keep(name: str, X: np.ndarray, answers: dict[str, np.ndarray], *tools: str) -> None:
    versions = ", ".join(f"{tool} {version(tool)}" for tool in tools)
    np.savez_compressed(FILES / f"{name}.npz", X=X, versions=versions, **answers)
    print(name, versions)


def write_sklearn() -> None:
    from skl2onnx import to_onnx
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    warnings.simplefilter("ignore")
    random = np.random.default_rng(1)
    T = random.normal(3, 2, (200, 4))
    two, three = (T[:, 0] > T[:, 1]).astype(int), np.digitize(T[:, 0] + T[:, 2], [4, 8])
    small = {"hidden_layer_sizes": (6, 5), "max_iter": 30, "random_state": 0}
    models = {
        "binary": make_pipeline(StandardScaler(), MLPClassifier(**small)).fit(T, two),
        "words": make_pipeline(StandardScaler(), MLPClassifier(**small, activation="tanh")).fit(
            T, np.array(["dog", "cat", "emu"])[three]
        ),
        "integers": MLPClassifier(**small, activation="logistic").fit(T, three * 5 - 3),
        "labels": MLPClassifier(**small).fit(T, np.stack([two, three > 1, three > 0], 1)),
        "values": make_pipeline(StandardScaler(), MLPRegressor(**small)).fit(T, T[:, 0] * T[:, 1]),
        "two_values": MLPRegressor(**small, activation="identity").fit(T, T[:, :2] * 3),
    }
    X = columns(4) + np.float32(3)
    # A column of probabilities for each class, in a file of its own.
    models |= {f"{name}_by_class": models[name] for name in ("binary", "words")}
    for name, model in models.items():
        for dtype, suffix in [(np.float32, ""), (np.float64, "_float64")]:
            if suffix and name not in ("binary", "values"):
                continue
            # onnxruntime has no ZipMap in float64.
            options = {id(model): {"zipmap": False}} if suffix or name == "integers" else None
            if name.endswith("_by_class"):
                options = {id(model): {"zipmap": "columns"}}
            if not hasattr(model, "predict_proba"):
                options = None
            graph = to_onnx(model, X[:1].astype(dtype), options=options)
            stem = f"sklearn_{name}{suffix}"
            (FILES / f"{stem}.onnx").write_bytes(graph.SerializeToString())
            answers = {"label": model.predict(X)}
            if hasattr(model, "predict_proba"):
                answers["probabilities"] = model.predict_proba(X)
            keep(stem, X.astype(dtype), answers, "scikit-learn", "skl2onnx")


def write_pandas() -> None:
    """A pipeline of a table whose columns have names: each becomes an input of its own."""
    import pandas as pd
    from skl2onnx import to_onnx
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    warnings.simplefilter("ignore")
    X = pd.DataFrame(columns(3), columns=["height", "width", "age"])
    network = MLPClassifier((6,), max_iter=30, random_state=0)
    model = make_pipeline(StandardScaler(), network).fit(X, np.where(X["height"] > X["age"], "yes", "no"))
    (FILES / "sklearn_columns.onnx").write_bytes(to_onnx(model, X[:1]).SerializeToString())
    answers = {"label": model.predict(X).astype(str), "probabilities": model.predict_proba(X)}
    keep("sklearn_columns", X.to_numpy(), answers, "scikit-learn", "skl2onnx", "pandas")


def write_torch() -> None:
    import torch
    from torch import nn

    class Residual(nn.Module):
        """Standardized columns, a residual branch, both normalizations, a gate and a concatenation."""

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", torch.tensor([0.5, -1.0, 2.0, 0.0]))
            self.register_buffer("scale", torch.tensor([1.5, 0.7, 2.0, 1.0]))
            self.first, self.norm, self.batch = nn.Linear(4, 6), nn.LayerNorm(6), nn.BatchNorm1d(6)
            self.branch, self.gate, self.last = nn.Linear(6, 6), nn.Linear(6, 6, bias=False), nn.Linear(12, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = torch.nn.functional.gelu(self.first((x - self.mean) / self.scale))
            h = h + self.branch(self.norm(h))
            gated = self.batch(h) * torch.sigmoid(self.gate(h))
            return torch.softmax(self.last(torch.cat([h, gated], 1)), 1)

    class Decomposed(nn.Module):
        """Activations, a normalization and an output's units written out in operators, each of a layer of its own."""

        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(4, 3) for _ in range(10)])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            a, b, c, d, e, f, g, h, i, j = (layer(x) for layer in self.layers)
            centred = g - g.mean(1, keepdim=True)
            made = [
                0.5 * a * (1 + torch.erf(a / 2**0.5)),
                0.5 * b * (1 + torch.tanh(0.7978845608 * (b + 0.044715 * b**3))),
                c * torch.clamp(c + 3, 0, 6) / 6,
                torch.log(1 + torch.exp(d)),
                e / (1 + torch.exp(-e)),
                torch.where(f > 0, f, 0.3 * (torch.exp(f) - 1)),
                centred / torch.sqrt((centred * centred).mean(1, keepdim=True) + 1e-3),
                torch.maximum(h, 0.1 * h),
                torch.where(i > 0.1, i, -0.2),
                j * torch.tanh(torch.log(1 + torch.exp(j))),
            ]
            return torch.cat(made, 1) * 12.5 + 3.25

    class Parallel(nn.Module):
        """One layer for each activation, and all their outputs beside each other."""

        def __init__(self, activations: list[nn.Module]) -> None:
            super().__init__()
            self.branches = nn.ModuleList([nn.Sequential(nn.Linear(4, 4), activation) for activation in activations])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([branch(x) for branch in self.branches], 1)

    activations = [
        nn.ReLU(), nn.ReLU6(), nn.LeakyReLU(0.2), nn.ELU(0.7), nn.SELU(), nn.CELU(1.3), nn.GELU(), nn.GELU("tanh"),
        nn.SiLU(), nn.Mish(), nn.Sigmoid(), nn.Hardsigmoid(), nn.Hardswish(), nn.Tanh(), nn.Hardtanh(), nn.Softplus(),
        nn.Softsign(), nn.LogSigmoid(), nn.Tanhshrink(), nn.Softshrink(0.3), nn.Hardshrink(0.3), nn.PReLU(4),
        nn.GLU(1), nn.Softmax(1), nn.LogSoftmax(1),
    ]  # fmt: skip # several to a line
    torch.manual_seed(0)
    models: dict[str, nn.Module] = {
        "residual": Residual(),
        "decomposed": Decomposed(),
        "activations": Parallel(activations),
        "float64": nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Dropout(0.2), nn.Linear(5, 1)).double(),
        "batch_norm": nn.Sequential(
            nn.Flatten(), nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 1), nn.Sigmoid()
        ),
    }
    for name, model in models.items():
        model.eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.1 * torch.randn_like(parameter)
            for layer in model.modules():
                if isinstance(layer, nn.BatchNorm1d):
                    layer.running_mean += torch.randn(layer.num_features)
                    layer.running_var += torch.rand(layer.num_features)
        X = torch.from_numpy(columns(4, np.float64 if name == "float64" else np.float32))
        with torch.no_grad():
            answer = model(X).numpy()
        for dynamo in (False, True):
            stem = f"torch_{name}{'_dynamo' if dynamo else ''}"
            if dynamo:
                shapes = ({0: torch.export.Dim("batch")},)
                program = torch.onnx.export(model, (X,), dynamo=True, dynamic_shapes=shapes, external_data=False)
                (FILES / f"{stem}.onnx").write_bytes(without_remarks(program.model_proto))
            else:
                how = {"dynamo": False, "input_names": ["X"], "dynamic_axes": {"X": {0: "batch"}}}
                torch.onnx.export(model, (X,), FILES / f"{stem}.onnx", **how)
            keep(stem, X.numpy(), {"value": answer}, "torch", "onnxscript")


def without_remarks(model: Any) -> bytes:
    """A file without the stack traces in which PyTorch says where on this machine each node comes from."""
    for node in model.graph.node:
        del node.metadata_props[:]
    del model.graph.value_info[:], model.graph.metadata_props[:], model.metadata_props[:]
    content: bytes = model.SerializeToString()
    return content


def keras_models(*, normalized: bool) -> dict[str, Any]:
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    names = (
        "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "sigmoid", "hard_sigmoid",
        "hard_silu", "tanh", "hard_tanh", "softplus", "softsign", "squareplus", "exponential", "log_sigmoid",
        "tanh_shrink", "soft_shrink", "hard_shrink", "linear", "softmax", "log_softmax",
    )  # fmt: skip # all but "threshold" and "glu", functions with arguments that have no defaults
    x = many = keras.Input((4,))
    made = [layers.Dense(3, activation=name)(x) for name in names]
    bent = layers.LeakyReLU(0.1), layers.PReLU("random_normal"), layers.ELU(0.4), layers.ReLU(6.0)
    made += [layer(layers.Dense(3)(x)) for layer in bent]
    x = inputs = keras.Input((4,), name="columns")
    if normalized:
        x = layers.Normalization(mean=[0.5, -1.0, 2.0, 0.0], variance=[1.5, 0.7, 2.0, 1.0])(x)
    h = layers.Dense(6, activation="gelu")(x)
    a = layers.Dense(6, use_bias=False)(layers.LayerNormalization()(h))
    h = layers.Add()([h, a])
    b = layers.Dense(6, activation="sigmoid")(layers.BatchNormalization()(h))
    c = layers.Concatenate()([layers.Multiply()([h, b]), layers.Dropout(0.1)(x)])
    models = {
        "activations": keras.Model(many, layers.Concatenate()(made)),
        "functional": keras.Model(inputs, layers.Dense(3, activation="softmax")(c)),
    }
    stack = layers.Dense(5, activation="relu"), layers.BatchNormalization(), layers.Dense(1, activation="sigmoid")
    models["binary"] = keras.Sequential([keras.Input((4,)), *stack])
    random = np.random.default_rng(2)
    for model in models.values():
        for variable in model.weights:
            is_left = "seed" in variable.path or "normalization/mean" in variable.path or variable.dtype != "float32"
            if "variance" in variable.path:
                variable.assign(variable.numpy() + random.uniform(0, 1, variable.shape))
            elif not is_left:
                variable.assign(variable.numpy() + 0.2 * random.normal(0, 1, variable.shape))
    return models


def write_keras() -> None:
    os.environ["KERAS_BACKEND"] = "torch"
    X = columns(4)
    for name, model in keras_models(normalized=True).items():
        answer = model.predict(X, verbose=0)
        if name != "activations":
            model.save(FILES / f"keras_{name}.keras")
            keep(f"keras_{name}", X, {"value": answer}, "keras")
        if name != "functional":  # which torch's exporter refuses, for a shape that it does not know
            model.export(FILES / f"keras_{name}_torch.onnx", format="onnx", verbose=False)
            keep(f"keras_{name}_torch", X, {"value": answer}, "keras", "torch")


def write_tensorflow() -> None:
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import tensorflow as tf
    import tf2onnx

    X = columns(4)
    # tf2onnx makes further inputs of the constants of a normalization.
    for name, model in keras_models(normalized=False).items():
        answer = model.predict(X, verbose=0)
        call = tf.function(lambda x, model=model: model(x, training=False))
        signature = [tf.TensorSpec((None, 4), tf.float32, name="X")]
        tf2onnx.convert.from_function(call, signature, opset=15, output_path=str(FILES / f"tf2onnx_{name}.onnx"))
        keep(f"tf2onnx_{name}", X, {"value": answer}, "keras", "tensorflow-cpu", "tf2onnx")


if __name__ == "__main__":
    FILES.mkdir(exist_ok=True)
    tools = {"sklearn": write_sklearn, "pandas": write_pandas, "torch": write_torch}
    tools |= {"keras": write_keras, "tensorflow": write_tensorflow}
    for tool in sys.argv[1:]:
        tools[tool]()
