"""How many inputs and outputs a network has: whoever says it must say the same."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from specnet.errors import Path
from specnet.number_texts import counted
from specnet.parts.data import DataSizes
from specnet.parts.losses import Loss
from specnet.spec.document import Problems, Spec
from specnet.spec.groups import prepared_columns, raw_columns
from specnet.spec.resolving.graph import INPUT_INDEX, Node


class Claim(NamedTuple):
    """A size that is said somewhere; without a path it was said in Python."""

    size: int
    words: str
    path: Path | None


class Given(NamedTuple):
    """Sizes that are known from elsewhere than the spec.

    Attributes
    ----------
    inputs, outputs : int or None
        Raw columns, and outputs of the network.
    rows : int or None
        Training rows, where the sizes are those of X and y and not arguments.
    """

    inputs: int | None = None
    outputs: int | None = None
    rows: int | None = None


def outputs_for(loss: Loss, sizes: DataSizes) -> int | None:
    """Return how many outputs a loss needs for data of these sizes, None if that cannot be told."""
    if loss.target == "classes":
        return sizes.classes
    if sizes.classes is not None:
        return 1 if sizes.classes == 2 else None
    return None if sizes.outputs is None else sizes.outputs * loss.outputs_per_target


def data_sizes(spec: Spec) -> DataSizes:
    """Return what a spec's data part says of itself."""
    return spec.data.sizes() if spec.data is not None else DataSizes()


def column_count(spec: Spec, inputs: int, argument: int | None) -> int:
    """Return the number of raw columns, 0 if it is not known.

    Where nobody says it, it is that of which preprocessing makes the network's inputs.
    """
    names = spec.network.feature_names
    said = len(names) if names is not None else data_sizes(spec).inputs or argument
    return said or raw_columns(spec.network.preprocessing or (), inputs) or 0


def input_claims(spec: Spec, given: Given) -> Iterator[Claim]:
    """Yield what is said of the number of inputs, the network's own words first."""
    network, sizes = spec.network, data_sizes(spec)
    if network.input_size is not None:
        yield Claim(network.input_size, f"input_size is {network.input_size}", ("network", "input_size"))
    if network.feature_names is not None:
        size = len(network.feature_names)
        yield from _columns_claim(
            spec, size, f"feature_names has {counted(size, 'name')}", ("network", "feature_names")
        )
    if network.layer_sizes is not None:
        size = network.layer_sizes[0]
        yield Claim(size, f"layer_sizes has {counted(size, 'input')}", ("network", "layer_sizes", 0))
    if spec.data is not None and sizes.inputs is not None:
        words = f"{spec.data.part_name()} has {counted(sizes.inputs, 'column')}"
        yield from _columns_claim(spec, sizes.inputs, words, ("data",))
    if given.inputs is not None:
        words = f"the argument inputs is {given.inputs}"
        if given.rows is not None:
            words = f"X has {counted(given.inputs, 'column')}"
        yield from _columns_claim(spec, given.inputs, words, None)


def output_claims(spec: Spec, given: Given) -> Iterator[Claim]:
    """Yield what is said of the number of outputs beside the layers themselves, the network's own words first."""
    network, sizes, loss = spec.network, data_sizes(spec), spec.training.loss
    if network.output_size is not None:
        yield Claim(network.output_size, f"output_size is {network.output_size}", ("network", "output_size"))
    needed = outputs_for(loss, sizes)
    if spec.data is not None and needed is not None:
        if sizes.classes is not None:
            has = f"{sizes.classes} classes ({counted(needed, 'output')} with {loss.part_name()})"
        else:
            has = counted(needed // loss.outputs_per_target, "target column")
            if loss.outputs_per_target > 1:
                has += f" ({counted(needed, 'output')} with {loss.part_name()})"
        yield Claim(needed, f"{spec.data.part_name()} has {has}", ("data",))
    if given.outputs is not None:
        words = f"the argument outputs is {given.outputs}"
        if given.rows is not None:
            words = f"the target needs {counted(given.outputs, 'output')}"
        yield Claim(given.outputs, words, None)


def last_layer_claim(nodes: Sequence[Node]) -> Claim | None:
    """Return what the layers say of the number of outputs, at the layer that decides it; None if they say nothing."""
    if not nodes or nodes[-1].size == 0:
        return None
    node = nodes[-1]
    while node.layer.declared_size() is None and len(node.inputs) == 1 and node.inputs[0] != INPUT_INDEX:
        node = nodes[node.inputs[0]]
    return Claim(nodes[-1].size, f"the network has {counted(nodes[-1].size, 'output')}", node.size_path)


def agreed(claims: Sequence[Claim], problems: Problems) -> int:
    """Return the size that all claims have, 0 if there are none, and report those that differ, as one mistake."""
    clashing = [other for other in claims[1:] if other.size != claims[0].size]
    if clashing:
        first, other = claims[0], clashing[0]
        notes = [problems.note(claim.words, claim.path) for claim in clashing if claim.path]
        assert first.path is not None, "of all claims an argument comes last"
        problems.report("size-clash", f"{first.words}, but {other.words}", first.path, notes=notes)
    return claims[0].size if claims else 0


def _columns_claim(spec: Spec, columns: int, words: str, path: Path | None) -> Iterator[Claim]:
    """Yield the number of inputs that preprocessing makes of so many raw columns, where that is known."""
    size = prepared_columns(spec.network.preprocessing or (), columns)
    if size is not None:
        yield Claim(size, words if size == columns else f"{words}, {counted(size, 'input')} after preprocessing", path)
