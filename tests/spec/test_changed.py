"""A spec that was changed in Python, or resolved, is read again as what it says, not as what its document said."""

from pathlib import Path

import pytest

from specnet import run
from specnet.errors import SpecError
from specnet.spec import Limits, parse_spec, resolve
from specnet.spec.document import Spec
from specnet.spec.parsing import says_its_document
from tests.parts.test_registry import Cube

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


def test_relative_paths_start_where_they_did(tmp_path: Path):
    (tmp_path / "a.toml").write_text(TEXT)
    spec = parse_spec(tmp_path / "a.toml").model_copy(update={"seed": 7})
    assert parse_spec(spec, overrides=["name=b"]).folder == tmp_path


def test_which_specs_say_what_their_document_says():
    spec = parse_spec(TEXT, overrides=["seed=5"])
    assert says_its_document(spec)
    assert says_its_document(spec.model_copy(update={"seed": 5}))
    assert not says_its_document(spec.model_copy(update={"seed": 6}))
    assert not says_its_document(Spec(network=spec.network, training=spec.training))


def test_a_run_writes_the_spec_that_it_trained(tmp_path: Path):
    result = run(seven(), tmp_path / "run", overrides=["training.epochs=1"])
    assert (result.model.spec.seed, result.model.spec.training.epochs) == (7, 1)
    assert parse_spec(tmp_path / "run" / "spec.json").seed == 7
    run(seven(), tmp_path / "unset")
    assert parse_spec(tmp_path / "unset" / "spec.json") == seven()
    run(parse_spec(TEXT), tmp_path / "same")
    assert (tmp_path / "same" / "spec.toml").read_text() == TEXT
