"""The table of a sweep: its defaults, what reads past it, and what is tried in its spec."""

import json
import tomllib
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from pydantic import Field, ValidationError

from specnet import Limits, SpecError, parse_spec, parts, resolve
from specnet.parts.part import FieldProblem
from specnet.parts.searches import Tpe
from specnet.spec import parse_sweep
from specnet.spec.searching import parse_whole
from specnet.spec.sweep_section import SweepSpec
from tests.spec.cases import SWEPT

SPACE = "[sweep.space]\n'training.l2' = { low = 1e-6, high = 1e-2, log = true }\n"


class Leaning(parts.Activation):
    """a·x."""

    type: Literal["leaning"] = "leaning"
    slope: parts.Fraction = Field(0.5, description="a")

    def expression(self, x: Any) -> Any:
        return self.slope * x


class Ends(parts.Activation):
    """Refuses all slopes but a few."""

    type: Literal["ends"] = "ends"
    slope: float = Field(1.0, description="a")

    def problems(self) -> Iterator[FieldProblem]:
        if self.slope not in (1, 3, 7):
            yield FieldProblem(("slope",), f"no end: {self.slope}")


def told(source: Any, **arguments: Any) -> list[tuple[str, str]]:
    """Return where each mistake stands, and its code."""
    with pytest.raises(SpecError) as caught:
        parse_sweep(source, **arguments)
    return [(".".join(map(str, each.path)), each.code) for each in caught.value.diagnostics]


def test_a_range_is_of_integers_where_both_ends_are_written_so():
    ends = {"1, 2": True, "1.0, 2": False, "1, 2.0": False, "1, 2e3": False}
    for text, of_integers in ends.items():
        low, high = text.split(", ")
        space = f"[sweep.space]\n'training.l2' = {{ low = {low}, high = {high} }}\n"
        assert parse_spec(SWEPT + space).sweep.space["training.l2"].of_integers is of_integers
        again = parse_spec(parse_spec(SWEPT + space).to_json())
        assert again.sweep.space["training.l2"].of_integers is of_integers
    # Numbers with steps are the integers that they look like.
    parse_sweep(f"{SWEPT}[sweep.space]\n'training.epochs' = {{ low = 1.0, high = 3.0, step = 1.0 }}\n")


def test_what_is_written_keeps_the_sweep_and_what_is_resolved_has_none():
    spec = parse_spec(SWEPT + SPACE)
    assert parse_spec(spec.to_json()) == spec
    assert json.loads(spec.to_json())["sweep"]["space"] == {"training.l2": {"low": 1e-6, "high": 1e-2, "log": True}}
    resolved, without = resolve(spec).spec, resolve(parse_spec(SWEPT)).spec
    assert resolved.sweep is None
    assert "sweep" not in json.loads(resolved.to_json())
    assert (resolved, resolved.sha256) == (without, without.sha256)


def test_settings_of_a_sweep():
    sweep = parse_sweep(SWEPT + SPACE, overrides=["sweep.trials=100", "sweep.sampler.startup_trials=3"]).sweep
    assert (sweep.trial_count, sweep.sampler) == (100, Tpe(startup_trials=3))
    assert parse_sweep(SWEPT + SPACE, overrides="sweep.trials=7").sweep.trials == 7
    with pytest.raises(SpecError, match=r"--set #1:1:14: error\[out-of-bounds\]"):
        parse_sweep(SWEPT + SPACE, overrides=["sweep.trials=0"])
    assert told(SWEPT + SPACE, overrides=["sweep="]) == [("sweep", "missing-key")]


def test_mistakes_of_data_without_a_text_have_their_paths_in_the_space():
    space = {
        "training.l2": {"low": -1, "high": 1},
        "training.optimizer": ["adam", {"type": "sgd", "lr": {"low": 1, "high": 2}, "momentum": -1}],
        "network.activations": ["rleu"],
        "training.optimizer2": [1],
    }
    assert told(tomllib.loads(SWEPT) | {"sweep": {"space": space}}) == [
        ("sweep.space.training.l2.low", "out-of-bounds"),
        ("sweep.space.training.optimizer.1.lr.low", "unknown-key"),
        ("sweep.space.training.optimizer.1.momentum", "out-of-bounds"),
        ("sweep.space.network.activations.0", "unknown-part"),
        ("sweep.space.training.optimizer2.0", "unknown-key"),
    ]


def test_a_spec_with_parts_and_limits_of_its_own_is_tried_with_them():
    leaning = "['leaning', { type = 'leaning', slope = { low = 0.1, high = 1 } }]"
    space = f"[sweep.space]\n'network.activations' = {leaning}\n"
    assert told(SWEPT + space) == [
        ("sweep.space.network.activations.0", "unknown-part"),
        ("sweep.space.network.activations.1.type", "unknown-part"),
    ]
    spec = parse_spec(SWEPT + space, parts=[Leaning])
    for source, own in [(SWEPT + space, [Leaning]), (spec, [])]:
        assert told(source, parts=own) == [("sweep.space.network.activations.1.slope.high", "out-of-bounds")]
    sizes = "[sweep.space]\n'network.hidden_layer_sizes' = [[4], [40000]]\n"
    small = Limits(parameters=1000)
    for source, limits in [(SWEPT + sizes, small), (parse_spec(SWEPT + sizes, limits=small), None)]:
        assert told(source, limits=limits) == [("sweep.space.network.hidden_layer_sizes.1.0", "too-many-parameters")]
    assert parse_sweep(parse_spec(SWEPT + sizes, limits=small), limits=Limits()).origin.limits == Limits()
    assert parse_sweep(parse_spec(SWEPT + sizes)).sweep.space["network.hidden_layer_sizes"] == ((4,), (40000,))
    assert told(parse_spec(SWEPT)) == [("sweep", "missing-key")]


