"""Rules that span several keys, found on the document itself, beside what each key may hold."""

from collections.abc import Iterator, Mapping

from specnet.errors import Diagnostic
from specnet.spec.reading.source_document import Document
from specnet.spec.sweep_section import is_unquoted, may_be_searched

FORMS = ("layer_sizes", "hidden_layer_sizes", "layers")
OF_STACKS = ("activations", "weight_initializer", "bias_initializer")
"""Keys that only go with the two forms of a stack."""


def broken_rules(document: Document) -> Iterator[Diagnostic]:
    """Yield the mistakes in how keys go together."""
    yield from _network_rules(document)
    yield from _sweep_rules(document)


def _sweep_rules(document: Document) -> Iterator[Diagnostic]:
    sweep = document.data.get("sweep")
    space = sweep.get("space") if isinstance(sweep, Mapping) else None
    if not isinstance(space, Mapping):
        return
    for key in space:
        steps = key.split(".")
        around = (".".join(steps[:depth]) for depth in range(1, len(steps)))
        outer = next((each for each in around if each in space and not is_unquoted(space[each])), None)
        if outer is not None and may_be_searched(key):
            note = document.diagnostic("note", f'"{outer}" is searched here', ("sweep", "space", outer), at_key=True)
            message = f'"{key}" lies inside "{outer}", which is searched too'
            hint = f'set it in the tables of the list of "{outer}"'
            path = ("sweep", "space", key)
            yield document.diagnostic("space-key", message, path, at_key=True, hint=hint, notes=[note])


def _network_rules(document: Document) -> Iterator[Diagnostic]:
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
