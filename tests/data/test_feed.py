"""A feed: which rows each batch has, how they come into a program's inputs, and what they weigh."""

from collections.abc import Callable

import numpy as np
import pytest

from specnet.data.feed import BLOCK_ROWS, BLOCKS_AT_ONCE, Feed

ROWS = 10


def sources(weighted: bool = True) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    arrays = {"x": rng.normal(size=(ROWS, 3)), "target": np.arange(ROWS), "weight": rng.uniform(1, 2, ROWS)}
    return arrays if weighted else {name: arrays[name] for name in ("x", "target")}


def feed_of(size: int, *, weighted: bool = True, generator: Callable[[int], np.random.Generator] | None = None) -> Feed:
    weight = "weight" if weighted else None
    return Feed(sources(weighted), size, inverse_weight="inverse", weight=weight, generator=generator)


def inputs_of(size: int) -> dict[str, np.ndarray]:
    shapes = {"x": (3, size), "target": (1, size), "weight": (1, size), "inverse": ()}
    return {name: np.zeros(shape, np.intp if name == "target" else np.float64) for name, shape in shapes.items()}


@pytest.mark.parametrize(("size", "count"), [(1, 10), (3, 4), (5, 2), (10, 1)])
def test_batches_are_all_rows_in_their_order(size: int, count: int):
    feed = feed_of(size)
    batches = list(feed.batches(7))
    assert (len(batches), feed.batches_per_epoch, feed.rows) == (count, count, ROWS)
    np.testing.assert_array_equal(np.concatenate(batches), np.arange(ROWS))


def test_an_epochs_order_is_its_generators_and_can_be_gone_on_with():
    feed = feed_of(3, generator=np.random.default_rng)
    for epoch in (0, 4):
        whole = list(feed.batches(epoch))
        np.testing.assert_array_equal(np.concatenate(whole), np.random.default_rng(epoch).permutation(ROWS))
        for batch, expected in zip(feed.batches(epoch, 2), whole[2:], strict=True):
            np.testing.assert_array_equal(batch, expected)


@pytest.mark.parametrize("size", [1000, BLOCK_ROWS, 200_000])
def test_blocks_are_shuffled_and_some_of_them_at_a_time_their_rows(size: int):
    """Of 70 blocks and two rows more."""
    together, rows = BLOCKS_AT_ONCE * BLOCK_ROWS, 70 * BLOCK_ROWS + 2
    feed = Feed(
        {"x": np.zeros((rows, 1))}, size, inverse_weight="inverse", generator=np.random.default_rng, in_blocks=True
    )
    orders = []
    for epoch in (4, 7):  # whose short block is not among the first
        batches = list(feed.batches(epoch))
        assert {len(batch) for batch in batches[:-1]} == {size}
        assert len(batches) == feed.batches_per_epoch
        order = np.concatenate(batches)
        np.testing.assert_array_equal(np.sort(order), np.arange(rows))
        # The last block has two rows only, so that from there on it is not known where the next ones begin.
        known = np.argmax(order // BLOCK_ROWS == 70) // together * together
        assert all(
            len(np.unique(blocks)) == BLOCKS_AT_ONCE for blocks in order[:known].reshape(-1, together) // BLOCK_ROWS
        )
        for batch, expected in zip(feed.batches(epoch, 1), batches[1:], strict=True):
            np.testing.assert_array_equal(batch, expected)
        orders.append(order)
    assert (orders[0] != orders[1]).any()


@pytest.mark.parametrize("weighted", [False, True])
def test_a_batch_is_brought_into_the_inputs(weighted: bool):
    feed, inputs, arrays = feed_of(4, weighted=weighted), inputs_of(4), sources()
    bound = feed.bound_to(inputs, 4)
    for batch in (np.array([3, 1, 4, 9]), np.array([0, 0, 2, 5])):
        expected = arrays["weight"][batch].sum() if weighted else 4.0
        assert bound.fill(batch) == pytest.approx(expected, rel=1e-15)
        np.testing.assert_array_equal(inputs["x"], arrays["x"][batch].T)
        np.testing.assert_array_equal(inputs["target"], arrays["target"][batch][None])
        np.testing.assert_allclose(inputs["inverse"], 1 / expected, rtol=1e-15)


def test_a_full_batch_is_brought_once():
    feed, inputs, arrays = feed_of(ROWS), inputs_of(ROWS), sources()
    bound = feed.bound_to(inputs, ROWS)
    np.testing.assert_array_equal(inputs["x"], arrays["x"].T)
    inputs["x"][...] = 7
    assert bound.fill(np.arange(ROWS)) == pytest.approx(arrays["weight"].sum(), rel=1e-15)
    assert (inputs["x"] == 7).all()


def test_weights_add_up_in_double_precision():
    weights = np.full(100_000, 0.1, np.float32)
    feed = Feed({"weight": weights}, 50_000, inverse_weight="inverse", weight="weight")
    bound = feed.bound_to({"weight": np.zeros((1, 50_000), np.float32), "inverse": np.zeros(())}, 50_000)
    assert bound.fill(np.arange(50_000)) == weights[:50_000].astype(np.float64).sum()


def test_a_batch_without_weight_leaves_the_last_divisor():
    arrays = sources() | {"weight": np.r_[np.zeros(5), np.full(5, 2.0)]}
    feed, inputs = Feed(arrays, 2, inverse_weight="inverse", weight="weight"), inputs_of(2)
    bound = feed.bound_to(inputs, 2)
    assert bound.fill(np.array([8, 9])) == 4.0
    assert bound.fill(np.array([0, 1])) == 0.0
    assert inputs["inverse"] == 0.25
