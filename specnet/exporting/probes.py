"""The rows that an export is compared with its model on."""

from __future__ import annotations

import numpy as np

from specnet.data import RawColumns
from specnet.exporting.export_columns import with_texts
from specnet.exporting.model_program import Program
from specnet.model import Model
from specnet.parts.arrays import Array

ROWS = 256

_FAR, _TINY = 4.0, 1e-6
"""Of edge rows, in standard deviations of the training rows where the model knows them."""
_NEAR = 1e-6
"""How far away neighbours of rows are, as a share of their numbers."""
_MISSING = 0.1
"""The share of missing cells where a model answers without them."""


def probe_rows(program: Program, neighbour: int = 0) -> tuple[RawColumns, int]:
    """Return 256 raw rows whose numbers the export's precision holds exactly, and where the edge rows begin.

    Most are as training rows of a standard normal distribution would be; the others are zeros, tiny, far from all
    training rows in all columns and in single ones. Texts are those that have codes, and others; cells are missing
    where the model takes that. From 1 on `neighbour` gives rows that are hardly others.
    """
    inputs = program.model.network.inputs
    signs = np.where(np.arange(inputs) % 2, -1.0, 1.0)
    edges = [np.zeros(inputs), np.full(inputs, _TINY), np.full(inputs, -_TINY)]
    edges += [_FAR * np.ones(inputs), -_FAR * np.ones(inputs), _FAR * signs, -_FAR * signs]
    edges += list(2 * _FAR * np.eye(min(inputs, 8), inputs))
    count = ROWS - len(edges) - 1
    prepared = np.concatenate([np.random.default_rng(0).standard_normal((count, inputs)), edges])
    if neighbour:
        prepared *= 1 + _NEAR * np.random.default_rng(neighbour).standard_normal(prepared.shape)
    put_categories(prepared, program.model, np.random.default_rng(0))
    with np.errstate(all="ignore"):
        raw = np.concatenate([program.model.preprocessing.invert(prepared), np.zeros((1, program.inputs))])
    raw = raw.astype(program.dtype).astype(np.float64)
    generator = np.random.default_rng(1)
    missing = generator.random((count, len(program.gaps))) < _MISSING
    missing[0] = True
    raw[:count, program.gaps] = np.where(missing, np.nan, raw[:count, program.gaps])
    return with_texts(program.columns, raw, generator), count


def put_categories(prepared: Array, model: Model, generator: np.random.Generator) -> None:
    """Put categories into those of the prepared columns (rows, inputs) that the network has tables for."""
    for column, categories in model.network.resolved.category_counts.items():
        prepared[:, column] = generator.integers(0, categories, len(prepared))
