"""The catalogue of parts, held against the parts themselves."""

from __future__ import annotations

import tomllib
from typing import Any, Literal

import pytest
from pydantic import Field

from specnet import parse_spec
from specnet.cli.specs.catalogue import Catalogue, Entry, parts_page, parts_table
from specnet.parts.activations import Activation
from specnet.parts.part import Part
from specnet.parts.registry import built_in_registry


class Snake(Activation):
    """x + sin²(a·x)/a.

    Periodic, and ``x`` keeps a trend.
    """

    type: Literal["snake"] = "snake"
    aliases = ("serpent",)
    example = 'shape = "flat"'
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
        f"snake   activation   also called serpent   {__name__}",
        "",
        "x + sin²(a·x)/a.",
        "",
        "Periodic, and `x` keeps a trend.",
        "",
        '    network.activations = { type = "snake", shape = "flat" }',
    ]
    assert [field for field in entry.fields if field.name in Snake.__annotations__] == [
        ("shape", '"round" or "flat"', "needed", "no default"),
        ("frequency", "0 < number ≤ 8", "1.0", "a"),
    ]
    assert [line.split()[0] for line in entry.table().lines()] == ["field", *(field.name for field in entry.fields)]
    assert catalogue.find("serpent") == [entry]
    assert parts_table([entry]).lines()[1] == "activation   snake   serpent   x + sin²(a·x)/a."


def test_kinds_and_hints(catalogue: Catalogue) -> None:
    assert set(catalogue.kinds) == {"section", *(part.kind for part in built_in_registry())}
    assert {entry.kind for entry in catalogue.entries("loss")} == {"loss"}
    assert catalogue.find("nothing") == []
    assert '"optimizer"' in catalogue.hint("optimiser")
    assert '"serpent"' in catalogue.hint("serpant")


@pytest.mark.parametrize("part", tuple(built_in_registry()), ids=lambda part: f"{part.kind} {part.part_name()}")
def test_every_example_names_its_part_in_a_spec(catalogue: Catalogue, part: type[Part]) -> None:
    added = tomllib.loads(_entry(catalogue, part).example)
    value: Any = added
    while isinstance(value, dict) and "type" not in value:
        (value,) = value.values()
    value = value["schedule"] if part.kind == "schedule" else value
    value = value[0] if isinstance(value, list) else value
    name = value if isinstance(value, str) else value["type"]
    assert built_in_registry().find(part.kind, name) is part
    spec: dict[str, Any] = {"network": {"input_size": 2, "hidden_layer_sizes": [2]}, "training": {"loss": "mse"}}
    if part.kind == "layer":
        branch = {"type": "dense", "units": 2, "name": "branch"}
        spec["network"] = {"input_size": 2, "layers": [branch, *added["network"].pop("layers")]}
        if part.reads_columns:
            del spec["network"]["layers"][0]
    # What else a loss, a metric or data ask of a spec is beside the point.
    if part.kind not in ("loss", "metric", "data"):
        parse_spec({section: {**fields, **added.get(section, {})} for section, fields in spec.items()})


@pytest.mark.slow
def test_the_page_is_markdown_with_a_section_for_each_part() -> None:
    from markdown_it import MarkdownIt

    registry = built_in_registry()
    catalogue = Catalogue(registry)
    tokens = MarkdownIt("commonmark").enable("table").parse(parts_page(catalogue.entries(None)))
    headings = [tokens[place + 1].content for place, token in enumerate(tokens) if token.type == "heading_open"]
    assert headings[0] == "Parts"
    kinds = [heading for heading in headings[1:] if not heading.startswith("`")]
    assert kinds == list(catalogue.kinds)
    sections = [entry.name for entry in catalogue.entries("section")]
    assert [heading.strip("`") for heading in headings if heading.startswith("`")] == [
        *sections,
        *(part.part_name() for part in registry),
    ]
    examples = [token.content.rstrip() for token in tokens if token.type == "fence"]
    assert examples == [entry.example for entry in catalogue.entries(None)]
    fields = sum(len(entry.fields) for entry in catalogue.entries(None))
    bodies = [token for token in tokens if token.type == "tr_open"]
    assert len(bodies) == fields + sum(bool(entry.fields) for entry in catalogue.entries(None))


def test_signs_of_markdown_are_shown_as_they_stand(catalogue: Catalogue) -> None:
    from markdown_it import MarkdownIt

    (entry,) = catalogue.find("huber")
    (paragraph, *_) = [
        token for token in MarkdownIt().parse("\n".join(entry.markdown())) if token.content.startswith("½")
    ]
    shown = "".join(child.content for child in paragraph.children or ())
    assert shown == entry.summary
