"""The JSON Schema: fresh, valid, readable, and it follows from the parts."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from pydantic import Field, ValidationError

from specnet import Spec, parts
from specnet.parts.forms import WrittenForm, or_short, or_word, switched
from specnet.parts.part import Part, Section
from specnet.spec.document import NetworkSpec, TrainingSpec
from specnet.spec.json_schema import json_schema, schema_text
from tests.registry import REGISTRY

COMMITTED = Path(__file__).parents[2] / "schemas" / "specnet.schema.json"


class Snake(parts.Activation):
    """x + sin²(a·x)/a.

    Keeps a trend (Ziyin et al. 2020).
    """

    aliases = ("serpent",)
    type: Literal["snake"] = "snake"
    frequency: parts.PositiveNumber = Field(1.0, description="a, in radians per unit of input")


def every(value: Any) -> Iterator[Any]:
    """Yield a value and all within it."""
    yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from every(item)


def test_the_committed_schema_is_fresh():
    assert COMMITTED.read_text(encoding="utf-8") == schema_text(REGISTRY), "specnet schema > schemas/…"


def test_it_is_a_schema_of_draft_7_without_titles_and_nulls():
    schema = json_schema(REGISTRY)
    jsonschema.Draft7Validator.check_schema(schema)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    for item in every(schema):
        assert item is not None
        assert item != {"type": "null"}
        if isinstance(item, dict):
            assert not {"$defs", "title", "ge", "gt", "le", "lt", "prefixItems", "x-kind"} & item.keys()
            assert "$ref" not in item or len(item) == 1


def test_every_reference_leads_somewhere_and_every_definition_is_used():
    schema = json_schema(REGISTRY)
    used = {item["$ref"] for item in every(schema) if isinstance(item, dict) and "$ref" in item}
    assert used == {f"#/definitions/{name}" for name in schema["definitions"]}


def test_every_part_is_a_definition_with_all_that_its_class_says():
    definitions = json_schema(REGISTRY)["definitions"]
    for part in REGISTRY:
        definition = definitions[f"{part.kind}.{part.part_name()}"]
        assert definition["additionalProperties"] is False
        assert definition["required"][0] == "type"
        assert definition["properties"]["type"] == {"enum": [part.part_name(), *part.aliases]}
        assert definition["properties"].keys() == part.model_fields.keys()
        assert " ".join((part.__doc__ or "").split("\n\n")[0].split()) == definition["description"]
        described = {name for name, field in definition["properties"].items() if "description" in field}
        assert described == definition["properties"].keys() - {"type"}
        assert {"$ref": f"#/definitions/{part.kind}.{part.part_name()}"} in definitions[part.kind]["anyOf"]


def test_every_key_of_the_document_is_there_with_its_description():
    schema = json_schema(REGISTRY)
    for table, section in [
        (schema, Spec),
        (schema["definitions"]["network"], NetworkSpec),
        (schema["definitions"]["training"], TrainingSpec),
    ]:
        assert table["properties"].keys() - {"$schema"} == section.model_fields.keys()
        assert table["additionalProperties"] is False
        for name in section.model_fields:
            assert table["properties"][name]["description"]


def test_a_new_part_is_in_the_schema_with_defaults_bounds_and_names():
    schema = json_schema(REGISTRY.with_parts([Snake]))
    definition = schema["definitions"]["activation.snake"]
    assert (definition["description"], definition["required"]) == ("x + sin²(a·x)/a.", ["type"])
    assert definition["properties"]["type"] == {"enum": ["snake", "serpent"]}
    described = {"description": "a, in radians per unit of input"}
    assert definition["properties"]["frequency"] == {
        **described,
        "default": 1.0,
        "exclusiveMinimum": 0,
        "type": "number",
    }
    assert {"snake", "serpent"} <= set(schema["definitions"]["activation"]["anyOf"][0]["enum"])


def test_the_text_is_json_and_always_the_same():
    assert schema_text(REGISTRY) == schema_text(REGISTRY.with_parts([]))
    assert json.loads(schema_text(REGISTRY)) == json_schema(REGISTRY)
    assert issubclass(Snake, Part)


def test_fields_of_several_forms_are_read_written_and_described_as_they_say():
    class Inner(Section):
        size: int = 1

    class Table(Section):
        count: Annotated[int | Literal["all"], or_word(int, "an integer", "all")] = 1
        doubled: Annotated[
            tuple[int, ...],
            WrittenForm(
                tuple[int, ...],
                lambda value, read, info: read((2 * value, len(info.field_name))),
                lambda several: {"anyOf": [several["items"], several]},
                lambda several, info: (info.mode, *several),
            ),
        ] = ()
        plain: Annotated[int, WrittenForm(int, lambda value, read, info: read(value), lambda number: number)] = 0
        inner: Annotated[Inner | None, or_short(Inner | None, switched, {"type": "boolean"})] = None

    table = Table.model_validate({"count": "all", "doubled": 3, "plain": 4, "inner": True})
    assert (table.count, table.doubled, table.plain, table.inner) == ("all", (6, 7), 4, Inner())
    dumped = {"count": "all", "doubled": ["json", 6, 7], "plain": 4, "inner": {"size": 1}}
    assert table.model_dump(mode="json") == dumped
    dumped = {"count": 5, "doubled": ("python",), "plain": 0, "inner": {"size": 2}}
    assert Table.model_validate({"count": 5, "inner": {"size": 2}}).model_dump() == dumped
    assert Table.model_validate({"inner": False}).inner is None
    for count, code in [("some", "unknown-value"), ([], "int_type")]:
        with pytest.raises(ValidationError) as caught:
            Table.model_validate({"count": count})
        (problem,) = caught.value.errors()
        assert problem["type"] == code
        if count == "some":
            assert (problem["msg"], problem["ctx"]["words"]) == ("no such word", 'an integer or "all"')
    integers = {"items": {"type": "integer"}, "type": "array"}
    properties = Table.model_json_schema()["properties"]
    assert properties["count"]["anyOf"] == [{"type": "integer"}, {"const": "all"}]
    assert properties["doubled"]["anyOf"] == [{"type": "integer"}, integers]
    assert properties["plain"]["type"] == "integer"
    assert properties["inner"]["anyOf"][-1] == {"type": "boolean"}
