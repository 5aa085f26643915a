"""Texts of exported files, rendered by Jinja from the folder ``templates``.

Statements of Jinja are enclosed in ``#%`` and ``%#``, one per line.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def rendered(template: str, **content: Any) -> str:
    """Return the text of a template, named by its file without ``.jinja``, rendered with the given values."""
    return _environment().get_template(f"{template}.jinja").render(**content)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(  # renders source code, so no markup is escaped
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        block_start_string="#%",
        block_end_string="%#",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"repr": repr, "inside": _inside}
    return made


def _inside(lines: Iterable[str], indent: int = 4) -> str:
    """Join lines and indent all but the first, which the template indents."""
    return "\n".join(lines).replace("\n", "\n" + " " * indent)
