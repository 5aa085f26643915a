"""How hints tell a reader to set a key of a spec's data: in the spec, or where there is none yet, as an option."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from specnet.files.plain_data import toml_key, toml_text, toml_value

_READERS = {"read_excel": (".xlsx", ".xls", ".xlsm", ".ods"), "read_json": (".json", ".json.gz")}
"""The functions of pandas that read other common files, and how the names of these end."""
_Command = Literal["new", "predict"]
_COMMAND: ContextVar[_Command | None] = ContextVar("command", default=None)


@contextmanager
def settings_as_options(command: _Command) -> Iterator[None]:
    """Let hints name options of a command: `new` writes the spec, `predict` has an option for the encoding."""
    token = _COMMAND.set(command)
    try:
        yield
    finally:
        _COMMAND.reset(token)


def setting(key: str, *values: str) -> str:
    """Return the hint to set a key of the data to one of some values, which are written as TOML."""
    if _COMMAND.get() == "predict" and key == "encoding":
        return f"use --encoding {' or '.join(map(_plain, values))}"
    if _COMMAND.get() != "new":
        return f"set data.{key} = {' or '.join(values)}"
    return "use " + " or ".join(f"--set {_quoted(f'data.{key}={_plain(value)}')}" for value in values)


def longer(key: str, items: Iterable[str], added: Sequence[str], others: Iterable[str] = ()) -> str:
    """Return the hint to add texts to a list of the data; an option has the whole list, and what others add to it."""
    if _COMMAND.get() != "new":
        return f"add {' and '.join(map(toml_text, added))} to data.{key}"
    return setting(key, toml_value(list(dict.fromkeys([*items, *added, *others]))))


def no_header(skip: int | None = None) -> str:
    """Return the hint to read a file without its header, or with one that is skipped."""
    hints = [setting("header", "false"), *([] if skip is None else [setting("skip", str(skip))])]
    return f"{' and '.join(hints)}; the columns are then column_1, column_2, …"


def column_key(name: str) -> str:
    """Return the key of a column's kind."""
    return f"columns.{toml_key(name)}"


def _quoted(text: str) -> str:
    """Return a text as a shell has it, in quotes too where a sentence would hide its last character."""
    quoted = shlex.quote(text)
    return quoted if quoted != text or text[-1].isalnum() else f"'{text}'"


def _plain(value: str) -> str:
    """Return a value as an option has it: a single word, or a character, without quotes."""
    inner = value[1:-1]
    return inner if value == f'"{inner}"' and not set(inner) & set('\\"') and not inner[:1].isdigit() else value


def how_to_convert(path: str | os.PathLike[str]) -> str:
    """Return the hint that says how a file of another kind becomes a table."""
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
