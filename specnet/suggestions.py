"""Suggestions: hints with an edit that follows them, such as the most similar of the known names."""

import json
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from specnet.errors import Path

_LONGEST_COMPARED = 100
_LONGEST_SHOWN = 60
_SIMILAR = 0.65
"""Least similarity of a suggested name."""


class Replaced(NamedTuple):
    """Another value at the path of the mistake, or another name for its key if the key is wrong."""

    value: Any


class Moved(NamedTuple):
    """A value that belongs to another path, or to another name of its key."""

    path: Path
    to: Path


class Assigned(NamedTuple):
    """A value that another path needs, whether or not it has one."""

    path: Path
    value: Any


class Removed(NamedTuple):
    """A key to remove: that of the mistake, or of another path."""

    path: Path | None = None


Edit = Replaced | Moved | Assigned | Removed


class Suggestion(str):
    """A hint with the edits of the document that follow it.

    Attributes
    ----------
    edits : tuple of Replaced, Moved, Assigned or Removed
        What to change; several are alternatives.
    is_certain : bool
        Whether nothing else can have been intended, so that `specnet validate --fix` makes the edit.
    """

    edits: tuple[Edit, ...]
    is_certain: bool

    def __new__(cls, words: str, *edits: Edit, is_certain: bool = False) -> "Suggestion":
        made = super().__new__(cls, words)
        made.edits, made.is_certain = edits, is_certain
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return _suggestion, (str(self), self.edits, self.is_certain)


def _suggestion(words: str, edits: tuple[Edit, ...], is_certain: bool) -> Suggestion:
    return Suggestion(words, *edits, is_certain=is_certain)


def quoted(text: str) -> str:
    """Return a text in double quotes, shortened if long, with escapes for characters that cannot be printed."""
    text = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
    return json.dumps(text, ensure_ascii=not text.isprintable())


def compared(name: str) -> str:
    """Return the form in which names are compared: lower case, with underscores for hyphens and spaces."""
    return name.lower().replace("-", "_").replace(" ", "_")


def instead(name: str, is_certain: bool = True) -> Suggestion:
    """Return the suggestion of another name."""
    return Suggestion(f"did you mean {quoted(name)}?", Replaced(name), is_certain=is_certain)


def removing(key: str) -> Suggestion:
    """Return the suggestion to remove the key of the mistake."""
    return Suggestion(f"remove {key}", Removed())


def did_you_mean(name: str, names: Iterable[str]) -> Suggestion | None:
    """Return the suggestion of the known name most similar to a name, if one is similar."""
    known = {*names}
    best = close_match(name, known)
    return None if best is None else instead(best, is_certain(best, name, known))


def perhaps(name: str, names: Iterable[str]) -> Suggestion | None:
    """Return the suggestion of the most similar of names from the same document, where the slip may be as well."""
    close = close_match(name, names)
    return None if close is None else instead(close, is_certain=False)


def is_certain(close: str, name: str, names: Iterable[str]) -> bool:
    """Return whether a single slip leads from a known name, and from no other, to a name."""
    return [known for known in {*names} if _is_one_slip(compared(known), compared(name))] == [close]


def close_match(name: str, names: Iterable[str]) -> str | None:
    """Return the known name most similar to a name, ignoring case, hyphens and spaces; None if none is similar."""
    return max(_similar(name, names), default=(0.0, None))[1]


def _similar(name: str, names: Iterable[str]) -> Iterator[tuple[float, str]]:
    """Yield the similarity of each known name that is similar to a name."""
    matcher = SequenceMatcher(b=compared(name))
    for known in {*names} if len(name) <= _LONGEST_COMPARED else ():
        matcher.set_seq1(compared(known))
        if matcher.real_quick_ratio() >= _SIMILAR and (likeness := matcher.ratio()) >= _SIMILAR:
            yield likeness, known


def _is_one_slip(right: str, wrong: str) -> bool:
    """Return whether a word becomes another by at most one character more, less or other, or two exchanged ones."""
    start = next((k for k, (a, b) in enumerate(zip(right, wrong, strict=False)) if a != b), min(len(right), len(wrong)))
    right, wrong = right[start:], wrong[start:]
    exchanged = wrong[1:2] + wrong[:1] + wrong[2:]
    return right in (wrong, wrong[1:], exchanged) or right[1:] in (wrong, wrong[1:])
