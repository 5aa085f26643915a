"""Records of a training: how they are taken, and what their figures have to be."""

from functools import partial
from typing import Any

import numpy as np

from tests.networks import trained

recorded = partial(trained, records=True)


def rms(*arrays: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.concatenate([array.reshape(-1) for array in arrays]) ** 2)))


def in_layer(look: dict[str, Any], layer: str) -> dict[str, Any]:
    (found,) = (each for each in look["layers"] if each["layer"] == layer)
    return found


def shares(raw: np.ndarray, activated: np.ndarray) -> tuple[float, float]:
    """Dead and saturated units, given what their activation reads and returns (rows, units)."""
    span = np.ptp(activated)
    dead = np.array([len(set(unit)) == 1 < len(set(read)) for read, unit in zip(raw.T, activated.T, strict=True)])
    from_ends = np.minimum(activated - activated.min(), activated.max() - activated)
    return float(dead.mean()), float((dead | (np.mean(from_ends < 0.0127 * span, axis=0) > 0.8999)).mean())


def same(one: Any, other: Any) -> None:
    assert one.layer_records == other.layer_records
    np.testing.assert_equal(one.snapshots, other.snapshots)
