"""What a run depends on, then and now: its spec and its rows, and the machine with its libraries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from specnet.data import RowSet
from specnet.files.run_files import RESOLVED, TRAINING_ROWS
from specnet.running.machine import BLAS, COMPILER, CPU_FEATURES, THREADS
from specnet.training import RunIdentity
from specnet.training.checkpoint import SpecDifference

Facts = Mapping[str, Any]
_MACHINE = {
    "BLAS": (BLAS, ("name", "version")),
    "BLAS kernels": (BLAS, ("architecture",)),
    "CPU features": (CPU_FEATURES, ()),
    "threads": (THREADS, ()),
    "engine": ("engine", ()),
    "compiler": (COMPILER, ("name",)),
    "compiled for": (COMPILER, ("target",)),
}
"""What is told of a machine: the key in a run's facts, and those in its table."""


def machine_changes(then: Facts, now: Facts) -> Iterator[SpecDifference]:
    """Yield what differs of libraries and machines; what is not known of one of them does not count."""
    before, after = (_table(facts, "versions") for facts in (then, now))
    for name in dict.fromkeys([*before, *after]):
        yield from _changed(name, _text(before.get(name)), _text(after.get(name)))
    for title, (key, inner) in _MACHINE.items():
        yield from _changed(title, _fact(then, key, inner), _fact(now, key, inner))


def input_changes(
    then: Facts, now: Facts, files_then: Mapping[str, bytes], files_now: Mapping[str, bytes]
) -> Iterator[SpecDifference]:
    """Yield what differs of the spec and the rows."""
    if RESOLVED in files_then and RESOLVED in files_now:
        before, after = (RunIdentity(files[RESOLVED].decode(), "") for files in (files_then, files_now))
        yield from before.differences(after)
    rows_then, rows_now = _text(then.get("data_sha256")), _text(now.get("data_sha256"))
    if rows_then and rows_now and rows_then != rows_now:
        yield SpecDifference("data (SHA-256)", f"{rows_then:.8}…", f"{rows_now:.8}…")
        yield from _other_rows(then, now)


def _other_rows(then: Facts, now: Facts) -> Iterator[SpecDifference]:
    """Yield how many training rows are others, if that is known of all of them."""
    before, after = (RowSet.from_data(facts.get(TRAINING_ROWS)) for facts in (then, now))
    if before is not None and after is not None and before.is_complete and after.is_complete:
        others = len(after.hashes) - before.count(after.hashes)
        yield SpecDifference(
            "training rows", str(len(before.hashes)), f"{len(after.hashes)}, {others or 'none'} of them new"
        )


def _changed(title: str, then: str, now: str) -> Iterator[SpecDifference]:
    if then and now and then != now:
        yield SpecDifference(title, then, now)


def _fact(facts: Facts, key: str, inner: Sequence[str]) -> str:
    return _text([_table(facts, key).get(name) for name in inner] if inner else facts.get(key))


def _table(facts: Facts, key: str) -> Mapping[str, Any]:
    table = facts.get(key)
    return table if isinstance(table, Mapping) else {}


def _text(value: Any) -> str:
    """Return a fact as a text; empty where it is not known."""
    if isinstance(value, list):
        return " ".join(filter(None, map(_text, value)))
    return "" if value is None else str(value)