def test_values_that_are_right_together_are_wrong_one_by_one():
    layers = {"network.hidden_layer_sizes": [4, 4], "network.activations": ["relu", "softmax", "softmax"]}
    base: dict[str, Any] = tomllib.loads(SWEPT) | {"network": {"hidden_layer_sizes": [4]}}
    base["network"]["activations"] = ["relu", "softmax"]
    space = {key: [value] for key, value in layers.items()}
    parse_spec(base, overrides=[f"{key}={value}" for key, value in layers.items()])
    assert told(base | {"sweep": {"space": space}}) == [
        ("sweep.space.network.hidden_layer_sizes.0", "activation-count"),
        ("sweep.space.network.activations.0", "activation-count"),
    ]


def test_a_changed_spec_is_tried_as_it_is_now():
    space = "[sweep.space]\n'training.optimizer.momentum' = [0.5]\n"
    spec = parse_spec(SWEPT + space, overrides=["training.optimizer=sgd"])
    assert parse_sweep(spec).training.optimizer.type == "sgd"
    unknown = [("sweep.space.training.optimizer.momentum.0", "unknown-key")]
    assert told(spec, overrides=["training.optimizer=adam"]) == unknown


def test_very_many_mistakes_are_counted_and_not_all_tried():
    values = ", ".join(str(-1 - value) for value in range(300))
    with pytest.raises(SpecError) as caught:
        parse_sweep(f"{SWEPT}[sweep.space]\n'training.epochs' = [{values}]\n'training.l2' = [-1, -2]\n")
    assert len(caught.value.diagnostics) == 101
    assert caught.value.diagnostics[-1].code == "more"


@pytest.mark.parametrize(
    ("keys", "adapts", "parallel", "of_eight"),
    [
        ("", True, 4, 4),
        ("sampler = 'random'", False, 4, 16),
        ("sampler = 'random'\npruner = 'median'", True, 4, 4),
        ("sampler = 'random'\nparallel = 30", False, 30, 30),
        ("sampler = 'random'\nparallel = 4", False, 4, 4),
    ],
)
def test_trials_at_once(keys: str, adapts: bool, parallel: int, of_eight: int):
    sweep = parse_sweep(f"{SWEPT}[sweep]\n{keys}\n{SPACE}").sweep
    at_once = [sweep.at_once(jobs) for jobs in (None, 1, 8)]
    assert (sweep.adapts, at_once) == (adapts, [parallel, parallel, of_eight])


def test_the_whole_of_a_spec_is_its_sweep_too():
    wrong = f"{SWEPT}[sweep.space]\n'training.epochs' = [0]\n"
    assert parse_whole(SWEPT, overrides=["seed=3"]) == parse_spec(SWEPT, overrides=["seed=3"])
    assert parse_whole(SWEPT + SPACE, overrides=["seed=3"]) == parse_sweep(SWEPT + SPACE, overrides=["seed=3"])
    assert parse_spec(wrong)
    with pytest.raises(SpecError, match="expected at least 1, got 0"):
        parse_whole(wrong)
    for text in (SWEPT, SWEPT + SPACE):
        with pytest.raises(SpecError, match="parameters exceed the limit of 9"):
            parse_whole(text, limits=Limits(parameters=9))


@pytest.mark.parametrize(
    ("values", "between"),
    [
        ("low = 1, high = 3", "2.0"),
        ("low = 1, high = 7, step = 3", "4.0"),
        ("low = 1.0, high = 3.0", "1.5"),
        ("low = 1, high = 3.0, step = 0.5", "1.5"),
        ("low = 1.0, high = 7", "2.5"),
    ],
)
def test_what_lies_between_both_ends_is_tried(values: str, between: str):
    text = f"{SWEPT}[sweep.space]\n'network.activations' = [{{ type = 'ends', slope = {{ {values} }} }}]\n"
    with pytest.raises(SpecError) as caught:
        parse_sweep(text, parts=[Ends])
    (problem,) = caught.value.diagnostics
    assert problem.path == ("sweep", "space", "network.activations", 0, "slope")
    assert problem.message == f"no end: {between}"
    assert problem.hint == "for a range of integers, write both ends as integers"


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"data": (1,)}, "no key of the space"),
        ({"training.l2": {"training": (1,)}}, "keys of the space are written in quotes"),
        ({"training.l2": 3}, "neither a list nor a range"),
    ],
)
def test_a_space_that_is_made_in_python_says_what_is_wrong(space: Any, message: str):
    with pytest.raises(ValidationError) as caught:
        SweepSpec(space=space)
    assert [problem["msg"] for problem in caught.value.errors()] == [message]
