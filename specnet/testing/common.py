"""Checks of parts of any kind: name, descriptions, bounds of fields, and equality after writing and reading."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, get_args

from pydantic import ValidationError

from specnet.errors import DataError
from specnet.parts.part import Part
from specnet.parts.registry import Registry, installed_registry
from specnet.spec.json_schema import json_schema
from specnet.testing.numbers import fail


def subject_of(part: type[Part], settings: Mapping[str, Any]) -> str:
    """Return the name of a part with these settings for messages."""
    fields = ", ".join(f"{name} = {value!r}" for name, value in settings.items())
    return f"{part.kind} {part.part_name()}" + (f" with {fields}" if fields else "")


@contextmanager
def naming(subject: str) -> Iterator[None]:
    """Convert any error in this context to an AssertionError that names the part."""
    try:
        yield
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(f"{subject}: {type(error).__name__}: {error}") from error


def registry_with(part: type[Part]) -> Registry:
    """Return a registry of the installed parts and the given part."""
    registry = installed_registry()
    if part in tuple(registry):
        return registry
    try:
        return registry.with_parts([part])
    except DataError as error:
        raise AssertionError(f"{part.__qualname__}: {error}") from None


def unregistered(part: type[Part]) -> list[type[Part]]:
    """Return the argument `parts` for a spec with this part: a list of the part, empty if it is installed."""
    return [] if installed_registry().find(part.kind, part.part_name()) is part else [part]


def check_class(part: type[Part]) -> None:
    """Check that a class is a part with a `type`, a docstring, and a description of each field."""
    if not (isinstance(part, type) and issubclass(part, Part) and "kind" not in vars(part) and hasattr(part, "kind")):
        raise AssertionError(f"expected a part class, such as a subclass of specnet.parts.Activation, got {part!r}")
    field = part.model_fields["type"]
    if get_args(field.annotation) != (field.default,):
        message = 'missing type, as in `type: Literal["snake"] = "snake"`'
        raise AssertionError(f"{part.__qualname__}: {message}")
    if not (part.__dict__.get("__doc__") or "").strip():
        fail(subject_of(part, {}), "the docstring is missing")
    for name, field in part.model_fields.items():
        if name != "type" and not field.description:
            fail(subject_of(part, {}), f"the description of field {name} is missing")


def example(part: type[Part]) -> dict[str, Any]:
    """Return the fields in a part's example."""
    try:
        fields: dict[str, Any] = tomllib.loads(f"fields = {{ {part.example} }}")["fields"]
    except tomllib.TOMLDecodeError as error:
        raise AssertionError(f"{subject_of(part, {})}: its example is not TOML: {error}") from None
    return fields


def made(part: type[Part], settings: Mapping[str, Any], registry: Registry) -> Part:
    """Return an instance of the part with these settings."""
    try:
        return part.model_validate(_as_read({"type": part.part_name(), **settings}), context={"registry": registry})
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise AssertionError(f"{subject_of(part, settings)}: {where}: {problem['msg']}") from None


def check_document(part: type[Part], settings: Mapping[str, Any], registry: Registry) -> None:
    """Check that a part is equal after writing and reading, and that engine and schema agree on valid fields."""
    from jsonschema import Draft7Validator

    subject, instance = subject_of(part, settings), made(part, settings, registry)
    table = Part.dump(instance)
    again = made(part, json.loads(json.dumps(table)), registry)
    if again != instance or Part.dump(again) != table:
        fail(subject, f"reads back as {again!r}")
    definitions, own = _definitions_of(registry), f"{part.kind}.{part.part_name()}"
    by_schema = Draft7Validator({"$ref": f"#/definitions/{own}", "definitions": definitions})
    wrong = [({"no_such_key": 1}, "an unknown key")]
    wrong += [({name: value}, f"{name} = {value!r}") for name, value in _beyond(definitions[own])]
    for change, what in [({}, "what it is written as"), *wrong]:
        document = {**table, **change}
        verdicts = {"the engine": _is_valid(part, document, registry), "the schema": by_schema.is_valid(document)}
        for judge, verdict in verdicts.items():
            if verdict == bool(change):
                fail(subject, f"{judge} {'accepts' if verdict else 'refuses'} {what}")


@lru_cache(maxsize=8)
def _definitions_of(registry: Registry) -> dict[str, Any]:
    definitions: dict[str, Any] = json_schema(registry)["definitions"]
    return definitions


def _is_valid(part: type[Part], document: Mapping[str, Any], registry: Registry) -> bool:
    try:
        part.model_validate(_as_read(document), context={"registry": registry})
    except ValidationError:
        return False
    return True


def _as_read(value: Any) -> Any:
    """Return a value of a document in the form that the reader of specs returns: with tuples instead of lists."""
    if isinstance(value, Mapping):
        return {key: _as_read(item) for key, item in value.items()}
    return tuple(map(_as_read, value)) if isinstance(value, list) else value


def _beyond(definition: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the name and an invalid value of each numeric or boolean field: out of its bounds, or of another type."""
    for name, schema in definition["properties"].items():
        kind = schema.get("type")
        if kind in ("number", "integer"):
            beyond = {"minimum": -1, "maximum": 1, "exclusiveMinimum": 0, "exclusiveMaximum": 0}
            yield from ((name, value) for value in ("1", True))
            yield from ((name, schema[bound] + change) for bound, change in beyond.items() if bound in schema)
        elif kind == "boolean":
            yield name, 1
