"""Networks, models and runs as HTML for notebooks in Jupyter, VS Code and viewers that remove styles.

GitHub and untrusted notebooks show text, tables and image descriptions, but remove styles and inline SVG. Therefore
pictures are images that contain their own styles, and everything else is readable without styles.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from specnet.model import Model
from specnet.network import Network
from specnet.number_texts import count, counted, metric, percent
from specnet.report.network_diagram import diagram_of
from specnet.report.overview import Overview
from specnet.report.pages import headline
from specnet.report.pages.page_beginning import beginning_of
from specnet.report.pages.page_templates import PAGES, environment
from specnet.report.pages.training_charts import training_figures
from specnet.report.svg.colours import CHART_STYLE, DARK, LIGHT, NETWORK_STYLE, style_alone, variables
from specnet.report.terminal.terminal_output import TextTable
from specnet.training.checkpoint import MEMBER

if TYPE_CHECKING:
    from specnet.findings import Finding
    from specnet.spec import Resolved

SCOPE = ".specnet-notebook"
COLOURS = ("card", "ink", "muted", "rule")
LIGHT_HOSTS = ('[data-jp-theme-light="true"]', ".vscode-light", '[data-theme="light"]', '[theme="light"]')
DARK_HOSTS = (
    '[data-jp-theme-light="false"]',
    ".vscode-dark",
    ".vscode-high-contrast:not(.vscode-high-contrast-light)",
    '[data-theme="dark"]',
    '[theme="dark"]',
)
"""CSS selectors by which notebooks mark their theme, which may differ from the theme of the system."""
LARGER = 1.15
"""Factor by which charts are enlarged."""
_SIZE = re.compile(r'<svg [^>]*?width="([\d.]+)" height="([\d.]+)"')
_DESCRIPTION = re.compile(r'aria-label="([^"]*)"')


@singledispatch
def html(thing: Any) -> str:
    """Return HTML of a network (diagram and layers), a model (also weights and scores) or a team (its networks)."""
    raise TypeError(f"cannot show {thing!r}")


@html.register
def _(network: Network) -> str:
    resolved = network.resolved
    return _page(resolved, network=_image(diagram_of(network).svg()), tables=[("Layers", Overview(resolved).table())])


@html.register
def _(model: Model) -> str:
    resolved = model.network.resolved
    if len(model.networks) == 1:
        tables = [("Layers", Overview(resolved).table()), *_scores(model.history)]
        return _page(resolved, network=_image(diagram_of(model.network, model).svg()), tables=tables)
    rows, plans, total = [], [], sum(model.shares)
    for number, (each, share) in enumerate(zip(model.networks, model.shares, strict=True), 1):
        plan, parameters = Overview(each.network.resolved), count(each.theta.size)
        rows.append((str(number), percent(share / total), plan.summary(), count(len(each.members)), parameters))
        plans.append((f"Layers of network {number}", plan.table()))
    networks = TextTable(["network", "share", "layers", "members", "parameters"], rows, right=frozenset([0, 1, 3, 4]))
    head = [f"team of {counted(len(model.networks), 'network')}", resolved.spec.network.dtype]
    return _page(resolved, head, tables=[("Networks", networks), *plans])


def run_html(
    resolved: Resolved,
    history: Sequence[Mapping[str, Any]],
    evaluation: Mapping[str, Any],
    findings: Sequence[Finding],
) -> str:
    """Return a run as HTML: verdict, scores, findings, and charts of training.

    Parameters
    ----------
    resolved : Resolved
    history : sequence of mapping
        A record for each logged epoch.
    evaluation : mapping
        Contents of ``metrics.json``.
    findings : sequence of Finding
    """
    training = resolved.spec.training
    begins = beginning_of(evaluation, training.metrics, headline.network(training.members))
    figures = [*filter(None, [begins["strip"]]), *training_figures(history, [], evaluation, members=training.members)]
    return _page(
        resolved,
        verdict=begins["verdict"],
        tables=[("Scores", begins["scores"])],
        findings=findings,
        figures=[(each, _image(each.chart, CHART_STYLE, "specnet-chart", LARGER)) for each in figures],
    )


def _page(resolved: Resolved, head: Sequence[str] = (), **content: Any) -> str:
    overview, name = Overview(resolved), resolved.spec.name
    head = head or [overview.summary(), overview.totals(), resolved.spec.network.dtype]
    head = [*([name] if name else []), *head]
    parts = dict.fromkeys(("network", "verdict", "tables", "findings", "figures")) | content
    return environment().get_template("notebook.html.j2").render(style=_style(), head=head, **parts)


def _image(picture: Markup, rules: str = NETWORK_STYLE, scope: str = "specnet-network", scale: float = 1.0) -> Markup:
    """Return a scaled picture as an ``<img>`` element whose data URI contains the SVG and its style."""
    size, description = _SIZE.match(picture), _DESCRIPTION.search(picture)
    assert size and description, "every picture has them"
    start = picture.index(">") + 1
    alone = f"{picture[:start]}<style>{style_alone(rules, scope)}</style>{picture[start:]}"
    address = f"data:image/svg+xml;base64,{base64.b64encode(alone.encode()).decode()}"
    width, height = (round(scale * float(each)) for each in size.groups())
    return Markup(f'<img src="{address}" width="{width}" height="{height}" alt="{description[1]}">')


def _scores(history: Sequence[Mapping[str, Any]]) -> list[tuple[str, TextTable]]:
    """Return a table of a history's first and last record; of an ensemble, of each member's last record."""
    if not history:
        return []
    names = [name for name in history[0] if name not in (MEMBER, "epoch")]
    last = {record.get(MEMBER): record for record in history}
    shown = list(last.values()) if MEMBER in history[0] else [history[0], history[-1]][: len(history)]
    members = [f"member {record[MEMBER]}, " if MEMBER in record else "" for record in shown]
    rows = [
        (f"{member}epoch {count(record['epoch'])}", *(metric(name, record[name]) for name in names))
        for member, record in zip(members, shown, strict=True)
    ]
    header = ("", *map(headline.words, names))
    return [("Scores during training", TextTable(header, rows, right=frozenset(range(1, len(header)))))]


def _style() -> Markup:
    light, dark = (variables({name: colours[name] for name in COLOURS}) for colours in (LIGHT, DARK))
    light, dark = f"color-scheme: light; {light} {_NOTICES[0]}", f"color-scheme: dark; {dark} {_NOTICES[1]}"
    return Markup(
        f"{SCOPE} {{ {light} }}\n"
        f"@media (prefers-color-scheme: dark) {{ {SCOPE} {{ {dark} }} }}\n"
        f"{_within(LIGHT_HOSTS)} {{ {light} }}\n"
        f"{_within(DARK_HOSTS)} {{ {dark} }}\n" + (PAGES / "notebook.css").read_text("utf-8")
    )


def _within(hosts: Sequence[str]) -> str:
    return ", ".join(f"{host} {SCOPE}" for host in hosts)


_NOTICES = ("--bad: #b3262e; --notice: #a8480c;", "--bad: #ff8d86; --notice: #f0a35e;")
"""Colours of findings on a light and on a dark background."""
