"""What follows from a spec: what watches its training, and the same with another precision or number of members."""

from typing import Any

import pytest
from pydantic import ValidationError

from specnet.errors import SpecError
from specnet.parts.metrics import Metric
from specnet.parts.watchers import Memory
from specnet.spec import Spec, known_outputs, parse_spec, resolve
from specnet.spec.document import EarlyStopping, TrainingSpec
from tests.texts.pinned import Refused


def spec(**training: Any) -> Spec:
    return parse_spec({"network": {"layer_sizes": [2, 1]}, "training": {"loss": "bce", **training}})


def test_early_stopping_waits_for_an_improvement_of_its_size():
    watcher, memory, told = EarlyStopping(patience=2, min_delta=0.5), Memory(), []
    for figure in (3.0, 2.5, 2.4, 2.4, 1.9):
        memory = watcher.after(memory, figure)
        told.append(memory)
    assert told == [Memory(3.0), Memory(3.0, 1), Memory(2.4), Memory(2.4, 1), Memory(2.4, 2, ends=True)]


def test_what_watches_a_training():
    plateau = {"type": "reduce_on_plateau", "monitor": "loss"}
    watched = spec(early_stopping=True, optimizer={"type": "sgd", "schedule": plateau}).training
    assert [(path, who.monitor) for path, who in watched.watchers()] == [
        (("early_stopping",), "validation_loss"),
        (("optimizer", "schedule"), "loss"),
    ]
    assert watched.watches_validation
    assert not spec(optimizer={"type": "sgd", "schedule": plateau}).training.watches_validation
    assert not spec().training.watches_validation


@pytest.mark.parametrize(
    ("ensemble", "members", "folds"),
    [(None, 1, None), (5, 5, 5), ({"members": 3, "validation": "split"}, 3, None)],
)
def test_members_and_folds(ensemble: Any, members: int, folds: int | None):
    training = spec(**({} if ensemble is None else {"ensemble": ensemble})).training
    assert (training.members, training.folds) == (members, folds)
    with pytest.raises(ValidationError, match="no such word"):
        TrainingSpec(loss="bce", ensemble="many")


class Watched(Metric):
    """A metric with a setting."""

    type: str = "watched"
    task = frozenset({"binary"})
    level: float = 0.5


class Needing(Watched):
    """A metric that needs a setting."""

    type: str = "needing"
    level: float
    more: int


def test_the_metric_that_is_monitored_has_the_settings_of_its_list():
    data = {
        "network": {"layer_sizes": [2, 1]},
        "training": {"loss": "bce", "metrics": ["f1", {"type": "watched", "level": 0.9}]},
    }
    given = parse_spec(data, parts=[Watched])
    for loss in ("loss", "validation_loss"):
        assert given.monitored_metric(loss) is None
    for name in ("watched", "validation_watched"):
        assert given.monitored_metric(name) == Watched(level=0.9)
    assert given.with_training(metrics=()).monitored_metric("validation_watched") == Watched()


def test_a_metric_that_needs_settings_is_monitored_as_it_is_listed(refused: Refused):
    text = "[network]\nlayer_sizes = [2, 1]\n[training]\nloss = 'bce'\nearly_stopping.monitor = 'validation_needing'\n"
    with refused(SpecError, code="missing-key", at="<text>:5:26"):
        parse_spec(text + "metrics = ['f1']\n", parts=[Needing])
    assert parse_spec(text + "metrics = ['f1', { type = 'needing', level = 1, more = 2 }]\n", parts=[Needing])


def test_a_resolved_spec_with_other_settings_is_what_these_resolve_to():
    whole = spec(ensemble={"members": 3, "validation": "none"}, early_stopping={"monitor": "loss"})
    resolved = resolve(whole)
    five = resolve(spec(ensemble={"members": 5, "validation": "none"}, early_stopping={"monitor": "loss"}))
    assert resolved.with_members(5) == five
    assert resolved.without_early_stopping() == resolve(spec(ensemble={"members": 3, "validation": "none"}))
    assert resolved.with_dtype("float64") == resolve(whole.with_network(dtype="float64"))
    assert resolve(spec()).with_members(5) == resolve(spec())


TABLE = {"type": "csv", "path": "rows.csv", "target": "y"}


NOBODY = "neither the spec nor the data specify it", "set {0}_size, or pass {0}s in Python"
ROWS = (
    "it depends on the rows of the data, which are not read here",
    ("set {0}_size{1}; `specnet show --resolved` reads them and prints a spec with all sizes"),
)


@pytest.mark.parametrize(
    ("network", "data", "names", "why", "hint"),
    [
        ({}, {}, ["inputs", "outputs"], *NOBODY),
        ({"input_size": 3}, {}, ["outputs"], *NOBODY),
        ({"output_size": 1}, {"data": TABLE}, ["inputs"], ROWS[0], ROWS[1].replace("{1}", ", or pass {0}s in Python")),
        (
            {"output_size": 1, "preprocessing": ["one_hot"]},
            {"data": TABLE | {"features": ["a", "b"]}},
            ["inputs"],
            ROWS[0],
            ROWS[1].replace("{1}", ""),
        ),
    ],
)
def test_who_could_say_a_size_that_nobody_says(
    network: dict[str, Any], data: dict[str, Any], names: list[str], why: str, hint: str
):
    given: dict[str, Any] = {"network": {"hidden_layer_sizes": [3], **network}, "training": {"loss": "mse"}, **data}
    with pytest.raises(SpecError) as caught:
        resolve(parse_spec(given))
    assert [(each.code, each.path, each.message, each.hint) for each in caught.value.diagnostics] == [
        ("unknown-size", ("network",), f"the number of {name} is unknown: {why}", hint.format(name.removesuffix("s")))
        for name in names
    ]


