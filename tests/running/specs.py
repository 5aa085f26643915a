"""Specs of small networks, over at once, as documents; and tables in files."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np


def spec_on(data: Any = None, units: Any = 2, network: Any = (), **training: Any) -> dict[str, Any]:
    """Return a spec with a hidden layer of so many units, for two classes unless a loss is given, of one epoch."""
    document = {
        "network": {"hidden_layer_sizes": [units], **dict(network)},
        "training": {"loss": "binary_crossentropy", "epochs": 1, **training},
    }
    return document if data is None else {"data": data, **document}


def csv_file(path: Path, header: str, rows: Iterable[Any], target: str = "y", **data: Any) -> dict[str, Any]:
    """Write a table, and return the data of a spec on it; each row is a text, or its cells."""
    lines = (row if isinstance(row, str) else ",".join(map(str, row)) for row in rows)
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return {"type": "csv", "path": str(path), "target": target, **data}


def cells(table: np.ndarray) -> list[list[str]]:
    """Return the cells of a table, which are read as they are."""
    return [[f"{cell:.17g}" for cell in row] for row in table]
