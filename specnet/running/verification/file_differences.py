"""The differences between saved and reproduced files of a run: which files, the first entry, and by how much.

Every file is read as entries in order, so all files are compared in the same way. An entry is an array of a safetensors
file, a value of a JSON document, or a value of a history by its epoch.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from specnet.errors import FileError
from specnet.files import file_errors
from specnet.files.plain_data import HASHES, records_of
from specnet.files.tensors import Array, decode, parse_object
from specnet.number_texts import counted
from specnet.run_files import (
    BACKGROUND,
    BEST_SPECS,
    CHECKPOINT,
    EXPECTATIONS,
    FACTS,
    FINDINGS,
    HELD_OUT,
    HISTORY,
    JOURNAL,
    LAYERS,
    METRICS,
    MODEL,
    RESOLVED,
    RUNS_TABLE,
    SNAPSHOTS,
    SUMMARY,
    SWEEP_FACTS,
    TEAM_FACTS,
    TRAINING_ROWS,
    TRIALS_TABLE,
    WITH_ROWS,
    WRITTEN,
)
from specnet.training import Checkpoint
from specnet.training.checked_records import checked_layer_records
from specnet.training.checkpoint import MEMBER, NOT_SET, snapshots_of, texts_by_key
from specnet.training.observer import Beginning

Value = Array | str
"""An array, or the JSON of a value."""
_BITS = {4: np.uint32, 8: np.uint64}


@dataclass(frozen=True)
class Distance:
    """The distance between two floating-point arrays.

    Attributes
    ----------
    count, size : int
        The number of values that differ, and of all values.
    ulps : int
        The largest difference in units in the last place: the number of steps between neighbouring floats.
    absolute : float
        The largest difference.
    relative : float
        The largest difference divided by the largest magnitude of the saved numbers; infinite if one of the numbers
        that differ is infinite or NaN.
    """

    count: int
    size: int
    ulps: int
    absolute: float
    relative: float


def are_same(then: Value | None, now: Value | None) -> bool:
    """Return whether values are the same, bit for bit."""
    if isinstance(then, np.ndarray) and isinstance(now, np.ndarray):
        return then.dtype == now.dtype and then.shape == now.shape and then.tobytes() == now.tobytes()
    return type(then) is type(now) and then == now


def distance(then: Value | None, now: Value | None) -> Distance | None:
    """Return the distance between two values, or None unless both are floats or float arrays of equal shape."""
    if then is None or now is None:
        return None
    a, b = _floats(then), _floats(now)
    if a is None or b is None or a.shape != b.shape or a.dtype != b.dtype:
        return None
    a, b = a.reshape(-1), b.reshape(-1)
    first, second = _ordered(a), _ordered(b)
    steps = np.maximum(first, second) - np.minimum(first, second)
    others = steps != 0
    with np.errstate(over="ignore", invalid="ignore"):
        apart = np.abs(a[others].astype(np.float64) - b[others].astype(np.float64))
    # Comparisons with NaN are false, so NaN would hide the largest difference.
    absolute = float(np.where(np.isnan(apart), np.inf, apart).max())
    largest = float(np.abs(a[np.isfinite(a)]).max(initial=0.0))
    relative = absolute / largest if largest else np.inf if absolute else 0.0
    return Distance(int(np.count_nonzero(others)), a.size, int(steps.max()), absolute, relative)


def _floats(value: Value) -> Array | None:
    if isinstance(value, str):
        number = json.loads(value)
        return np.array(number) if isinstance(number, float) else None
    return value if value.dtype.kind == "f" else None


def _ordered(numbers: Array) -> Array:
    """Return integers in the order of the floats; neighbouring floats get consecutive integers."""
    bits = np.ascontiguousarray(numbers).view(_BITS[numbers.dtype.itemsize])
    sign_bit = bits.dtype.type(1 << 8 * numbers.dtype.itemsize - 1)
    return np.where(bits & sign_bit, ~bits, bits | sign_bit)


OF_BEGINNING = (*WRITTEN, RESOLVED, HISTORY, LAYERS, SNAPSHOTS)
"""Files with data about a run before its end."""
COMPARED = (*OF_BEGINNING, MODEL, BACKGROUND, METRICS, TEAM_FACTS, FINDINGS, EXPECTATIONS, HELD_OUT, CHECKPOINT, FACTS)
"""All files of a run, a trial or a team except its page, in the order of writing."""
OF_MANY = (*WRITTEN, RUNS_TABLE, SUMMARY, TRIALS_TABLE, *BEST_SPECS, JOURNAL, SWEEP_FACTS)
"""All files at the top of the folder of a series or a sweep, except its page."""
RECORDS = (FACTS, SWEEP_FACTS)
"""Files of which only results are compared, not times and facts about machines."""
_RESULTS = (
    *("end", "finished", "epochs", "steps", "seed", "spec_sha256", "data_sha256", "teacher_sha256"),
    *(TRAINING_ROWS, WITH_ROWS, "members"),
)
"""The entries of ``run.json`` that do not depend on the machine."""
SECONDS = ("seconds", "training_seconds")
_ORDER = tuple(dict.fromkeys((*COMPARED, *OF_MANY)))
OF_EPOCHS = (HISTORY, LAYERS, SNAPSHOTS)
_OWNERS = {"seed": "seed", "fold": "fold", MEMBER: "member"}
"""Keys of a record, besides its epoch, that identify its network, with the word for each."""
_MAX_LENGTH = 60
MAX_ULPS = 10**6
"""Differences of at least this many ulps are printed in scientific notation."""


class EntryKey(NamedTuple):
    """The position of an entry in a file.

    Attributes
    ----------
    name : str
        The name of a tensor, or the dotted key of a value.
    epoch : int or None
    member : int
        The index of the ensemble member, from 0.
    owner : str
        The member, the seed and the fold in words, if there are several.
    """

    name: str
    epoch: int | None = None
    member: int = 0
    owner: str = ""


Entries = dict[EntryKey, Value]


@dataclass(frozen=True)
class FileDifference:
    """A difference between a saved and a reproduced file.

    Attributes
    ----------
    file : str
    name : str
        The first tensor, or the dotted key of the first value, that differs; empty if only the bytes do.
    epoch : int or None
        The epoch of the first difference, in files with epochs.
    then, now : str or None
        The saved and the reproduced value, or types and shapes of tensors; None if type and shape are equal.
    distance : Distance or None
        The distance between the numbers of the first difference; None if they are not floating-point numbers.
    largest : float or None
        The largest relative difference of a tensor or a value of the file; None if anything but floating-point numbers
        differs.
    owner : str
        The member, the seed and the fold of the epoch, if there are several.
    is_changed : bool
        Whether the SHA-256 of the saved file differs from the recorded one.
    """

    file: str
    name: str = ""
    epoch: int | None = None
    then: str | None = None
    now: str | None = None
    distance: Distance | None = None
    largest: float | None = None
    owner: str = ""
    is_changed: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the difference as plain data."""
        return {**asdict(self), "sentence": str(self)}

    def __str__(self) -> str:
        """Return a sentence about the difference."""
        return f"{self._difference()}{'; changed after the run' * self.is_changed}"

    def _difference(self) -> str:
        since = "" if self.epoch is None else f" from epoch {self.epoch}{self.owner and f' of {self.owner}'} on"
        if not self.name:
            return f"{self.file} differs: the same values in other bytes"
        if self.then is None or self.now is None:
            return f"{self.file} differs{since}: {self.name}, {self._tensor_text()}"
        then, now = _shortened(self.then), _shortened(self.now)
        far = "" if self.distance is None else f" (relative difference {self.distance.relative:.1e})"
        return f"{self.file} differs{since}: {self.name} {then} → {now}{far}"

    def _tensor_text(self) -> str:
        if self.distance is None:
            return "other values"
        size, ulps = counted(self.distance.size, "value"), self.distance.ulps
        far = counted(ulps, "ulp") if ulps < MAX_ULPS else f"{ulps:.0e} ulps"
        return f"{self.distance.count} of {size}, at most {far} ({self.distance.absolute:.1e})"