def test_outputs_that_are_known_before_data_are_read():
    text = "[network]\nhidden_layer_sizes = [2]\n[training]\nloss = 'categorical_crossentropy'\n"
    for given, known in [(text, None), (text.replace("hidden_layer", "layer").replace("[2]", "[2, 5]"), 5)]:
        assert known_outputs(parse_spec(given)) == known
    assert known_outputs(parse_spec(f"data.type = 'iris'\n{text}")) == 3


@pytest.mark.parametrize(
    ("dtype", "written", "rows", "shuffle"),
    [
        ("float32", {}, None, True),
        ("float32", {}, 2**17, True),
        ("float32", {}, 2**17 + 1, "blocks"),
        ("float64", {}, 2**16, True),
        ("float64", {}, 2**16 + 1, "blocks"),
        ("float64", {"shuffle": False}, 2**20, False),
    ],
)
def test_rows_are_shuffled_in_blocks_beyond_512_mebibytes(
    dtype: str, written: dict[str, Any], rows: int | None, shuffle: bool | str
):
    given = {"network": {"hidden_layer_sizes": [1], "dtype": dtype}, "training": {"loss": "mse", **written}}
    resolved = resolve(parse_spec(given), inputs=2**10, outputs=1, rows=rows)
    assert resolved.spec.training.shuffle == shuffle


HIDDEN = {"hidden_layer_sizes": [2], "input_size": 3}
FLAGGED = {"type": "impute", "indicator": [0, 1]}
"""Makes two columns more."""


def group(*columns: str, steps: Any = ()) -> dict[str, Any]:
    return {"columns": columns, "steps": steps}


@pytest.mark.parametrize(
    ("network", "data", "inputs", "columns"),
    [
        ({}, False, 4, 4),
        ({"preprocessing": [FLAGGED]}, False, 6, 4),
        ({"preprocessing": [FLAGGED], "input_size": 6}, False, 6, 4),
        ({"preprocessing": [FLAGGED]}, True, 5, 3),
        ({"preprocessing": [group("a", "b", steps=[FLAGGED]), group("c")]}, True, 5, 3),
        ({"preprocessing": [group("a", "b", steps=[FLAGGED]), group("c")], "input_size": 5}, True, 5, 3),
        ({"preprocessing": [group("a", "b", steps=[FLAGGED])], "input_size": 5}, True, 5, 3),
        ({"preprocessing": [group("a", "b", steps=[FLAGGED]), "standardize"], "input_size": 5}, True, 5, 3),
        ({"preprocessing": [group("a", "b", steps=["one_hot"]), group("c")], "input_size": 9}, True, 9, 3),
    ],
)
def test_preprocessing_decides_how_many_inputs_come_from_how_many_columns(
    network: dict[str, Any], data: bool, inputs: int, columns: int
):
    given: dict[str, Any] = {"network": {"hidden_layer_sizes": [3], **network}, "training": {"loss": "mse"}}
    table = TABLE | {"features": ["a", "b", "c"]}
    if data:
        resolved = resolve(parse_spec(given | {"data": table}), outputs=1)
    else:
        resolved = resolve(parse_spec(given), outputs=1, inputs=None if "input_size" in network else columns)
    assert (resolved.inputs, resolved.columns, resolved.nodes[0].input_sizes) == (inputs, columns, (inputs,))


@pytest.mark.parametrize(
    ("network", "given", "message"),
    [
        ({"layer_sizes": [2, 1]}, {"inputs": 3}, "layer_sizes has 2 inputs, but the argument inputs is 3"),
        ({"layer_sizes": [2, 1]}, {"inputs": 1, "rows": 9}, "layer_sizes has 2 inputs, but X has 1 column"),
        (
            {"layer_sizes": [2, 1], "preprocessing": [FLAGGED]},
            {"inputs": 2, "rows": 9},
            "layer_sizes has 2 inputs, but X has 2 columns, 4 inputs after preprocessing",
        ),
        ({"layer_sizes": [2, 1]}, {"outputs": 3}, "the network has 1 output, but the argument outputs is 3"),
        (
            {"layer_sizes": [2, 1]},
            {"outputs": 2, "rows": 9},
            "the network has 1 output, but the target needs 2 outputs",
        ),
        (HIDDEN | {"output_size": 2}, {"outputs": 1}, "output_size is 2, but the argument outputs is 1"),
        (HIDDEN, {"inputs": 2}, "input_size is 3, but the argument inputs is 2"),
    ],
)
def test_arguments_that_clash_with_the_network(network: dict[str, Any], given: dict[str, int], message: str):
    with pytest.raises(SpecError) as caught:
        resolve(parse_spec({"network": network, "training": {"loss": "mse"}}), **given)
    assert [problem.message for problem in caught.value.diagnostics] == [message]
