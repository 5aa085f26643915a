"""The state of a training run between two steps, written to the bytes of a safetensors file and read from them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import numpy as np

from specnet.errors import FileError
from specnet.files.tensors import decode, encode, parse_object, shown
from specnet.parts.arrays import Array
from specnet.parts.watchers import Memory
from specnet.training.looks.layer_record import Record, checked_looks, snapshots_of
from specnet.training.run_identity import RunIdentity
from specnet.training.steps.step_sizes import StepSize
from specnet.training.steps.trainer import EpochSoFar

HISTORY = "history"
FINISHED = "members"
"""The members of an ensemble that are finished, in facts and names of tensors."""
LOOKS = "looks"
SNAPSHOT = "snapshot/"
"""Before the names of the record's tensors."""
SPEC = "spec"
MEMBER = "member"
"""The number of the member in each record of an ensemble's history, from 0."""
FORMAT = 5


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run.

    Attributes
    ----------
    tensors : mapping of str to array
        Parameters, states of the optimizer and the layers, averages, and the best weights so far.
    facts : mapping
        Numbers of epochs and steps, progress within the epoch, seconds, and memories of the watchers; of an ensemble
        those of the member that is being trained, and ``members``, what is known of those before it.
    history : list of dict
        The records so far, of all members.
    run : RunIdentity or None
        Identity of the run; None if it is not needed.
    record : Record
        What has been recorded, of an ensemble's first member.
    """

    tensors: Mapping[str, Array]
    facts: Mapping[str, Any]
    history: list[dict[str, Any]]
    run: RunIdentity | None = None
    record: Record = field(default_factory=Record)

    @property
    def seconds(self) -> float:
        """Seconds of training so far, of all members of an ensemble."""
        return float(sum((each["seconds"] for each in self.facts.get(FINISHED, [])), self.facts["seconds"]))

    def to_bytes(self) -> bytes:
        """Return the content of the checkpoint's file."""
        assert self.run is not None, "a file says what run it is of"
        metadata = json.dumps({"checkpoint": FORMAT, "data_sha256": self.run.data_sha256, "facts": dict(self.facts)})
        tensors = {name: array for name, array in self.tensors.items() if array.size}
        tensors |= {SNAPSHOT + name: array for name, array in self.record.tensors().items()}
        # As tensors, for there is no cap on their length.
        texts = {HISTORY: json.dumps(self.history), LOOKS: json.dumps(self.record.looks), SPEC: self.run.spec}
        return encode(
            {**tensors, **{name: np.frombuffer(text.encode(), np.uint8) for name, text in texts.items()}}, metadata
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> Checkpoint:
        """Return the checkpoint in the content of a file.

        Raises
        ------
        FileError
            If it is damaged, or not a checkpoint.
        """
        metadata, tensors = decode(content)
        try:
            data = parse_object(metadata.encode(), "the metadata")
            if data.get("checkpoint") not in (None, FORMAT):
                found = shown(str(data["checkpoint"]))
                raise FileError(f"the checkpoint has format {found}; expected {FORMAT}")
            history, looks = (json.loads(tensors.pop(name).tobytes()) for name in (HISTORY, LOOKS))
            spec = tensors.pop(SPEC).tobytes()
            parse_object(spec, "its spec")
            run = RunIdentity(spec.decode(), str(data["data_sha256"]))
        except (KeyError, ValueError, RecursionError) as error:
            raise FileError("not a valid checkpoint") from error
        facts, records = _checked_facts(data.get("facts")), checked_history(history)
        current = history_of(records, len(facts[FINISHED])) if FINISHED in facts else records
        if current and current[-1]["epoch"] > facts["epochs"]:
            raise FileError("the checkpoint is damaged: its history exceeds its last epoch")
        kept = [name for name in tensors if name.startswith(SNAPSHOT)]
        snapshots = snapshots_of({name.removeprefix(SNAPSHOT): tensors.pop(name) for name in kept})
        return cls(tensors, facts, records, run, Record(checked_looks(looks), snapshots))

    def restore(self, tensors: Mapping[str, Array]) -> None:
        """Copy the saved tensors into arrays of the same names and shapes.

        Raises
        ------
        FileError
            If names or shapes differ.
        """
        for name, array in tensors.items():
            if not array.size:
                continue
            saved = self.tensors.get(name)
            if saved is None or saved.shape != array.shape or saved.dtype != array.dtype:
                raise FileError(f'the checkpoint has no "{name}" of shape {array.shape}')
            array[...] = saved


def is_finite(value: Any) -> bool:
    """Return whether a value from a file is a finite number; booleans are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def checked_history(records: Any) -> list[dict[str, Any]]:
    """Return the history of a run after checking it, one record per logged epoch, of each member of an ensemble.

    Raises
    ------
    FileError
        If it is not a history.
    """
    if not isinstance(records, list):
        raise FileError("the history must be a list of records")
    epoch, member = 0, 0
    for record in records:
        if not isinstance(record, dict) or not all(map(is_finite, record.values())):
            raise FileError(f"the history is damaged after epoch {epoch}: the next record must hold numbers")
        if record.get(MEMBER, 0) == member + 1:
            epoch, member = 0, member + 1
        if not _is_count(record.get("epoch"), epoch + 1) or record.get(MEMBER, 0) != member:
            raise FileError(f"the history is damaged after epoch {epoch}: the next record must have a later epoch")
        epoch = record["epoch"]
    return records


_Line = TypeVar("_Line", bound=Mapping[str, Any])


def history_of(records: Iterable[_Line], member: int) -> list[_Line]:
    """Return the records of a member of an ensemble."""
    return [record for record in records if record.get(MEMBER, 0) == member]


_LARGEST_COUNT = 2**53
_FACTS = {"engine", "epochs", "steps", "updates", "so_far", "measured", "seconds", "watchers"}
_FINISHED = {"epochs", "steps", "seconds", "end"}
_MEMORY = {field.name for field in fields(Memory)}


def _is_count(value: Any, at_least: int = 0) -> bool:
    return type(value) is int and at_least <= value <= _LARGEST_COUNT


def _is_memory(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == _MEMORY
        and (value["best"] is None or is_finite(value["best"]))
        and _is_count(value["waited"])
        and is_finite(value["rate_factor"])
        and value["rate_factor"] >= 0
        and isinstance(value["ends"], bool)
    )


def _is_part_of_epoch(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == len(fields(EpochSoFar))
        and _is_count(value[0])
        and all(map(is_finite, value[1:]))
    )


def _is_measured(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"epoch", "sizes"}
        and _is_count(value["epoch"])
        and isinstance(value["sizes"], dict)
        and all(map(_is_step_size, value["sizes"].values()))
    )


def _is_step_size(value: Any) -> bool:
    numbers = isinstance(value, list) and len(value) == len(StepSize._fields)
    return numbers and all(number is None or is_finite(number) for number in value)


def _is_finished(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == _FINISHED
        and _is_count(value["epochs"])
        and _is_count(value["steps"])
        and is_finite(value["seconds"])
        and value["seconds"] >= 0
        and isinstance(value["end"], str)
    )


def _checked_facts(facts: Any) -> dict[str, Any]:
    """Return the facts of a checkpoint after checking them."""
    if not isinstance(facts, dict) or facts.keys() - {FINISHED} != _FACTS:
        raise FileError("the checkpoint is damaged: its progress is missing")
    right = {
        "engine": facts["engine"] in ("numpy", "compiled"),
        "epochs": _is_count(facts["epochs"]),
        "steps": _is_count(facts["steps"]),
        "updates": _is_count(facts["updates"]) and facts["updates"] <= facts["steps"],
        "so_far": _is_part_of_epoch(facts["so_far"]),
        "measured": facts["measured"] is None or _is_measured(facts["measured"]),
        "seconds": is_finite(facts["seconds"]) and facts["seconds"] >= 0,
        "watchers": isinstance(facts["watchers"], dict) and all(map(_is_memory, facts["watchers"].values())),
        FINISHED: isinstance(facts.get(FINISHED, []), list) and all(map(_is_finished, facts.get(FINISHED, []))),
    }
    for name, fits in right.items():
        if not fits:
            raise FileError(f'the checkpoint is damaged: invalid "{name}": {shown(str(facts[name]))}')
    return facts
