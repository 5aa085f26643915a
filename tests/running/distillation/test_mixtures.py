"""Rows between training rows: every cell is that of a row or of one of its nearest neighbours."""

import numpy as np
import pytest

from specnet.running.distillation.mixtures import NEIGHBOURS, mixed_rows


def test_each_cell_is_of_a_row_or_of_one_of_its_nearest_neighbours():
    cells = np.random.default_rng(0).normal(size=(40, 3)) * [1, 100, 0.01]
    cells[5, 1] = np.nan  # a missing cell is passed on as it is
    inputs = np.where(np.isnan(cells), 0.0, cells)
    made, parents = mixed_rows(cells, inputs, (), 400, np.random.default_rng(1))
    assert made.shape == (400, 3)
    points = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest, second = np.argsort(distances, axis=1)[:, :NEIGHBOURS], []
    for row, parent in zip(made, parents, strict=True):
        fits = [
            other
            for other in nearest[parent]
            if all(
                _same(cell, pair) for cell, pair in zip(row, zip(cells[parent], cells[other], strict=True), strict=True)
            )
        ]
        assert fits
        second += fits[:1]
    assert len(set(parents.tolist())) == 40
    from_parent = np.mean(
        [[_same(a, (b,)) for a, b in zip(r, cells[p], strict=True)] for r, p in zip(made, parents, strict=True)]
    )
    assert from_parent == pytest.approx(0.5, abs=0.06)


def test_codes_of_categories_do_not_decide_who_is_near():
    numbers = np.repeat([0.0, 10.0], 10) + np.arange(20) / 100
    inputs = np.stack([numbers, np.tile([0.0, 900.0], 10)], axis=1)
    made, parents = mixed_rows(inputs, inputs, {1}, 200, np.random.default_rng(0))
    assert np.array_equal(made[:, 0] > 5, parents >= 10)


def test_there_is_nothing_between_a_single_row_or_equal_rows():
    one = np.ones((1, 2))
    assert len(mixed_rows(one, one, (), 5, np.random.default_rng(0))[0]) == 0
    made, _ = mixed_rows(np.ones((12, 2)), np.ones((12, 2)), (), 5, np.random.default_rng(0))
    assert np.array_equal(made, np.ones((5, 2)))


def _same(cell: float, others: tuple[float, ...]) -> bool:
    return any(cell == other or (np.isnan(cell) and np.isnan(other)) for other in others)