def file_kind(name: str) -> str | None:
    """Return the kind of a file, such as ``model.safetensors`` for the model of a fold, or None if not compared."""
    return next((kind for kind in _ORDER if name == kind or name.endswith(f".{kind}")), None)


def in_order(names: Iterable[str]) -> list[str]:
    """Return the names of compared files in the order in which the files are written."""
    return sorted(names, key=lambda name: (_ORDER.index(file_kind(name) or name), name))


def file_differences(
    folder: Path, then: Mapping[str, bytes], now: Mapping[str, bytes], beginning: Beginning | None
) -> Iterator[FileDifference]:
    """Yield the difference of each file that is not the same, in the order of writing.

    Parameters
    ----------
    folder : Path
        The folder of the saved files.
    then, now : mapping of str to bytes
        Saved and reproduced files by name.
    beginning : Beginning or None
        The epochs that are compared in files with epochs; all epochs if None.

    Raises
    ------
    FileError
        If a saved file is damaged.
    """
    for name in in_order({*then, *now}):
        if name not in then or name not in now:
            there, here = ("exists" if name in files else "missing" for files in (then, now))
            yield FileDifference(name, "the file", then=there, now=here)
        elif then[name] != now[name]:
            with file_errors(folder / name):
                entries = [_covered(_READERS[file_kind(name) or name](each[name]), beginning) for each in (then, now)]
            yield from _differences(name, *entries, is_cut=beginning is not None)


