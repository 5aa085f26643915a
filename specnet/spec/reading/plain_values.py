"""What a document's values may be, whatever they mean: text, finite numbers, true and false, lists and tables."""

import math
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from specnet.errors import Diagnostic, Path, SpecError
from specnet.spec.reading.caps import DEEPEST, MOST_TOKENS
from specnet.spec.reading.source_document import MOST_SHOWN, Document
from specnet.spec.reading.words import shown

LARGEST_INTEGER = 2**63 - 1
"""As in TOML."""


def plain(document: Document) -> Document:
    """Return the document with lists as tuples, and without anything that a spec may not hold.

    Raises
    ------
    SpecError
        With every value that is null, not finite, no text, or nothing that a spec knows.
    """
    check = _Check(document)
    data = check.table(document.data, ())
    if check.problems:
        raise document.error(check.problems, check.left_out)
    return replace(document, data=data)


class _Check:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Diagnostic] = []
        self.left_out = 0
        self.count = 0

    def table(self, table: Mapping[Any, Any], path: Path) -> dict[str, Any]:
        checked = {}
        for key, value in table.items():
            if not isinstance(key, str) or not _is_text(key):
                self.refuse("key", f"invalid key {shown(key)}", (*path, str(key)), at_key=True)
            else:
                checked[key] = self.value(value, (*path, key))
        return checked

    def value(self, value: Any, path: Path) -> Any:
        self.count += 1
        if len(path) > DEEPEST:
            raise SpecError(self.document.diagnostic("too-deep", f"more than {DEEPEST} levels of nesting", path))
        if self.count > MOST_TOKENS:
            raise SpecError(self.document.diagnostic("too-large", f"more than {MOST_TOKENS} values", path))
        if isinstance(value, np.generic | np.ndarray):
            value = value.tolist()
        if isinstance(value, Mapping):
            return self.table(value, path)
        if isinstance(value, list | tuple):
            return tuple(self.value(item, (*path, index)) for index, item in enumerate(value))
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if isinstance(value, str):
            if not _is_text(value):
                self.refuse("encoding", "invalid Unicode: unpaired surrogate", path)
        elif isinstance(value, float):
            if not math.isfinite(value):
                self.refuse("not-finite", f"expected a finite number, got {value}", path)
        elif isinstance(value, int):
            if not -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER:
                self.refuse("number-range", "expected an integer of at most 64 bits", path)
        elif value is None:
            self.refuse("null", "null is not supported", path, hint="omit the key")
        else:
            self.refuse("wrong-type", f"values of type {type(value).__name__} are not supported", path)
        return value

    def refuse(self, code: str, message: str, path: Path, *, at_key: bool = False, hint: str | None = None) -> None:
        if len(self.problems) == MOST_SHOWN:
            self.left_out += 1
        else:
            self.problems.append(self.document.diagnostic(code, message, path, at_key=at_key, hint=hint))


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
