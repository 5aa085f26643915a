"""What parts share: the numbers and names of fields, names and tables read and written, and whose fault it is."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from pydantic import PlainSerializer, TypeAdapter, ValidationError, create_model
from pydantic_core import PydanticSerializationError

from specnet import DataError, PartError, parts
from specnet.compiler import constant
from specnet.parts import blame, fields
from specnet.parts.activations import Clip, Elu, Prelu, Relu
from specnet.parts.averaging import Averaging
from specnet.parts.layers import Block, Dense, Layer, embeddings
from specnet.parts.optimizers import Adam, Sgd
from specnet.parts.part import FieldProblem, Names, Part, Section, described, named_twice, short, written
from specnet.parts.registry import Registry, built_in_registry
from specnet.parts.schedules import StepDecay, Warmup
from specnet.parts.watchers import Monitored, SearchedMetric, monitored_names, searched_names
from tests.texts.pinned import Pinned


def errors_of(call: Callable[[], Any]) -> list[tuple[Any, ...]]:
    """Return the errors that pydantic finds: where, which, in which words, and what these are made of."""
    with pytest.raises(ValidationError) as caught:
        call()
    found = caught.value.errors(include_url=False)
    return [(error["loc"], error["type"], error["msg"], error.get("ctx", {})) for error in found]


def read(annotation: Any, value: Any, context: Any = None) -> Any:
    section = create_model("Read", __base__=Section, x=(annotation, ...))
    return section.model_validate({"x": value}, context=context).x


LARGEST = 2**53
READ: list[tuple[Any, Any, Any]] = [
    (fields.Integer, 1e3, 1000),
    (fields.Integer, float(LARGEST), LARGEST),
    (fields.Integer, -7, -7),
    (fields.Seed, 2**32 - 1, 2**32 - 1),
    (fields.PositiveIntegers, 3, (3,)),
    (fields.PositiveIntegers, [3, 4.0], (3, 4)),
    (fields.PositiveIntegers, (5,), (5,)),
    (fields.Indices, [0, 2], (0, 2)),
    (fields.OneOrSeveralNames, "a", "a"),
    (fields.OneOrSeveralNames, ["a", "b"], ("a", "b")),
    (fields.FilePaths, ["a.csv"], ("a.csv",)),
    (fields.Fraction, 0, 0.0),
    (fields.Share, 1, 1.0),
    (fields.SpecName, "a.b-c_0", "a.b-c_0"),
    (fields.LayerName, "_a0", "_a0"),
]
REFUSED: list[tuple[Any, Any, str]] = [
    (fields.Integer, 2.5, "int_type"),
    (fields.Integer, float(LARGEST + 2), "int_type"),
    (fields.Integer, True, "int_type"),
    (fields.Integer, "3", "int_type"),
    (fields.PositiveInteger, 0, "greater_than_equal"),
    (fields.NonNegativeInteger, -1, "greater_than_equal"),
    (fields.Seed, 2**32, "less_than_equal"),
    (fields.PositiveIntegers, 0, "greater_than_equal"),
    (fields.PositiveIntegers, [], "too_short"),
    (fields.PositiveIntegers, "3", "int_type"),
    (fields.OneOrSeveralNames, "", "string_too_short"),
    (fields.OneOrSeveralNames, 3, "string_type"),
    (fields.PositiveNumber, 0.0, "greater_than"),
    (fields.NonNegativeNumber, -1e-9, "greater_than_equal"),
    (fields.Fraction, 1.0, "less_than"),
    (fields.Share, 1.1, "less_than_equal"),
    (fields.SpecName, ".a", "string_pattern_mismatch"),
    (fields.SpecName, "a" * 101, "string_pattern_mismatch"),
    (fields.LayerName, "0a", "string_pattern_mismatch"),
    (Monitored, "accuracy", "unknown-monitor"),
    (Monitored, "validation_mse", "unknown-monitor"),
    (SearchedMetric, "loss", "unknown-metric"),
]


def test_fields_hold_numbers_and_names_as_they_are_said():
    for annotation, value, expected in READ:
        found = read(annotation, value)
        assert (type(found), found) == (type(expected), expected)
    for annotation, value, kind in REFUSED:
        assert [error[1] for error in errors_of(lambda: read(annotation, value))] == [kind]  # noqa: B023 # called at once


def test_one_or_several_are_described_and_written_as_they_are_said():
    adapter = TypeAdapter(fields.OneOrSeveralNames)
    name = {"type": "string", "minLength": 1}
    several = {"type": "array", "items": name, "minItems": 1}
    assert adapter.json_schema() == {"anyOf": [name, several]}
    assert adapter.dump_python(("a", "b")) == ["a", "b"]
    assert adapter.dump_python("a") == "a"
    form = Annotated[tuple[int, ...], fields.ListOr(tuple[int, ...], str, {"const": "all"}, {"type": "null"})]
    assert TypeAdapter(form).json_schema()["anyOf"][:2] == [{"const": "all"}, {"type": "null"}]


def test_paths_of_files_are_told_from_other_texts_and_names_are_made_of_them():
    class Files(Section):
        path: fields.FilePath
        paths: fields.FilePaths | None
        name: fields.ColumnName

    known = {name: fields.is_file_path(field) for name, field in Files.model_fields.items()}
    assert known == {"path": True, "paths": True, "name": False}
    assert [fields.spec_name(stem) for stem in ("a b.é", "_.-x", "ö", "a" * 101)] == [
        "a_b._",
        "x",
        "network",
        "a" * 100,
    ]


def test_figures_are_losses_and_the_metrics_of_the_registry():
    names = [metric.part_name() for metric in built_in_registry().of_kind("metric")]
    assert monitored_names(built_in_registry()) == [
        "validation_loss",
        "loss",
        *(f"validation_{name}" for name in names),
    ]
    assert searched_names(built_in_registry()) == ["validation_loss", *names]
    assert read(Monitored, "validation_r2") == "validation_r2"
    assert read(SearchedMetric, "r2") == "r2"
    context = {"registry": Registry(())}
    assert read(Monitored, "validation_loss", context) == read(SearchedMetric, "validation_loss", context)
    for annotation, kind in ((Monitored, "monitored_metric"), (SearchedMetric, "searched_metric"), (Layer, "layer")):
        assert TypeAdapter(annotation).json_schema() == {"x-kind": kind}
    assert errors_of(lambda: read(SearchedMetric, "r2", context)) == [(("x",), "unknown-metric", "no such figure", {})]


ONE = {"kind": "activation"}
PARTS_READ: list[tuple[Any, Any]] = [
    ("relu", Relu()),
    ({"type": "elu", "alpha": 2.0}, Elu(alpha=2.0)),
    ("identity", parts.activations.Linear()),
    (Elu(alpha=3.0), Elu(alpha=3.0)),
]
PARTS_REFUSED: list[tuple[Any, tuple[Any, ...]]] = [
    (3, ("wrong-type", "expected a name or a table with type", ONE)),
    ({"alpha": 2.0}, ("missing-key", "missing key type", ONE)),
    ("elo", ("unknown-part", "unknown part", {**ONE, "name": "elo"})),
    ({"type": 3}, ("unknown-part", "unknown part", {**ONE, "name": 3})),
    (Dense(units=1), ("wrong-type", "expected a name or a table with type", ONE)),
]


def test_a_name_or_a_table_stands_for_a_part():
    for value, expected in PARTS_READ:
        assert Dense(units=1, activation=value).activation == expected
    for value, expected in PARTS_REFUSED:
        assert errors_of(lambda: Dense(units=1, activation=value)) == [(("activation",), *expected)]  # noqa: B023 # called at once
    found = errors_of(lambda: Dense(units=1, activation={"type": "elu", "alpha": 0.0, "a": 1}))
    assert [error[0] for error in found] == [("activation", "alpha"), ("activation", "a")]
    registry = Registry([Relu], {"relu": "it is broken"})
    for name in ("relu", "elu"):
        found = errors_of(lambda: read(parts.Activation, name, {"registry": registry}))  # noqa: B023 # called at once
        assert found == [(("x",), "unknown-part", "unknown part", {**ONE, "name": name})]


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


SGD = Sgd(schedule=Warmup(length=3, then=StepDecay(factor=0.5, every=2)), momentum=0.9)
SHORT: list[tuple[Any, Any]] = [
    (Relu(), "relu"),
    (Elu(alpha=1.0), "elu"),
    (Elu(alpha=2.0), {"type": "elu", "alpha": 2.0}),
    (Dense(units=2), {"type": "dense", "units": 2}),
    (Dense(units=2, activation="relu"), {"type": "dense", "units": 2, "activation": "relu"}),
    ((Relu(), [Elu()], {"a": Relu(), "b": 3}), ["relu", ["elu"], {"a": "relu", "b": 3}]),
    (
        SGD,
        {
            "type": "sgd",
            "schedule": {"type": "warmup", "length": 3, "then": {"type": "step_decay", "factor": 0.5, "every": 2}},
            "momentum": 0.9,
        },
    ),
]


def test_parts_are_written_in_the_fewest_words():
    for value, expected in SHORT:
        assert short(value) == expected
    assert described(None) == ""
    assert described(Relu()) == "relu"
    assert described(SGD) == "sgd(schedule=warmup(length=3, then=step_decay(factor=0.5, every=2)), momentum=0.9)"
    assert described(SGD, {"schedule"}) == "sgd(momentum=0.9)"
    assert described(Adam(amsgrad=True)) == "adam(amsgrad=true)"
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


PROBLEMS: list[tuple[str, str, dict[str, Any]]] = [
    ("activation", "softmax", {"parametric": True}),
    ("activation", "clip", {"minimum": 2.0, "maximum": 1.0}),
    ("activation", "clip", {"minimum": 1.0}),
    ("initializer", "random_uniform", {"minval": 2.0, "maxval": 1.0}),
    ("initializer", "random_uniform", {"minval": 2.0}),
    ("layer", "dense", {"units": 1, "use_bias": False, "bias_initializer": "zeros"}),
    ("layer", "dense", {"units": 1, "bias_initializer": "orthogonal"}),
    ("layer", "embedding", {"columns": [0, 1, 0, 1], "categories": 2, "size": 1}),
    ("layer", "embedding", {"columns": [0, 1, 2], "categories": [2, 3], "size": [1, 2]}),
    ("layer", "periodic_embedding", {"variant": "pbld", "size": 1}),
    ("optimizer", "rprop", {"step_min": 2.0, "step_max": 1.0}),
    ("optimizer", "rprop", {"step_min": 100.0}),
    ("schedule", "piecewise_constant", {"boundaries": (3, 3, 2), "factors": (1.0,)}),
    ("preprocessing", "impute", {"strategy": "constant"}),
    ("preprocessing", "impute", {"value": 2.0}),
    ("preprocessing", "impute", {"strategy": "error", "indicator": True}),
    ("preprocessing", "impute", {"strategy": "error", "indicator": [1]}),
    ("preprocessing", "impute", {"indicator": [1, 1, 0], "missing": [2, 3, 1]}),
    ("preprocessing", "impute", {"indicator": "never"}),
    ("preprocessing", "impute", {"indicator": 1}),
]
POSSIBLE: list[tuple[str, str, dict[str, Any]]] = [
    ("activation", "tanh", {"parametric": True}),
    ("initializer", "random_uniform", {"minval": 1.0, "maxval": 1.0}),
    ("layer", "dense", {"units": 1, "bias_initializer": "ones"}),
    ("layer", "dense", {"units": 1, "use_bias": False}),
    ("layer", "embedding", {"columns": [0, 1], "categories": [2, 3], "size": 1}),
    ("layer", "embedding", {"categories": [2, 3], "size": [1, 2, 3]}),
    ("layer", "periodic_embedding", {"variant": "pbld", "size": 2}),
    ("layer", "periodic_embedding", {"size": 1}),
    ("optimizer", "rprop", {"step_min": 50.0}),
    ("schedule", "piecewise_constant", {"boundaries": (2, 3), "factors": (1.0, 0.0, 2.0)}),
    ("preprocessing", "impute", {"strategy": "constant", "value": 0.0}),
    ("preprocessing", "impute", {"strategy": "error", "indicator": False}),
    ("preprocessing", "impute", {"strategy": "error"}),
    ("preprocessing", "impute", {"indicator": "auto", "missing": [0, 1]}),
    ("preprocessing", "impute", {"indicator": [0, 2]}),
]


def test_fields_that_do_not_go_together_are_told_with_the_path_of_the_one_to_blame(pinned: Pinned):
    for kind, name, given in PROBLEMS:
        part = built_in_registry().find(kind, name)
        told = [f"{kind} {name} {given}"]
        for place, code, message, context in errors_of(lambda: part.model_validate({"type": name, **given})):  # noqa: B023 # called at once
            told.append(f"{code} at {'.'.join(map(str, place))}: {message} {context or ''}".strip())
        pinned("\n".join(told))
    for kind, name, given in POSSIBLE:
        assert built_in_registry().find(kind, name).model_validate({"type": name, **given}).type == name


def test_problems_of_fields_are_told_at_the_one_that_is_written():
    assert list(Section().problems()) == []
    assert list(named_twice("names", "abcab")) == [
        FieldProblem(("names", 3), 'duplicate name "a"'),
        FieldProblem(("names", 4), 'duplicate name "b"'),
    ]
    clip = Clip.model_construct({"maximum"}, maximum=1.0)
    assert [written(clip, *names) for names in (("minimum", "maximum"), ("minimum", "type"))] == ["maximum", "minimum"]


def test_arguments_of_pytorch_are_the_fields_in_braces():
    names = Names(torch=("", 'f({x}, a={b}, c="{d}", e=1)'))
    assert names.torch_arguments() == {"a": "b", "c": "d"}
    assert Prelu.names.torch_arguments() == {}


UNFINISHED: list[tuple[type[Part], str, tuple[Any, ...]]] = [
    (parts.Activation, "expression", (None,)),
    (parts.Loss, "expression", (None, None)),
    (parts.Layer, "apply", (None, (), ())),
    (embeddings._ColumnLayer, "made_size", (1,)),
    (parts.Optimizer, "minimize_arguments", (1,)),
    (parts.SteppingOptimizer, "update", (None, None, None, None)),
    (parts.Schedule, "multiplier", (0, 1)),
    (parts.Initializer, "draw", (None, (), None)),
    (parts.Preprocessing, "fit", (None,)),
    (parts.Preprocessing, "apply", (None, {})),
    (parts.Preprocessing, "invert", (None, {})),
    (parts.Pruner, "optuna_pruner", (1,)),
    (parts.Pruner, "is_worse", (None, None)),
    (parts.Sampler, "optuna_sampler", (1,)),
    (Averaging, "share", (0, 1, 1)),
]


@pytest.mark.parametrize(("kind", "method", "arguments"), UNFINISHED)
def test_what_an_author_has_not_written_is_named(kind: type[Part], method: str, arguments: tuple[Any, ...]):
    unfinished = type("Unfinished", (kind,), {"__annotations__": {"type": str}, "__module__": __name__})
    part = unfinished.model_construct(type="unfinished")
    with pytest.raises(NotImplementedError, match=f"^Unfinished has no {method}$"):
        getattr(part, method)(*arguments)


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
