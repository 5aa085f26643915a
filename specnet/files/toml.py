"""Specs as TOML that a person would write: short tables in one line, layers one after the other."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_LINE = 110


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
    """Return a table's lines: its plain keys, then the tables and the lists of tables in it."""
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
    """Whether a value has lines of its own under a title: tables of the document, and lists of tables."""
    if isinstance(value, Mapping):
        return not path
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _lines(table: Mapping[str, Any]) -> list[str]:
    return [_setting(key, value) for key, value in table.items()]


def _setting(key: str, value: Any) -> str:
    line = f"{toml_key(key)} = {toml_value(value)}"
    if len(line) <= _LONGEST_LINE or not isinstance(value, list):
        return line
    return "\n".join([f"{toml_key(key)} = [", *(f"    {toml_value(item)}," for item in value), "]"])


def toml_key(key: str) -> str:
    """Return a key, in quotes where it needs them."""
    return key if _BARE.fullmatch(key) else toml_text(key)


def toml_text(text: str) -> str:
    """Return a text in quotes."""
    # JSON's texts are TOML's but for the sign of deletion, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_value(value: Any) -> str:
    """Return a value in one line."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{toml_key(key)} = {toml_value(item)}' for key, item in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return toml_text(value)
    return repr(value)
