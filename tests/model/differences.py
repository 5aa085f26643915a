"""Derivatives of a model's predictions against central differences of what it predicts."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet import Model
from specnet.checking.derivatives import SHORTER_STEPS, STEP, bound_to, run, switches
from specnet.data import RawColumns
from specnet.model.gradients import NetworkGradient

Numbers = NDArray[np.float64]


class Differences(NamedTuple):
    """What a comparison found: coordinates, those at kinks, and the error as a share of a column's largest entry."""

    compared: int
    left_out: int
    error: float


def numbers_of(model: Model, rows: RawColumns) -> Numbers:
    """Return what a model's derivatives are of, (rows, outputs)."""
    return model.decoder.numbers(model.member_outputs(rows))


def masks_of(model: Model, rows: RawColumns) -> Numbers:
    """Return the branches that all switches of a model take, (switches, rows)."""
    found = []
    for trained in model.networks:
        program = NetworkGradient(trained)
        masks = switches([program.answer])
        for arrays in program.arrays if masks else ():
            bound = bound_to(masks, arrays | program.inputs(trained, rows), len(rows))
            found += [mask.astype(np.float64) for mask in run(bound) if mask.shape[-1:] == (len(rows),)]
    return np.concatenate(found) if found else np.empty((0, len(rows)))


def compare(model: Model, rows: RawColumns) -> Differences:
    """Compare the derivatives of a model in float64 with differences, by columns; kinks are left out, as `check` does.

    A step is too long for a steep function, and too short for one far from 0, so that shorter ones are tried.
    """
    gradient, before = model.gradient(rows), masks_of(model, rows)
    compared = left_out = 0
    worst = 0.0
    for column in np.flatnonzero(np.isfinite(gradient).any(axis=(0, 1))):
        slopes = gradient[:, :, column]
        scale = max(np.nanstd(rows.X[:, column]), 1e-3)
        best = np.full(slopes.shape, np.nan)
        for step in (STEP, *SHORTER_STEPS[:1]):
            moved = [rows.X.copy() for _ in range(2)]
            for X, sign in zip(moved, (1, -1), strict=True):
                X[:, column] += sign * step * scale
            high, low = (replace(rows, X=X) for X in moved)
            smooth = (masks_of(model, high) == before).all(0) & (masks_of(model, low) == before).all(0)
            apart = (moved[0] - moved[1])[:, [column]]
            error = np.abs((numbers_of(model, high) - numbers_of(model, low)) / apart - slopes)
            best = np.fmin(best, np.where(smooth[:, None], error, np.nan))
        found = np.isfinite(best)
        compared += int(found.sum())
        left_out += int((np.isfinite(slopes) & ~found).sum())
        if found.any():
            rounding = 1e-10 * np.abs(numbers_of(model, rows)).max() / scale
            worst = max(worst, best[found].max() / max(np.nanmax(np.abs(slopes)), rounding, 1e-30))
    return Differences(compared, left_out, float(worst))
