"""Hints to set a key of a spec's data section: in the spec or, if no spec exists yet, by a command-line option."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from specnet.files.plain_data import toml_key, toml_text, toml_value

_READERS = {"read_excel": (".xlsx", ".xls", ".xlsm", ".ods"), "read_json": (".json", ".json.gz")}
"""The pandas function for each common file format that specnet does not read, with the suffixes of its files."""
_Command = Literal["new", "predict"]
_COMMAND: ContextVar[_Command | None] = ContextVar("command", default=None)


@contextmanager
def settings_as_options(command: _Command) -> Iterator[None]:
    """Make hints within this context name options of a command.

    `new` has no spec yet, because it writes one; `predict` has an option for the encoding.
    """
    token = _COMMAND.set(command)
    try:
        yield
    finally:
        _COMMAND.reset(token)


def setting(key: str, *values: str) -> str:
    """Return the hint to set a key of the data section to one of the given TOML values."""
    if _COMMAND.get() == "predict" and key == "encoding":
        return f"use --encoding {' or '.join(map(_plain, values))}"
    if _COMMAND.get() != "new":
        return f"set data.{key} = {' or '.join(values)}"
    return "use " + " or ".join(f"--set {_quoted(f'data.{key}={_plain(value)}')}" for value in values)


def longer(key: str, items: Iterable[str], added: Sequence[str], others: Iterable[str] = ()) -> str:
    """Return the hint to add texts to a list of the data section.

    An option replaces the whole list, so it also contains the present `items` and the texts `others` of other hints.
    """
    if _COMMAND.get() != "new":
        return f"add {' and '.join(map(toml_text, added))} to data.{key}"
    return setting(key, toml_value(list(dict.fromkeys([*items, *added, *others]))))


def no_header(skip: int | None = None) -> str:
    """Return the hint to read a file without a header, and if `skip` is given, to skip this number of lines."""
    hints = [setting("header", "false"), *([] if skip is None else [setting("skip", str(skip))])]
    return f"{' and '.join(hints)}; the columns are then column_1, column_2, …"


def column_key(name: str) -> str:
    """Return the dotted key, within the data section, that sets the kind of a column."""
    return f"columns.{toml_key(name)}"


def _quoted(text: str) -> str:
    """Return a text quoted for a shell; also in quotes if it ends in punctuation."""
    quoted = shlex.quote(text)
    return quoted if quoted != text or text[-1].isalnum() else f"'{text}'"


def _plain(value: str) -> str:
    """Return a TOML value as an option takes it: a simple text loses its quotes."""
    inner = value[1:-1]
    return inner if value == f'"{inner}"' and not set(inner) & set('\\"') and not inner[:1].isdigit() else value


def how_to_convert(path: str | os.PathLike[str]) -> str:
    """Return the hint how to convert a file of another format to a table."""
    name = os.path.basename(path)
    if name.lower().endswith(".parquet"):
        return setting("type", '"parquet"')
    made = f"{os.path.splitext(name.removesuffix('.gz'))[0]}.csv"
    for reader, suffixes in _READERS.items():
        if name.lower().endswith(suffixes):
            duck = f"DuckDB's COPY (FROM '{name}') TO '{made}'"
            return f'convert it with pandas.{reader}("{name}").to_csv("{made}", index=False), or {duck}'
    if name.lower().endswith((".txt", ".dat", ".data", ".tab")):
        return f'rename it to "{made}"; the delimiter is found if it is one of , ; tab |'
    return "convert it with pandas or DuckDB, for example to .csv or .parquet"
