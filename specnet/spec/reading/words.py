"""How messages call things: values as a user wrote them, kinds with their article, names in a row."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

_LONGEST = 60
_NOUNS = {"averaging": "weight averaging", "data": "data source", "preprocessing": "preprocessing step"}


def shown(value: Any) -> str:
    """Return a value as a document writes it, cut where it is long; of lists and tables only what they are."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, str):
        text = value if len(value) <= _LONGEST else value[:_LONGEST] + "…"
        return json.dumps(text, ensure_ascii=not text.isprintable())
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, int | float):
        return (
            repr(value) if abs(value) < 10**15 else f"about {'-' * (value < 0)}1e{math.floor(math.log10(abs(value)))}"
        )
    return f"a {type(value).__name__}"


def kind_name(kind: str) -> str:
    """Return how messages call a kind of part, such as "preprocessing step"."""
    return _NOUNS.get(kind, kind)


def kind_noun(kind: str) -> str:
    """Return a kind of part with its article, such as "an activation"."""
    noun = kind_name(kind)
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def either(names: Iterable[str]) -> str:
    """Return names in quotes as a sentence has them: "a", "b" or "c"."""
    quoted = [f'"{name}"' for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
