"""Parsing of specs with a sweep: each value that a trial may have is validated in the spec beforehand."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import takewhile
from typing import Any

from specnet.errors import Diagnostic, Path, SpecError
from specnet.parts.part import Part
from specnet.parts.registry import Registry, installed_registry
from specnet.parts.watchers import VALIDATION_LOSS
from specnet.spec.document import Limits, Spec
from specnet.spec.parsing import checked, document_saying, parse_spec
from specnet.spec.reading.reader import CannotSetError, SpecSource, plain, read, settings_of, with_change
from specnet.spec.reading.source_document import MAX_REPORTED, Document
from specnet.spec.sweep_section import SweepSpec, is_range
from specnet.suggestions import Assigned, Moved, Removed, Replaced, Suggestion

SWEEP: Path = ("sweep",)
SPACE: Path = (*SWEEP, "space")
CANDIDATES: Path = (*SWEEP, "candidates")
SPLIT: Path = ("data", "split")
PRUNED_AFTER = 2
"""Number of folds of a trial after which a pruner that compares folds decides."""
_BETWEEN = "for a range of integers, write both ends as integers"
"""The hint if both ends of a range are valid and a number between them is not."""
_OTHER_LOSS = "trials with different loss functions cannot be compared by validation_loss"
_OTHER_METRIC = "set sweep.metric to one of training.metrics"
_OTHER_UNITS = "the pruner compares validation losses, which would be in other units"
_OTHER_PRUNER = 'remove sweep.pruner, or use "wilcoxon" on folds, which compares answers'
_OF_LOSS = ("training.loss", "network.target_preprocessing")


def parse_sweep(
    source: SpecSource | Document | Spec,
    *,
    parts: Iterable[type[Part]] = (),
    overrides: Iterable[str] = (),
    limits: Limits | None = None,
) -> Spec:
    """Read a spec with a section ``[sweep]`` and validate each value that the sweep may set.

    Parameters
    ----------
    source, parts, overrides, limits
        As for `parse_spec`.

    Raises
    ------
    SpecError
        With all mistakes of the spec without ``[sweep]``. If there are none, with all mistakes of the section: in its
        keys, in the entries of its lists and at both ends of its ranges, each set in the spec alone.
    FileError
        If the file cannot be read.
    """
    overrides = settings_of(overrides)
    if isinstance(source, Spec):
        parts, limits = (*source.registry.added, *parts), limits or source.origin.limits
        source = document_saying(source)
    document = read(source, overrides)
    if "sweep" not in document.data:
        hint = "add a table [sweep.space] with the keys to search"
        raise document.error(
            [document.diagnostic("missing-key", 'missing key "sweep" at the top level', SWEEP, hint=hint)]
        )
    return _Search(document, installed_registry().with_parts(parts), limits or Limits()).checked()


def parse_whole(source: SpecSource | Document, *, overrides: Iterable[str] = (), limits: Limits | None = None) -> Spec:
    """Read and fully validate a spec: with `parse_sweep` if it has a section ``[sweep]``, otherwise `parse_spec`."""
    document = read(source, overrides)
    parse = parse_sweep if "sweep" in document.data else parse_spec
    return parse(document, limits=limits)


def _clashes(spec: Spec, sweep: SweepSpec) -> Iterator[Diagnostic]:
    """Yield a mistake for each setting of a sweep that conflicts with the spec of a trial."""
    if sweep.metric not in (VALIDATION_LOSS, *(metric.type for metric in spec.training.metrics)):
        measured = [*(metric.short() for metric in spec.training.metrics), sweep.metric]
        words = f'set training.metrics = ["{sweep.metric}"], or add it to the list'
        to_measure = Suggestion(words, Assigned(("training", "metrics"), measured))
        yield Diagnostic(
            "no-metric", f'"{sweep.metric}" is not in training.metrics', (*SWEEP, "metric"), hint=to_measure
        )
    if sweep.pruner is None:
        return
    if not sweep.pruner.of_folds and spec.training.ensemble is not None:
        message = f"{sweep.pruner.type} cannot be combined with training.ensemble"
        yield Diagnostic("field-clash", message, (*SWEEP, "pruner"), hint='with an ensemble on folds, use "wilcoxon"')
    elif sweep.pruner.of_folds and (spec.training.folds or sweep.folds or 0) <= PRUNED_AFTER:
        message = f"{sweep.pruner.type} needs at least {PRUNED_AFTER + 1} folds"
        hint = "set training.ensemble or sweep.folds to 5, or remove sweep.pruner"
        yield Diagnostic("field-clash", message, (*SWEEP, "pruner"), hint=hint)


def _clashes_with_data(spec: Spec, sweep: SweepSpec) -> Iterator[Diagnostic]:
    """Yield a mistake for each setting of a sweep that conflicts with the data or the validation rows."""
    if spec.data is None:
        message, hint = 'missing key "data" at the top level', "a sweep needs data with a split"
        yield Diagnostic("missing-key", message, ("data",), hint=hint)
        return
    split = spec.data.split
    if sweep.folds is not None and spec.training.folds is not None:
        message = "folds cannot be combined with an ensemble on folds, which has folds of its own"
        yield Diagnostic("field-clash", message, (*SWEEP, "folds"), hint=Suggestion("remove sweep.folds", Removed()))
    elif sweep.folds is not None:
        for key in ("column", "test", "validation", "folds"):
            if getattr(split, key) is not None:
                message = f"folds cannot be combined with data.split.{key}"
                hint = Suggestion(f"remove data.split.{key}", Removed((*SPLIT, key)))
                yield Diagnostic("field-clash", message, (*SWEEP, "folds"), hint=hint)
                return
    elif not split.has_validation and spec.training.folds is None:
        message = "a sweep needs validation rows, but validation_size is 0"
        hint = "set data.split.validation_size, for example to 0.2, or sweep.folds"
        yield Diagnostic("no-validation", message, SPLIT, hint=hint)


def _losses_that_differ(sweep: SweepSpec) -> Iterator[tuple[str, str, str]]:
    """Yield the key, message and hint for each searched key that makes the compared losses incomparable."""
    for key in sweep.space:
        if _is_within(key, "training.loss") and sweep.metric == VALIDATION_LOSS:
            yield key, _OTHER_LOSS, _OTHER_METRIC
        elif any(_is_within(key, each) for each in _OF_LOSS) and _compares_epochs(sweep):
            yield key, _OTHER_UNITS, _OTHER_PRUNER


def _is_within(key: str, section: str) -> bool:
    return key == section or key.startswith(f"{section}.")


def _compares_epochs(sweep: SweepSpec) -> bool:
    """Return whether a pruner compares the validation losses of trials during training."""
    return sweep.pruner is not None and not sweep.pruner.of_folds


def _what_losses_are(spec: Spec) -> tuple[Any, ...]:
    return spec.training.loss, spec.network.target_preprocessing


class _Search:
    """Validation of a document's sweep.

    The document is read once. Each value of ``[sweep]`` is then set in its data alone, and the resulting spec is
    validated as usual. Values that are only valid together are therefore reported as mistakes.
    """

    def __init__(self, document: Document, registry: Registry, limits: Limits) -> None:
        self.document, self.registry, self.limits = document, registry, limits
        self.without_sweep = document.without("sweep")
        self.sweep: SweepSpec | None = None
        self.found: dict[tuple[Any, ...], Diagnostic] = {}

    def checked(self) -> Spec:
        """Return the spec; raise a `SpecError` if the spec or the sweep has mistakes."""
        spec = None
        try:
            spec = self._spec(self.document)
        except SpecError as error:
            base = self._spec(self.without_sweep)  # mistakes outside of the sweep are raised first
            self._add(error.diagnostics)
        else:
            base, self.sweep = spec.model_copy(update={"sweep": None}), spec.sweep
            assert self.sweep is not None, "it is in the document"
            for check in (_clashes(base, self.sweep), _clashes_with_data(base, self.sweep)):
                self._add(map(self.document.located, check))
            for key, message, hint in _losses_that_differ(self.sweep):
                self._add([self.document.diagnostic("space-key", message, (*SPACE, key), at_key=True, hint=hint)])
        sweep = self.document.data["sweep"]
        space = sweep.get("space") if isinstance(sweep, Mapping) else None
        misshapen = {problem.path[:3] for problem in self.found.values()}
        for key, entry in space.items() if isinstance(space, Mapping) else ():
            if (*SPACE, key) not in misshapen:
                self._try_entry(key, entry)
        for number, settings in enumerate(self.sweep.candidates if self.sweep else ()):
            self._add(self._mistakes_of_candidate((*CANDIDATES, number), settings, base))
        if self.found or spec is None:
            raise self.document.error(self.found.values())
        return spec

    def _spec(self, document: Document) -> Spec:
        return checked(document, self.registry, self.limits)

    def _add(self, problems: Iterable[Diagnostic]) -> None:
        """Add mistakes to `found`, without duplicates."""
        for problem in problems:
            self.found.setdefault((problem.code, problem.message, problem.position or problem.path), problem)

    def _try_entry(self, key: str, entry: Any) -> None:
        if isinstance(entry, Mapping):
            self._try_value(key, (*SPACE, key), entry, {(): entry})
            return
        for index, choice in enumerate(entry):
            table = choice if isinstance(choice, Mapping) else {}
            ranges: dict[Path, Any] = {(name,): value for name, value in table.items() if is_range(value)}
            self._try_value(key, (*SPACE, key, index), choice, ranges)

    def _try_value(self, key: str, source: Path, value: Any, ranges: Mapping[Path, Any]) -> None:
        """Validate a value of the space: with all its ranges at their low ends, at their high ends, and in between."""
        if len(self.found) > MAX_REPORTED:
            return
        if not ranges:
            self._add(self._mistakes(key, source, value, {}))
            return
        at_ends: dict[tuple[str, str, Path], Diagnostic] = {}
        for end in ("low", "high"):
            numbers = {path: each[end] for path, each in ranges.items()}
            sources = {path: (*source, *path, end) for path in ranges}
            for problem in self._mistakes(key, source, _with_numbers(value, numbers), sources):
                at_ends.setdefault((problem.code, problem.message, problem.path[: len(problem.path) - 1]), problem)
        self._add(at_ends.values())
        if not at_ends:
            numbers = {path: _between(each) for path, each in ranges.items()}
            problems = self._mistakes(key, source, _with_numbers(value, numbers), {})
            self._add(replace(problem, hint=problem.hint or _BETWEEN) for problem in problems)

    def _mistakes(self, key: str, source: Path, value: Any, sources: Mapping[Path, Path]) -> Iterator[Diagnostic]:
        """Yield the mistakes of the spec with a value of the space, located at the value's path in the space.

        `sources` maps paths within the value to the paths of the ranges' ends, from which their numbers come.
        """
        try:
            data, path = with_change(self.without_sweep.data, key.split("."), value, False)
        except CannotSetError as error:
            yield self._wrong_key(error, (*SPACE, key))
            return
        # Mistakes in plain data have only paths, which are then located in the space.
        try:
            spec = self._spec(plain(Document(data)))
        except SpecError as error:
            for problem in error.diagnostics:
                yield self._in_sweep(problem, path, source, sources)
            return
        if self.sweep:
            yield from self._new_clashes(_clashes(spec, self.sweep), source)

    def _mistakes_of_candidate(self, source: Path, settings: Mapping[str, Any], base: Spec) -> Iterator[Diagnostic]:
        """Yield the mistakes of the spec with all settings of a candidate, located at their paths in the candidate."""
        assert self.sweep is not None, "it has candidates"
        data, paths = self.without_sweep.data, dict[Path, str]()
        for key, value in settings.items():
            try:
                data, path = with_change(data, key.split("."), value, False)
            except CannotSetError as error:
                yield self._wrong_key(error, (*source, key))
                return
            paths[path] = key
        try:
            spec = self._spec(plain(Document(data)))
        except SpecError as error:
            for problem in error.diagnostics:
                path = max(paths, key=lambda path: _shared_steps(path, problem.path))
                yield self._in_sweep(problem, path, (*source, paths[path]), {})
            return
        yield from self._new_clashes((*_clashes(spec, self.sweep), *_clashes_with_data(spec, self.sweep)), source)
        if self.sweep.metric == VALIDATION_LOSS and spec.training.loss.type != base.training.loss.type:
            yield self.document.diagnostic("space-key", _OTHER_LOSS, source, hint=_OTHER_METRIC)
        elif _compares_epochs(self.sweep) and _what_losses_are(spec) != _what_losses_are(base):
            yield self.document.diagnostic("space-key", _OTHER_UNITS, source, hint=_OTHER_PRUNER)

    def _wrong_key(self, error: CannotSetError, path: Path) -> Diagnostic:
        return self.document.diagnostic("space-key", error.message, path, at_key=True, hint=error.hint)

    def _new_clashes(self, clashes: Iterable[Diagnostic], source: Path) -> Iterator[Diagnostic]:
        """Yield the clashes that the spec as written does not have, located at a path of the sweep."""
        for clash in clashes:
            if not any(problem.path == clash.path for problem in self.found.values()):
                yield self.document.diagnostic(clash.code, clash.message, source, hint=clash.hint)

    def _in_sweep(self, problem: Diagnostic, path: Path, source: Path, sources: Mapping[Path, Path]) -> Diagnostic:
        """Return a mistake in a trial's data as a mistake of the sweep: the value at `source` was set at `path`."""
        entry = source[: 4 if source[: len(CANDIDATES)] == CANDIDATES else 3]

        def written_path(found: Diagnostic) -> Path:
            """Map the path of a mistake or a note to a path of the document."""
            rest = found.path[len(path) :]
            if found.path[: len(path)] == path:
                named = (*source, *rest) if rest else entry
                return named if found.at_key else sources.get(rest, (*source, *rest))
            is_around = path[: len(found.path)] == found.path and not self._is_written(found.path)
            return (entry if found.at_key else source) if is_around else found.path

        notes = [replace(self._located(note, written_path(note)), path=note.path) for note in problem.notes]
        where, rest = written_path(problem), problem.path[len(path) :]
        if where != problem.path:
            is_inside = problem.path[: len(path)] == path
            reported = sources.get(rest, (*source, *rest)) if is_inside else entry
            names_key = problem.at_key and path[: len(problem.path)] == problem.path
            hint = _of_key(problem, str(entry[-1])) if names_key else _in_its_place(problem.hint)
            return replace(self._located(problem, where), path=reported, hint=hint, notes=tuple(notes))
        if self._is_written(problem.path):
            name = ".".join(map(str, problem.path))
            notes.insert(0, self.document.diagnostic("note", f"{name} is set here", problem.path, at_key=True))
        hint = problem.hint and str(problem.hint)
        return self.document.diagnostic(problem.code, problem.message, source, hint=hint, notes=notes)

    def _is_written(self, path: Path) -> bool:
        return self.document.location(path)[1]

    def _located(self, found: Diagnostic, path: Path) -> Diagnostic:
        """Return a mistake, without its notes, located at a path of the document."""
        return self.document.diagnostic(found.code, found.message, path, at_key=found.at_key, hint=found.hint)


