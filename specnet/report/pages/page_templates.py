"""The environment and style of the page templates; values are escaped unless this package marks them as markup."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from specnet.number_texts import on_page
from specnet.report.pages.how_to_read import kinds_on
from specnet.report.svg.colours import CHART_STYLE, theme
from specnet.report.svg.markup import isolated, unbroken
from specnet.saved.expectations_file import figure_in_words, in_order, met_in_words, worst_in_words

if TYPE_CHECKING:
    from jinja2 import Environment

PAGES = Path(__file__).parent


@cache
def environment() -> Environment:
    """Return the Jinja environment of the templates in ``pages``; an undefined name in a template is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_finalized,
    )
    made.filters |= {
        "sha256": _sha256,
        "anchor": _anchor,
        "isolated": isolated,
        "kinds_on": kinds_on,
        "on_page": on_page,
    }
    made.filters |= {each.__name__: each for each in (figure_in_words, in_order, met_in_words, worst_in_words)}
    return made


def _finalized(value: Any) -> Any:
    """Return a value of a template with no-break spaces, unless it is markup, such as what a reader copies."""
    return unbroken(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def rendered(template: str, **content: Any) -> str:
    """Return a template rendered with values, and with the style sheet and the script of all pages."""
    script = Markup((PAGES / "page.js").read_text("utf-8"))
    return environment().get_template(template).render(style=style(), page_script=script, **content)


def _sha256(text: str) -> str:
    """Return the SHA-256 hash of a script in base64, as in a Content-Security-Policy."""
    return b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _anchor(title: str) -> str:
    """Return an element id for a chart's title, such as ``chart-training-loss``; empty without letters or digits."""
    words = re.findall(r"[a-z0-9]+", title.lower())
    return "-".join(["chart", *words]) if words else ""


def style() -> Markup:
    """Return the style sheet of all pages."""
    return Markup(theme(":root") + (PAGES / "style.css").read_text("utf-8") + CHART_STYLE)
