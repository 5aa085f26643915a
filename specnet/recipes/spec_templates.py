"""Templates of specs: TOML files in ``templates``, which Jinja fills in.

Jinja's statements stand between ``#%`` and ``%#``: they are comments of TOML, and its editors read the files.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specnet.files.plain_data import toml_value
from specnet.number_texts import counted

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = ("moons", "classification", "regression", "residual")
"""Specs to start from without a table."""
_COMMENT_COLUMN, _MAX_WIDTH = 40, 100


def starting_spec(template: str, *, name: str, file: str) -> str:
    """Return one of `TEMPLATES` as the text of a spec with this name; its comments mention the spec's file."""
    return rendered(template, name=name, file=file)


def rendered(template: str, **content: Any) -> str:
    """Return a template, given by the name of its file without ``.toml``, filled in with values."""
    return _environment().get_template(f"{template}.toml").render(**content)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        block_start_string="#%",
        block_end_string="%#",
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"toml": toml_value, "beside": beside, "column_list": _column_list}
    made.globals |= {"counted": counted, "rounded": _rounded}
    return made


def beside(line: str, comment: str) -> str:
    """Return a line with a comment behind it, if there is one."""
    return f"{line:<{_COMMENT_COLUMN - 1}} # {comment}" if comment else line


def _column_list(indices: Iterable[int], comment: str) -> str:
    """Return the line that sets the columns of a layer."""
    line = textwrap.fill(f"columns = [{', '.join(map(str, indices))}]", _MAX_WIDTH, subsequent_indent="    ")
    return beside(line, comment)


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
