"""The texts that a spec is made of: the document itself and what ``--set`` adds, with the place of every value."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path as FilePath
from typing import Any, Literal

from specnet.errors import Diagnostic, Path, Position

Format = Literal["toml", "json"]


@dataclass(frozen=True)
class Text:
    """A text that a user wrote, and the name by which errors call it."""

    name: str
    content: str

    @cached_property
    def lines(self) -> list[str]:
        """The lines without their ends."""
        return [line.removesuffix("\r") for line in self.content.split("\n")]


@dataclass(frozen=True)
class Place:
    """Where a text says something: the key, where it has one, and the value."""

    text: Text
    value: Position
    key: Position | None = None


@dataclass(frozen=True)
class Override:
    """A ``--set KEY=VALUE`` that has been applied.

    Attributes
    ----------
    text : Text
        The setting as it was typed, named ``--set #1``, ``--set #2``, …
    path : tuple of str and int
        What was set, and for each of its steps the place in the text.
    removed : bool
        Whether the setting took the key away.
    """

    text: Text
    path: Path
    keys: tuple[Position, ...]
    value: Position
    removed: bool = False

    def replay(self, places: dict[Path, Place]) -> dict[Path, Place]:
        """Return the places of a document after this setting."""
        path = self.path
        places = {known: place for known, place in places.items() if known[: len(path)] != path}
        if not self.removed:
            for depth in range(1, len(path) + 1):
                places.setdefault(path[:depth], Place(self.text, self.value, self.keys[depth - 1]))
        elif isinstance(path[-1], int):
            places = {_moved_up(known, path): place for known, place in places.items()}
        return places


def _moved_up(path: Path, removed: Path) -> Path:
    """Return where an entry stands after an earlier entry of its list was removed."""
    depth = len(removed) - 1
    if path[:depth] == removed[:depth] and len(path) > depth and path[depth] > removed[depth]:  # type: ignore[operator]
        return (*path[:depth], path[depth] - 1, *path[depth + 1 :])  # type: ignore[operator]
    return path


@dataclass(frozen=True)
class Document:
    """What a spec says before anything is known about its meaning.

    Attributes
    ----------
    data : mapping
        Tables, tuples, texts and numbers.
    text : Text or None
        The text it was read from; None for a mapping.
    format : "toml", "json" or None
        What the text is written in.
    folder : pathlib.Path or None
        Where relative paths start; None means the working directory.
    overrides : tuple of Override
        What was set on the command line.
    """

    data: Mapping[str, Any]
    text: Text | None = None
    format: Format | None = None
    folder: FilePath | None = None
    overrides: tuple[Override, ...] = field(default=())

    @cached_property
    def places(self) -> dict[Path, Place]:
        """The place of each path, found when the first error asks for one."""
        from specnet.spec.places import locate

        places = {}
        if self.text is not None and self.format is not None:
            places = locate(self.text, self.format).places
        for override in self.overrides:
            places = override.replay(places)
        return places

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
        found = next((path[:depth] for depth in range(len(path), 0, -1) if path[:depth] in self.places), None)
        if found is None:
            source, position, line = self.text and self.text.name, self.text and Position(1, 1), None
        else:
            place = self.places[found]
            source, position = place.text.name, place.key if at_key and found == path and place.key else place.value
            line = place.text.lines[position.line - 1]
        return Diagnostic(code, message, path, source, position, line, hint, tuple(notes))

    def in_order(self, diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
        """Return mistakes in the order in which a reader meets their places."""
        sources = [self.text and self.text.name, *(override.text.name for override in self.overrides)]

        def place(diagnostic: Diagnostic) -> tuple[int, int, int]:
            position = diagnostic.position
            if position is None:
                return (0, 0, 0)
            return sources.index(diagnostic.source), position.line, position.column

        return sorted(diagnostics, key=place)
