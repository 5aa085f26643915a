"""Which activation the units of a layer pass through: its own, or that of a layer that follows."""

from __future__ import annotations

from collections.abc import Sequence

from specnet.parts.activations import Activation
from specnet.spec.resolving.graph import Node


def activation_after(nodes: Sequence[Node], number: int) -> tuple[Node, Activation | None]:
    """Return the layer whose activation the units of a layer pass through, and that activation.

    Others that they pass through do nothing but normalize, drop or activate: they have one input and no size.
    """
    place = number
    while True:
        _, activation = nodes[place].layer.split_activation()
        if activation is not None and not activation.is_identity:
            return nodes[place], activation
        readers = [later for later, node in enumerate(nodes) if place in node.inputs]
        if len(readers) != 1 or nodes[readers[0]].layer.size_field is not None or len(nodes[readers[0]].inputs) > 1:
            return nodes[number], None
        (place,) = readers
