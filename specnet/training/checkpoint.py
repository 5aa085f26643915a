"""The whole state of a training run after an epoch, as bytes of a safetensors file and back."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.errors import FileError
from specnet.tensor_file import decode, encode, read_header

Array = NDArray[Any]

HISTORY = "history"
FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """Where a run stands.

    Attributes
    ----------
    tensors : mapping of str to array
        Parameters, the optimizer's and the layers' states, averages, and the best weights so far.
    facts : mapping
        Numbers: epochs and steps made, what early stopping and the schedule remember.
    history : list of dict
        The records so far.
    run : str
        What the run is about: a hash of its resolved spec and its data.
    """

    tensors: Mapping[str, Array]
    facts: Mapping[str, Any]
    history: list[dict[str, Any]]
    run: str

    def to_bytes(self) -> bytes:
        """Return the checkpoint as a file's content."""
        history = np.frombuffer(json.dumps(self.history).encode(), np.uint8)
        metadata = json.dumps({"checkpoint": FORMAT, "run": self.run, "facts": dict(self.facts)})
        tensors = {name: array for name, array in self.tensors.items() if array.size}
        return encode({**tensors, HISTORY: history}, metadata)

    @classmethod
    def from_bytes(cls, content: bytes) -> Checkpoint:
        """Return the checkpoint that a file holds.

        Raises
        ------
        FileError
            If it is damaged, or something else.
        """
        stream = io.BytesIO(content)
        header = read_header(stream, len(content))
        tensors = decode(header, stream.read())
        try:
            data = json.loads(header.metadata)
            if data["checkpoint"] != FORMAT:
                raise FileError(f"this checkpoint is of format {data['checkpoint']}, and {FORMAT} is read")
            history = json.loads(tensors.pop(HISTORY).tobytes())
            return cls(tensors, data["facts"], history, data["run"])
        except (KeyError, TypeError, ValueError) as error:
            raise FileError("this is no checkpoint of a run") from error

    def restore(self, tensors: Mapping[str, Array]) -> None:
        """Copy the saved numbers into arrays of the same names and shapes.

        Raises
        ------
        FileError
            If the checkpoint has other ones.
        """
        for name, array in tensors.items():
            if not array.size:
                continue
            saved = self.tensors.get(name)
            if saved is None or saved.shape != array.shape or saved.dtype != array.dtype:
                raise FileError(f'the checkpoint has no "{name}" of shape {array.shape}')
            array[...] = saved


CheckpointWriter = Callable[[Checkpoint], None]
