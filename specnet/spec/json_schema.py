"""The JSON Schema of specs, generated from the parts and sections; draft-07, which editors support best."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from specnet.parts.part import Part, Section
from specnet.parts.registry import KIND_KEY, Registry
from specnet.parts.watchers import MONITOR, SEARCHED_METRIC, monitored_names, searched_names
from specnet.spec.document import FORMS, OF_STACKS, Spec
from specnet.spec.sweep_section import RANGE, Range

Schema = dict[str, Any]


def schema_text(registry: Registry) -> str:
    """Return the JSON Schema as the text of a file; equal parts give equal texts."""
    return json.dumps(json_schema(registry), indent=2, ensure_ascii=False) + "\n"


def json_schema(registry: Registry) -> Schema:
    """Return the JSON Schema of the specs that may use the parts of a registry.

    ``definitions`` contains a schema ``kind.name`` for each part, a schema for each kind, which allows a name or a
    table of any of its parts, and a schema for each section, such as ``network``.
    """
    definitions: Schema = {}
    for kind in dict.fromkeys(part.kind for part in registry):
        definitions[kind] = _kind(kind, registry)
    for part in registry:
        definitions[f"{part.kind}.{part.part_name()}"] = _part(part, definitions)
    definitions[MONITOR] = {"type": "string", "enum": monitored_names(registry)}
    definitions[SEARCHED_METRIC] = {"type": "string", "enum": searched_names(registry)}
    definitions[RANGE] = _table(Range, definitions)
    root = _table(Spec, definitions)
    definitions["network"] |= _network_forms()
    root["properties"] = {"$schema": {"type": "string"}, **root["properties"]}
    return {"$schema": "http://json-schema.org/draft-07/schema#", **root, "definitions": definitions}


def _kind(kind: str, registry: Registry) -> Schema:
    """Return the schema of a part of a kind, given as a name or as a table."""
    parts = registry.of_kind(kind)
    alone = [part for part in parts if not any(_needed(part))]
    names = [*(part.part_name() for part in alone), *(alias for part in alone for alias in part.aliases)]
    tables = [{"$ref": f"#/definitions/{kind}.{part.part_name()}"} for part in parts]
    return {"anyOf": [*([{"type": "string", "enum": names}] if names else []), *tables]}


def _needed(part: type[Part]) -> Iterator[str]:
    return (name for name, field in part.model_fields.items() if field.is_required())


def _part(part: type[Part], definitions: Schema) -> Schema:
    schema = _table(part, definitions)
    schema["properties"]["type"] = {"enum": [part.part_name(), *part.aliases]}
    schema["required"] = ["type", *_needed(part)]
    return schema


def _network_forms() -> Schema:
    """Return the schema that requires exactly one form of a network and forbids keys of a stack beside ``layers``."""
    forms = []
    for form in FORMS:
        excluded = [*(other for other in FORMS if other != form), *(OF_STACKS if form == "layers" else ())]
        forms.append({"required": [form], "properties": dict.fromkeys(excluded, False)})
    return {"oneOf": forms}


def _table(section: type[Section], definitions: Schema) -> Schema:
    """Return the JSON Schema of a section; schemas of referenced sections are added to `definitions`."""
    written = _written(section)
    for name, inner in written.get("$defs", {}).items():
        definitions[_table_name(name)] = _plain(inner)
    schema: Schema = _plain({key: value for key, value in written.items() if key != "$defs"})
    return schema


@cache
def _written(section: type[Section]) -> Schema:
    """Return the schema of a section from pydantic, cached because it is slow and the same for every registry."""
    return section.model_json_schema(schema_generator=_Generator)


def _table_name(class_name: str) -> str:
    return class_name.lower().removesuffix("spec")


_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
"""Bounds under pydantic's names, which remain if pydantic does not know that a field is a number, and JSON Schema's."""


class _Generator(GenerateJsonSchema):
    """A schema generator that writes a default part by its name, as a user would."""

    def encode_default(self, default: Any) -> Any:
        if isinstance(default, Part):
            return default.part_name() if not default.model_fields_set - {"type"} else Part.dump(default)
        return super().encode_default(default)


def _plain(schema: Any) -> Any:
    """Convert a schema of pydantic to draft-07: without titles and nulls, descriptions cut to their first paragraph."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "properties" in schema:
        inner = {key: _plain(value) for key, value in schema["properties"].items()}
        return {**_plain({key: value for key, value in schema.items() if key != "properties"}), "properties": inner}
    plain: Schema = {}
    for key, value in schema.items():
        if key == KIND_KEY:
            plain["$ref"] = f"#/definitions/{value}"
        elif key == "$ref":
            plain["$ref"] = f"#/definitions/{_table_name(value.rsplit('/', 1)[-1])}"
        elif key in _BOUNDS:
            plain[_BOUNDS[key]] = value
        elif key == "description":
            plain[key] = " ".join(value.split("\n\n")[0].split())
        elif key == "prefixItems":
            plain |= {"items": _plain(value), "additionalItems": False}
        elif key == "anyOf":
            members = [_plain(member) for member in value if member != {"type": "null"}]
            plain |= members[0] if len(members) == 1 else {"anyOf": members}
        elif key != "title" and not (key == "default" and value is None):
            plain[key] = _plain(value)
    if "$ref" in plain and len(plain) > 1:  # validators ignore other keys beside a reference
        plain["allOf"] = [{"$ref": plain.pop("$ref")}]
    return plain
