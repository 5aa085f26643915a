"""`specnet parts`: the catalogue of parts has what the parts themselves have."""

import tomllib
from typing import Any, Literal

import pytest
from pydantic import Field

from specnet import parse_spec, parts
from specnet.editor.catalogue import Catalogue, kinds_table, parts_page, parts_table
from specnet.report.terminal.terminal_output import text_width
from specnet.spec.document import EarlyStopping, NetworkSpec, Spec, TrainingSpec
from tests.registry import REGISTRY


class Snake(parts.Activation):
    """x + sin²(a·x)/a.

    Periodic, and ``x`` keeps a trend.
    """

    type: Literal["snake"] = "snake"
    aliases = ("serpent",)
    example = 'shape = "flat"'
    frequency: float = Field(1.0, gt=0, le=8, description="a")
    shape: Literal["round", "flat"] = Field(description="no default")


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue(REGISTRY.with_parts([Snake]))


def _entry(catalogue, part):
    (entry,) = [entry for entry in catalogue.find(part.part_name()) if entry.kind == part.kind]
    return entry


def test_every_part_has_a_page_with_all_of_its_fields(catalogue):
    for part in REGISTRY:
        entry = _entry(catalogue, part)
        assert entry.summary
        assert "\n" not in entry.summary
        assert {field.name.split(".")[0] for field in entry.fields} == set(part.model_fields) - {"type"}
        for field in entry.fields:
            assert field.values not in ("", "any value", "table"), f"{entry.name}.{field.name}"
            assert field.description


def test_a_new_part_is_in_it_by_its_class_alone(catalogue):
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
    assert parts_table("activation", [entry]).lines() == [
        "activation   description",
        "snake        x + sin²(a·x)/a. Also called serpent.",
    ]


def test_kinds_and_hints(catalogue):
    assert set(catalogue.kinds) == {"section", *(part.kind for part in REGISTRY)}
    assert {entry.kind for entry in catalogue.entries("loss")} == {"loss"}
    assert catalogue.find("nothing") == []
    assert '"optimizer"' in catalogue.hint("optimiser")
    assert '"serpent"' in catalogue.hint("serpant")


@pytest.mark.parametrize("part", tuple(REGISTRY), ids=lambda part: f"{part.kind} {part.part_name()}")
def test_every_example_names_its_part_in_a_spec(catalogue, part):
    added = tomllib.loads(_entry(catalogue, part).example)
    value: Any = added
    while isinstance(value, dict) and "type" not in value:
        (value,) = value.values()
    value = value["schedule"] if part.kind == "schedule" else value
    value = value[0] if isinstance(value, list) else value
    name = value if isinstance(value, str) else value["type"]
    assert REGISTRY.find(part.kind, name) is part
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
def test_the_page_is_markdown_with_a_section_for_each_part():
    from markdown_it import MarkdownIt

    catalogue = Catalogue(REGISTRY)
    tokens = MarkdownIt("commonmark").enable("table").parse(parts_page(catalogue.entries(None)))
    headings = [tokens[place + 1].content for place, token in enumerate(tokens) if token.type == "heading_open"]
    assert headings[0] == "Parts"
    kinds = [heading for heading in headings[1:] if not heading.startswith("`")]
    assert kinds == list(catalogue.kinds)
    sections = [entry.name for entry in catalogue.entries("section")]
    assert [heading.strip("`") for heading in headings if heading.startswith("`")] == [
        *sections,
        *(part.part_name() for part in REGISTRY),
    ]
    examples = [token.content.rstrip() for token in tokens if token.type == "fence"]
    assert examples == [entry.example for entry in catalogue.entries(None)]
    fields = sum(len(entry.fields) for entry in catalogue.entries(None))
    bodies = [token for token in tokens if token.type == "tr_open"]
    assert len(bodies) == fields + sum(bool(entry.fields) for entry in catalogue.entries(None))


def test_signs_of_markdown_are_shown_as_they_stand(catalogue):
    from markdown_it import MarkdownIt

    (entry,) = catalogue.find("huber")
    (paragraph, *_) = [
        token for token in MarkdownIt().parse("\n".join(entry.markdown())) if token.content.startswith("½")
    ]
    shown = "".join(child.content for child in paragraph.children or ())
    assert shown == entry.summary


SECTIONS = ["spec", "network", "training", "sweep", "expect.N", "data.split", "network.preprocessing.N"]
SECTIONS += ["training.early_stopping", "training.ensemble"]


def test_parts_lists_every_part(specnet):
    """By the names of each kind, and a kind by a line for each of its parts, which has a description."""
    _, *lines = specnet("parts").ok().out.splitlines()
    listed = {kind: names.strip().split(", ") for kind, _, names in (line.partition("  ") for line in lines)}
    assert listed.pop("section") == SECTIONS
    assert [(kind, name) for kind, names in listed.items() for name in names] == [
        (part.kind, part.part_name()) for part in REGISTRY
    ]
    for kind, names in listed.items():
        lines = specnet("parts", kind).went().split("\n\n")[0].splitlines()
        assert [line.split()[0] for line in lines] == [kind, *names]
        assert all(len(line.split()) > 1 for line in lines)


def test_lists_are_short_in_a_usual_window(catalogue):
    assert len(kinds_table(catalogue.entries(None)).lines(80)) < 58, "and a hint after an empty line"
    for kind in catalogue.kinds:
        lines = parts_table(kind, catalogue.entries(kind)).lines(80)
        assert len(lines) == 1 + len(catalogue.entries(kind))
        assert max(map(text_width, lines)) <= 80


@pytest.mark.slow
def test_the_long_sections_stand_for_themselves(specnet):
    (spec,) = specnet("parts spec --format json").document["parts"]
    assert {field["name"] for field in spec["fields"]} == {
        *("name", "seed", "random_generator", "data", "network", "training", "sweep", "expect")
    }
    (training,) = specnet("parts training --format json").document["parts"]
    names = [field["name"] for field in training["fields"]]
    assert {"early_stopping", "early_stopping.patience"} < set(names)
    (iris,) = specnet("parts iris --format json").document["parts"]
    assert "split.test_size" in {field["name"] for field in iris["fields"]}
    assert "split" not in {field["name"] for field in iris["fields"]}, "a table alone is its keys"


@pytest.mark.slow
def test_a_key_of_several_parts_is_told_once_for_all_that_mean_the_same(specnet):
    keys = specnet("parts learning_rate --format json").document["keys"]
    assert {key["path"] for key in keys} == {"training.optimizer.learning_rate"}
    owners = [owner for key in keys for owner in key["owners"]]
    having = [part.part_name() for part in REGISTRY if "learning_rate" in part.model_fields]
    assert sorted(owners) == sorted(having)
    assert len(keys) < len(owners)
    for name in ("adam.learning_rate", "optimizer.learning_rate", "training.optimizer.learning_rate"):
        specnet("parts", name).ok()
    assert len(specnet("parts adam.learning_rate").out.splitlines()) == 2


def test_every_key_of_the_schema_is_found(specnet):
    catalogue = Catalogue(REGISTRY)
    names = [name for part in REGISTRY for name in part.model_fields if name != "type"]
    for section in (Spec, NetworkSpec, TrainingSpec, EarlyStopping):
        names += section.model_fields
    for name in set(names):
        entries = catalogue.keys(name)
        assert entries, name
        assert all(entry.field.values and entry.field.description for entry in entries), name
