"""The texts of JSON files, and of JSON lines: a record for each, as in ``history.jsonl`` and ``layers.jsonl``.

And what is wrong with a text that is none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from specnet.files.tensors import parse_object


def json_text(data: Mapping[str, Any]) -> str:
    """Return data as the text of a JSON file."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def json_lines(records: Iterable[Mapping[str, Any]]) -> str:
    """Return a line for each record."""
    return "".join(json.dumps(record) + "\n" for record in records)


def records_of(content: bytes) -> list[dict[str, Any]]:
    """Return the record of each line.

    Raises
    ------
    FileError
        If one is damaged; the message says which.
    """
    return [parse_object(line, f"line {number}") for number, line in enumerate(content.splitlines(), 1)]


def json_mistake(text: str, error: json.JSONDecodeError) -> tuple[str, int]:
    """Return what is wrong with a text that is no JSON, and at which character, the same by every version of Python."""
    # Python 3.13 points at a comma with nothing behind it, older versions at the bracket that follows.
    before = text[: error.pos + error.msg.startswith("Illegal trailing comma")].rstrip()
    if before.endswith(",") and text[len(before) :].lstrip().startswith(("}", "]")):
        return "trailing comma", len(before) - 1
    return error.msg, error.pos
