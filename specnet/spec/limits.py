"""How large a network may be that a spec asks for. The plan is measured before anything is allocated."""

from dataclasses import dataclass

VECTORS = 5
"""Arrays of the parameters' length that training holds: themselves, the gradient, the best so far, two of adam's."""


@dataclass(frozen=True)
class Limits:
    """What a spec may ask for. Pass larger ones to `parse_spec` for a spec that you trust.

    Attributes
    ----------
    layers : int
        Layers, blocks unrolled.
    parameters : int
        Numbers that are learned.
    memory : int
        Bytes that training takes, by an estimate: the parameters, and two numbers for each value of a batch.
    """

    layers: int = 1_000
    parameters: int = 100_000_000
    memory: int = 8 * 2**30


def training_bytes(values: int, parameters: int, rows: int, dtype: str) -> int:
    """Return about how many bytes it takes to train with that many rows in a batch, and values in a row."""
    return (VECTORS * parameters + rows * 2 * values) * (4 if dtype == "float32" else 8)


def raising(limit: str, needed: int | str = "N") -> str:
    """Return the hint of an error about a limit: how it is raised to what is needed."""
    return f"raise it with --limit {limit}={needed}, or in Python with limits=Limits({limit}={needed})"
