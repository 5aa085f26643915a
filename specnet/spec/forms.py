"""Fields that may be written in more than one form."""

from typing import Any, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, SerializationInfo, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


class OneOrList:
    """Annotates ``Kind | tuple[Kind, ...]``. The value's form decides: a union would report an error per member."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        kind, several = get_args(source)

        def read(value: Any, handler: core_schema.ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
            return handler(value) if isinstance(value, list | tuple) else kind.read(value, info)

        def dump(value: Any, info: SerializationInfo) -> Any:
            return [kind.dump(part, info) for part in value] if isinstance(value, tuple) else kind.dump(value, info)

        return core_schema.with_info_wrap_validator_function(
            read,
            handler.generate_schema(several),
            serialization=core_schema.plain_serializer_function_ser_schema(dump, info_arg=True),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        several = handler(schema)
        return {"anyOf": [several["items"], several]}


class OrWord:
    """Annotates ``Value | Literal[word]`` in the same way; `noun` is what messages call the values."""

    def __init__(self, kind: Any, noun: str, word: str) -> None:
        self.kind, self.noun, self.word = kind, noun, word

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            self._read,
            handler.generate_schema(self.kind),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value),
        )

    def _read(self, value: Any, handler: core_schema.ValidatorFunctionWrapHandler) -> Any:
        if isinstance(value, str) and value != self.word:
            raise PydanticCustomError("unknown-value", "no such word", {"words": f'{self.noun} or "{self.word}"'})
        return value if value == self.word else handler(value)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [handler(schema), {"const": self.word}]}


class OrSwitch:
    """Annotates ``Table | None``, which is also written as true, for the table's defaults, and as false for none."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._read, handler(source))

    def _read(self, value: Any) -> Any:
        return value if not isinstance(value, bool) else {} if value else None

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [handler(schema), {"type": "boolean"}]}
