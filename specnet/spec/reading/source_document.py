"""What a spec says before anything is known about its meaning: plain data, and where each value was written."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path as FilePath
from typing import Any, TypedDict

from specnet.errors import Diagnostic, Path, Position, SpecError
from specnet.spec.reading.source_text import Format, Location, Override, SourceText
from specnet.spec.reading.text_places import locate

MOST_SHOWN = 100
"""Mistakes of one stage that are told one by one; a text with more of them is no spec."""


class Details(TypedDict, total=False):
    """What a mistake may have beside its code, message and path."""

    at_key: bool
    hint: str | None
    notes: Iterable[Diagnostic]


@dataclass(frozen=True)
class Document:
    """What a spec says before anything is known about its meaning.

    Attributes
    ----------
    data : mapping
        Tables, tuples, texts and numbers.
    text : SourceText or None
        The text it was read from; None for a mapping.
    format : "toml", "json" or None
        What the text is written in.
    folder : pathlib.Path or None
        Where relative paths start; None means the working directory.
    overrides : tuple of Override
        What was set on the command line.
    """

    data: Mapping[str, Any]
    text: SourceText | None = None
    format: Format | None = None
    folder: FilePath | None = None
    overrides: tuple[Override, ...] = field(default=())

    @cached_property
    def places(self) -> dict[Path, Location]:
        """The place of each path, found when the first error asks for one."""
        places = {}
        if self.text is not None and self.format is not None:
            places = locate(self.text, self.format).places
        for override in self.overrides:
            # The tables of a mapping stand nowhere, and not where a setting changes one of their keys.
            places = override.replay(places, tables=self.text is not None)
        return places

    def without(self, key: str) -> "Document":
        """Return the document without one of its keys at the top level, if it has it."""
        return replace(self, data={name: value for name, value in self.data.items() if name != key})

    def place(self, path: Path) -> tuple[Location | None, bool]:
        """Return the place of a path, or of the nearest table around it that was written, and whether it is its own."""
        for depth in range(len(path), 0, -1):
            if path[:depth] in self.places:
                return self.places[path[:depth]], depth == len(path)
        return None, False

    def diagnostic(
        self,
        code: str,
        message: str,
        path: Path,
        *,
        at_key: bool = False,
        hint: str | None = None,
        notes: Iterable[Diagnostic] = (),
    ) -> Diagnostic:
        """Return a mistake at a path's value or key, or at the nearest table around it that was written."""
        place, own = self.place(path)
        if place is not None:
            position = place.key if at_key and own and place.key else place.value
            return place.text.diagnostic(code, message, position, path, hint, notes)
        if self.text is not None:
            return Diagnostic(code, message, path, self.text.name, Position(1, 1), None, hint, tuple(notes))
        return Diagnostic(code, message, path, hint=hint, notes=tuple(notes), at_key=at_key)

    def placed(self, diagnostic: Diagnostic) -> Diagnostic:
        """Return a mistake that was found in this document's data alone, at its place."""
        found = diagnostic
        if found.position is not None or not found.path:
            return found
        placed = self.diagnostic(found.code, found.message, found.path, hint=found.hint, notes=found.notes)
        return replace(placed, of_many=found.of_many)

    def error(self, diagnostics: Iterable[Diagnostic], left_out: int = 0) -> SpecError:
        """Return an error of these mistakes, in the order in which a reader meets their places.

        `left_out` more are only counted, and so are those beyond `MOST_SHOWN`.
        """
        sources = [text.name for text in self._texts()]

        def rank(diagnostic: Diagnostic) -> tuple[int, ...]:
            if diagnostic.position is None:
                return self._rank_in_data(diagnostic.path)
            source = sources.index(diagnostic.source) if diagnostic.source in sources else 0
            return source, diagnostic.position.line, diagnostic.position.column

        ordered = sorted(diagnostics, key=rank)
        left_out += max(0, len(ordered) - MOST_SHOWN)
        if left_out:
            name = self.text.name if self.text else None
            ordered[MOST_SHOWN:] = [Diagnostic("more", f"{left_out} more mistakes", source=name)]
        return SpecError(*ordered)

    def rank(self, path: Path) -> tuple[int, ...]:
        """Return what sorts paths in the order of the texts, or of the data where there is no text."""
        place, _ = self.place(path)
        if place is None:
            return () if self.text else self._rank_in_data(path)
        return self._texts().index(place.text), place.value.line, place.value.column

    def _texts(self) -> list[SourceText]:
        return [*([self.text] if self.text else []), *(override.text for override in self.overrides)]

    def _rank_in_data(self, path: Path) -> tuple[int, int]:
        """Return what sorts paths in the order of the data; one that is not there follows what is around it."""
        depth = next(depth for depth in range(len(path), -1, -1) if path[:depth] in self._numbers)
        return self._numbers[path[:depth]], len(path) - depth

    @cached_property
    def _numbers(self) -> dict[Path, int]:
        return {path: number for number, path in enumerate(_paths(self.data, ()))}


def _paths(value: Any, path: Path) -> Iterator[Path]:
    """Yield the paths of plain data and of all that is in it."""
    yield path
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    for step, inner in items:
        yield from _paths(inner, (*path, step))
