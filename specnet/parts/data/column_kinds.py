"""The kinds of table columns, in specs and in loaded tables."""

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

Kind = Literal["numeric", "boolean", "datetime", "category", "text", "ignore"]
KINDS: tuple[Kind, ...] = get_args(Kind)
KINDS_IN_WORDS: dict[Kind, str] = {
    "numeric": "a number",
    "boolean": "a boolean",
    "datetime": "a datetime",
    "category": "a category",
    "text": "a text",
    "ignore": "ignored",
}
OF_TEXTS: frozenset[Kind] = frozenset({"category", "text"})
"""The kinds of columns whose cells are indices of distinct texts."""
ROWS_TO_A_CATEGORY = 5
"""Minimum number of rows of a frequent text. A column has categories if half of its rows have frequent texts."""
LONGEST_SHOWN = 40
"""Maximum number of characters of a cell in a message."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """The description of a column of a table's float64 matrix; NaN is a missing cell.

    Attributes
    ----------
    name : str
    kind : str
        ``numeric``; ``boolean`` for 0 and 1; ``datetime`` for days since 1970-01-01 UTC; ``category`` or ``text`` for
        indices into `texts`. Never ``ignore``.
    texts : ndarray or None
        The distinct texts of a category or a column of texts, ascending by code point.
    notation : Notation or None
        The notation of its cells; None for plain notation.
    """

    name: str
    kind: Kind
    texts: NDArray[np.str_] | None = None
    notation: Notation | None = None

    @property
    def written(self) -> ColumnKind:
        """The kind in the form for a spec: the notation, or the name of the kind."""
        return self.notation or self.kind

    def cell_text(self, cell: float) -> str:
        """Return the text of a cell that is not missing, for messages."""
        if self.kind == "boolean":
            return "true" if cell else "false"
        if self.kind == "datetime":
            return str(np.datetime64(int(cell // 1), "D"))
        return f"{cell:.6g}" if self.texts is None else f'"{self.texts[int(cell)]}"'


class _KindOrNotation:
    """Pydantic annotation for the name of a kind, or for a section that describes a notation."""

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
        # The handler would report the mistakes for every notation of the union.
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
"""The kind of a column in a spec: its name, or a notation."""


def as_indices(codes: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the cells of a column of texts as integer indices, -1 for a missing cell."""
    return np.where(np.isnan(codes), -1, codes).astype(np.intp)


def kind_of(written: ColumnKind) -> Kind:
    """Return the name of a kind that is given as a name or a notation."""
    return written if isinstance(written, str) else written.type


def column_of(name: str, written: ColumnKind, texts: NDArray[np.str_] | None = None) -> Column:
    """Return a column for a name and a kind in the form of a spec."""
    return Column(name, kind_of(written), texts, None if isinstance(written, str) else written)


def are_frequent(counts: NDArray[np.intp]) -> bool:
    """Return whether at least half of the rows have a frequent text, given the number of rows of each text."""
    return bool(2 * counts[counts >= ROWS_TO_A_CATEGORY].sum() >= counts.sum())


def shown_cell(cell: str) -> str:
    """Return a cell for a message: shortened, with escapes for characters that are not printable."""
    return cell if cell.isprintable() and len(cell) <= LONGEST_SHOWN else repr(cell[:LONGEST_SHOWN])[1:-1]
