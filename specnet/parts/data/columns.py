"""What kinds of columns a table can have, as specs write them and as a table holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from specnet.parts.part import FieldProblem, Section

Kind = Literal["numeric", "boolean", "datetime", "category", "ignore"]
KINDS: tuple[Kind, ...] = get_args(Kind)
KINDS_IN_WORDS: dict[Kind, str] = {
    "numeric": "a number",
    "boolean": "a boolean",
    "datetime": "a datetime",
    "category": "a category",
    "ignore": "ignored",
}


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A column of a table's float64 matrix, in which NaN is a missing cell.

    Attributes
    ----------
    name : str
    kind : str
        ``numeric``; ``boolean``, of 0 and 1; ``datetime``, in days since 1970-01-01 UTC; or ``category``, of indices
        into `texts`. Never ``ignore``.
    texts : ndarray or None
        The distinct texts of a category, ascending by code point.
    """

    name: str
    kind: Kind
    texts: NDArray[np.str_] | None = None


class DatetimeFormat(Section):
    """The kind of a column of dates that are written in a format of their own."""

    type: Literal["datetime"] = Field(description="the kind")
    format: Annotated[str, Field(min_length=1)] = Field(description="the format, such as %d/%m/%Y")

    def problems(self) -> Iterator[FieldProblem]:
        try:
            datetime.strptime("", self.format)
        except ValueError as error:
            if "does not match" not in str(error):
                yield FieldProblem(("format",), f'"{self.format}" is no format of dates: {error}')


class _KindOrFormat:
    """Annotates a kind's name, or a table with a format. The value's form decides."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            self._read,
            handler.generate_schema(DatetimeFormat),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda kind: kind if isinstance(kind, str) else kind.model_dump()
            ),
        )

    @staticmethod
    def _read(value: Any, handler: core_schema.ValidatorFunctionWrapHandler) -> Any:
        if isinstance(value, DatetimeFormat) or value in KINDS:
            return value
        if not isinstance(value, Mapping):
            words = ", ".join(f'"{kind}"' for kind in KINDS)
            raise PydanticCustomError("unknown-value", "no such word", {"words": words})
        return handler(value)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string", "enum": list(KINDS)}, handler(schema)]}


ColumnKind = Annotated[Kind | DatetimeFormat, _KindOrFormat()]
"""A kind as a spec writes it."""


def kind_of(written: ColumnKind) -> Kind:
    """Return the kind that is written, with or without a format."""
    return "datetime" if isinstance(written, DatetimeFormat) else written
