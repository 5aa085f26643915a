"""Checkpoints: the state of a training run between two steps and its records, as the bytes of a safetensors file.

A `RunIdentity` shows whether a checkpoint belongs to a run.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import numpy as np

from specnet.errors import FileError, Path
from specnet.files.plain_data import LARGEST_COUNT, leaves
from specnet.files.tensors import decode, encode, parse_object, shown
from specnet.parts.arrays import Array

MAX_SHOWN, MAX_LENGTH = 5, 60
"""Maximum number of differences in a message, and of characters of a value."""
NOT_SET = "not set"
"""The text for a key that one of two specs does not have."""


class SpecDifference(NamedTuple):
    """A key of the resolved spec whose values differ between two runs."""

    key: str
    then: str
    now: str

    def __str__(self) -> str:
        then, now = (text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…" for text in self[1:])
        return f"{self.key} was {then}, now {now}"


class RunIdentity(NamedTuple):
    """The identity of a run: the same spec and the same data give the same run.

    Attributes
    ----------
    spec : str
        The resolved spec, as JSON.
    data_sha256 : str
        Hash of the data.
    teacher_sha256 : str or None
        Hash of the teacher's model file; None without a teacher.
    """

    spec: str
    data_sha256: str
    teacher_sha256: str | None = None

    @property
    def spec_sha256(self) -> str:
        """The SHA-256 of the resolved spec."""
        return hashlib.sha256(self.spec.encode()).hexdigest()

    def differences(self, now: RunIdentity) -> list[SpecDifference]:
        """Return the differences between this run and another one, in the order of the spec, with the data last."""
        mine, theirs = texts_by_key(json.loads(self.spec)), texts_by_key(json.loads(now.spec))
        keys = [key for key in dict.fromkeys([*mine, *theirs]) if mine.get(key) != theirs.get(key)]
        found = [SpecDifference(key, mine.get(key, NOT_SET), theirs.get(key, NOT_SET)) for key in keys]
        if self.data_sha256 != now.data_sha256:
            found.append(SpecDifference("the data", f"{self.data_sha256[:8]}…", f"{now.data_sha256[:8]}… (SHA-256)"))
        if self.teacher_sha256 != now.teacher_sha256 and self.teacher_sha256 and now.teacher_sha256:
            then, now_text = (f"{each:.8}…" for each in (self.teacher_sha256, now.teacher_sha256))
            found.append(SpecDifference("the teacher", then, f"{now_text} (SHA-256)"))
        return found


def in_words(differences: list[SpecDifference]) -> str:
    """Return the first differences as text, with the number of the remaining ones."""
    more = len(differences) - MAX_SHOWN
    return "; ".join([*map(str, differences[:MAX_SHOWN]), *([f"and {more} more"] if more > 0 else [])])


def texts_by_key(value: Any, before: Path = ()) -> dict[str, str]:
    """Return the JSON of every value in a document by its dotted path; `before` is the path of the document itself."""
    return {".".join(map(str, path)): json.dumps(each, ensure_ascii=False) for path, each in leaves(value, before)}


LayerRecord = dict[str, Any]
"""Statistics of the layers after an epoch, made by `LayerRecorder`."""
Snapshots = dict[int, dict[str, Array]]
"""Parameters and layer states by name, by the number of finished epochs."""


@dataclass(frozen=True)
class TrainingRecord:
    """The records of a run in addition to its history.

    Attributes
    ----------
    layer_records : list of dict
        Statistics of the layers, in the order of the epochs.
    snapshots : dict
        Parameters and layer states at a few epochs.
    """

    layer_records: list[LayerRecord] = field(default_factory=list)
    snapshots: Snapshots = field(default_factory=dict)

    def tensors(self) -> dict[str, Array]:
        """Return the arrays of the snapshots by their names in files: the epoch, a slash, and the name."""
        return {
            f"{epoch}/{name}": array
            for epoch, arrays in self.snapshots.items()
            for name, array in arrays.items()
            if array.size
        }


def snapshots_of(tensors: Mapping[str, Array]) -> Snapshots:
    """Return the snapshots in the tensors of a file, in the order of the epochs.

    Raises
    ------
    FileError
        If a name does not begin with an epoch.
    """
    found: Snapshots = {}
    for key, array in tensors.items():
        epoch, slash, name = key.partition("/")
        if not (slash and name and epoch.isascii() and epoch.isdecimal() and int(epoch) <= LARGEST_COUNT):
            raise FileError(f"the snapshots are damaged: {key[:60]!r} does not begin with an epoch")
        found.setdefault(int(epoch), {})[name] = array
    return dict(sorted(found.items()))


HISTORY, LAYER_RECORDS, SPEC = "history", "looks", "spec"
"""Names of the tensors that are texts."""
FINISHED = "members"
"""Key of the finished members of an ensemble in the facts, and first part of the names of their tensors."""
SNAPSHOT = "snapshot/"
"""Prefix of the names of the record's tensors."""
MEMBER = "member"
"""Key of the member's number, from 0, in each record of an ensemble's history."""
FORMAT = 5
"""Version of the file's format; other versions are not read."""


