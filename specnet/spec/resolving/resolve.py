"""From what was written to the long form with every default, and the mistakes that only the whole shows.

`Resolved` is a spec of which everything is known.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from specnet.parts.data import Data
from specnet.spec.document import FORMS, OF_STACKS, Problems, Spec
from specnet.spec.groups import with_ordinals
from specnet.spec.resolving.agreement import (
    check_calibration,
    check_columns,
    check_layer_count,
    check_output,
    check_plan,
    check_rules,
    check_target,
    check_training,
)
from specnet.spec.resolving.graph import INPUT_INDEX, Node, walk
from specnet.spec.resolving.long_form import LongForm
from specnet.spec.resolving.sizes import Given, agreed, column_count, input_claims, last_layer_claim, output_claims


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


DEFAULT_BATCH_SIZE = 32
HISTORY_LINES = 1000
MOST_SHUFFLED = 2**29
"""Bytes of the inputs of all training rows that are shuffled one by one."""


def resolve(
    spec: Spec,
    *,
    inputs: int | None = None,
    outputs: int | None = None,
    data: Data | None = None,
    rows: int | None = None,
) -> Resolved:
    """Return a spec's long form with every default filled in, and its layers; resolving that again changes nothing.

    Parameters
    ----------
    spec : Spec
        As written, or the spec of a `Resolved`.
    inputs, outputs : int, optional
        Numbers of raw columns and of the network's outputs, where they are known from elsewhere than the spec.
    data : Data, optional
        What stands in place of the spec's data: the same part with what was learned by reading it.
    rows : int, optional
        Number of training rows, where the others are those of X and y; errors call them so.

    Raises
    ------
    SpecError
        With every mistake in sizes, names and what goes with what, or if a size is not known.
    """
    if data is not None:
        spec = spec.model_copy(update={"data": data})
    problems = Problems(spec)
    resolved = _resolved(spec, Given(inputs, outputs, rows), problems)
    problems.raise_all()
    for name, size in (("inputs", resolved.columns and resolved.inputs), ("outputs", resolved.outputs)):
        if not size:
            why, hint = "neither the spec nor the data specify it", f"set {name.removesuffix('s')}_size"
            if name == "outputs" or not resolved.columns:  # else they are known, and preprocessing makes others of them
                hint += f", or pass {name} in Python"
            if spec.data is not None:
                why = "it depends on the rows of the data, which are not read here"
                hint += "; `specnet show --resolved` reads them and prints a spec with all sizes"
            problems.report("unknown-size", f"the number of {name} is unknown: {why}", ("network",), hint=hint)
    problems.raise_all()
    return resolved


def check(spec: Spec) -> None:
    """Raise what `resolve` would, as far as it can be told without the sizes that only data know."""
    problems = Problems(spec)
    _resolved(spec, Given(), problems)
    problems.raise_all()


def partly_resolved(spec: Spec, given: Given) -> Resolved:
    """Return what is known of a spec without mistakes before its data are read, with sizes of 0 where they are not."""
    return _resolved(spec, given, Problems(spec))


def known_outputs(spec: Spec) -> int | None:
    """Return the number of outputs, if a spec without mistakes or its data's fields say it."""
    return partly_resolved(spec, Given()).outputs or None


def _resolved(spec: Spec, given: Given, problems: Problems) -> Resolved:
    """Return what is known of a spec, with sizes of 0 where they are not, and report its mistakes."""
    network, training = spec.network, spec.training
    check_target(spec, problems)
    check_columns(spec, problems)
    check_layer_count(spec, problems)
    input_size = agreed([*input_claims(spec, given)], problems)
    claims = [*output_claims(spec, given)]
    output_size = claims[0].size if claims else 0
    preprocessing, embedding = with_ordinals(network.preprocessing or ())
    long = LongForm(spec, output_size, problems, embedding)
    nodes = walk(long.layers, input_size, problems.report)
    layers_say = last_layer_claim(nodes)
    if layers_say is not None and network.hidden_layer_sizes is None:
        claims = [layers_say, *claims]
    output_size = agreed(claims, problems)
    check_output(spec, long.layers, output_size, problems)
    check_training(spec, output_size, problems)
    check_rules(spec, nodes, problems)
    check_calibration(spec, nodes, problems)
    if not problems and input_size and output_size:
        check_plan(spec, nodes, input_size, problems)
    batch_size = training.batch_size or ("full" if training.optimizer.full_batch_only else DEFAULT_BATCH_SIZE)
    shuffle = training.shuffle
    if shuffle is None:
        size = (given.rows or 0) * input_size * np.dtype(network.dtype).itemsize
        shuffle = "blocks" if size > MOST_SHUFFLED else True
    log_every = training.log_every or math.ceil(training.members * training.epochs / HISTORY_LINES)
    long_form = spec.with_network(
        input_size=input_size,
        output_size=output_size,
        preprocessing=tuple(preprocessing),
        **dict.fromkeys((*FORMS, *OF_STACKS)) | {"layers": long.layers},
    ).with_training(batch_size=batch_size, log_every=log_every, shuffle=shuffle)
    data = spec.data and spec.data.with_defaults(spec.seed, spec.target_kind)
    long_form = long_form.model_copy(update={"data": data, "sweep": None}).with_origin(problems.origin())
    return Resolved(long_form, nodes, column_count(spec, input_size, given.inputs))
