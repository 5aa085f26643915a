"""A spec of which everything is known."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from numpy.typing import NDArray

from specnet.spec.document import Spec
from specnet.spec.resolving.graph import INPUT_INDEX, Node


@dataclass(frozen=True, slots=True)
class Resolved:
    """What `resolve` makes of a spec, once, for all that comes after it.

    Attributes
    ----------
    spec : Spec
        The spec in its long form, with every default and size filled in: what is saved and shown.
    nodes : tuple of Node
        The layers in the order in which they are computed, blocks unrolled; the last is the output.
    columns : int
        Raw columns, before preprocessing.
    """

    spec: Spec
    nodes: tuple[Node, ...]
    columns: int

    @property
    def inputs(self) -> int:
        """Number of inputs of the network, after preprocessing."""
        return self.spec.network.input_size or 0

    @property
    def category_counts(self) -> dict[int, int]:
        """The number of categories of each input that holds codes of categories, by its place."""
        return {place: count for node in self.nodes for place, count in node.layer.category_counts(self.inputs).items()}

    def columns_read(self, node: Node, X: NDArray[Any]) -> NDArray[Any]:
        """Return what the layer of a node reads of rows X (rows, inputs), whatever layers pass columns on to it.

        Columns that are no data's are other ones, which the layer leaves alone.
        """
        (source,) = node.inputs
        return X if source == INPUT_INDEX else X[:, [place or 0 for place in self.nodes[source].columns]]

    @property
    def outputs(self) -> int:
        """Number of outputs of the network."""
        return self.spec.network.output_size or 0

    @property
    def batch_size(self) -> int | Literal["full"]:
        """Number of rows per step."""
        size = self.spec.training.batch_size
        assert size is not None, "the long form has every default"
        return size

    @property
    def log_every(self) -> int:
        """Number of epochs from one record of the history to the next."""
        epochs = self.spec.training.log_every
        assert epochs is not None, "the long form has every default"
        return epochs

    def with_dtype(self, dtype: str) -> "Resolved":
        """Return the same of a network that computes in another dtype."""
        return replace(self, spec=self.spec.with_dtype(dtype))

    def with_members(self, count: int) -> "Resolved":
        """Return the same of an ensemble with another count of members."""
        ensemble = self.spec.training.ensemble
        return replace(self, spec=self.spec.with_training(ensemble=ensemble and ensemble.with_members(count)))

    def without_early_stopping(self) -> "Resolved":
        """Return the same of a training that only ends after its last epoch."""
        return replace(self, spec=self.spec.with_training(early_stopping=None))
