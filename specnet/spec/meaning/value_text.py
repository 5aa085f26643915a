"""Values of specs as one line of text."""

from __future__ import annotations

import json
from typing import Any

LONGEST = 48


def value_text(value: Any, longest: int = LONGEST) -> str:
    """Return plain data as a line: texts without quotes, all else as JSON, cut where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = text.replace("\n", "⏎")
    return text if len(text) <= longest else text[: longest - 1] + "…"
