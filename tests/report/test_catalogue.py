"""The catalogue of parts, held against the parts themselves."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import Field

from specnet.parts.activations import Activation
from specnet.parts.part import Part
from specnet.parts.registry import built_in_registry
from specnet.report.catalogue import Catalogue, Entry, parts_table


class Snake(Activation):
    """x + sin²(a·x)/a.

    Periodic, and ``x`` keeps a trend.
    """

    type: Literal["snake"] = "snake"
    aliases = ("serpent",)
    frequency: float = Field(1.0, gt=0, le=8, description="a")
    shape: Literal["round", "flat"] = Field(description="no default")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue(built_in_registry().with_parts([Snake]))


def _entry(catalogue: Catalogue, part: type[Part]) -> Entry:
    (entry,) = [entry for entry in catalogue.find(part.part_name()) if entry.kind == part.kind]
    return entry


def test_every_part_has_a_page_with_all_of_its_fields(catalogue: Catalogue) -> None:
    for part in built_in_registry():
        entry = _entry(catalogue, part)
        assert entry.summary
        assert "\n" not in entry.summary
        assert {field.name.split(".")[0] for field in entry.fields} == set(part.model_fields) - {"type"}
        for field in entry.fields:
            assert field.values not in ("", "any value", "table"), f"{entry.name}.{field.name}"
            assert field.description


def test_a_new_part_is_in_it_by_its_class_alone(catalogue: Catalogue) -> None:
    entry = _entry(catalogue, Snake)
    assert entry.lines() == [
        "snake   activation   also called serpent",
        "",
        "x + sin²(a·x)/a.",
        "",
        "Periodic, and `x` keeps a trend.",
    ]
    rows = [[*vars(field).values()] for field in entry.fields if field.name in Snake.__annotations__]
    assert rows == [
        ["shape", '"round" or "flat"', "needed", "no default"],
        ["frequency", "0 < number ≤ 8", "1.0", "a"],
    ]
    assert [line.split()[0] for line in entry.table().lines()] == ["field", *(field.name for field in entry.fields)]
    assert catalogue.find("serpent") == [entry]
    assert parts_table([entry]).lines()[1] == "activation   snake   serpent   x + sin²(a·x)/a."


def test_kinds_and_hints(catalogue: Catalogue) -> None:
    assert set(catalogue.kinds) == {part.kind for part in built_in_registry()}
    assert {entry.kind for entry in catalogue.entries("loss")} == {"loss"}
    assert catalogue.find("nothing") == []
    assert catalogue.hint("optimiser") == 'did you mean "optimizer"?'
    assert catalogue.hint("serpant") == 'did you mean "serpent"?'
