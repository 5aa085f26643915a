"""The arrays of the training set, and the feed that makes batches of them."""

from __future__ import annotations

from dataclasses import dataclass

from specnet.data.feed import Feed
from specnet.network import Network
from specnet.network.programs import INPUTS, INVERSE_WEIGHT, ROW_WEIGHT, TARGET
from specnet.network.random import NumberedStreams, member_keys
from specnet.parts.arrays import Array


@dataclass(frozen=True)
class TrainingRows:
    """Training rows in the form that the network reads.

    Attributes
    ----------
    X : (rows, inputs)
        Preprocessed, C-contiguous, of the run's dtype.
    target : (rows,) or (rows, outputs)
        Class indices (intp), or numbers of the run's dtype. For a loss of classes, numbers of two axes are the
        probability of each class.
    weight : (rows,) or None
        Weights of the rows, of the run's dtype.
    """

    X: Array
    target: Array
    weight: Array | None = None

    def __len__(self) -> int:
        return len(self.X)

    def layer_state(self, network: Network) -> dict[str, Array]:
        """Return initial layer states by name, fitted to these rows."""
        return network.fitted_state(self.X, self.target, self.weight)

    def initial_parameters(self, network: Network, member: int | None = None) -> Array:
        """Return initial parameters (parameter_count,), fitted to these rows if an initializer reads them.

        Rows with a weight of 0 do not count.
        """
        if not network.begins_with_rows:
            return network.initial_parameters(member)
        X = self.X if self.weight is None else self.X[self.weight > 0]
        return network.initial_parameters(member, X, self.layer_state(network))

    def some(self, chosen: Array) -> TrainingRows:
        """Return the rows of a mask or of an array of indices."""
        return TrainingRows(self.X[chosen], self.target[chosen], None if self.weight is None else self.weight[chosen])

    def feed(self, network: Network, member: int | None = None) -> Feed:
        """Return the feed of these rows with the spec's batch size and shuffling, optionally of an ensemble member."""
        batch_size, seed = network.resolved.batch_size, network.spec.seed
        size = len(self) if batch_size == "full" else min(batch_size, len(self))
        sources, shuffle = {INPUTS: self.X, TARGET: self.target}, network.spec.training.shuffle
        shuffled = shuffle and size < len(self)
        if self.weight is not None:
            sources[ROW_WEIGHT] = self.weight
        return Feed(
            sources,
            size,
            inverse_weight=INVERSE_WEIGHT,
            weight=None if self.weight is None else ROW_WEIGHT,
            generator=NumberedStreams(seed, "shuffling", *member_keys(member)) if shuffled else None,
            in_blocks=shuffle == "blocks",
        )
