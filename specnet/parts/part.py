"""What all parts have in common: a frozen model, a name, and a place in a registry."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SerializationInfo,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

if TYPE_CHECKING:
    from specnet.parts.registry import Registry


KIND_KEY = "x-kind"
"""What stands in pydantic's schema of a field that holds a part; the spec's schema puts a reference there."""


OnnxOperator = tuple[str, dict[str, str]]
"""An operator's name, and for each of its attributes the field that has its value. It reads what the part reads, then
the arrays that the part learns and those that it keeps, in their order."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What fields that are right one by one make impossible together, and the path of the one to blame."""

    path: tuple[str | int, ...]
    message: str
    code: str = "field-clash"


class Section(BaseModel):
    """A table of a document: fields are fixed once read, unknown keys and silent conversions are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)

    def __hash__(self) -> int:
        return hash((type(self), _hashable(self.__dict__)))

    def problems(self) -> Iterator[FieldProblem]:
        """Yield what is wrong with fields that are right one by one."""
        yield from ()

    @model_validator(mode="after")
    def _has_no_problems(self) -> Self:
        details = [
            InitErrorDetails(type=PydanticCustomError(problem.code, problem.message), loc=problem.path, input=None)
            for problem in self.problems()
        ]
        if details:
            raise ValidationError.from_exception_data(type(self).__name__, details)
        return self


def _hashable(value: Any) -> Any:
    """Return something with a hash that is equal for equal values."""
    if isinstance(value, Mapping):
        return frozenset((key, _hashable(inner)) for key, inner in value.items())
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value


def named_twice(field: str, names: Iterable[str]) -> Iterator[FieldProblem]:
    """Yield what is wrong with a field of names that has one of them twice."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield FieldProblem((field, index), f'"{name}" is named twice')
        seen.add(name)


def written(section: Section, *fields: str) -> str:
    """Return the first of these fields that the document sets, so that an error stands at what someone wrote.

    The first field of all where none is set.
    """
    return next((name for name in fields if name in section.model_fields_set), fields[0])


class Part(Section):
    """Something that a network or a run is made of, described by the fields that a spec may set.

    A direct subclass is a *kind* (activation, layer, loss, …) and sets `kind`; a class below a kind is a part, whose
    field ``type`` is a literal with the part's name as its default.
    """

    kind: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    example: ClassVar[str] = ""
    """Fields that an example in a spec sets, all that are needed among them: ``units = 16, activation = "relu"``."""

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
            serialization=core_schema.plain_serializer_function_ser_schema(cls.dump, info_arg=True),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        if "kind" not in cls.__dict__:
            return handler(schema)
        return {KIND_KEY: cls.kind}

    @staticmethod
    def dump(part: "Part", info: SerializationInfo | None = None) -> dict[str, Any]:
        """Return a part as the table that it was read from, without nulls; with every default, or as `info` says."""
        unset = info is not None and info.exclude_unset
        return {"type": part.type, **part.model_dump(mode="json", exclude_none=True, exclude_unset=unset)}

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
        # A registry's parts of a kind are of the kind's base class, which no annotation says.
        return part.model_validate({**fields, "type": part.part_name()}, context={"registry": registry})  # type: ignore[return-value]


def _installed() -> "Registry":
    from specnet.parts.registry import installed_registry

    return installed_registry()
