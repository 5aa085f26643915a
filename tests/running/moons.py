"""A small run, over at once, and what happens to it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from specnet import Observer

MOONS = """
name = "moons"
[data]
type = "make_moons"
n_samples = 60
[network]
hidden_layer_sizes = [4]
[training]
loss = "binary_crossentropy"
epochs = 12
"""


class Interrupting(Observer):
    """Raises an error in an epoch, of a member of an ensemble: Ctrl-C, unless another one is given."""

    def __init__(self, epoch: int, member: int = 0, error: Any = KeyboardInterrupt) -> None:
        self.epoch, self.member, self.error = epoch, member, error

    def logged(self, epoch: int, record: Mapping[str, Any]) -> None:
        if (record.get("member", 0), epoch) == (self.member, self.epoch):
            raise self.error


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
