"""Files of cases: TOML tables, each a case by its name; and how tables of cases are read."""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import specnet

FOLDER = Path(__file__).parent
Pieces = str | list[str | list[Any]]
"""A text, or parts of one; a part ``[text, n]`` stands n times."""


@cache
def cases(folder: str) -> dict[str, dict[str, Any]]:
    """Return all cases of a folder, or of one file of it, by name."""
    found: dict[str, dict[str, Any]] = {}
    path = FOLDER / folder
    for file in sorted(path.glob("*.toml")) if path.is_dir() else [path.with_suffix(".toml")]:
        read = tomllib.loads(file.read_text(encoding="utf-8"))
        assert not found.keys() & read.keys(), "each case has a name of its own"
        found |= read
    return found


def listed(pieces: Pieces) -> list[str]:
    """Return the parts of a text, each as often as it stands there."""
    found = []
    for piece in [pieces] if isinstance(pieces, str) else pieces:
        found += [piece] if isinstance(piece, str) else [piece[0]] * piece[1]
    return found


def joined(pieces: Pieces) -> str:
    """Return a text of parts."""
    return "".join(listed(pieces))


def source(*, kind: str = "classes", **data: Any) -> Any:
    """Return the source of rows of a spec with such [data], whose target is "y" unless another is given."""
    loss = {"classes": "binary_crossentropy", "values": "mean_squared_error"}[kind]
    spec = {"data": data, "network": {"hidden_layer_sizes": [2]}, "training": {"loss": loss}}
    return specnet.parse_spec(spec).data


@contextmanager
def by_duckdb() -> Iterator[None]:
    """Let DuckDB read all tables, small ones too, and count their texts."""
    tables = "specnet.parts.data.tables"
    with patch(f"{tables}.sources.SMALL_BYTES", -1), patch(f"{tables}.columns.FEW_ROWS", 10):
        yield


def load(file: Path, /, kind: str = "classes", **data: Any) -> Any:
    """Return the table in a file, whose type is that of its name unless another is given."""
    suffix = file.name.removesuffix(".gz").rpartition(".")[2]
    given = {"type": suffix if suffix in ("npz", "jsonl", "parquet") else "csv", "path": file.name, **data}
    if given["type"] != "npz":
        given.setdefault("target", "y")
    return source(kind=kind, **given).load(file.parent, kind)
