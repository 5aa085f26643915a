"""Fields that may be written in more than one form."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidatorFunctionWrapHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


class WrittenForm:
    """Annotates a field of several forms. The value's form decides: a union would report an error per member.

    Parameters
    ----------
    inner : type
        What pydantic reads of one of the forms.
    read : callable
        Takes a value, what reads it as `inner`, and the validation's information; returns what the field holds.
    schema : callable
        Takes the JSON Schema of `inner` and returns that of the field.
    dump : callable, optional
        Takes what the field holds and the serialization's information; returns it as plain data. Default: as `inner`.
    """

    def __init__(
        self,
        inner: Any,
        read: Callable[[Any, ValidatorFunctionWrapHandler, Any], Any],
        schema: Callable[[JsonSchemaValue], JsonSchemaValue],
        dump: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        self.inner, self.read, self.schema, self.dump = inner, read, schema, dump

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        dump = self.dump and core_schema.plain_serializer_function_ser_schema(self.dump, info_arg=True)
        inner = handler.generate_schema(self.inner)
        return core_schema.with_info_wrap_validator_function(self.read, inner, serialization=dump)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return self.schema(handler(schema))


def or_word(kind: Any, noun: str, word: str) -> WrittenForm:
    """Return the form of ``Value | Literal[word]``; `noun` is what messages call the values."""

    def read(value: Any, handler: ValidatorFunctionWrapHandler, _: Any) -> Any:
        if value == word:
            return value
        if isinstance(value, str):
            raise PydanticCustomError("unknown-value", "no such word", {"words": f'{noun} or "{word}"'})
        return handler(value)

    return WrittenForm(kind, read, lambda schema: {"anyOf": [schema, {"const": word}]}, lambda value, _: value)


def or_short(table: Any, full: Callable[[Any], Any], short: Mapping[str, Any]) -> WrittenForm:
    """Return the form of a table that has a short form too.

    Parameters
    ----------
    table : type
    full : callable
        Takes what is written, and returns the table, unchanged if it is written in full.
    short : mapping
        The JSON Schema of the short form.
    """
    return WrittenForm(table, lambda value, read, _: read(full(value)), lambda schema: {"anyOf": [schema, short]})


def switched(value: Any) -> Any:
    """Map true to an empty table, which has the defaults, false to None, and all else to itself."""
    return value if not isinstance(value, bool) else {} if value else None
