"""Activations are recognized by running them, those of plugins too, and what only looks like one is none."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet.parts import Value, exp, max_over, maximum, sin, sqrt, sum_over
from specnet.parts.initializers import Ones
from specnet.parts.parameters import per_feature
from specnet.parts.registry import PLUGINS, installed_registry
from tests.exporting.models import activation
from tests.importing.onnx.test_formulas_in_graphs import CONSTANTS, chain, layers_if_answered_as_onnxruntime_does, saved
from tests.texts.pinned import Refused

NUMBERS: dict[str, Any] = {
    "0.797": 0.79788, "0.7979": 0.7978845608, "0.0447": 0.0447, "0.04472": 0.044715, "0.7": 0.7, "1.702": 1.702,
    "three": 3.0, "0.3": 0.3, "-0.3": -0.3, "0.2": 0.2, "zero": 0.0, "-one": -1.0, "root_half": 0.5**0.5,
    "twenty": 20.0, "-twenty": -20.0, "U4": np.eye(4),
}  # fmt: skip # several to a line


@pytest.fixture(autouse=True)
def numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, number in NUMBERS.items():
        monkeypatch.setitem(CONSTANTS, name, number)


# How other tools write each activation: with the same values, but for rounding.
WAYS = {
    "mish": "Exp x e; Add e one a; Log a l; Tanh l t; Mul x t y",
    "gelu": "Mul x root_half d; Neg d n; Erf n e; Sub one e a; Mul a half b; Mul x b y",
    "silu": "Neg x n; Exp n e; Add e one a; Div x a y",
    "hard_tanh": "Min x one m; Max m -one y",
    "relu6": "Relu x r; Sub x six s; Relu s t; Sub r t y",
    "softplus": "Relu x r; Abs x a; Neg a n; Exp n e; Add e one b; Log b l; Add r l y",
    "log_sigmoid": "Softplus x s; Sub x s y",
    "hard_swish": "Add x three a; Relu a r; Min r six m; Mul x m p; Div p six y",
    "tanh": "Mul x two d; Sigmoid d s; Mul s two t; Sub t one y",
    "leaky_relu": "Relu x r; Neg x n; Relu n m; Mul m tenth k; Sub r k y",
    "elu": "Exp x e; Sub e one m; Min m zero n; Relu x r; Add r n y",
    "clip": "Max x -0.3 m; Min m 0.3 y",
    "hard_shrink": "Abs x a; Greater a 0.3 g; Where g x zero y",
    "soft_shrink": "Sub x 0.3 a; Relu a p; Neg x n; Sub n 0.3 b; Relu b q; Sub p q y",
    "threshold": "Greater x 0.2 g; Where g x -0.3 y",
    "squareplus": "Mul x x s; Add s two a; Sqrt a r; Add x r b; Mul b half y",
}
ALIKE = {
    "a gelu by another root": "Mul x 0.7 d; Erf d e; Add e one a; Mul a half b; Mul x b y",
    "a step that counts its edge": "GreaterOrEqual x 0.2 g; Where g x -0.3 y",
    "a normalization without its mean": "Mul x x q; ReduceMean q m; Add m epsilon a; Sqrt a r; Div x r y",
    "powers over their mean": "Exp x e; ReduceMax e m; Div e m y",
}


@pytest.mark.parametrize("name", WAYS)
def test_other_ways_to_write_an_activation(name: str, tmp_path: Path):
    found = layers_if_answered_as_onnxruntime_does(
        chain(["MatMul x W y", WAYS[name], "MatMul x V y"]), tmp_path / "m.onnx"
    )
    assert found == f"dense {name} dense"


@pytest.mark.parametrize("name", ALIKE)
def test_what_only_looks_like_an_activation_is_none(name: str, tmp_path: Path, refused: Refused):
    saved(chain(["MatMul x W y", ALIKE[name], "MatMul x V y"]), tmp_path / "m.onnx")
    with refused(specnet.FileError, at="m.onnx"):
        specnet.import_model(tmp_path / "m.onnx")


@pytest.mark.parametrize("written_as", ["0.797 0.04472", "0.7979 0.0447"])
def test_a_gelu_of_other_numbers_is_its_sums_and_products(written_as: str, tmp_path: Path):
    root, cube = written_as.split()
    inner = f"Mul x x s; Mul s x c; Mul c {cube} k; Add x k i; Mul i {root} j"
    parts = f"{inner}; Tanh j t; Add t one a; Mul a half b; Mul x b y"
    found = layers_if_answered_as_onnxruntime_does(chain(["MatMul x W y", parts, "MatMul x V y"]), tmp_path / "m.onnx")
    assert "gelu" not in found
    assert "tanh" in found


@pytest.mark.parametrize("x", [-1e7, -0.3, 0.2, 1e7])
def test_numbers_far_away_are_clipped_too(x: float, tmp_path: Path):
    saved(chain(["MatMul x U4 y", WAYS["clip"]]), tmp_path / "m.onnx")
    model = specnet.import_model(tmp_path / "m.onnx")
    np.testing.assert_array_equal(
        model.predict(np.full((1, 4), x, np.float32)), np.clip(np.full((1, 4), x, np.float32), -0.3, 0.3)
    )


def test_bounds_that_ordinary_numbers_do_not_reach_are_a_clip(tmp_path: Path):
    parts = ["MatMul x W y", "Max x -twenty m; Min m twenty y", "MatMul x V y"]
    assert layers_if_answered_as_onnxruntime_does(chain(parts), tmp_path / "m.onnx") == "dense clip dense"


def sharpened(x: Value) -> Value:
    powers = exp(3 * x - max_over(3 * x, "features"))
    return powers / sum_over(powers, "features")


def faulty(x: Value) -> Value:
    raise RuntimeError("a mistake of its author")


def numerous(x: Value, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> Value:
    """As many numbers of its own as would take forever to try."""
    return maximum(x, a) + maximum(x, b) + maximum(x, c * d * e * f)


Bent = activation("bent", lambda x, b, share: x + share * (sqrt(x * x + b) - 1), b=1.0, share=0.0)
OTHERS = [
    Bent,
    activation("sharpened", sharpened, elementwise=False),
    activation("wave", sin),  # of which no formula is known
    activation("faulty", faulty),
    # something that is learned and not said
    activation(
        "learned",
        lambda x: maximum(x, 0.25),
        own_parameters=lambda self, size: (per_feature("height", size, Ones()),),
    ),
    activation("mixed", lambda x: exp(x - sum_over(x, "features"))),  # said to be elementwise
    activation("numerous", numerous, a=0.1, b=0.2, c=0.3, d=0.4, e=0.5, f=0.6),
]


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the activations of someone else."""
    points = [EntryPoint(part.part_name(), f"plugin:{part.__name__}", PLUGINS) for part in OTHERS]
    parts = {part.part_name(): part for part in OTHERS}
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points if group == PLUGINS else [])
    monkeypatch.setattr(EntryPoint, "load", lambda point: parts[point.name])
    installed_registry.cache_clear()
    yield
    monkeypatch.undo()
    installed_registry.cache_clear()


