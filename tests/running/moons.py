"""A small run, over at once, and what happens to it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import specnet
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


class Warned(Observer):
    """Collects the codes of what is suspicious in rows."""

    def __init__(self) -> None:
        self.codes: list[str] = []

    def warned(self, diagnostics: Sequence[Any]) -> None:
        self.codes += [each.code for each in diagnostics]


class Watching(Observer):
    """Sees each epoch, which only the process that trains can show."""

    def trained(self, epoch: int, snapshot: Any) -> None:
        pass


def interrupt(spec: Any, out: Path, epoch: int, member: int = 0, **options: Any) -> None:
    """Run a spec into a folder until Ctrl-C comes in an epoch."""
    with pytest.raises(KeyboardInterrupt):
        specnet.run(spec, out, observer=Interrupting(epoch, member), **{"report": False, **options})


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