@dataclass(frozen=True)
class Checkpoint:
    """The state from which a run resumes.

    Attributes
    ----------
    tensors : mapping of str to array
        Parameters, states of the optimizer and the layers, averages, and the best weights so far.
    facts : mapping
        Numbers of epochs and steps, progress within the epoch, seconds, and memories of the watchers. In an ensemble
        they are about the current member, and ``members`` lists the facts of the finished ones.
    history : list of dict
        The history so far, of all members.
    run : RunIdentity or None
        Identity of the run; None if it is not needed.
    record : TrainingRecord
        The layer records and snapshots so far; in an ensemble, of its first member.
    """

    tensors: Mapping[str, Array]
    facts: Mapping[str, Any]
    history: list[dict[str, Any]]
    run: RunIdentity | None = None
    record: TrainingRecord = field(default_factory=TrainingRecord)

    @property
    def seconds(self) -> float:
        """Seconds of training so far, of all members of an ensemble."""
        return float(sum((each["seconds"] for each in self.facts.get(FINISHED, [])), self.facts["seconds"]))

    def to_bytes(self) -> bytes:
        """Return the content of a checkpoint file."""
        assert self.run is not None, "a file names its run"
        teacher = {} if self.run.teacher_sha256 is None else {"teacher_sha256": self.run.teacher_sha256}
        record = {"checkpoint": FORMAT, "data_sha256": self.run.data_sha256, **teacher, "facts": dict(self.facts)}
        metadata = json.dumps(record)
        tensors = {name: array for name, array in self.tensors.items() if array.size}
        tensors |= {SNAPSHOT + name: array for name, array in self.record.tensors().items()}
        # Long texts are tensors, because the length of metadata is limited.
        history, layer_records = json.dumps(self.history), json.dumps(self.record.layer_records)
        texts = {HISTORY: history, LAYER_RECORDS: layer_records, SPEC: self.run.spec}
        return encode(
            {**tensors, **{name: np.frombuffer(text.encode(), np.uint8) for name, text in texts.items()}}, metadata
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> Checkpoint:
        """Return the checkpoint, given the content of its file.

        Raises
        ------
        FileError
            If the content is damaged, or not a checkpoint.
        """
        # Imported here because only reading a file needs the checks.
        from specnet.training.checked_records import check_facts, checked_history, checked_layer_records

        metadata, tensors = decode(content)
        try:
            data = parse_object(metadata.encode(), "the metadata")
            if data.get("checkpoint") not in (None, FORMAT):
                found = shown(str(data["checkpoint"]))
                raise FileError(f"the checkpoint has format {found}; expected {FORMAT}")
            history, layers = (json.loads(tensors.pop(name).tobytes()) for name in (HISTORY, LAYER_RECORDS))
            spec = tensors.pop(SPEC).tobytes()
            parse_object(spec, "its spec")
            teacher = data.get("teacher_sha256")
            run = RunIdentity(spec.decode(), str(data["data_sha256"]), None if teacher is None else str(teacher))
        except (KeyError, ValueError, RecursionError) as error:
            raise FileError("not a valid checkpoint") from error
        facts: Any = data.get("facts")
        records = checked_history(history)
        check_facts(facts)
        current = history_of(records, len(facts[FINISHED])) if FINISHED in facts else records
        if current and current[-1]["epoch"] > facts["epochs"]:
            raise FileError("the checkpoint is damaged: its history exceeds its last epoch")
        names = [name for name in tensors if name.startswith(SNAPSHOT)]
        snapshots = snapshots_of({name.removeprefix(SNAPSHOT): tensors.pop(name) for name in names})
        return cls(tensors, facts, records, run, TrainingRecord(checked_layer_records(layers), snapshots))

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


_Line = TypeVar("_Line", bound=Mapping[str, Any])


def history_of(records: Iterable[_Line], member: int) -> list[_Line]:
    """Return the records of one ensemble member from the history of all."""
    return [record for record in records if record.get(MEMBER, 0) == member]
