"""Mistakes of a spec mended in its text, by the edits of their suggestions; comments and layout stay as they are."""

import json
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from specnet.errors import Diagnostic, Path, Position, SpecError
from specnet.files.plain_data import toml_key, toml_value, value_at
from specnet.spec.document import Limits
from specnet.spec.reading.reader import CannotSetError, document_of, plain, with_change
from specnet.spec.reading.source_document import Document, Location
from specnet.spec.searching import parse_whole
from specnet.spec.spec_writing import TomlText
from specnet.suggestions import Assigned, Edit, Moved, Removed, Replaced, Suggestion

MAX_EDITS = 100
"""Maximum number of edits of one text."""


class Edited(NamedTuple):
    """A text after an edit, and the path that was edited."""

    content: str
    path: Path


def mended(
    document: Document, *, limits: Limits | None = None, only_certain: bool = True
) -> tuple[Document, tuple[Diagnostic, ...]]:
    """Return a document with the suggestions of its mistakes followed in its text, one by one, until none is left.

    Nothing is removed, and only suggestions with a single edit are followed. An edit is taken back if it causes a
    mistake at the path that it changes, or below it.

    Parameters
    ----------
    document : Document
        A spec as read from a text, without settings.
    limits : Limits, optional
        Limits on the size of the network.
    only_certain : bool
        Whether only certain suggestions are followed.

    Returns
    -------
    Document
        The document in the text after the edits.
    tuple of Diagnostic
        The mended mistakes, at their positions when they were mended, in this order.
    """
    followed: list[Diagnostic] = []
    tried: set[tuple[Path, str]] = set()
    mistakes = _mistakes(document, limits)
    while len(followed) < MAX_EDITS:
        known = {(each.path, each.message) for each in mistakes}
        for mistake in sorted(mistakes, key=_changes_table):
            edit, number = _edit_of(mistake, only_certain), (mistake.path, str(mistake.hint))
            if edit is None or number in tried:
                continue
            tried.add(number)
            change = edited(document, mistake, edit)
            after = change and _document(change.content, document)
            if change is None or after is None:
                continue
            left = _mistakes(after, limits)
            new = [each.path for each in left if (each.path, each.message) not in known]
            if not any(_is_in(path, change.path) for path in new):
                break
        else:
            break
        followed.append(mistake)
        document, mistakes = after, left
    return document, tuple(followed)


def _document(content: str, before: Document) -> Document | None:
    """Return the document in an edited text, or None if it has none."""
    assert before.text is not None, "it was edited"
    with suppress(SpecError):
        return plain(document_of(content.encode(), before.text.name, before.folder))
    return None


def _mistakes(document: Document, limits: Limits | None) -> tuple[Diagnostic, ...]:
    try:
        parse_whole(document, limits=limits)
    except SpecError as error:
        return error.diagnostics
    return ()


def is_doubtful(mistake: Diagnostic) -> bool:
    """Return whether `mended` follows the hint of a mistake only if it need not be certain."""
    return _edit_of(mistake, only_certain=True) is None is not _edit_of(mistake, only_certain=False)


def _edit_of(mistake: Diagnostic, only_certain: bool) -> Edit | None:
    """Return the edit that mends a mistake; None if there is none, or a choice, or if it removes something."""
    hint = mistake.hint
    if not isinstance(hint, Suggestion) or len(hint.edits) != 1 or (only_certain and not hint.is_certain):
        return None
    return None if isinstance(hint.edits[0], Removed) else hint.edits[0]


def _changes_table(mistake: Diagnostic) -> bool:
    """Return whether a suggestion changes two tables: such edits come last, if no other key belongs there."""
    edit = _edit_of(mistake, only_certain=False)
    return isinstance(edit, Moved) and edit.path[:-1] != edit.to[:-1]


def edited(document: Document, mistake: Diagnostic, edit: Edit) -> Edited | None:
    """Return the text of a document with an edit made that a mistake suggests.

    None if the text does not write the name or value in one piece, or another text does; in JSON, nothing is moved to
    another table, added or removed.
    """
    path = mistake.path
    if isinstance(edit, Moved) and edit.path[:-1] == edit.to[:-1]:
        return _renamed(document, edit.path, str(edit.to[-1]))
    if not isinstance(edit, Replaced):
        return _rearranged(document, edit, path)
    for depth in range(len(path), 0, -1):
        location = document.locations.get(path[:depth])
        if location is not None and location.key is not None and location.key == mistake.position:
            return _renamed(document, path[:depth], str(edit.value))
    location, written = document.locations.get(path), value_at(document.data, path)
    if location is None or location.value != mistake.position or isinstance(written, Mapping | tuple):
        return None
    content = _replaced(document, location, location.value, written, edit.value)
    return None if content is None else Edited(content, path)


def _renamed(document: Document, path: Path, key: str) -> Edited | None:
    location = document.locations.get(path)
    if location is None or location.key is None or value_at(document.data, (*path[:-1], key)) is not None:
        return None
    content = _replaced(document, location, location.key, path[-1], key)
    return None if content is None else Edited(content, (*path[:-1], key))


def _replaced(document: Document, location: Location, position: Position, old: Any, new: Any) -> str | None:
    """Return the text with a key or value replaced; None if it is not written as a whole at the position."""
    if document.text is None or location.text != document.text:  # a setting says it
        return None
    is_key = position == location.key
    lines = document.text.content.split("\n")
    line, start = lines[position.line - 1], position.column - 1
    token = line[start : start + position.length]
    if document.format == "json":
        read, written = _json_value(token), json.dumps(new, ensure_ascii=False)
    else:
        read, written = _toml_key(token) if is_key else _toml_value(token), (toml_key if is_key else toml_value)(new)
        if token.startswith("'") and written == f'"{new}"':
            written = f"'{new}'"
    if read != old:
        return None
    lines[position.line - 1] = line[:start] + written + line[start + position.length :]
    return "\n".join(lines)


def _json_value(token: str) -> Any:
    try:
        return json.loads(token)
    except json.JSONDecodeError:
        return None


def _toml_value(token: str) -> Any:
    try:
        return tomllib.loads(f"value = {token}")["value"]
    except tomllib.TOMLDecodeError:
        return None


def _toml_key(token: str) -> str | None:
    try:
        return next(iter(tomllib.loads(f"{token} = 0")))
    except tomllib.TOMLDecodeError:
        return None


def _rearranged(document: Document, edit: Moved | Assigned | Removed, own: Path) -> Edited | None:
    """Return the TOML text of a document with a value moved to another table, assigned or removed."""
    if document.text is None or document.format != "toml":
        return None
    changed: Mapping[str, Any] = document.data
    try:
        if not isinstance(edit, Assigned):
            source = edit.path or own
            changed, path = with_change(changed, [*map(str, source)], None, removed=True)
            # The tables around a moved value are removed with it if they would be empty, but not those of its new path.
            around, to = path[:-1], edit.to if isinstance(edit, Moved) else path
            while value_at(changed, around) == {} and not _is_in(to, around):
                changed, around = with_change(changed, [*map(str, around)], None, removed=True)[0], around[:-1]
        if not isinstance(edit, Removed):
            to, value = edit if isinstance(edit, Assigned) else (edit.to, value_at(document.data, edit.path))
            if isinstance(edit, Moved) and value_at(changed, to) is not None:
                return None
            changed, path = with_change(changed, [*map(str, to)], value, removed=False)
    except CannotSetError:
        return None
    content = TomlText(document.text.content).with_data(document.data, plain(Document(changed)).data)
    return Edited(content, path)


def _is_in(path: Path, table: Path) -> bool:
    return path[: len(table)] == table
