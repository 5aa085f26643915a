"""Which runs folds and seeds are: settings over one spec, with their places in the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from specnet.data import split_rows
from specnet.errors import DataError, Path, Position
from specnet.parts.data import Table
from specnet.parts.data.base import FoldPart
from specnet.running.data_rows import split_errors_at
from specnet.spec import Spec, parse_spec
from specnet.spec.parsing import document_saying
from specnet.spec.reading.reader import with_change
from specnet.spec.reading.source_document import Document, Override, SourceText
from specnet.spec.spec_writing import Change

SPLIT: Path = ("data", "split")


@dataclass(frozen=True)
class Repetition:
    """One of many runs of a spec.

    Attributes
    ----------
    name : str
        Of its folder, such as ``seed1_fold0``.
    seed, fold : int or None
        What is its own.
    changes : tuple of Change
        Over the spec.
    """

    name: str
    seed: int | None
    fold: int | None
    changes: tuple[Change, ...]


_NAME = re.compile(r"(?:seed(\d+))?_?(?:fold(\d+))?")


def repetition_named(name: str) -> Repetition | None:
    """Return the run whose folder has a name, with the changes over another run of its series; None if it is none."""
    found = _NAME.fullmatch(name)
    if not name or found is None:
        return None
    seed, fold = (None if number is None else int(number) for number in found.groups())
    changes = [Change(("seed",), seed)] if seed is not None else []
    changes += [Change((*SPLIT, "fold"), fold)] if fold is not None else []
    return Repetition(name, seed, fold, tuple(changes))


def repetitions(spec: Spec, folds: int | None, seeds: int | None, part: FoldPart = "test") -> tuple[Repetition, ...]:
    """Return the runs of a spec on so many folds, and with so many seeds: every seed on every fold.

    Seeds differ in training alone: what else the spec's seed decides, the data and their split, is written out.

    Parameters
    ----------
    spec : Spec
    folds : int, optional
        Each of them is the test or the validation set once, in place of a set by size.
    seeds : int, optional
        From the spec's own on.
    part : "test" or "validation"

    Raises
    ------
    SpecError
        If the spec's data cannot be split so.
    DataError
        If the spec has folds already.
    """
    if folds is not None and spec.data is not None and spec.data.split.folds is not None:
        message = "the spec holds out a fold already"
        raise DataError(spec.diagnostic("split", message, (*SPLIT, "folds"), hint="remove data.split.folds"))
    found = []
    for seed in (None,) if seeds is None else range(spec.seed, spec.seed + seeds):
        for fold in (None,) if folds is None else range(folds):
            seeded = [] if seed is None else [*_kept_apart(spec), Change(("seed",), seed)]
            folded = [] if fold is None or folds is None else list(_folded(spec, folds, fold, part))
            names = ([] if seed is None else [f"seed{seed}"]) + ([] if fold is None else [f"fold{fold}"])
            found.append(Repetition("_".join(names), seed, fold, (*seeded, *folded)))
    if found[0].changes:
        _parsed(spec, found[0], folds, seeds, part)
    return tuple(found)


def check_rows_of(
    spec: Spec, planned: Sequence[Repetition], table: Table, folds: int | None, part: FoldPart = "test"
) -> None:
    """Refuse rows that are too few for the folds, before anything is computed; parameters as for `repetitions`.

    Raises
    ------
    DataError
    """
    if folds is not None:
        first = _parsed(spec, planned[0], folds, None, part)
        assert first.data is not None, "there is a table"
        with split_errors_at(first):
            split_rows(table, first.data.split, first.seed, first.training.ensemble)


def _parsed(spec: Spec, each: Repetition, folds: int | None, seeds: int | None, part: FoldPart) -> Spec:
    options = ("--folds", "--seeds") if part == "test" else ("sweep.folds", "sweep.seeds")
    given = dict(zip(options, (folds, seeds), strict=True))
    source = " ".join(f"{option} {number}" for option, number in given.items() if number is not None)
    document = changed(document_saying(spec), each.changes, source)
    return parse_spec(document, parts=spec.registry, limits=spec.origin.limits)


def changed(document: Document, changes: Iterable[Change], source: str) -> Document:
    """Return a document with changes, whose mistakes are told at `source`, where these were said."""
    data, text, overrides = document.data, SourceText(source, source), []
    whole = Position(1, 1, max(1, len(source)))
    for change in changes:
        data, path = with_change(data, list(map(str, change.path)), change.value, change.removed)
        overrides.append(Override(text, path, (whole,) * len(path), whole, change.removed))
    return replace(document, data=data, overrides=(*document.overrides, *overrides))


def _kept_apart(spec: Spec) -> Iterator[Change]:
    """Yield what the spec's seed decides beside training, where the spec does not say it."""
    data = spec.data
    if data is None:
        return
    resolved = data.with_defaults(spec.seed, spec.target_kind)
    if "random_state" in type(data).model_fields:
        yield from _written_out(data, resolved, ("data", "random_state"))
    if data.split.draws_rows:
        yield from _written_out(data.split, resolved.split, (*SPLIT, "random_state"))


def _written_out(given: Any, resolved: Any, path: Path) -> Iterator[Change]:
    if given.random_state is None:
        yield Change(path, resolved.random_state)


def _folded(spec: Spec, folds: int, fold: int, part: FoldPart) -> Iterator[Change]:
    split = _document_table(spec, SPLIT)
    if f"{part}_size" in split:
        yield Change((*SPLIT, f"{part}_size"), removed=True)
    yield Change((*SPLIT, "folds"), folds)
    yield Change((*SPLIT, "fold"), fold)
    if part != "test":
        yield Change((*SPLIT, "fold_part"), part)


def _document_table(spec: Spec, path: Path) -> Mapping[str, Any]:
    table: Any = document_saying(spec).data
    for step in path:
        table = table.get(step, {}) if isinstance(table, Mapping) else {}
    return table if isinstance(table, Mapping) else {}
