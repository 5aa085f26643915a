"""Suggestions for an unknown name: the most similar of the known ones."""

import json
from collections.abc import Iterable
from difflib import get_close_matches

_LONGEST_COMPARED = 100
_LONGEST_SHOWN = 60


def quoted(text: str) -> str:
    """Return a text in double quotes, shortened if long, with escapes for characters that cannot be printed."""
    text = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
    return json.dumps(text, ensure_ascii=not text.isprintable())


def compared(name: str) -> str:
    """Return the form in which names are compared: lower case, with underscores for hyphens and spaces."""
    return name.lower().replace("-", "_").replace(" ", "_")


def close_match(name: str, names: Iterable[str]) -> str | None:
    """Return the known name most similar to a name, ignoring case, hyphens and spaces; None if none is similar."""
    by_form = {compared(candidate): candidate for candidate in names}
    if len(name) > _LONGEST_COMPARED:
        return None
    close = get_close_matches(compared(name), by_form, cutoff=0.65)
    return by_form[close[0]] if close else None


def did_you_mean(name: str, names: Iterable[str]) -> str | None:
    """Return the hint that suggests the most similar known name; None if none is similar."""
    close = close_match(name, names)
    return f"did you mean {quoted(close)}?" if close else None
