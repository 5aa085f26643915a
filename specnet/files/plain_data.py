"""Plain data from files, validated against types: numbers are finite, no field is missing or unknown.

This module also writes and reads JSON and JSON lines, stores the SHA-256 of a folder's files in the folder's record,
and writes TOML as a person would: short tables in one line, one section for each layer.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from specnet.errors import FileError, Path
from specnet.files.atomic import as_bytes
from specnet.files.tensors import parse_object, shown


def json_text(data: Mapping[str, Any]) -> str:
    """Return data as the text of a JSON file."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def json_lines(records: Iterable[Mapping[str, Any]]) -> str:
    """Return records as the text of a JSON lines file, one line for each."""
    return "".join(json.dumps(record) + "\n" for record in records)


def records_of(content: bytes) -> list[dict[str, Any]]:
    """Return the records of a JSON lines file, one for each line.

    Raises
    ------
    FileError
        If a line is damaged; the message has its line number.
    """
    return [parse_object(line, f"line {number}") for number, line in enumerate(content.splitlines(), 1)]


def json_mistake(text: str, error: json.JSONDecodeError) -> tuple[str, int]:
    """Return the message and the character index of a mistake in invalid JSON, the same for every version of Python."""
    # Python 3.13 points at a trailing comma, older versions at the bracket after it.
    before = text[: error.pos + error.msg.startswith("Illegal trailing comma")].rstrip()
    if before.endswith(",") and text[len(before) :].lstrip().startswith(("}", "]")):
        return "trailing comma", len(before) - 1
    return error.msg, error.pos


LARGEST_COUNT = 2**53
Count = Annotated[int, Field(ge=0, le=LARGEST_COUNT)]
NotNegative = Annotated[float, Field(ge=0)]

_Checked = TypeVar("_Checked")


class Plain(BaseModel):
    """A base of strict pydantic models: no conversions, no unknown fields, no infinite numbers."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, defer_build=True)


def leaves(value: Any, path: Path = (), *, whole_lists: bool = False) -> Iterator[tuple[Path, Any]]:
    """Yield the path and the value of each leaf of a document; empty tables and lists are leaves too.

    Parameters
    ----------
    value : plain data
        The document, or a value of it.
    path : tuple of str and int
        Path of the value.
    whole_lists : bool
        Whether a list without tables and lists in it is one leaf.
    """
    steps: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, Mapping):
        steps = value.items()
    elif isinstance(value, list) and not (whole_lists and not any(isinstance(each, Mapping | list) for each in value)):
        steps = list(enumerate(value))
    if not steps:
        yield path, value
    for key, inner in steps:
        yield from leaves(inner, (*path, key), whole_lists=whole_lists)


def value_at(data: Any, path: Path) -> Any:
    """Return the value at a path of plain data, or None if the path does not exist."""
    for step in path:
        if isinstance(data, Mapping):
            data = data.get(str(step))
        elif isinstance(data, list | tuple) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data


def checked(validate: Callable[[Any], _Checked], data: Any, what: str) -> _Checked:
    """Return data from a file after validation by a pydantic method.

    Parameters
    ----------
    validate : callable
        Method such as ``Model.model_validate``.
    data : plain data
        Data to validate.
    what : str
        Name of the data with its verb, which begins the message.

    Raises
    ------
    FileError
        If the data are invalid.
    """
    try:
        return validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where, message = ".".join(map(str, first["loc"])), first["msg"].partition(" or instance of")[0]
        at = f" at {shown(where)}" if where else ""
        raise FileError(f"{what} damaged{at}: {message[0].lower()}{message[1:]}") from error


_BARE = re.compile(r"[A-Za-z0-9_-]+")
_MAX_LINE_LENGTH = 110


def to_toml(document: Mapping[str, Any]) -> str:
    """Return a document of tables, lists, texts, numbers and booleans as TOML.

    Examples
    --------
    >>> print(to_toml({"name": "a", "network": {"layers": [{"type": "dense", "units": 2}]}}))
    name = "a"
    <BLANKLINE>
    [network]
    <BLANKLINE>
    [[network.layers]]
    type = "dense"
    units = 2
    <BLANKLINE>
    """
    return "\n".join(_table(document, ())).lstrip("\n") + "\n"


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    """Return the lines of a table: first its values in one line each, then its tables and lists of tables."""
    plain = {key: value for key, value in table.items() if not _stands_apart(value, path)}
    lines = _lines(plain)
    for key, value in table.items():
        if key in plain:
            continue
        here = (*path, key)
        title = ".".join(map(toml_key, here))
        if isinstance(value, Mapping):
            lines += ["", f"[{title}]", *_table(value, here)]
        else:
            for item in value:
                lines += ["", f"[[{title}]]", *_lines(item)]
    return lines


def _stands_apart(value: Any, path: tuple[str, ...]) -> bool:
    """Return whether a value has a section with a title: a top-level table, or a list of tables."""
    if isinstance(value, Mapping):
        return not path
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _lines(table: Mapping[str, Any]) -> list[str]:
    return [_setting(key, value) for key, value in table.items()]


def _setting(key: str, value: Any) -> str:
    line = f"{toml_key(key)} = {toml_value(value)}"
    if len(line) <= _MAX_LINE_LENGTH or not isinstance(value, list):
        return line
    return "\n".join([f"{toml_key(key)} = [", *(f"    {toml_value(item)}," for item in value), "]"])


def toml_key(key: str) -> str:
    """Return a TOML key, quoted if necessary."""
    return key if _BARE.fullmatch(key) else toml_text(key)


def toml_text(text: str) -> str:
    """Return a text as a quoted TOML string."""
    # JSON strings are valid in TOML, except that TOML needs DEL to be escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_value(value: Any) -> str:
    """Return a value as TOML in one line."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{toml_key(key)} = {toml_value(item)}' for key, item in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return toml_text(value)
    return repr(value)


