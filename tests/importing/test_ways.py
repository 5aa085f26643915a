"""Activations are recognized by their own expressions, those of plugins too; and each way to write one is that one."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import specnet
from specnet.compiler import BATCH, input_value
from specnet.importing.algebra import TooInvolvedError
from specnet.importing.expressions import formula_of
from specnet.importing.functions import algebra_of
from specnet.importing.recognition import Recognized, Recognizer
from specnet.importing.ways import functions_of, ways_of
from specnet.parts import Activation, PositiveNumber, Value, exp, max_over, maximum, sin, sqrt, sum_over
from specnet.parts.initializers import Ones
from specnet.parts.parameters import ParameterBlock, per_feature
from specnet.parts.registry import PLUGINS, built_in_registry, installed_registry
from tests.engine import evaluate
from tests.importing.test_formulas import FEATURES, value
from tests.importing.test_formulas_in_graphs import chain, layers_if_answered_as_onnxruntime_does, written

ACTIVATIONS = {part.part_name(): part for part in built_in_registry().of_kind("activation")}
WITHOUT_FORMULA = {"linear", "prelu", "glu"}
"""x itself, one whose slopes are learned, and one that tells features apart."""
NUMBERS = (0.3, 0.8)
WAYS = ways_of(built_in_registry())


def recognized(part: Any) -> Recognized | None:
    algebra = algebra_of(1e-12)
    return Recognizer(algebra, float).recognize(formula_of(part, algebra.x, FEATURES), FEATURES)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_is_recognized_by_its_own_expression(name: str):
    part = ACTIVATIONS[name]
    numbers = [key for key, field in part.model_fields.items() if field.annotation is float]
    switches = {"approximate"} & part.model_fields.keys()
    others: list[dict[str, Any]] = [dict(zip(numbers, NUMBERS, strict=False)), dict.fromkeys(switches, True)]
    for fields in [{}, *filter(None, others)]:
        if name in WITHOUT_FORMULA - {"linear"}:
            with pytest.raises(TooInvolvedError):
                recognized(part(**fields))
        elif name != "linear":
            found = recognized(part(**fields))
            assert found is not None
            assert found.is_plain
            same = ACTIVATIONS["elu"]() if (name, fields) == ("celu", {}) else part(**fields)
            assert ACTIVATIONS[found.part["type"]](**found.part) == same
    assert (name in WITHOUT_FORMULA) == all(way.part is not part for way in WAYS)


@pytest.mark.parametrize("number", range(len(WAYS)))
def test_each_way_has_the_values_of_its_part(number: int):
    way = WAYS[number]
    x = np.concatenate([np.random.default_rng(0).normal(0, 2, (40, FEATURES)), np.full((1, FEATURES), 0.3)])
    values = NUMBERS[: len(way.numbers)]
    formula = way.written(values, algebra_of(1e-12).x, FEATURES)
    assert formula is not None
    assert functions_of(formula) == way.functions
    if way.fields["type"] == "layer_normalization":
        wanted = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + values[0])
    else:
        part: Any = way.part(**way.fields, **dict(zip(way.numbers, values, strict=True)))
        wanted = evaluate([part.expression(input_value("x", (FEATURES, BATCH)))], {"x": x.T})[0].T
    np.testing.assert_allclose(value(formula, x), wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("number", range(len(WAYS)))
def test_each_way_is_recognized_with_zeros_too(number: int):
    way = WAYS[number]
    algebra = algebra_of(1e-12)
    for values in (NUMBERS[: len(way.numbers)], (0.0,) * len(way.numbers)):
        formula = way.written(values, algebra.x, FEATURES)
        if formula is not None:
            found = Recognizer(algebra, float).recognize(formula, FEATURES)
            assert found is not None
            assert found.is_plain


def test_x_itself_is_none_of_them():
    algebra = algebra_of(1e-12)
    assert Recognizer(algebra, float).recognize(algebra.x, FEATURES) is None  # and no soft_shrink by 0


class Bent(Activation):
    """x + s·(√(x² + b) − 1)."""

    type: Literal["bent"] = "bent"
    b: PositiveNumber = 1.0
    share: float = 0.0

    def expression(self, x: Value) -> Value:
        return x + self.share * (sqrt(x * x + self.b) - 1)


class Sharpened(Activation):
    """exp(3·xᵢ)/Σⱼ exp(3·xⱼ)."""

    elementwise = False
    type: Literal["sharpened"] = "sharpened"

    def expression(self, x: Value) -> Value:
        powers = exp(3 * x - max_over(3 * x, "features"))
        return powers / sum_over(powers, "features")


class Wave(Activation):
    """sin(x), of which no formula is known."""

    type: Literal["wave"] = "wave"

    def expression(self, x: Value) -> Value:
        return sin(x)


class Faulty(Activation):
    """An error wherever it is used."""

    type: Literal["faulty"] = "faulty"

    def expression(self, x: Value) -> Value:
        raise RuntimeError("a mistake of its author")


class Learned(Activation):
    """max(x, 0) with something that is learned and not said."""

    type: Literal["learned"] = "learned"

    def own_parameters(self, size: int) -> tuple[ParameterBlock, ...]:
        return (per_feature("height", size, Ones()),)

    def expression(self, x: Value) -> Value:
        return maximum(x, 0.25)


class Mixed(Activation):
    """x minus the sum of the features, said to be elementwise."""

    type: Literal["mixed"] = "mixed"

    def expression(self, x: Value) -> Value:
        return exp(x - sum_over(x, "features"))


class Numerous(Activation):
    """As many numbers of its own as would take forever to try."""

    type: Literal["numerous"] = "numerous"
    a: float = 0.1
    b: float = 0.2
    c: float = 0.3
    d: float = 0.4
    e: float = 0.5
    f: float = 0.6

    def expression(self, x: Value) -> Value:
        return maximum(x, self.a) + maximum(x, self.b) + maximum(x, self.c * self.d * self.e * self.f)


OTHERS: list[type[Activation]] = [Bent, Sharpened, Wave, Faulty, Learned, Mixed, Numerous]


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


def test_without_the_plugin_it_is_unknown(tmp_path: Path):
    written(chain(FOREIGN), tmp_path / "m.onnx")
    with pytest.raises(specnet.FileError, match="no activation that is known here"):
        specnet.import_model(tmp_path / "m.onnx")


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_specnet_brings_comes_before_plugins(name: str):
    test_every_activation_is_recognized_by_its_own_expression(name)


@pytest.mark.usefixtures("plugins")
def test_plugins_that_no_formula_says_are_passed_over():
    ways = ways_of(installed_registry())
    assert {way.part for way in ways} & set(OTHERS) == {Bent, Sharpened, Numerous}
    assert recognized(Numerous()) is None
    for part in (Learned, Mixed):
        with pytest.raises(TooInvolvedError):
            recognized(part())
