"""What parts share: the numbers and names of fields, names and tables read and written, and whose fault it is."""

from collections.abc import Callable
from inspect import signature
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from pydantic import PlainSerializer, TypeAdapter, ValidationError, create_model
from pydantic_core import PydanticSerializationError

from specnet import DataError, PartError, parts
from specnet.compiler import constant
from specnet.parts import averaging, blame, fields
from specnet.parts.layers import Block, Dense, Layer, embeddings
from specnet.parts.part import Names, Part, Section, described, short
from specnet.parts.registry import Registry
from specnet.parts.watchers import Monitored, SearchedMetric, monitored_names, searched_names
from tests.registry import REGISTRY, find, part
from tests.texts.pinned import Pinned

Elu, Relu = find("activation", "elu"), find("activation", "relu")


def errors_of(call: Callable[..., Any], *arguments: Any, **keywords: Any) -> list[tuple[Any, ...]]:
    """Return the errors that pydantic finds: where, which, in which words, and what these are made of."""
    with pytest.raises(ValidationError) as caught:
        call(*arguments, **keywords)
    found = caught.value.errors(include_url=False)
    return [(error["loc"], error["type"], error["msg"], error.get("ctx", {})) for error in found]


def read(annotation: Any, value: Any, context: Any = None) -> Any:
    section = create_model("Read", __base__=Section, x=(annotation, ...))
    return section.model_validate({"x": value}, context=context).x


READ: list[tuple[Any, list[tuple[Any, Any]]]] = [
    (fields.Integer, [(1e3, 1000), (float(2**53), 2**53), (-7, -7)]),
    (fields.Seed, [(2**32 - 1, 2**32 - 1)]),
    (fields.PositiveIntegers, [(3, (3,)), ([3, 4.0], (3, 4)), ((5,), (5,))]),
    (fields.Indices, [([0, 2], (0, 2))]),
    (fields.OneOrSeveralNames, [("a", "a"), (["a", "b"], ("a", "b"))]),
    (fields.FilePaths, [(["a.csv"], ("a.csv",))]),
    (fields.Fraction, [(0, 0.0)]),
    (fields.Share, [(1, 1.0)]),
    (fields.SpecName, [("a.b-c_0", "a.b-c_0")]),
    (fields.LayerName, [("_a0", "_a0")]),
]
REFUSED: list[tuple[Any, str, list[Any]]] = [
    (fields.Integer, "int_type", [2.5, float(2**53 + 2), True, "3"]),
    (fields.PositiveInteger, "greater_than_equal", [0]),
    (fields.NonNegativeInteger, "greater_than_equal", [-1]),
    (fields.Seed, "less_than_equal", [2**32]),
    (fields.PositiveIntegers, "greater_than_equal", [0]),
    (fields.PositiveIntegers, "too_short", [[]]),
    (fields.PositiveIntegers, "int_type", ["3"]),
    (fields.OneOrSeveralNames, "string_too_short", [""]),
    (fields.OneOrSeveralNames, "string_type", [3]),
    (fields.PositiveNumber, "greater_than", [0.0]),
    (fields.NonNegativeNumber, "greater_than_equal", [-1e-9]),
    (fields.Fraction, "less_than", [1.0]),
    (fields.Share, "less_than_equal", [1.1]),
    (fields.SpecName, "string_pattern_mismatch", [".a", "a" * 101]),
    (fields.LayerName, "string_pattern_mismatch", ["0a"]),
    (Monitored, "unknown-monitor", ["accuracy", "validation_mse"]),
    (SearchedMetric, "unknown-metric", ["loss"]),
]


def test_fields_are_numbers_and_names_as_written():
    for annotation, pairs in READ:
        for value, expected in pairs:
            found = read(annotation, value)
            assert (type(found), found) == (type(expected), expected)
    for annotation, code, values in REFUSED:
        assert [errors_of(read, annotation, value)[0][1] for value in values] == [code] * len(values)
    stems = {"a b.é": "a_b._", "_.-x": "x", "ö": "network", "a" * 101: "a" * 100}
    assert {stem: fields.spec_name(stem) for stem in stems} == stems


