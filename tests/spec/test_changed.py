"""A spec that was changed in Python, or resolved, is read again as what it says, not as what its document said."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from specnet import Limits, Spec, SpecError, parse_spec, resolve, run
from specnet.spec import text_saying, with_feature_names
from specnet.spec.document import NetworkSpec
from specnet.spec.parsing import document_saying
from tests.parts.test_registry import Cube
from tests.texts.pinned import Refused

TEXT = """\
name = "a"
seed = 1
[data]
type = "make_moons"
n_samples = 40
[network]
layer_sizes = [2, 3, 1]
activations = ["relu", "sigmoid"]
[training]
loss = "binary_crossentropy"
optimizer = { type = "adam", learning_rate = 0.5 }
epochs = 2
"""


SAID = """
name = "a"
seed = 7
data = { type = "make_moons", n_samples = 40 }
[network]
preprocessing = [{ type = "robust" }, { columns = ["a"], steps = [{ type = "robust" }] }]
layer_sizes = [2, 3, 1]
activations = [{ type = "relu" }, { type = "sigmoid" }]
[training]
loss.type = "binary_crossentropy"
optimizer = { type = "adam", learning_rate = 0.5 }
epochs = 2
"""


def seven() -> Spec:
    return parse_spec(TEXT).model_copy(update={"seed": 7})


def test_another_precision_stays():
    spec = parse_spec(TEXT).with_dtype("float64")
    again = parse_spec(spec, overrides=["seed=3"], parts=[Cube], limits=Limits(layers=5))
    assert (again.network.dtype, again.seed, again.training) == ("float64", 3, spec.training)
    assert again.registry.find("activation", "cube") is Cube
    assert again.origin.limits == Limits(layers=5)


@pytest.mark.parametrize("options", [{"overrides": ["name=b"]}, {"parts": [Cube]}, {"limits": Limits(layers=9)}])
def test_another_seed_stays(options: dict[str, object]):
    again = parse_spec(seven(), **options)
    assert again.seed == 7
    assert again == seven().model_copy(update={"name": again.name})


def test_a_key_that_was_taken_away_stays_away():
    spec = parse_spec(TEXT).model_copy(update={"data": None, "name": None})
    assert parse_spec(spec, overrides=["seed=3"]) == spec.model_copy(update={"seed": 3})


def test_what_is_only_a_default_stays_one():
    again = parse_spec(seven(), overrides=["training.optimizer=sgd", "training.batch_size=8"])
    assert again.training.optimizer.model_fields_set == {"type"}
    renewed = parse_spec(seven(), overrides=["training.optimizer.type=sgd"])
    assert renewed.training.optimizer.model_dump()["learning_rate"] == 0.5


def test_a_resolved_spec_stays_resolved():
    resolved = resolve(parse_spec(TEXT)).spec
    again = parse_spec(resolved, overrides=["training.epochs=9"])
    assert again.network == resolved.network
    assert resolve(again).spec == again
    assert again.training.epochs == 9
    learned = resolve(parse_spec("[network]\nhidden_layer_sizes = [3]\n[training]\nloss = 'mse'"), inputs=2, outputs=4)
    assert parse_spec(learned.spec, overrides=["seed=3"]).network.output_size == 4


def test_a_spec_of_python_s_own_takes_settings():
    made = Spec(network=seven().network, training=seven().training)
    assert parse_spec(made, overrides=["seed=3"]) == made.model_copy(update={"seed": 3})


def test_limits_alone_leave_every_place():
    resolved = resolve(parse_spec(TEXT)).spec
    with pytest.raises(SpecError) as caught:
        parse_spec(resolved, limits=Limits(layers=1))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "too-many-layers"
    assert diagnostic.source == "<text>"


def test_mistakes_of_settings_have_the_places_of_a_document_that_says_the_same():
    with pytest.raises(SpecError) as caught:
        parse_spec(parse_spec(TEXT), overrides=["data.type=iris"])
    assert "<text>" in {diagnostic.source for diagnostic in caught.value.diagnostics}
    with pytest.raises(SpecError) as caught:
        parse_spec(seven(), overrides=["training.epochs=0"])
    assert [diagnostic.source for diagnostic in caught.value.diagnostics] == ["--set #1"]


def test_what_is_written_of_a_changed_spec_is_what_was_set():
    assert text_saying(parse_spec(TEXT)) == ("toml", TEXT)
    steps = "preprocessing = ['robust', { columns = ['a'], steps = ['robust'] }]"
    language, text = text_saying(parse_spec(TEXT.replace("[network]", f"[network]\n{steps}"), overrides=["seed=3"]))
    assert (language, parse_spec(text).seed) == ("toml", 1)
    spec = parse_spec(TEXT.replace("[network]", f"[network]\n{steps}")).model_copy(update={"seed": 7})
    language, text = text_saying(spec)
    assert (language, json.loads(text)) == ("json", tomllib.loads(SAID))
    (_, group) = spec.network.preprocessing or ()
    assert NetworkSpec(preprocessing=(group,)).preprocessing == (group,)


def test_relative_paths_start_where_they_did(tmp_path: Path):
    (tmp_path / "a.toml").write_text(TEXT)
    spec = parse_spec(tmp_path / "a.toml").model_copy(update={"seed": 7})
    assert parse_spec(spec, overrides=["name=b"]).folder == tmp_path


def test_which_specs_have_their_own_document():
    spec = parse_spec(TEXT, overrides=["seed=5"])
    for same in (spec, spec.model_copy(update={"seed": 5}), parse_spec(TEXT.replace("relu", "cube"), parts=[Cube])):
        assert document_saying(same) is same.document
    for other in (spec.model_copy(update={"seed": 6}), Spec(network=spec.network, training=spec.training)):
        assert document_saying(other) is not other.document


def test_a_run_writes_the_spec_that_it_trained(tmp_path: Path):
    result = run(seven(), tmp_path / "run", overrides=["training.epochs=1"])
    assert (result.model.spec.seed, result.model.spec.training.epochs) == (7, 1)
    assert parse_spec(tmp_path / "run" / "spec.json").seed == 7
    run(seven(), tmp_path / "unset")
    assert parse_spec(tmp_path / "unset" / "spec.json") == seven()
    run(parse_spec(TEXT), tmp_path / "same")
    assert (tmp_path / "same" / "spec.toml").read_text() == TEXT


NUMBERS = [str(number) for number in range(25_001)]
LONGEST = "é" * 249_998


NAMES: list[tuple[Any, bool]] = [
    *((names, False) for names in (None, (), ("a", ""), ("a", "a"), ("\ud800",), (f"{LONGEST}e",), NUMBERS)),
    *((names, True) for names in (("a", "b"), (LONGEST,), NUMBERS[1:])),
]


def test_names_of_columns_are_stored_where_a_spec_may_have_them():
    spec = parse_spec(TEXT)
    for names, stored in NAMES:
        named = with_feature_names(spec, names)
        assert named == spec.with_network(feature_names=tuple(names) if stored else None)
        assert with_feature_names(spec, names, {"a": "numeric"}) == named.with_network(feature_kinds={"a": "numeric"})


def test_names_of_columns_that_a_spec_says_are_those_of_the_data(refused: Refused):
    spec = parse_spec(TEXT.replace("[network]", "[network]\nfeature_names = ['a', 'b']"))
    for names in (None, ["a"], ["a", "b"]):
        assert with_feature_names(spec, names) == spec
    with refused(SpecError, code="feature-names", at="<text>:7:23"):
        with_feature_names(spec, ["a", "c"])