FOREIGN = ["MatMul x W y", "Mul x x q; Add q two a; Sqrt a r; Sub r one s; Mul s half h; Add x h y", "MatMul x V y"]


@pytest.mark.usefixtures("plugins")
def test_an_activation_of_a_plugin_is_recognized_in_a_file_of_another_tool(tmp_path: Path):
    found = layers_if_answered_as_onnxruntime_does(chain(FOREIGN), tmp_path / "m.onnx")
    assert found == "dense bent dense"
    layer: Any = (specnet.import_model(tmp_path / "m.onnx").spec.network.layers or ())[0]
    assert layer.activation == Bent(b=2.0, share=0.5)
    sharpened = [
        "MatMul x W y",
        "Add x x d; Add d x t; ReduceMax t m; Sub t m c; Exp c e; ReduceSum e s; Div e s y",
        "MatMul x V y",
    ]
    assert layers_if_answered_as_onnxruntime_does(chain(sharpened), tmp_path / "s.onnx") == "dense sharpened dense"


def test_without_the_plugin_it_is_unknown(tmp_path: Path, refused: Refused):
    saved(chain(FOREIGN), tmp_path / "m.onnx")
    with refused(specnet.FileError, at="m.onnx"):
        specnet.import_model(tmp_path / "m.onnx")


@pytest.mark.usefixtures("plugins")
def test_plugins_that_cannot_be_run_are_passed_over(tmp_path: Path):
    parts = ["MatMul x W y", "Relu x y", "MatMul x V y"]
    assert layers_if_answered_as_onnxruntime_does(chain(parts), tmp_path / "m.onnx") == "dense relu dense"
    saved(chain(["MatMul x W y", "Max x half m; Exp m y", "MatMul x V y"]), tmp_path / "m.onnx")
    found = specnet.import_model(tmp_path / "m.onnx").spec.network.layers or ()
    assert [getattr(layer, "activation", None) and layer.activation.type for layer in found][:1] == ["clip"]
