"""The raw columns of a model for all targets: names, kinds, and the codes of texts.

Exported files replace texts by their codes, so that all columns are numbers. A missing number is NaN, and a missing
text is empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from specnet.data import RawColumns, StepGroup, filled_gaps, group_texts
from specnet.errors import UnsupportedError
from specnet.exporting.text_tables import TokenVectors, text_tables
from specnet.model import Model, TrainedNetwork
from specnet.parts.arrays import Array
from specnet.parts.data import Column, Kind, kind_of

_MEANINGS: dict[Kind, str] = {
    "numeric": "number",
    "boolean": "0 or 1",
    "datetime": "days since 1970-01-01 UTC",
    "category": "text",
    "text": "text of words",
    "ignore": "number",
}


@dataclass(frozen=True, slots=True)
class RawColumn:
    """A raw column.

    Attributes
    ----------
    name : str
        The name of the column; empty if the model has no column names.
    kind : str
    codes : mapping or None
        For a category the code of each text, 1…k in this order. A missing cell has the code of the empty text, and
        unknown texts have the code 0. None for a column of numbers.
    takes_missing : bool
        Whether the model predicts rows in which this cell is missing.
    tables : tuple of TokenVectors
        For a column of kind ``text`` the tables of each network, whose features stand in its place.
    """

    name: str
    kind: Kind
    codes: Mapping[str, int] | None = None
    takes_missing: bool = False
    tables: tuple[TokenVectors, ...] = ()

    @property
    def is_text(self) -> bool:
        """Whether its cells are texts that have codes."""
        return self.codes is not None

    @property
    def has_words(self) -> bool:
        """Whether its cells are texts that become vectors."""
        return self.kind == "text"

    @property
    def features(self) -> int:
        """The number of features of its cells: one, or those of all tables of texts."""
        return sum(table.size for table in self.tables) if self.has_words else 1

    @property
    def meaning(self) -> str:
        """A description of its cells."""
        return _MEANINGS[self.kind] + ", may be missing" * (self.takes_missing and not (self.is_text or self.has_words))


def columns_of(model: Model) -> tuple[RawColumn, ...]:
    """Return the raw columns of a model; a category has a code for each text that any of its networks knows.

    Raises
    ------
    UnsupportedError
        As `network_columns` does.
    """
    first, *others = map(network_columns, model.networks)
    return tuple(map(_together, first, *others)) if others else first


def network_columns(trained: TrainedNetwork) -> tuple[RawColumn, ...]:
    """Return the raw columns of a network of a model.

    Raises
    ------
    UnsupportedError
        If a category has two tables of codes or none, or if another column has codes.
    """
    count = trained.network.resolved.columns
    kinds = {name: kind_of(kind) for name, kind in (trained.spec.feature_kinds or {}).items()}
    names = trained.spec.feature_names or ("",) * count
    takes_missing = filled_gaps(trained.preprocessing, count).tolist()
    codes: dict[int, Mapping[str, int]] = {}
    tables: dict[int, TokenVectors] = {}
    seen = set[int]()
    for group in trained.preprocessing.groups:
        indices = range(count) if group.indices is None else group.indices
        known = dict(zip(indices, _codes(group), strict=False))
        twice = seen & (known.keys() | codes.keys()) & set(indices)
        if twice:
            raise UnsupportedError(f'exports have no equivalent of a category in two groups: "{names[min(twice)]}"')
        codes |= known
        tables |= text_tables(group, tuple(indices))
        seen |= set(indices)
    for position, name in enumerate(names):
        if (kinds.get(name) == "category") != (position in codes):
            raise UnsupportedError(f'exports have no equivalent of codes for other columns than categories: "{name}"')
    return tuple(
        RawColumn(
            name,
            kinds.get(name, "numeric"),
            codes.get(position),
            takes_missing[position],
            (tables[position],) if position in tables else (),
        )
        for position, name in enumerate(names)
    )


def _together(first: RawColumn, *others: RawColumn) -> RawColumn:
    each = (first, *others)
    codes, takes_missing = first.codes, all(column.takes_missing for column in each)
    if codes is not None and any(column.codes != codes for column in others):
        texts = {text for column in each for text in column.codes or ()}
        codes = {text: code for code, text in enumerate(sorted(texts, key=lambda text: (not text, text)), 1)}
    tables = tuple(table for column in each for table in column.tables)
    return replace(first, codes=codes, takes_missing=takes_missing, tables=tables)


def codes_among(own: RawColumn, together: RawColumn) -> list[int]:
    """Return a network's own code for each code from `columns_of`, starting at 0; empty for a column of numbers."""
    codes = own.codes or {}
    return [] if together.codes is None else [0, *(codes.get(text, 0) for text in together.codes)]


def texts_of(columns: Sequence[RawColumn], rows: RawColumns) -> dict[int, list[str]]:
    """Return the texts of rows by column index; a missing cell is an empty text."""
    found = {}
    for position, texts in enumerate(rows.texts):
        if columns[position].is_text or columns[position].has_words:
            assert texts is not None, "a column of texts"
            known, column = [*texts.tolist(), ""], rows.X[:, position]
            found[position] = [known[int(index)] for index in np.where(np.isnan(column), len(texts), column)]
    return found


def with_texts(columns: Sequence[RawColumn], X: Array, generator: np.random.Generator) -> RawColumns:
    """Return rows whose texts are random: known ones, some unknown ones, and missing cells."""
    if not any(column.is_text or column.has_words for column in columns):
        return RawColumns(X)
    X, kinds = X.copy(), []
    for position, column in enumerate(columns):
        texts = None
        if column.codes is not None:
            known = [text for text in column.codes if text]
            others = _unknown_texts(known)
            texts = np.array(sorted([*known, *others]), np.str_)
            index = {text: float(number) for number, text in enumerate(texts.tolist())} | {"": np.nan}
            order = np.array([0, *(1 + generator.permutation(len(column.codes)))])
            codes = generator.permutation(order[np.arange(len(X)) % len(order)])
            without = [index[text] for text in ("", *others)]
            X[:, position] = np.array([0.0, *map(index.get, column.codes)])[codes]
            X[codes == 0, position] = np.resize(without, (codes == 0).sum())
        elif column.has_words:
            own = [text for table in column.tables for text in table.texts(len(X) // len(column.tables), generator)]
            texts, codes = np.unique(np.array([text for text in own if text], np.str_), return_inverse=True)
            X[:, position] = np.resize(np.append(codes, np.nan), len(X))
        kinds.append(Column(column.name, column.kind, texts))
    return RawColumns(X, tuple(kinds))


def _codes(group: StepGroup) -> list[dict[str, int]]:
    """Return the codes of texts for each column of a group; an empty dict for numbers."""
    return [{text: code for code, text in enumerate(texts, 1)} for texts in group_texts(group)]


def _unknown_texts(known: Sequence[str]) -> list[str]:
    """Return unknown texts: texts similar to known ones, and texts that need escapes."""
    found = ["unknown", '"', "\\", "\\n", "ä", "two\nlines"]
    for text in known[:8]:
        found += [f"{text}x", text[:-1], text.swapcase(), f"{text}\n", f" {text}"]
    return [text for text in dict.fromkeys(found) if text and text not in known and not text.endswith("\0")]
