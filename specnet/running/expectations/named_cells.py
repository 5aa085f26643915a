"""Cells that expectations name: read as `specnet predict` reads them, and compared with those of rows."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.data import RawColumns, read_inputs
from specnet.errors import DataError
from specnet.findings.slices import cell_in_words
from specnet.model import Model
from specnet.parts.data.tables.cells import are_pair
from specnet.parts.preprocessing.categories import MISSING


def names_of(model: Model) -> tuple[str, ...]:
    """Return the names of a model's input columns.

    Raises
    ------
    DataError
        If they have none.
    """
    names = model.feature_names or tuple(model.spec.feature_kinds or ())
    if not names:
        raise DataError("expectations about columns need names of columns", hint="set network.feature_names")
    return names


def column_index(model: Model, name: str) -> int:
    """Return the index of an input column.

    Raises
    ------
    DataError
        If there is no such column.
    """
    names = names_of(model)
    if name not in names:
        raise DataError(f'no input column "{name}"')
    return names.index(name)


def label_index(label: Any, known: Sequence[Any]) -> int | None:
    """Return the index of a label among the known ones, or None.

    Labels are compared as texts. ``true`` and ``false`` also name labels that are words for them, such as Yes and No,
    or 1 and 0.
    """
    texts = [*map(str, known)]
    if isinstance(label, bool):
        words = sorted(texts, key=str.lower)
        if words == ["0", "1"] or are_pair(words):
            return texts.index(words[label])
        return None
    return texts.index(str(label)) if str(label) in texts else None


def rows_of_records(model: Model, records: Sequence[Mapping[str, Any]]) -> RawColumns:
    """Return records as rows, read as `specnet predict` reads a file of JSON lines; columns that lack are missing."""
    names = names_of(model)
    lines = [json.dumps({name: record.get(name) for name in names}, ensure_ascii=False) for record in records]
    with tempfile.TemporaryDirectory(prefix="specnet-") as folder:
        path = Path(folder) / "expected.jsonl"
        path.write_text("\n".join([*lines, ""]), encoding="utf-8")
        return read_inputs(path, model.network.resolved)


def chosen_rows(model: Model, raw: RawColumns, where: Mapping[str, Any] | None) -> NDArray[np.bool_]:
    """Return a mask of the rows that satisfy all conditions, (rows,)."""
    found = np.ones(len(raw), np.bool_)
    for name, condition in (where or {}).items():
        index = column_index(model, name)
        is_range = isinstance(condition, Mapping)
        cells = [*condition.values()] if is_range else [*condition] if isinstance(condition, tuple) else [condition]
        known = rows_of_records(model, [{name: cell} for cell in cells])
        if is_range:
            for end, bound in zip(condition, known.X[:, index].tolist(), strict=True):
                numbers = raw.X[:, index]
                found &= numbers >= bound if end == "low" else numbers <= bound
        else:
            texts = text_cells(raw, index)
            found &= np.isin(texts, text_cells(known, index))
    return found


def text_cells(raw: RawColumns, index: int) -> NDArray[Any]:
    """Return the cells of a column as values that are equal for equal cells of any rows, (rows,); missing ones NaN."""
    texts = raw.kinds[index].texts if raw.kinds else None
    if texts is None:
        return np.asarray(raw.X[:, index], np.float64)
    missing = np.isnan(raw.X[:, index])
    codes = np.where(missing, 0, raw.X[:, index]).astype(np.intp)
    return np.where(missing, MISSING, np.asarray([*texts.tolist(), ""], object)[codes])


def row_in_words(model: Model, raw: RawColumns, row: int) -> dict[str, str]:
    """Return the cells of a row by name."""
    kinds = raw.kinds or (None,) * raw.X.shape[1]
    cells = raw.X[row].tolist()
    return {
        name: cell_in_words(*each) for name, each in zip(names_of(model), zip(kinds, cells, strict=True), strict=True)
    }
