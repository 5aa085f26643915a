"""Activations are recognized by running them, wherever they begin and end; what is only like one is named."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

import specnet
from specnet.parts import Value, exp, max_over, maximum, per_feature, sin, sqrt, sum_over
from specnet.parts.registry import PLUGINS, installed_registry
from tests.exporting.models import activation
from tests.importing.answers import TOLERANCE, difference
from tests.importing.conftest import Refuse
from tests.importing.onnx.graphs import nodes_of, rows, wanted, written
from tests.registry import find
from tests.texts.pinned import Pinned

RNG = np.random.default_rng(3)
SIZE = 5
CONSTANTS: dict[str, Any] = {
    "W": RNG.normal(size=(4, SIZE)), "V": RNG.normal(size=(SIZE, 2)), "U": RNG.normal(size=(SIZE, SIZE)),
    "scale": RNG.uniform(0.5, 1.5, SIZE), "shift": RNG.normal(size=SIZE), "slopes": RNG.uniform(0.1, 0.5, SIZE),
    "axes": [1], "epsilon": 1e-3, "half": 0.5, "one": 1.0, "two": 2.0, "six": 6.0, "root": 2**0.5, "tenth": 0.1,
    "0.797": 0.79788, "0.7979": 0.7978845608, "0.0447": 0.0447, "0.04472": 0.044715, "0.7": 0.7, "1.702": 1.702,
    "three": 3.0, "0.3": 0.3, "-0.3": -0.3, "0.2": 0.2, "zero": 0.0, "-one": -1.0, "root_half": 0.5**0.5,
    "twenty": 20.0, "-twenty": -20.0, "U4": np.eye(4),
}  # fmt: skip # several to a line

# Each reads x and makes y. A node is its operator, what it reads and what it makes.
ACTIVATIONS: dict[str, str] = {
    "relu": "Relu x y",
    "leaky_relu": "LeakyRelu x y",
    "leaky_relu as a maximum": "Mul x tenth s; Max x s y",
    "relu6": "Relu x r; Min r six y",
    "prelu": "PRelu x slopes y",
    "elu": "Elu x y",
    "elu by its rectifier": "Relu x r; Sub x r n; Exp n e; Sub e one m; Add r m y",
    "gelu": "Div x root d; Erf d e; Add e one a; Mul x a m; Mul m half y",
    "silu": "Sigmoid x s; Mul x s y",
    "softsign": "Abs x a; Add a one b; Div x b y",
    "squareplus": "Mul x x s; Add s one a; Sqrt a r; Add x r b; Mul b half y",
    "tanh_shrink": "Tanh x t; Sub x t y",
    "sigmoid": "Sigmoid x y",
    "softplus": "Softplus x y",
    "exponential": "Exp x y",
    "softmax": "Softmax x y",
}
MEAN = "ReduceMean x m; Sub x m c; "
NORMALIZATIONS: dict[str, str] = {
    "pytorch": MEAN + "Pow c two q; ReduceMean q v; Add v epsilon a; Sqrt a r; Div c r d; Mul d scale e; Add e shift y",
    "tensorflow": (
        MEAN + "Neg m n; Mul c c q; ReduceMean q v; Add v epsilon a; Sqrt a r; Reciprocal r i; Mul i scale j; "
        "Mul x j k; Mul n j l; Add l shift o; Add k o y"
    ),
    "moments, the square first": (
        "Mul x x s; ReduceMean s q; " + MEAN + "Mul m m p; Sub q p v; Add v epsilon a; Sqrt a r; Div c r d; "
        "Mul d scale e; Add e shift y"
    ),
}  # fmt: skip # several to a line


def scoped(text: str, opset: int, source: str, result: str, scope: str) -> list[Any]:
    """Nodes that make one tensor of another, named by what they make."""
    names, made = {"x": source, "y": result} | {name: name for name in CONSTANTS}, nodes_of(text)
    for node in made:
        node.name = f"{scope}.{node.output[0]}"
        for tensors in (node.input, node.output):
            tensors[:] = [names.get(name, f"{scope}.{name}") for name in tensors]
        axis = {"axis": 1} if node.op_type in ("Softmax", "Concat") else {}
        if node.op_type == "ReduceMean" and opset < 18:
            axis = {"axes": [1]}
        elif node.op_type.startswith("Reduce"):
            node.input.append("axes")
        node.attribute.extend(helper.make_attribute(*item) for item in axis.items())
    return made


def chain(parts: list[str], opset: int = 20) -> list[Any]:
    """Nodes in a chain, the first of which reads the columns X and the last of which makes Y."""
    names = ["X", *(f"h{number}" for number in range(1, len(parts))), "Y"]
    made = []
    for number, part in enumerate(parts):
        made += scoped(part, opset, names[number], names[number + 1], str(number))
    return made


def saved(nodes: list[Any], path: Path, opset: int = 20) -> Path:
    return written(path, nodes, CONSTANTS, {"X": ["N", 4]}, {"Y": ["N", None]}, opset)


def layers_if_answered_as_onnxruntime_does(nodes: list[Any], path: Path, opset: int = 20) -> str:
    """The layers that are found, an activation by its name."""
    X = rows(4)
    answer = wanted(saved(nodes, path, opset), X)
    model = specnet.import_model(path)
    assert difference(model.predict(X), answer) <= TOLERANCE["float32"]
    found = []
    for layer in model.spec.network.layers or ():
        activation = getattr(layer, "activation", None)
        found += [layer.type] if layer.type != "activation" else []
        found += [activation.type] if activation is not None and activation.type != "linear" else []
    return " ".join(found)


@pytest.mark.slow
@pytest.mark.parametrize("style", NORMALIZATIONS)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_a_normalization_and_an_activation(name: str, style: str, tmp_path: Path):
    names, styles = list(ACTIVATIONS), list(NORMALIZATIONS)
    after = [(name, 9), ("gelu", 20), (names[(names.index(name) + 5) % len(names)], 9)]  # opsets: axes of a mean
    other, opset = after[(names.index(name) + styles.index(style)) % 3]  # each with each activation and style
    parts = ["MatMul x W y", ACTIVATIONS[name], NORMALIZATIONS[style], ACTIVATIONS[other], "MatMul x V y"]
    found = layers_if_answered_as_onnxruntime_does(chain(parts, opset), tmp_path / "m.onnx", opset)
    assert found == f"dense {name.split()[0]} layer_normalization {other.split()[0]} dense"


@pytest.mark.slow
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_normalization_beside_what_its_activation_reads(name: str, tmp_path: Path):
    nodes = [
        *scoped("MatMul x W y", 20, "X", "h", "0"),
        *scoped(ACTIVATIONS[name], 20, "h", "a", "1"),
        *scoped(NORMALIZATIONS["pytorch"], 20, "a", "n", "2"),
        *scoped("MatMul x U y", 20, "n", "b", "3"),
        helper.make_node("Sub", ["b", "h"], ["s"]),
        helper.make_node("Add", ["s", "a"], ["t"]),
        *scoped("MatMul x V y", 20, "t", "Y", "4"),
    ]
    found = layers_if_answered_as_onnxruntime_does(nodes, tmp_path / "m.onnx").split()
    assert {name.split()[0], "layer_normalization", "add"} <= set(found)


@pytest.mark.slow
@pytest.mark.parametrize("second", ACTIVATIONS)
@pytest.mark.parametrize("first", ["relu", "leaky_relu", "leaky_relu as a maximum", "gelu"])
def test_an_activation_of_an_activation(first: str, second: str, tmp_path: Path):
    parts = ["MatMul x W y", ACTIVATIONS[first], ACTIVATIONS[second], "MatMul x V y"]
    found = layers_if_answered_as_onnxruntime_does(chain(parts), tmp_path / "m.onnx")
    names = [first.split()[0], second.split()[0]]
    # One behind another can be the other alone, as a rectifier behind a rectifier is.
    assert found in {f"dense {names[0]} {names[1]} dense", f"dense {names[0]} dense", f"dense {names[1]} dense"}
    if {"relu", "leaky_relu"}.isdisjoint(names) or "gelu" in names:
        assert found == f"dense {names[0]} {names[1]} dense"


@pytest.mark.parametrize("before", ["Mul x two y", "Add x half y", "Mul x scale y", "Mul x scale z; Add z shift y"])
@pytest.mark.parametrize("name", ["relu", "leaky_relu", "tanh_shrink"])
def test_a_normalization_of_a_scaled_activation(name: str, before: str, tmp_path: Path):
    parts = ["MatMul x W y", ACTIVATIONS[name], before, NORMALIZATIONS["pytorch"], "MatMul x V y"]
    found = layers_if_answered_as_onnxruntime_does(chain(parts), tmp_path / "m.onnx")
    assert found.endswith("layer_normalization dense")


REFUSED: dict[str, list[str]] = {
    "one operator": ["Erf x y"],
    "two": ["ReduceSum x s; Div x s y"],
    "more than a handful": ["Mul x x q; ReduceMean q m; Add m epsilon a; Sqrt a r; Sin r s; Div x s y"],
    "before an activation": ["Erf x y", ACTIVATIONS["silu"]],
    "before a normalization": ["Erf x y", NORMALIZATIONS["pytorch"]],
    "behind a known activation": [ACTIVATIONS["gelu"], "Erf x y"],
    "behind a normalization": [NORMALIZATIONS["tensorflow"], "Erf x y"],
    "beside a known activation": ["Relu x r; Erf x e; Concat e r y"],
    "subtracted from another layer": ["MatMul x U u; Erf x e; Sub u e y"],
}  # fmt: skip # several to a line


def reason(nodes: list[Any], path: Path) -> str:
    saved(nodes, path)
    with pytest.raises(specnet.FileError) as caught:
        specnet.import_model(path)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.source == str(path)
    return diagnostic.message


@pytest.mark.parametrize("ending", [[], ["MatMul x V y"]], ids=["answered", "read by a layer"])
@pytest.mark.parametrize("name", REFUSED)
def test_the_nodes_of_an_unknown_formula_are_named(name: str, ending: list[str], tmp_path: Path, pinned: Pinned):
    pinned(reason(chain(["MatMul x W y", *REFUSED[name], *ending]), tmp_path / "m.onnx"))


def test_names_of_unknown_formulas_are_short_and_printable(tmp_path: Path):
    parts = ["MatMul x W y", "Mul x x q; ReduceMean q m; Add m epsilon a; Sqrt a r; Div x r y", "MatMul x V y"]
    nodes = chain(parts)
    for node in nodes:
        node.name = "\x1b[31m\n" + node.name + node.op_type * 1000
    message = reason(nodes, tmp_path / "m.onnx")
    assert message.isprintable()
    assert len(message) < 500
    assert message.count("\\x1b[31m\\n1.mReduceMean") == 1


def test_a_node_without_a_name_is_told_by_its_number(tmp_path: Path, pinned: Pinned):
    nodes = chain(["MatMul x W y", "ReduceSum x s; Div x s y", "MatMul x V y"])
    for node in nodes:
        node.name = ""
    pinned(reason(nodes, tmp_path / "m.onnx"))


@pytest.mark.slow
def test_long_formulas_end_soon(tmp_path: Path, pinned: Pinned):
    """A shared rectifier is looked at no longer than an activation can be; shorter ones are folded."""
    loop = [f"Add r{k} one s{k}; Sub s{k} one r{k + 1}; Neg s{k} n{k}" for k in range(600)]
    nodes = nodes_of("; ".join(["MatMul X W h; Relu h r0", *loop, "MatMul r600 V Y"]))
    pinned(reason(nodes, tmp_path / "m.onnx"))


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


def found_in(path: Path, *parts: str) -> str:
    """The layers that are found in a chain between two dense ones."""
    return layers_if_answered_as_onnxruntime_does(chain(["MatMul x W y", *parts, "MatMul x V y"]), path)


@pytest.mark.parametrize("name", WAYS)
def test_other_ways_to_write_an_activation(name: str, tmp_path: Path):
    assert found_in(tmp_path / "m.onnx", WAYS[name]) == f"dense {name} dense"


@pytest.mark.parametrize("name", ALIKE)
def test_what_only_looks_like_an_activation_is_none(name: str, tmp_path: Path, refuse: Refuse):
    refuse(saved(chain(["MatMul x W y", ALIKE[name], "MatMul x V y"]), tmp_path / "m.onnx"))


@pytest.mark.parametrize("written_as", ["0.797 0.04472", "0.7979 0.0447"])
def test_a_gelu_of_other_numbers_is_its_sums_and_products(written_as: str, tmp_path: Path):
    root, cube = written_as.split()
    inner = f"Mul x x s; Mul s x c; Mul c {cube} k; Add x k i; Mul i {root} j"
    parts = f"{inner}; Tanh j t; Add t one a; Mul a half b; Mul x b y"
    found = found_in(tmp_path / "m.onnx", parts)
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
    assert found_in(tmp_path / "m.onnx", "Max x -twenty m; Min m twenty y") == "dense clip dense"


def sharpened(x: Value) -> Value:
    powers = exp(3 * x - max_over(3 * x, "features"))
    return powers / sum_over(powers, "features")


def faulty(x: Value) -> Value:
    raise RuntimeError("a mistake of its author")


def numerous(x: Value, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> Value:
    """As many numbers of its own as would take forever to try."""
    return maximum(x, a) + maximum(x, b) + maximum(x, c * d * e * f)


def learned(self: Any, size: int) -> tuple[Any, ...]:
    """Something that the formula does not have."""
    return (per_feature("height", size, find("initializer", "ones")()),)


Bent = activation("bent", lambda x, b, share: x + share * (sqrt(x * x + b) - 1), b=1.0, share=0.0)
OTHERS = [
    Bent,
    activation("sharpened", sharpened, elementwise=False),
    activation("wave", sin),  # of which no formula is known
    activation("faulty", faulty),
    activation("learned", lambda x: maximum(x, 0.25), own_parameters=learned),
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


FOREIGN = "Mul x x q; Add q two a; Sqrt a r; Sub r one s; Mul s half h; Add x h y"
SHARPENED = "Add x x d; Add d x t; ReduceMax t m; Sub t m c; Exp c e; ReduceSum e s; Div e s y"


@pytest.mark.usefixtures("plugins")
def test_an_activation_of_a_plugin_is_recognized_in_a_file_of_another_tool(tmp_path: Path):
    assert found_in(tmp_path / "m.onnx", FOREIGN) == "dense bent dense"
    layer: Any = (specnet.import_model(tmp_path / "m.onnx").spec.network.layers or ())[0]
    assert layer.activation == Bent(b=2.0, share=0.5)
    assert found_in(tmp_path / "s.onnx", SHARPENED) == "dense sharpened dense"


def test_without_the_plugin_it_is_unknown(tmp_path: Path, refuse: Refuse):
    refuse(saved(chain(["MatMul x W y", FOREIGN, "MatMul x V y"]), tmp_path / "m.onnx"))


@pytest.mark.usefixtures("plugins")
def test_plugins_that_cannot_be_run_are_passed_over(tmp_path: Path):
    assert found_in(tmp_path / "m.onnx", "Relu x y") == "dense relu dense"
    assert found_in(tmp_path / "m.onnx", "Max x half m; Exp m y").startswith("dense clip ")
