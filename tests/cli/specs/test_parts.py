"""`specnet parts`."""

from __future__ import annotations

import re

import pytest

from specnet.parts.registry import built_in_registry
from tests.cli.conftest import Specnet
from tests.texts.pinned import Pinned

SECTIONS = [
    "spec",
    "network",
    "training",
    "sweep",
    "data.split",
    "network.preprocessing.N",
    "training.early_stopping",
    "training.ensemble",
]


def test_parts_lists_every_part(specnet: Specnet) -> None:
    ended = specnet("parts")
    ended.went()
    groups = [group.splitlines() for group in ended.out.removeprefix(ended.out.splitlines()[0] + "\n").split("\n\n")]
    listed = [(group[0].split()[0], line[15:].split()[0]) for group in groups for line in group]
    assert [name for kind, name in listed if kind == "section"] == SECTIONS
    assert listed[len(SECTIONS) :] == [(part.kind, part.part_name()) for part in built_in_registry()]
    assert all(len(line[15:].split()) > 1 for group in groups for line in group), "each has a description"


def test_parts_of_a_kind(specnet: Specnet) -> None:
    lines = specnet("parts", "optimizer").out.splitlines()
    assert lines[1].split()[:2] == ["optimizer", "sgd"]
    assert not any(line[:12].strip() for line in lines[2:]), "the kind stands where it begins"
    assert "adamw" in {line.split()[0] for line in lines[2:]}


def test_a_part_shows_its_fields_with_bounds_and_defaults(specnet: Specnet) -> None:
    ended = specnet("parts", "adam")
    assert ended.status == 0
    lines = ended.out.splitlines()
    assert lines[0] == "adam   optimizer   built-in"
    assert '    training.optimizer = "adam"' in lines
    rows = {row[0]: row[1:3] for row in (re.split(r" {3,}", line) for line in lines) if len(row) == 4}
    assert rows["learning_rate"] == ["number > 0", "0.001"]
    assert rows["beta_1"] == ["0 ≤ number < 1", "0.9"]
    assert rows["amsgrad"] == ["true or false", "false"]


def test_a_part_is_found_by_an_alias_and_in_every_kind(specnet: Specnet) -> None:
    assert re.fullmatch(
        "binary_crossentropy   loss   .* bce, log_loss   .*", specnet("parts", "bce").out.splitlines()[0]
    )
    kinds = [entry["kind"] for entry in specnet("parts", "identity", "--format", "json").document["parts"]]
    assert kinds == ["activation", "initializer"]


def test_parts_as_markdown(specnet: Specnet) -> None:
    ended = specnet("parts", "adam", "--format", "markdown")
    ended.went()
    assert ended.out.startswith("# Parts\n\n## optimizer\n\n### `adam`\n\noptimizer · built-in\n")
    assert "\n| `learning_rate` | number \\> 0 | 0.001 | " in ended.out
    assert '\n```toml\ntraining.optimizer = "adam"\n```\n' in ended.out


def test_what_must_be_said_stands_first_and_tables_within_last(specnet: Specnet) -> None:
    (entry,) = specnet("parts", "csv", "--format", "json").document["parts"]
    names = [field["name"] for field in entry["fields"]]
    assert names[:2] == ["path", "target"]
    assert {"split.test_size", "split.stratify"} < set(names[3:])
    assert [field["default"] for field in entry["fields"]][:2] == ["needed", "needed"]