def test_figures_are_losses_and_the_metrics_of_the_registry():
    names = [metric.part_name() for metric in REGISTRY.of_kind("metric")]
    monitored = ["validation_loss", "loss", *(f"validation_{name}" for name in names)]
    assert monitored_names(REGISTRY) == monitored
    assert searched_names(REGISTRY) == ["validation_loss", *names]
    assert read(Monitored, "validation_r2") == "validation_r2"
    assert read(SearchedMetric, "r2") == "r2"
    context = {"registry": Registry(())}
    assert read(Monitored, "validation_loss", context) == read(SearchedMetric, "validation_loss", context)
    for annotation, kind in ((Monitored, "monitored_metric"), (SearchedMetric, "searched_metric"), (Layer, "layer")):
        assert TypeAdapter(annotation).json_schema() == {"x-kind": kind}
    assert errors_of(read, SearchedMetric, "r2", context) == [(("x",), "unknown-metric", "no such figure", {})]


def test_a_name_a_table_or_a_part_stands_for_a_part():
    """What is none of these is refused in the words of the corpus of specs."""
    elu = {"type": "elu", "alpha": 2.0}
    linear = part("activation", "linear")
    for value, expected in (("relu", Relu()), (elu, Elu(alpha=2.0)), ("identity", linear), (Elu(), Elu())):
        assert Dense(units=1, activation=value).activation == expected
    for value, code in ((Dense(units=1), "wrong-type"), ({"alpha": 2.0}, "missing-key"), ({"type": 3}, "unknown-part")):
        assert [error[:2] for error in errors_of(Dense, units=1, activation=value)] == [(("activation",), code)]
    found = errors_of(Dense, units=1, activation={"type": "elu", "alpha": 0.0, "a": 1})
    assert [error[0] for error in found] == [("activation", "alpha"), ("activation", "a")]


def test_parts_are_fixed_and_equal_where_their_fields_are():
    assert hash(Elu(alpha=2.0)) == hash(Elu(alpha=2.0))
    same = [Block(layers=[Dense(units=2)]), Block(layers=[Dense(units=2)]), Block(layers=[Dense(units=3)])]
    assert len(set(same)) == 2

    class Free(Section):
        of: dict[str, Any]

    assert hash(Free(of={"a": [1, {"b": 2}], "c": 3})) == hash(Free(of={"c": 3, "a": [1, {"b": 2}]}))
    assert hash(Free(of={"a": [1]})) != hash(Free(of={"a": [2]})) != hash(Free(of={"b": [2]}))
    with pytest.raises(ValidationError, match="frozen"):
        Elu().alpha = 2.0


SCHEDULE = {"type": "warmup", "length": 3, "then": {"type": "step_decay", "factor": 0.5, "every": 2}}
SGD = part("optimizer", "sgd", schedule=SCHEDULE, momentum=0.9)
SHORT: list[tuple[Any, Any]] = [
    (Relu(), "relu"),
    (Elu(alpha=1.0), "elu"),
    (Elu(alpha=2.0), {"type": "elu", "alpha": 2.0}),
    (Dense(units=2, activation="relu"), {"type": "dense", "units": 2, "activation": "relu"}),
    ((Relu(), [Elu()], {"a": Relu(), "b": 3}), ["relu", ["elu"], {"a": "relu", "b": 3}]),
    (SGD, {"type": "sgd", "schedule": SCHEDULE, "momentum": 0.9}),
]


def test_parts_are_written_in_the_fewest_words():
    for value, expected in SHORT:
        assert short(value) == expected
    assert described(None) == ""
    assert described(Relu()) == "relu"
    assert described(SGD) == "sgd(schedule=warmup(length=3, then=step_decay(factor=0.5, every=2)), momentum=0.9)"
    assert described(SGD, {"schedule"}) == "sgd(momentum=0.9)"
    assert described(part("optimizer", "adam", amsgrad=True)) == "adam(amsgrad=true)"
    assert Part.dump(Elu()) == {"type": "elu", "parametric": False, "alpha": 1.0}
    table = {"type": "dense", "units": 2, "activation": {"type": "elu", "alpha": 2.0}}
    layer = Dense.model_validate(table)
    assert TypeAdapter(Layer).dump_python(layer, exclude_unset=True) == table
    assert TypeAdapter(Layer).dump_python(layer)["activation"] == {"type": "elu", "parametric": False, "alpha": 2.0}
    assert "name" not in TypeAdapter(Layer).dump_python(layer)


