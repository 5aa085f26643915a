"""Numbers as programming languages write them."""

from __future__ import annotations

from typing import Any

import numpy as np


def number_text(number: Any) -> str:
    """Return the shortest decimal that reads as this number, be it read in its own precision or in double."""
    text = str(number) if isinstance(number, np.floating) else repr(float(number))
    if isinstance(number, np.float32) and np.float32(float(text)) != number:
        text = repr(float(number))
    return text


def number_literal(number: Any) -> str:
    """Return a number in C, in its own precision."""
    text = number_text(number)
    if text.lstrip("-") in ("inf", "nan"):
        return text.replace("inf", "INFINITY").replace("nan", "NAN")
    return f"{text}f" if isinstance(number, np.float32) else text
