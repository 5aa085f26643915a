"""Templates of specs: TOML files in ``templates``, which Jinja fills in.

Jinja's statements are enclosed in ``#%`` and ``%#``, so that they are TOML comments and TOML editors accept the files.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specnet.files.plain_data import toml_key, toml_value
from specnet.number_texts import counted

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = ("moons", "classification", "regression", "residual")
"""Specs to start from without a table."""
_COMMENT_COLUMN, _MAX_WIDTH = 40, 100


def starting_spec(template: str, *, name: str, file: str) -> str:
    """Return the spec of one of `TEMPLATES` as text, given the spec's name and the file name for its comments."""
    return rendered(template, name=name, file=file)


def rendered(template: str, **content: Any) -> str:
    """Return the text of a template filled in with values; `template` is its file name without ``.toml``."""
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
    made.filters |= {
        "toml": toml_value,
        "toml_key": toml_key,
        "beside": beside,
        "column_list": _column_list,
        "comment": _comment,
    }
    made.globals |= {"counted": counted, "rounded": _rounded}
    return made


def beside(line: str, comment: str) -> str:
    """Return a line followed by an aligned comment, or the line alone if the comment is empty."""
    return f"{line:<{_COMMENT_COLUMN - 1}} # {comment}" if comment else line


def _column_list(indices: Iterable[int], comment: str) -> str:
    """Return the TOML setting ``columns`` of a layer, wrapped if it is long, with a comment."""
    line = textwrap.fill(f"columns = [{', '.join(map(str, indices))}]", _MAX_WIDTH, subsequent_indent="    ")
    return beside(line, comment)


def _comment(text: str) -> str:
    """Return a text as lines of a comment."""
    lines = textwrap.wrap(text, _MAX_WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"# {line}" for line in lines)


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
