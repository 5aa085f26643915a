"""Where in a graph one activation ends and a normalization or another one begins, and what is said of unknown ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

import specnet
from tests.importing.answers import TOLERANCE, difference
from tests.importing.onnx.graphs import nodes_of, rows, wanted, written
from tests.texts.pinned import Pinned

RNG = np.random.default_rng(3)
SIZE = 5
CONSTANTS: dict[str, Any] = {
    "W": RNG.normal(size=(4, SIZE)), "V": RNG.normal(size=(SIZE, 2)), "U": RNG.normal(size=(SIZE, SIZE)),
    "scale": RNG.uniform(0.5, 1.5, SIZE), "shift": RNG.normal(size=SIZE), "slopes": RNG.uniform(0.1, 0.5, SIZE),
    "axes": [1], "epsilon": 1e-3, "half": 0.5, "one": 1.0, "two": 2.0, "six": 6.0, "root": 2**0.5, "tenth": 0.1,
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
