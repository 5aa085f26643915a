"""A small run, over at once, and what happens to it."""

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
    """Presses Ctrl-C in an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def logged(self, epoch: int, record: dict[str, Any]) -> None:
        if epoch == self.epoch:
            raise KeyboardInterrupt


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
