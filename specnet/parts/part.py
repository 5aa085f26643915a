"""What all parts have in common: a frozen model, a name, and a place in a registry."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

if TYPE_CHECKING:
    from specnet.parts.registry import Registry


KIND_KEY = "x-kind"
"""What stands in pydantic's schema of a field that holds a part; the spec's schema puts a reference there."""


class Section(BaseModel):
    """A table of a document: fields are fixed once read, unknown keys and silent conversions are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)


class Part(Section):
    """Something that a network or a run is made of, described by the fields that a spec may set.

    A direct subclass is a *kind* (activation, layer, loss, …) and sets `kind`; a class below a kind is a part, whose
    field ``type`` is a literal with the part's name as its default.
    """

    kind: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()

    type: str

    @classmethod
    def part_name(cls) -> str:
        """Return the name by which a spec calls this part."""
        return str(cls.model_fields["type"].default)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        if "kind" not in cls.__dict__:
            return handler(source)
        # One plain validator and no union: a union would report an error for each of its members.
        return core_schema.with_info_plain_validator_function(
            cls.read,
            serialization=core_schema.plain_serializer_function_ser_schema(cls.dump),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        if "kind" not in cls.__dict__:
            return handler(schema)
        return {KIND_KEY: cls.kind}

    @staticmethod
    def dump(part: "Part") -> dict[str, Any]:
        """Return a part as the table that it was read from, with every default and without nulls."""
        return part.model_dump(mode="json", exclude_none=True)

    @classmethod
    def read(cls, value: Any, info: ValidationInfo) -> Self:
        """Return the part of this kind that a name, or a table with ``type``, stands for.

        The registry comes from the validation's context; parts made in Python find the built-in and installed ones.
        """
        if isinstance(value, cls):
            return value
        registry: Registry = (info.context or {}).get("registry") or _installed()
        fields = {"type": value} if isinstance(value, str) else value
        if not isinstance(fields, Mapping):
            raise PydanticCustomError("wrong-type", "a name or a table with type is needed", {"kind": cls.kind})
        if "type" not in fields:
            raise PydanticCustomError("missing-key", "this table needs a type", {"kind": cls.kind})
        part = registry.find(cls.kind, fields["type"])
        if part is None or fields["type"] in registry.broken:
            raise PydanticCustomError("unknown-part", "unknown part", {"kind": cls.kind, "name": fields["type"]})
        return part.model_validate({**fields, "type": part.part_name()}, context={"registry": registry})  # type: ignore[return-value]


def _installed() -> "Registry":
    from specnet.parts.registry import installed_registry

    return installed_registry()
