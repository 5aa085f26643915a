"""The texts that a spec is made of: the document itself and what ``--set`` adds, with the place of every value."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from specnet.errors import Diagnostic, Path, Position

Format = Literal["toml", "json"]


@dataclass(frozen=True)
class SourceText:
    """A text that a user wrote, and the name by which errors call it."""

    name: str
    content: str

    @cached_property
    def lines(self) -> list[str]:
        """The lines without their ends."""
        return [line.removesuffix("\r") for line in self.content.split("\n")]

    def position(self, index: int) -> Position:
        """Return the place of a character."""
        return Position(self.content.count("\n", 0, index) + 1, index - self.content.rfind("\n", 0, index))

    def diagnostic(
        self,
        code: str,
        message: str,
        position: Position | None,
        path: Path = (),
        hint: str | None = None,
        notes: Iterable[Diagnostic] = (),
    ) -> Diagnostic:
        """Return a mistake at a place of the text, with its line."""
        line = self.lines[position.line - 1] if position and position.line <= len(self.lines) else None
        return Diagnostic(code, message, path, self.name, position, line, hint, tuple(notes))


class Location(NamedTuple):
    """Where a text says something: the key, where it has one, and the value."""

    text: SourceText
    value: Position
    key: Position | None = None


@dataclass(frozen=True)
class Override:
    """A ``--set KEY=VALUE`` that has been applied.

    Attributes
    ----------
    text : SourceText
        The setting as it was typed, named ``--set #1``, ``--set #2``, …
    path : tuple of str and int
        What was set, and for each of its steps the place in the text.
    removed : bool
        Whether the setting took the key away.
    """

    text: SourceText
    path: Path
    keys: tuple[Position, ...]
    value: Position
    removed: bool = False

    def replay(self, places: dict[Path, Location], tables: bool) -> dict[Path, Location]:
        """Return the places of a document after this setting, the `tables` around it too if they have none."""
        path = self.path
        places = {known: place for known, place in places.items() if known[: len(path)] != path}
        if not self.removed:
            for depth in range(1 if tables else len(path), len(path) + 1):
                places.setdefault(path[:depth], Location(self.text, self.value, self.keys[depth - 1]))
        elif isinstance(path[-1], int):
            places = {_moved_up(known, path): place for known, place in places.items()}
        return places


def _moved_up(path: Path, removed: Path) -> Path:
    """Return where an entry stands after an earlier entry of its list was removed."""
    *parent, entry = removed
    depth = len(parent)
    match path[depth : depth + 1]:
        case (int(later),) if isinstance(entry, int) and list(path[:depth]) == parent and later > entry:
            return (*path[:depth], later - 1, *path[depth + 1 :])
    return path
