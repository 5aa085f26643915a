"""Lines with fewer points, and names that are moved apart."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from specnet.report.svg.drawings import moved_apart, simplified


@pytest.mark.parametrize("seed", range(5))
def test_a_simplified_line_differs_by_less_than_is_seen(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = np.linspace(0, 300, 400), 50 + np.cumsum(rng.normal(scale=0.3, size=400))
    kept = simplified(x, y)
    assert {0, 399} <= set(kept.tolist())
    assert len(kept) < 400
    assert np.abs(np.interp(x, x[kept], y[kept]) - y).max() < 0.2
    assert simplified(x, 2 * x).tolist() == [0, 399]
    angle = np.linspace(0, 2 * np.pi, 200)
    ring = simplified(9 * np.cos(angle), 9 * np.sin(angle))
    assert len(ring) > 8


def test_moving_apart_moves_as_little_as_possible() -> None:
    assert moved_apart([0, 100], [10, 10]) == [0, 100]
    assert moved_apart([50, 50, 90], [10, 10, 10]) == [45, 55, 90]
    assert moved_apart([], []) == []
    rng = np.random.default_rng(0)
    for _ in range(20):
        starts, lengths = sorted(rng.uniform(0, 60, 6)), rng.uniform(5, 20, 6).tolist()
        moved = moved_apart(starts, lengths)
        assert all(b - a >= length - 1e-9 for (a, b), length in zip(pairwise(moved), lengths, strict=False))
        # A projection onto a convex set: no feasible point is nearer.
        cost = sum((a - b) ** 2 for a, b in zip(moved, starts, strict=True))
        for _ in range(50):
            other = np.array(moved) + rng.normal(scale=2, size=6)
            if all(b - a >= length for (a, b), length in zip(pairwise(other), lengths, strict=False)):
                assert cost <= sum((other - starts) ** 2) + 1e-9
