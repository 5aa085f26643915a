"""The parts that specnet brings, by kind and name."""

from specnet.parts.registry import built_in_registry

REGISTRY = built_in_registry()
find = REGISTRY.find


def names(kind: str) -> list[str]:
    """Return the names of a kind, in the order of the documentation, without aliases."""
    return [part.part_name() for part in REGISTRY.of_kind(kind)]
