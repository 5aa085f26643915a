"""Annotations for fields that may be written in more than one form."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidatorFunctionWrapHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


class WrittenForm:
    """An annotation of a field with several forms, instead of a union, which would report an error for each member.

    Parameters
    ----------
    inner : type
        Type that pydantic validates for one of the forms.
    read : callable
        Function of a value, the validator of `inner` and the validation info; it returns the value of the field.
    schema : callable
        Function that turns the JSON Schema of `inner` into the schema of the field.
    dump : callable, optional
        Function of the field's value and the serialization info; it returns plain data. Default: as for `inner`.
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
    """Return the annotation of a field ``kind | Literal[word]``; messages call the values of `kind` by `noun`."""

    def read(value: Any, handler: ValidatorFunctionWrapHandler, _: Any) -> Any:
        if value == word:
            return value
        if isinstance(value, str):
            raise PydanticCustomError("unknown-value", "no such word", {"words": f'{noun} or "{word}"'})
        return handler(value)

    return WrittenForm(kind, read, lambda schema: {"anyOf": [schema, {"const": word}]}, lambda value, _: value)


def or_short(table: Any, full: Callable[[Any], Any], short: Mapping[str, Any]) -> WrittenForm:
    """Return the annotation of a section that also has a short form.

    Parameters
    ----------
    table : type
        Type of the section.
    full : callable
        Function that turns the short form into the table, and returns a table unchanged.
    short : mapping
        JSON Schema of the short form.
    """
    return WrittenForm(table, lambda value, read, _: read(full(value)), lambda schema: {"anyOf": [schema, short]})


def switched(value: Any) -> Any:
    """Return an empty table (all defaults) for true, None for false, and any other value unchanged."""
    return value if not isinstance(value, bool) else {} if value else None
