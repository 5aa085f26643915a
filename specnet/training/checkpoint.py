"""The whole state of a training run after an epoch, as bytes of a safetensors file and back."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from specnet.arrays import Array
from specnet.errors import FileError
from specnet.parts.schedules import PlateauMemory
from specnet.tensor_file import decode, encode, parse_object, read_header, shown

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
            data = parse_object(header.metadata.encode(), "the metadata")
            history = json.loads(tensors.pop(HISTORY).tobytes())
        except (KeyError, ValueError, RecursionError) as error:
            raise FileError("this is no checkpoint of a run") from error
        if data.get("checkpoint") != FORMAT:
            raise FileError(f"this checkpoint is of format {shown(str(data.get('checkpoint')))}, and {FORMAT} is read")
        facts, records = _checked_facts(data.get("facts")), checked_history(history)
        if records and records[-1]["epoch"] > facts["epochs"]:
            raise FileError("this checkpoint is damaged: its history goes on after its last epoch")
        return cls(tensors, facts, records, str(data.get("run")))

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


def is_number(value: Any) -> bool:
    """Return whether what a file holds is a finite number; a boolean is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def checked_history(records: Any) -> list[dict[str, Any]]:
    """Return the records of a run, one for each logged epoch.

    Raises
    ------
    FileError
        If they are something else.
    """
    if not isinstance(records, list):
        raise FileError("the history is no list of records")
    epoch = 0
    for record in records:
        if not isinstance(record, dict) or not all(map(is_number, record.values())):
            raise FileError(f"the history is damaged after epoch {epoch}: its next record is none of numbers")
        if not _is_count(record.get("epoch"), epoch + 1):
            raise FileError(f"the history is damaged after epoch {epoch}: its next record is of no later epoch")
        epoch = record["epoch"]
    return records


_LARGEST_COUNT = 2**53
_PLATEAU = {field.name for field in fields(PlateauMemory)}


def _is_count(value: Any, at_least: int = 0) -> bool:
    return type(value) is int and at_least <= value <= _LARGEST_COUNT


def _is_best(value: Any) -> bool:
    return value is None or is_number(value)


def _checked_facts(facts: Any) -> dict[str, Any]:
    """Return the numbers of a checkpoint, if they are those that `Checkpoint.facts` has."""
    if not isinstance(facts, dict) or facts.keys() != {"epochs", "steps", "best", "waited", "plateau"}:
        raise FileError("this checkpoint is damaged: it does not say where its run stands")
    plateau = facts["plateau"]
    right = {
        "epochs": _is_count(facts["epochs"], 1),
        "steps": _is_count(facts["steps"]),
        "best": _is_best(facts["best"]),
        "waited": _is_count(facts["waited"]),
        "plateau": plateau is None
        or (
            isinstance(plateau, dict)
            and plateau.keys() == _PLATEAU
            and is_number(plateau["factor"])
            and plateau["factor"] >= 0
            and _is_best(plateau["best"])
            and _is_count(plateau["waited"])
        ),
    }
    for name, fits in right.items():
        if not fits:
            raise FileError(f'this checkpoint is damaged: its "{name}" cannot be {shown(str(facts[name]))}')
    return facts