def _covered(entries: Entries, beginning: Beginning | None) -> Entries:
    if beginning is None:
        return entries
    return {
        key: value
        for key, value in entries.items()
        if key.epoch is None or beginning.covers({MEMBER: key.member, "epoch": key.epoch})
    }


def _differences(file: str, then: Entries, now: Entries, *, is_cut: bool) -> Iterator[FileDifference]:
    """Yield the difference of a file whose bytes differ, unless all compared entries are equal."""
    both = dict.fromkeys([*then, *now])
    others = [key for key in both if not are_same(then.get(key), now.get(key))]
    if not others:
        if file not in (CHECKPOINT, *RECORDS) and not (is_cut and file in OF_EPOCHS):
            yield FileDifference(file)
        return
    first, distances = others[0], [distance(then.get(key), now.get(key)) for key in others]
    known = [each.relative for each in distances if each is not None]
    yield FileDifference(
        file,
        first.name,
        first.epoch,
        *_texts(then.get(first), now.get(first)),
        distances[0],
        max(known) if len(known) == len(others) else None,
        first.owner,
    )


def _texts(then: Value | None, now: Value | None) -> tuple[str | None, str | None]:
    """Return two values as texts, or None for both if they are tensors of equal type and shape."""
    first, second = (
        f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else value or NOT_SET
        for value in (then, now)
    )
    return (None, None) if first == second else (first, second)


def _of_text(content: bytes) -> Entries:
    lines = content.decode(errors="replace").splitlines()
    return {EntryKey(f"line {number}"): json.dumps(line, ensure_ascii=False) for number, line in enumerate(lines, 1)}


def _named(value: Any, *before: str) -> Entries:
    return {EntryKey(name): text for name, text in texts_by_key(value, before).items()}


def _of_records(records: Iterable[Mapping[str, Any]]) -> Entries:
    found: Entries = {}
    for record in records:
        if type(record.get("epoch")) is not int or type(record.get(MEMBER, 0)) is not int:
            raise FileError("the records are damaged: each must have an epoch")
        owner = ", ".join(f"{word} {record[key]}" for key, word in _OWNERS.items() if key in record)
        values = {key: value for key, value in record.items() if key not in (*_OWNERS, "epoch")}
        for name, text in texts_by_key(values).items():
            found[EntryKey(name, record["epoch"], record.get(MEMBER, 0), owner)] = text
    return found


