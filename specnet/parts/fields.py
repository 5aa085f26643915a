"""The types of numbers and names for fields of parts and documents.

Values are not converted silently: ``true`` is not accepted as 1, nor ``"3"`` as 3. Two conversions are accepted: an
integral float (``1e3``) as an integer, and an integer as a float.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Annotated, Any, get_args

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, StringConstraints, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

_LARGEST_EXACT = 2**53
"""Up to this number, a float represents every integer exactly."""


def _integral(value: Any) -> Any:
    integral = isinstance(value, float) and value.is_integer() and abs(value) <= _LARGEST_EXACT
    return int(value) if integral else value


Integer = Annotated[int, BeforeValidator(_integral)]
PositiveInteger = Annotated[Integer, Ge(1)]
NonNegativeInteger = Annotated[Integer, Ge(0)]
Seed = Annotated[Integer, Ge(0), Le(2**32 - 1)]


class ListOr:
    """Annotates a field that is a list or a single value; only errors about the given form are reported.

    A union would report one error per member.

    Parameters
    ----------
    several : type
        Type of the list.
    single : callable
        Validates a value that is not a list.
    forms : mappings
        JSON Schemas of the single value; default: the schema of the list's items.
    """

    def __init__(self, several: Any, single: Callable[[Any], Any], *forms: JsonSchemaValue) -> None:
        self.several, self.single, self.forms = several, single, forms

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def read(value: Any, handler: core_schema.ValidatorFunctionWrapHandler) -> Any:
            return handler(value) if isinstance(value, list | tuple) else self.single(value)

        return core_schema.no_info_wrap_validator_function(
            read,
            handler.generate_schema(self.several),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: list(value) if isinstance(value, tuple) else value
            ),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        several = handler(schema)
        return {"anyOf": [*(self.forms or [several["items"]]), several]}


_read_integer = partial(TypeAdapter[int](PositiveInteger).validate_python, strict=True)
_read_text = partial(TypeAdapter[str](Annotated[str, Field(min_length=1)]).validate_python, strict=True)
_Positives = Annotated[tuple[PositiveInteger, ...], Field(min_length=1, strict=False)]
PositiveIntegers = Annotated[_Positives, ListOr(_Positives, lambda value: (_read_integer(value),))]
"""Several integers, or a single one."""
Indices = Annotated[tuple[NonNegativeInteger, ...], Field(min_length=1, strict=False)]
Counts = Annotated[tuple[NonNegativeInteger, ...], Field(min_length=1, strict=False)]
"""A count for each column."""

PositiveNumber = Annotated[float, Gt(0)]
NonNegativeNumber = Annotated[float, Ge(0)]
Fraction = Annotated[float, Ge(0), Lt(1)]
Share = Annotated[float, Ge(0), Le(1)]
OpenFraction = Annotated[float, Gt(0), Lt(1)]

ColumnName = Annotated[str, Field(min_length=1)]
ColumnNames = Annotated[tuple[ColumnName, ...], Field(min_length=1, strict=False)]
OneOrSeveralNames = Annotated[ColumnName | ColumnNames, ListOr(ColumnNames, _read_text)]


class _IsFilePath:
    """Annotates a text that is a file path, relative to the folder of the spec unless it is absolute."""


FilePath = Annotated[str, Field(min_length=1), _IsFilePath()]
_Paths = Annotated[tuple[FilePath, ...], Field(min_length=1, strict=False)]
FilePaths = Annotated[FilePath | _Paths, ListOr(_Paths, _read_text)]


def is_file_path(field: FieldInfo) -> bool:
    """Return whether the value of a field is one or several file paths."""
    return any(isinstance(each, _IsFilePath) for each in _annotations(field.annotation, field.metadata))


def _annotations(annotation: Any, metadata: Iterable[Any] = ()) -> Iterator[Any]:
    """Yield the annotations of a type and, recursively, of its arguments."""
    yield from metadata
    yield from getattr(annotation, "__metadata__", ())
    for inner in get_args(annotation):
        yield from _annotations(inner)


_SPEC_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
_LAYER_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
SpecName = Annotated[str, StringConstraints(pattern=_SPEC_NAME)]
LayerName = Annotated[str, StringConstraints(pattern=_LAYER_NAME)]
NAME_RULES = {
    _SPEC_NAME: "use letters, digits, _, . and -; start with a letter or digit; at most 100 characters",
    _LAYER_NAME: "use letters, digits and _; do not start with a digit",
}
"""The rules for names in words, by regular expression."""


def spec_name(stem: str) -> str:
    """Return a valid name of a spec, given the stem of a file name; ``_`` replaces invalid characters."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", stem).lstrip("_.-")[:100] or "network"