def failing(error: BaseException) -> Any:
    raise error


def test_an_interruption_of_writing_stays_one():
    for error, kind in ((KeyboardInterrupt(), KeyboardInterrupt), (KeyError(), PydanticSerializationError)):
        written_with = PlainSerializer(lambda value, error=error: failing(error))
        odd = create_model("Odd", __base__=Section, how=(Annotated[int, written_with], 0))
        with pytest.raises(kind) as caught:
            odd().model_dump(mode="json")
        assert caught.value is error or kind is not KeyboardInterrupt


def test_arguments_of_pytorch_are_the_fields_in_braces():
    names = Names(torch=("", 'f({x}, a={b}, c="{d}", e=1)'))
    assert names.torch_arguments() == {"a": "b", "c": "d"}
    assert find("activation", "prelu").names.torch_arguments() == {}


UNFINISHED = """
    Activation.expression Loss.expression Layer.apply Optimizer.minimize_arguments SteppingOptimizer.update
    Schedule.multiplier Initializer.draw Preprocessing.fit Preprocessing.apply Preprocessing.invert
    Pruner.optuna_pruner Pruner.is_worse Sampler.optuna_sampler _ColumnLayer.made_size Averaging.share
"""


@pytest.mark.parametrize("name", UNFINISHED.split())
def test_what_an_author_has_not_written_is_named(name: str):
    kind, _, method = name.partition(".")
    base = next(getattr(module, kind) for module in (parts, embeddings, averaging) if hasattr(module, kind))
    unfinished = type("Unfinished", (base,), {"__annotations__": {"type": str}, "__module__": __name__})
    made = unfinished.model_construct(type="unfinished")
    needed = [each for each in signature(getattr(made, method)).parameters.values() if each.default is each.empty]
    with pytest.raises(NotImplementedError, match=f"^Unfinished has no {method}$"):
        getattr(made, method)(*[None] * len(needed))


class Foreign(parts.Activation):
    """A part from elsewhere."""

    type: Literal["foreign"] = "foreign"
    inner: Any = None


def test_a_part_from_elsewhere_is_named_where_it_fails(pinned: Pinned, monkeypatch: pytest.MonkeyPatch):
    for error in (ValueError("odd"), SystemExit(3), ZeroDivisionError()):
        with pytest.raises(PartError) as caught:
            blame.ask(Foreign(), failing, error)
        assert caught.value.__cause__ is error
        pinned(caught.value)
        with pytest.raises(type(error)):
            blame.ask(Relu(), failing, error)
    for error in (KeyboardInterrupt(), DataError("rows")):
        with pytest.raises(type(error)):
            blame.ask(Foreign(), failing, error)
    assert blame.ask(Foreign(), max, 2, 3) == 3
    value = constant(1.0)
    assert blame.ask_value(Foreign(), (), lambda given: given, value) is value
    for answer, shape in ((value, (2,)), (1.0, ())):
        with pytest.raises(PartError) as caught:
            blame.ask_value(Foreign(), shape, lambda given: given, answer)
        pinned(caught.value)
    inner, outer = Foreign(), Foreign(inner=[Relu(), Foreign()])
    section = Block.model_construct(layers=(Dense(units=1, activation=inner), Dense(units=1, activation=outer)))
    assert list(blame.foreign_parts((section, [Relu()]))) == [inner, outer, *outer.inner[1:]]
    monkeypatch.setattr(blame, "installed_registry", lambda: Registry([Relu, Foreign]))
    caught_errors = []
    for call in (lambda: failing(KeyError()), lambda: np.zeros(2)[3], lambda: Elu.model_validate(3)):
        try:
            call()
        except (KeyError, IndexError, ValidationError) as error:
            caught_errors.append(error)
    assert [blame.part_behind(error) for error in caught_errors] == [Foreign] * 3
    assert blame.part_behind(ValueError()) is None
