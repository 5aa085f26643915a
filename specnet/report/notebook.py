"""Networks, models and runs as HTML for notebooks: in Jupyter, VS Code, and where styles are not allowed.

GitHub and untrusted notebooks keep text, tables and the descriptions of images, but drop styles and inline SVG: the
pictures are images with styles of their own, and all else can be read as it stands.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup

from specnet.model import Model
from specnet.network import Network
from specnet.report import headline
from specnet.report.courses import training_figures
from specnet.report.diagram import Parameters, diagram
from specnet.report.figures import count, metric
from specnet.report.overview import Overview
from specnet.report.style import CHART_STYLE, DARK, LIGHT, NETWORK_STYLE, style_alone, variables
from specnet.report.tables import TextTable
from specnet.report.templates import PAGES, environment

if TYPE_CHECKING:
    from specnet.report.findings import Finding
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
"""How notebooks mark what they show by their theme, which may not be that of the system."""
_SIZE = re.compile(r'<svg [^>]*?width="([\d.]+)" height="([\d.]+)"')
_DESCRIPTION = re.compile(r'aria-label="([^"]*)"')


class Image(NamedTuple):
    """A picture as an image: its address holds all of it.

    Attributes
    ----------
    address : str
    width, height : str
        In pixels.
    description : Markup
    """

    address: str
    width: str
    height: str
    description: Markup


@singledispatch
def html(thing: Any) -> str:
    """Return a network, with its diagram and plan, or a model, with its weights and scores too, as HTML."""
    raise TypeError(f"cannot show {thing!r}")


@html.register
def _(network: Network) -> str:
    names = network.spec.feature_names or ()
    return _page("network", network.resolved, network=_network(network.resolved, names=names), scores=None)


@html.register
def _(model: Model) -> str:
    theta, _ = model.members[0]
    network, names = model.network, model.feature_names or ()
    classes = [] if model.labels is None else [str(label) for label in model.labels]
    picture = _network(
        network.resolved,
        network.parameters(theta),
        names=names,
        outputs=classes[1:] if network.outputs == 1 else classes,
    )
    return _page("network", network.resolved, network=picture, scores=_scores(model.history))


def run_html(
    resolved: Resolved,
    history: Sequence[Mapping[str, Any]],
    evaluation: Mapping[str, Any],
    findings: Sequence[Finding],
) -> str:
    """Return a run as HTML: its figures, what went wrong, and its loss.

    Parameters
    ----------
    resolved : Resolved
    history : sequence of mapping
        A record for each logged epoch.
    evaluation : mapping
        What ``metrics.json`` says.
    findings : sequence of Finding
    """
    loss = next(training_figures(history, [], resolved.spec.training.members), None)
    return _page(
        "run",
        resolved,
        tiles=headline.tiles(evaluation, history),
        findings=findings,
        loss=None if loss is None else loss._replace(chart=_image(loss.chart, CHART_STYLE, "specnet-chart")),
    )


def _page(template: str, resolved: Resolved, **content: Any) -> str:
    overview = Overview(resolved)
    kicker = [overview.summary(), overview.totals(), resolved.spec.network.dtype]
    name = resolved.spec.name or ""
    plan = overview.table()
    page = environment().get_template(f"notebook_{template}.html.j2")
    return page.render(style=_style(), name=name, kicker=kicker, plan=plan, **content)


def _network(
    resolved: Resolved, parameters: Parameters | None = None, *, names: Sequence[str], outputs: Sequence[str] = ()
) -> Image:
    drawn = diagram(resolved, parameters, input_names=names, output_names=outputs)
    return _image(drawn, NETWORK_STYLE, "specnet-network")


def _image(picture: Markup, rules: str, scope: str) -> Image:
    """Return a picture as an image that has its style inside."""
    size, description = _SIZE.match(picture), _DESCRIPTION.search(picture)
    assert size and description, "every picture has them"
    start = picture.index(">") + 1
    alone = f"{picture[:start]}<style>{style_alone(rules, scope)}</style>{picture[start:]}"
    address = f"data:image/svg+xml;base64,{base64.b64encode(alone.encode()).decode()}"
    return Image(address, size[1], size[2], Markup(description[1]))


def _scores(history: Sequence[Mapping[str, Any]]) -> TextTable | None:
    """Return the first and the last record of a history, of an ensemble the last one of each member."""
    if not history:
        return None
    names = [name for name in history[0] if name not in ("member", "epoch")]
    last = {record.get("member"): record for record in history}
    shown = list(last.values()) if None not in last else [history[0], history[-1]][: len(history)]
    rows = [(_place(record), *(metric(name, record[name]) for name in names)) for record in shown]
    return TextTable(("", *map(headline.words, names)), rows, right=frozenset(range(1, len(names) + 1)))


def _place(record: Mapping[str, Any]) -> str:
    member = f"member {record['member']}, " if "member" in record else ""
    return f"{member}epoch {count(record['epoch'])}"


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
"""Colours of findings on light and on dark paper."""