def _of_layer_records(records: Iterable[Mapping[str, Any]]) -> Entries:
    return _of_records({"epoch": each["epoch"], **_by_layer(each["layers"])} for each in records)


def _by_layer(layers: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {layer["layer"]: {name: value for name, value in layer.items() if name != "layer"} for layer in layers}


def _of_snapshots(content: bytes) -> Entries:
    epochs = snapshots_of(decode(content)[1]).items()
    return {EntryKey(name, epoch): array for epoch, arrays in epochs for name, array in arrays.items()}


def _of_run(content: bytes) -> Entries:
    """Return the entries of the record of a run or a trial that are results."""
    facts = _timeless(parse_object(content, "the record of the run"))
    if "trial" not in facts:
        facts = {name: facts[name] for name in _RESULTS if facts.get(name) is not None}
    return _named(facts)


def _timeless(value: Any) -> Any:
    """Return data without seconds and hashes."""
    if isinstance(value, list):
        return [_timeless(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: _timeless(each) for name, each in value.items() if name not in (*SECONDS, HASHES)}


def _of_table(content: bytes) -> Entries:
    """Return the cells of a CSV file, each named by the first cell of its row and its column."""
    found: Entries = {}
    try:
        for row in csv.DictReader(io.StringIO(content.decode(errors="replace"), newline="")):
            first = next(iter(row.values()))
            found |= {EntryKey(f"{first} {column}"): _cell(text) for column, text in row.items()}
    except csv.Error as error:
        raise FileError(f"not a valid table: {error}") from error
    return found


def _cell(text: Any) -> str:
    """Return the JSON of a cell: a number if it is a decimal number, otherwise a text."""
    try:
        return json.dumps(float(text) if "." in text else str(text))
    except (TypeError, ValueError):
        return json.dumps(str(text), ensure_ascii=False)


def _of_answers(content: bytes) -> Entries:
    return {EntryKey(name): array for name, array in decode(content)[1].items()}


def _of_model(content: bytes) -> Entries:
    metadata, tensors = decode(content)
    named: Entries = {EntryKey(name): array for name, array in tensors.items()}
    return named | _named(parse_object(metadata.encode(), "the metadata"), "metadata")


def _of_checkpoint(content: bytes) -> Entries:
    """Return the entries of a checkpoint, except seconds and the step sizes measured since the last record."""
    checkpoint = Checkpoint.from_bytes(content)
    facts = _named({key: value for key, value in checkpoint.facts.items() if key != "measured"}, "facts")
    timeless: Entries = {key: value for key, value in facts.items() if not key.name.endswith("seconds")}
    tensors: Entries = {EntryKey(name): array for name, array in checkpoint.tensors.items()}
    recorded: Entries = {EntryKey(name): array for name, array in checkpoint.record.tensors().items()}
    return (
        tensors
        | timeless
        | _of_records(checkpoint.history)
        | _of_layer_records(checkpoint.record.layer_records)
        | recorded
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 1]}…"


# The function that reads the entries of a file, by the kind of the file.
_READERS: Mapping[str, Callable[[bytes], Entries]] = {
    **dict.fromkeys((*WRITTEN, *BEST_SPECS, JOURNAL), _of_text),
    **dict.fromkeys(
        (RESOLVED, METRICS, TEAM_FACTS, FINDINGS, EXPECTATIONS, SUMMARY),
        lambda content: _named(parse_object(content, "the file")),
    ),
    **dict.fromkeys((RUNS_TABLE, TRIALS_TABLE), _of_table),
    FACTS: _of_run,
    SWEEP_FACTS: lambda content: _named(_timeless(parse_object(content, "the record of the sweep"))),
    HELD_OUT: _of_answers,
    HISTORY: lambda content: _of_records(records_of(content)),
    LAYERS: lambda content: _of_layer_records(checked_layer_records(records_of(content))),
    SNAPSHOTS: _of_snapshots,
    MODEL: _of_model,
    BACKGROUND: lambda content: {EntryKey(name): array for name, array in decode(content)[1].items()},
    CHECKPOINT: _of_checkpoint,
}