HASHES = "sha256"
"""The key in a record for the SHA-256 by file name, of each file and of the record itself."""
_SECONDS = re.compile(rb'("(?:training_)?seconds": )[-+.\deE]+')
_LENGTH = 8
"""How many characters of a hash are shown."""


def with_hashes(
    contents: Mapping[str, str | bytes], record: str, others: Mapping[str, str] | None = None
) -> dict[str, str | bytes]:
    """Return file contents with the SHA-256 of each file added to the file named `record`.

    The record also has the given hashes of other files, whose contents do not change.
    """
    facts = json.loads(contents[record])
    own = {name: _sha256(content) for name, content in contents.items()}
    hashes = {name: value for name, value in sorted({**(others or {}), **own}.items()) if name != record}
    blank = json_text({**facts, HASHES: {**hashes, record: ""}})
    return {**contents, record: json_text({**facts, HASHES: {**hashes, record: _own_sha256(as_bytes(blank), "")}})}


def recorded_hashes(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the SHA-256 by file name that a record contains; an empty dict if it contains none."""
    hashes = facts.get(HASHES)
    return {str(name): str(value) for name, value in hashes.items()} if isinstance(hashes, Mapping) else {}


def changed_files(
    hashes: Mapping[str, str], files: Mapping[str, bytes], record: str
) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield the name, recorded hash and current hash (both shortened) of each changed, removed or new file."""
    for name in dict.fromkeys([*files, *hashes]):
        then, content = hashes.get(name), files.get(name)
        if name == record and then is not None and content is not None:
            now: str | None = _own_sha256(content, then)
        else:
            now = None if content is None else _sha256(content)
        if then != now:
            yield name, _shortened(then), _shortened(now)


def _own_sha256(content: bytes, recorded: str) -> str:
    """Return the SHA-256 of a record, ignoring its durations in seconds and the hash of itself."""
    return _sha256(_SECONDS.sub(rb"\1", content).replace(f'"{recorded}"'.encode(), b'""'))


def _sha256(content: str | bytes) -> str:
    return hashlib.sha256(as_bytes(content)).hexdigest()


def _shortened(sha256: str | None) -> str | None:
    return sha256 and f"{sha256[:_LENGTH]}…"