def test_a_kind_that_is_a_part_too_shows_both(specnet: Specnet) -> None:
    ended = specnet("parts", "activation")
    assert ended.out.splitlines()[1].startswith("activation   linear ")
    assert "\n\nactivation   layer   built-in\n" in ended.out
    kinds = [entry["kind"] for entry in specnet("parts", "activation", "--format", "json").document["parts"]]
    assert kinds.count("layer") == 1
    assert set(kinds) == {"activation", "layer"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "title", "field"),
    [
        ("training", "training", "epochs"),
        ("network", "network", "hidden_layer_sizes"),
        ("data.split", "data.split", "test_size"),
        ("split", "data.split", "validation_size"),
        ("early_stopping", "training.early_stopping", "patience"),
        ("training.early_stopping", "training.early_stopping", "min_delta"),
        ("spec", "spec", "seed"),
    ],
)
def test_a_section_shows_its_keys(specnet: Specnet, name: str, title: str, field: str) -> None:
    ended = specnet("parts", name)
    ended.went()
    lines = ended.out.splitlines()
    assert lines[0] == f"{title}   section   built-in"
    assert field in {line.split()[0] for line in lines if line}
    assert f"    [{title}]" in lines or title == "spec"
    (entry,) = specnet("parts", name, "--format", "json").document["parts"]
    assert entry["description"] == lines[2]
    assert specnet("parts", name, "--format", "markdown").out.startswith(f"# Parts\n\n## section\n\n### `{title}`\n")


@pytest.mark.slow
def test_the_long_sections_stand_for_themselves(specnet: Specnet) -> None:
    (spec,) = specnet("parts", "spec", "--format", "json").document["parts"]
    assert {field["name"] for field in spec["fields"]} == {
        *("name", "seed", "random_generator", "data", "network", "training", "sweep")
    }
    (training,) = specnet("parts", "training", "--format", "json").document["parts"]
    names = [field["name"] for field in training["fields"]]
    assert {"early_stopping", "early_stopping.patience"} < set(names)
    (iris,) = specnet("parts", "iris", "--format", "json").document["parts"]
    assert "split.test_size" in {field["name"] for field in iris["fields"]}
    assert "split" not in {field["name"] for field in iris["fields"]}, "a table alone is its keys"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["class_weight", "training.class_weight"])
def test_a_key_shows_where_it_stands_and_what_it_may_be(specnet: Specnet, name: str) -> None:
    ended = specnet("parts", name)
    ended.went()
    header, row = ended.out.splitlines()
    assert header.split() == ["key", "of", "values", "default", "meaning"]
    assert row.startswith('training.class_weight   training   table of number ≥ 0 or "balanced" ')
    (key,) = specnet("parts", name, "--format", "json").document["keys"]
    assert (key["path"], key["owners"], key["name"]) == ("training.class_weight", ["training"], "class_weight")
    assert row.endswith(key["description"])
    assert "\n| `training.class_weight` | training | " in specnet("parts", name, "--format", "markdown").out


@pytest.mark.slow
def test_a_key_of_several_parts_is_told_once_for_all_that_mean_the_same(specnet: Specnet) -> None:
    keys = specnet("parts", "learning_rate", "--format", "json").document["keys"]
    assert {key["path"] for key in keys} == {"training.optimizer.learning_rate"}
    owners = [owner for key in keys for owner in key["owners"]]
    parts = [part for part in built_in_registry() if "learning_rate" in part.model_fields]
    assert sorted(owners) == sorted(part.part_name() for part in parts)
    assert len(keys) < len(owners)
    for name in ("adam.learning_rate", "optimizer.learning_rate", "training.optimizer.learning_rate"):
        assert specnet("parts", name).status == 0
    assert len(specnet("parts", "adam.learning_rate").out.splitlines()) == 2


def test_every_key_of_the_schema_is_found(specnet: Specnet) -> None:
    from specnet.cli.specs.catalogue import Catalogue
    from specnet.spec.document import EarlyStopping, NetworkSpec, Spec, TrainingSpec

    catalogue = Catalogue(built_in_registry())
    names = [name for part in built_in_registry() for name in part.model_fields if name != "type"]
    for section in (Spec, NetworkSpec, TrainingSpec, EarlyStopping):
        names += section.model_fields
    for name in set(names):
        entries = catalogue.keys(name)
        assert entries, name
        assert all(entry.field.values and entry.field.description for entry in entries), name


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adem", "trainin", "class_weights", "lr", "zzzzz"])
def test_an_unknown_name_is_the_command_lines_fault(specnet: Specnet, name: str, pinned: Pinned) -> None:
    pinned(specnet("parts", name).failed(2, "error[usage]: "))
