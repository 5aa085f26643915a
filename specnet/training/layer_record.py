"""The record of a run: looks at its layers, and its parameters at a few moments.

A look is plain data, a line of ``layers.jsonl``::

    {"epoch": 0, "layers": [{"layer": "layers.0", "weight": 0.7, "gradient": null, "step": null, "dead": 0.2, …}, …]}

``weight`` and ``gradient`` are root mean squares over the weights of a layer, ``step`` is the root mean square of a
step over that of the weights before it; ``dead``, ``saturated`` and, at the last look, ``parallel`` are fractions of
units. Each is null where it is not a finite number or does not apply; `LayerRecorder` says when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from specnet.errors import FileError
from specnet.files.plain_data import LARGEST_COUNT
from specnet.parts.arrays import Array

Look = dict[str, Any]
Snapshots = dict[int, dict[str, Array]]
"""Parameters and layer states by name, by the number of finished epochs."""


@dataclass(frozen=True)
class TrainingRecord:
    """What was recorded of a run so far.

    Attributes
    ----------
    looks : list of dict
        In the order of the epochs.
    snapshots : dict
    """

    looks: list[Look] = field(default_factory=list)
    snapshots: Snapshots = field(default_factory=dict)

    def tensors(self) -> dict[str, Array]:
        """Return the arrays of the snapshots by their names in files: the epoch, a slash, and the name."""
        return {
            f"{epoch}/{name}": array
            for epoch, arrays in self.snapshots.items()
            for name, array in arrays.items()
            if array.size
        }


def snapshots_of(tensors: Mapping[str, Array]) -> Snapshots:
    """Return the snapshots in the tensors of a file, in the order of the epochs.

    Raises
    ------
    FileError
        If a name does not begin with an epoch.
    """
    found: Snapshots = {}
    for key, array in tensors.items():
        epoch, slash, name = key.partition("/")
        if not (slash and name and epoch.isascii() and epoch.isdecimal() and int(epoch) <= LARGEST_COUNT):
            raise FileError(f"the snapshots are damaged: {key[:60]!r} does not begin with an epoch")
        found.setdefault(int(epoch), {})[name] = array
    return dict(sorted(found.items()))
