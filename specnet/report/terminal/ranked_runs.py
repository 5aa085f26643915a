"""The order of runs in a list: those that were tested on the same rows are ranked, each such group in its own table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from specnet.parts.metrics import larger_is_better
from specnet.parts.watchers import LOSS
from specnet.report.terminal.scores import RunTable
from specnet.saved.saved_folder import FINISHED, SavedFolder

OTHERS = "Other runs"
"""Title of runs of which is not known on which rows they were tested."""
_NAMED = frozenset({"target", "data", "source", "rows"})


def ranked(records: Sequence[SavedFolder]) -> list[RunTable]:
    """Return tables of runs: first of those that have not finished, then of each group whose scores can be ranked.

    A group has one table of data, target, metric, and rule of the split. It is sorted by the metric, the best run
    first; of equal runs, in the order of the records. Runs on single folds are tested on different rows, so that they
    stay in the order of the records. Groups are in the order of their first record, those of one target and table
    beside each other.
    """
    unfinished = [record for record in records if record.state != FINISHED]
    tables = [RunTable(unfinished, "Not finished")] if unfinished else []
    finished = [record for record in records if record.state == FINISHED]
    targets = list(dict.fromkeys(map(_target, finished)))
    groups: dict[tuple[Any, ...], list[SavedFolder]] = {}
    for record in sorted(finished, key=lambda record: targets.index(_target(record))):
        groups.setdefault(_group(record), []).append(record)
    titles = _titles([of_one[0] for of_one in groups.values()])
    return tables + [_sorted(of_one, title) for of_one, title in zip(groups.values(), titles, strict=True)]


def _group(record: SavedFolder) -> tuple[Any, ...]:
    """Return what is equal for runs in one table."""
    tested_on = {name: value for name, value in record.tested_on.items() if name not in ("target", "data")}
    tested_on["fold"] = "fold" in tested_on
    name = record.main_metric or LOSS
    loss = record.loss if name == LOSS else ""
    return (*sorted(map(repr, tested_on.items())), _target(record), record.split, name, loss)


def _sorted(records: Sequence[SavedFolder], title: str) -> RunTable:
    """Return the table of a group, in its order."""
    first = records[0]
    split, name = first.split, first.main_metric or LOSS
    if len(records) < 2 or not first.tested_on or "fold" in first.tested_on:
        return RunTable(records, title)
    sign = -1 if larger_is_better(name) else 1

    def badness(record: SavedFolder) -> float:
        value = record.score(split, name)
        return math.inf if value is None else sign * value

    return RunTable(sorted(records, key=badness), title, f"{split} {name}")


def _target(record: SavedFolder) -> str:
    target, data = record.tested_on.get("target"), record.tested_on.get("data")
    return f"{target} of {data}" if target else str(data or OTHERS)


def _titles(records: Sequence[SavedFolder]) -> Iterator[str]:
    """Yield titles of groups, given the first run of each: target, data, and what distinguishes groups of one title."""
    for record in records:
        title = _target(record)
        same = [other.tested_on for other in records if _target(other) == title and other.tested_on]
        differing = [
            _condition(name, value)
            for name, value in record.tested_on.items()
            if name not in _NAMED and value and any(other.get(name) != value for other in same)
        ]
        yield ", ".join([title, *differing])


def _condition(name: str, value: Any) -> str:
    """Return a field of a split in words."""
    if name == "folds":
        return f"{value} folds"
    if name == "test_size":
        return f"{100 * value:.3g} % test rows"
    return f"{name} {value}" if name not in ("time", "group") else f"by {value}"
