"""Rules that span several keys, found on the document itself, beside what each key may hold."""

from collections.abc import Iterator, Mapping

from specnet.errors import Diagnostic
from specnet.spec.reading.document import Document

FORMS = ("layer_sizes", "hidden_layer_sizes", "layers")
OF_STACKS = ("activations", "weight_initializer", "bias_initializer")
"""Keys that only go with the two forms of a stack."""


def broken_rules(document: Document) -> Iterator[Diagnostic]:
    """Yield the mistakes in how keys go together."""
    network = document.data.get("network")
    if not isinstance(network, Mapping):
        return
    forms = [key for key in FORMS if key in network]
    if not forms:
        hint = "set layer_sizes = [2, 5, 1], hidden_layer_sizes = [64] or [[network.layers]]"
        yield document.diagnostic("network-form", "the network has no layers", ("network",), hint=hint)
    for key in forms[1:]:
        first = document.diagnostic("note", f'"{forms[0]}" is set here', ("network", forms[0]), at_key=True)
        message = f'"{key}" cannot be combined with "{forms[0]}"'
        yield document.diagnostic("network-form", message, ("network", key), at_key=True, notes=[first])
    if forms == ["layers"]:
        for key in OF_STACKS:
            if key in network:
                message = f'"{key}" is only supported with layer_sizes and hidden_layer_sizes'
                hint = f'set "{key.removesuffix("s")}" in each layer'
                yield document.diagnostic("misplaced-key", message, ("network", key), at_key=True, hint=hint)
