"""Batches of training rows, and their transfer into the inputs of a bound program."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain, count

import numpy as np

from specnet.parts.arrays import Array

Call = Callable[[], object]

BLOCK_ROWS, BLOCKS_AT_ONCE = 4096, 32


class Feed:
    """Training rows in batches.

    Parameters
    ----------
    sources : mapping of str to (rows,) or (rows, features)
        C-contiguous arrays by the names of the program inputs that their rows fill, with the dtypes of these inputs.
    batch_size : int
        Rows per batch; the last batch of an epoch may have fewer.
    inverse_weight : str
        Name of the program input for 1 over the sum of the weights in a batch; weights default to 1.
    weight : str, optional
        Name of the source with the weights of the rows.
    generator : callable, optional
        Function that returns the random generator for the rows of an epoch; default: no shuffling.
    in_blocks : bool
        Shuffle blocks of `BLOCK_ROWS` rows, and then the rows of `BLOCKS_AT_ONCE` blocks together, so that rows in a
        file are read from few positions at a time.
    """

    def __init__(
        self,
        sources: Mapping[str, Array],
        batch_size: int,
        *,
        inverse_weight: str,
        weight: str | None = None,
        generator: Callable[[int], np.random.Generator] | None = None,
        in_blocks: bool = False,
    ) -> None:
        self.sources, self.inverse_weight, self.weight = sources, inverse_weight, weight
        self._generator, self._in_blocks = generator, in_blocks
        self.rows = len(next(iter(sources.values())))
        self.size = batch_size
        self._lengths = np.minimum(batch_size, np.arange(self.rows, 0, -batch_size))

    @property
    def batches_per_epoch(self) -> int:
        """The number of batches per epoch."""
        return len(self._lengths)

    def batches(self, epoch: int, first: int = 0) -> Iterator[Array]:
        """Yield the row indices of each batch of an epoch, starting at batch `first`; both count from 0."""
        order = self.order(epoch, first)
        for rows in self.lengths(first, self.batches_per_epoch - first).tolist():
            yield order.ahead(rows)
            order.advance(rows)

    def order(self, epoch: int, first: int = 0) -> Order:
        """Return the endless sequence of row indices that starts at batch `first` of an epoch; both count from 0."""
        order = Order(chain.from_iterable(map(self._epoch, count(epoch))))
        order.advance(min(first * self.size, self.rows))
        return order

    def lengths(self, first: int, batches: int) -> Array:
        """Return the number of rows of each batch, (batches,), starting at batch `first` counted over all epochs."""
        return self._lengths.take(np.arange(first, first + batches), mode="wrap")

    def row_count(self, first: int, batches: int) -> int:
        """Return the total number of rows of several batches, starting at batch `first` counted over all epochs."""
        return self._rows_before(first + batches) - self._rows_before(first)

    def _rows_before(self, batch: int) -> int:
        epochs, batch = divmod(batch, self.batches_per_epoch)
        return epochs * self.rows + batch * self.size

    def bound_to(self, inputs: Mapping[str, Array], size: int) -> BoundFeed:
        """Return a feed that fills the inputs of a program, (features, size), with batches of `size` rows."""
        return BoundFeed(self, inputs, size)

    def _epoch(self, epoch: int) -> Iterable[Array]:
        """Return the row indices of an epoch in one or several arrays."""
        if self._generator is None:
            return [np.arange(self.rows)]
        generator = self._generator(epoch)
        return self._blocks(generator) if self._in_blocks else [generator.permutation(self.rows)]

    def _blocks(self, generator: np.random.Generator) -> Iterator[Array]:
        """Yield the shuffled row indices of `BLOCKS_AT_ONCE` blocks at a time."""
        order = generator.permutation(-(-self.rows // BLOCK_ROWS)) * BLOCK_ROWS
        for start in range(0, len(order), BLOCKS_AT_ONCE):
            some = (order[start : start + BLOCKS_AT_ONCE, np.newaxis] + np.arange(BLOCK_ROWS)).reshape(-1)
            yield generator.permutation(some[some < self.rows])


class Order:
    """An endless sequence of row indices in the order of training; its parts are drawn when needed."""

    def __init__(self, parts: Iterator[Array]) -> None:
        self._parts, self._drawn = parts, np.empty(0, np.intp)

    def ahead(self, rows: int) -> Array:
        """Return the next `rows` indices without advancing."""
        if len(self._drawn) < rows:
            drawn, missing = [self._drawn], rows - len(self._drawn)
            while missing > 0:
                drawn.append(next(self._parts))
                missing -= len(drawn[-1])
            self._drawn = np.concatenate(drawn)
        return self._drawn[:rows]

    def advance(self, rows: int) -> None:
        """Skip the next `rows` indices."""
        self.ahead(rows)
        self._drawn = self._drawn[rows:]


class BoundFeed:
    """A feed bound to the inputs of one program, for batches of one size."""

    def __init__(self, feed: Feed, inputs: Mapping[str, Array], size: int) -> None:
        self._indices, self._sum = np.arange(size, dtype=np.intp), float(size)
        self._weights = None if feed.weight is None else inputs[feed.weight]
        self._inverse = inputs[feed.inverse_weight]
        self._inverse[...] = 1 / size
        self._calls = [call for name, source in feed.sources.items() for call in self._gather(source, inputs[name])]
        if size == feed.rows:  # all rows are in each batch: their order does not matter
            self.fill(self._indices)
            self._calls = []

    def fill(self, batch: Array) -> float:
        """Copy the rows with the given indices into the inputs, and return the sum of their weights."""
        if self._calls:
            self._indices[:] = batch
            for call in self._calls:
                call()
            if self._weights is not None:
                self._sum = float(self._weights.sum(dtype=np.float64))
                if self._sum:
                    self._inverse[...] = 1 / self._sum
        return self._sum

    def _gather(self, source: Array, target: Array) -> list[Call]:
        if source.ndim == 1:
            return [partial(source.take, self._indices, 0, target[0], "clip")]
        taken = np.empty((len(self._indices), source.shape[1]), source.dtype)
        # Gathering whole rows and transposing a copy is an order of magnitude faster than gathering columns.
        return [partial(source.take, self._indices, 0, taken, "clip"), partial(np.copyto, target, taken.T)]
