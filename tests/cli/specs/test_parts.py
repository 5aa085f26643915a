"""`specnet parts`."""

from __future__ import annotations

import pytest

from specnet.parts.registry import built_in_registry
from tests.cli.conftest import Specnet

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