def _in_its_place(hint: str | None) -> str | None:
    """Return a hint about a trial's data as a hint about a sweep, without edits of other paths than the mistake's."""
    is_own = isinstance(hint, Suggestion) and all(isinstance(edit, Replaced) for edit in hint.edits)
    return hint if is_own else hint and str(hint)


def _of_key(problem: Diagnostic, key: str) -> str | None:
    """Return the hint of a mistake about a step of a searched key as a hint about the whole key."""
    hint = problem.hint
    if isinstance(hint, Suggestion) and isinstance(moved := hint.edits[0], Moved) and _key(moved.path) == key:
        return Suggestion(hint, Replaced(_key(moved.to)), is_certain=hint.is_certain)
    hint, steps, wrong = _in_its_place(hint), key.split("."), len(problem.path) - 1
    if not isinstance(hint, Suggestion):
        return hint
    names = (edit.value for edit in hint.edits if isinstance(edit, Replaced))
    edits = (Replaced(_key((*steps[:wrong], name, *steps[wrong + 1 :]))) for name in names)
    return Suggestion(hint, *edits, is_certain=hint.is_certain)


def _key(path: Path) -> str:
    return ".".join(map(str, path))


def _shared_steps(path: Path, other: Path) -> int:
    """Return the length of the common prefix of two paths."""
    return len(list(takewhile(lambda steps: steps[0] == steps[1], zip(path, other, strict=False))))


def _with_numbers(value: Any, numbers: Mapping[Path, Any]) -> Any:
    """Return a value with its ranges replaced by numbers, given by their paths within the value."""
    return numbers[()] if () in numbers else {**value, **{str(path[-1]): number for path, number in numbers.items()}}


def _between(written: Mapping[str, Any]) -> float:
    """Return a number of a range other than its low end; no integer if the range also contains fractions."""
    low, high = written["low"], written["high"]
    if isinstance(low, int) and isinstance(high, int):
        return low + int(written.get("step", 1))
    if "step" in written:
        return float(low + written["step"])
    middle = (low + high) / 2
    while middle.is_integer():
        middle = (low + middle) / 2
    return float(middle)
