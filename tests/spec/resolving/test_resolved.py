"""What follows from a spec: what watches its training, and the same with another precision or number of members."""

from typing import Any

import pytest
from pydantic import ValidationError

from specnet import Spec, SpecError, parse_spec, parts, resolve
from specnet.parts.watchers import Memory
from specnet.spec import known_outputs
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
    ("ensemble", "members", "folds"), [(None, 1, None), (5, 5, 5), ({"members": 3, "validation": "split"}, 3, None)]
)
def test_members_and_folds(ensemble: Any, members: int, folds: int | None):
    training = spec(**({} if ensemble is None else {"ensemble": ensemble})).training
    assert (training.members, training.folds) == (members, folds)
    with pytest.raises(ValidationError, match="no such word"):
        TrainingSpec(loss="bce", ensemble="many")


class Watched(parts.Metric):
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
    training = {"loss": "bce", "metrics": ["f1", {"type": "watched", "level": 0.9}]}
    given = parse_spec({"network": {"layer_sizes": [2, 1]}, "training": training}, parts=[Watched])
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


def test_outputs_that_are_known_before_data_are_read():
    text = "[network]\nhidden_layer_sizes = [2]\n[training]\nloss = 'categorical_crossentropy'\n"
    for given, known in [(text, None), (text.replace("hidden_layer", "layer").replace("[2]", "[2, 5]"), 5)]:
        assert known_outputs(parse_spec(given)) == known
    assert known_outputs(parse_spec(f"data.type = 'iris'\n{text}")) == 3
