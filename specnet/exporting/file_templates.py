"""The texts of exported files: templates in ``templates``, which Jinja fills in.

Statements of Jinja stand between ``#%`` and ``%#``, each in a line of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def rendered(template: str, **content: Any) -> str:
    """Return a template, given by the name of its file without ``.jinja``, filled in with values."""
    return _environment().get_template(f"{template}.jinja").render(**content)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(  # of programs, which have no markup to escape
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
    """Return lines with an indentation, but for the first, which has that of the template."""
    return "\n".join(lines).replace("\n", "\n" + " " * indent)
