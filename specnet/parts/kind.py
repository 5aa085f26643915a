"""A kind of parts, as a document reads it: where a field holds a part of a kind, a name or a table stands for it."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from specnet.parts.part import Part
from specnet.parts.registry import Registry, installed_registry

KIND_KEY = "x-kind"
"""What stands in pydantic's schema of a field that holds a part; the spec's schema puts a reference there."""


def registry_of(info: ValidationInfo) -> Registry:
    """Return the registry of a validation's context; the one of built-in and installed parts without a context."""
    registry: Registry = (info.context or {}).get("registry") or installed_registry()
    return registry


class PartKind(Part):
    """What the parts of a kind have in common.

    A direct subclass is a *kind* (activation, layer, loss, …) and sets `kind`.
    """

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        if "kind" not in cls.__dict__:
            return handler(source)
        # One plain validator and no union: a union would report an error for each of its members.
        return core_schema.with_info_plain_validator_function(
            cls.read, serialization=core_schema.plain_serializer_function_ser_schema(cls.dump, info_arg=True)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        if "kind" not in cls.__dict__:
            return handler(schema)
        return {KIND_KEY: cls.kind}

    @classmethod
    def read(cls, value: Any, info: ValidationInfo) -> Self:
        """Return the part of this kind that a name, or a table with ``type``, stands for.

        Parts made in Python find the built-in and installed ones.
        """
        if isinstance(value, cls):
            return value
        registry = registry_of(info)
        fields = {"type": value} if isinstance(value, str) else value
        if not isinstance(fields, Mapping):
            raise PydanticCustomError("wrong-type", "expected a name or a table with type", {"kind": cls.kind})
        if "type" not in fields:
            raise PydanticCustomError("missing-key", "missing key type", {"kind": cls.kind})
        part = registry.find(cls.kind, fields["type"])
        if part is None or fields["type"] in registry.broken:
            raise PydanticCustomError("unknown-part", "unknown part", {"kind": cls.kind, "name": fields["type"]})
        # A registry's parts of a kind are of the kind's base class, which no annotation says.
        return part.model_validate({**fields, "type": part.part_name()}, context={"registry": registry})  # type: ignore[return-value]
