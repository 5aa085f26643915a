"""What kinds of columns a table can have, as specs write them and as a table holds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from specnet.parts.data.notations import NOTATION_KINDS, NOTATIONS, Notation, notation_type

Kind = Literal["numeric", "boolean", "datetime", "category", "ignore"]
KINDS: tuple[Kind, ...] = get_args(Kind)
KINDS_IN_WORDS: dict[Kind, str] = {
    "numeric": "a number",
    "boolean": "a boolean",
    "datetime": "a datetime",
    "category": "a category",
    "ignore": "ignored",
}


ROWS_TO_A_CATEGORY = 5
"""From this number of rows on a text is frequent; a column is of categories if half of its rows have frequent texts."""
LONGEST_SHOWN = 40
"""Characters of a cell in a message."""


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
    notation : Notation or None
        How its cells were written, where that is not the plain way.
    """

    name: str
    kind: Kind
    texts: NDArray[np.str_] | None = None
    notation: Notation | None = None

    @property
    def written(self) -> ColumnKind:
        """The kind as a spec writes it."""
        return self.notation or self.kind

    def cell_text(self, cell: float) -> str:
        """Return a present cell as messages have it."""
        if self.kind == "boolean":
            return "true" if cell else "false"
        if self.kind == "datetime":
            return str(np.datetime64(int(cell // 1), "D"))
        return f"{cell:.6g}" if self.texts is None else f'"{self.texts[int(cell)]}"'


class _KindOrNotation:
    """Annotates a kind's name, or a table of a notation, whose type decides which."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            self._read,
            core_schema.union_schema([handler.generate_schema(notation) for notation in NOTATIONS]),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda kind: kind if isinstance(kind, str) else kind.model_dump(exclude_none=True)
            ),
        )

    @staticmethod
    def _read(value: Any, _: core_schema.ValidatorFunctionWrapHandler) -> Any:
        # The handler would report the mistakes in every notation.
        if isinstance(value, Notation) or value in KINDS:
            return value
        if not isinstance(value, Mapping):
            raise PydanticCustomError("unknown-value", "no such word", {"words": _words(KINDS)})
        kind = value.get("type", "datetime")
        if not isinstance(kind, str) or kind not in NOTATION_KINDS:
            unknown = PydanticCustomError("unknown-value", "no such word", {"words": _words(NOTATION_KINDS)})
            details = InitErrorDetails(type=unknown, loc=("type",), input=kind)
            raise ValidationError.from_exception_data("kind", [details])
        return notation_type(kind, value).model_validate(value)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string", "enum": list(KINDS)}, *handler(schema)["anyOf"]]}


def _words(words: Iterable[str]) -> str:
    return ", ".join(f'"{word}"' for word in words)


ColumnKind = Annotated[Kind | Notation, _KindOrNotation()]
"""A kind as a spec writes it."""


def as_indices(codes: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the cells of a category as indices, the last one for a missing cell."""
    return np.where(np.isnan(codes), -1, codes).astype(np.intp)


def kind_of(written: ColumnKind) -> Kind:
    """Return the kind that is written, with or without a notation."""
    return written if isinstance(written, str) else written.type


def column_of(name: str, written: ColumnKind, texts: NDArray[np.str_] | None = None) -> Column:
    """Return a column of a kind as a spec writes it."""
    return Column(name, kind_of(written), texts, None if isinstance(written, str) else written)


def are_frequent(counts: NDArray[np.intp]) -> bool:
    """Return whether at least half of some rows have a text that is frequent, of the rows of each text."""
    return bool(2 * counts[counts >= ROWS_TO_A_CATEGORY].sum() >= counts.sum())


def shown_cell(cell: str) -> str:
    """Return a cell as a message shows it."""
    return cell if cell.isprintable() and len(cell) <= LONGEST_SHOWN else repr(cell[:LONGEST_SHOWN])[1:-1]
