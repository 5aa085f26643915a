"""Colours and the style sheet of charts, which pages, notebooks and files of a single picture share.

Charts name classes only; the classes take their colours from the variables here. `variables` sets these for what a
selector matches, `CHART_STYLE` holds the rules. A file that stands alone has its colours in the rules instead, since
viewers other than browsers know no variables.
"""

from __future__ import annotations

import re

COLOURS = {
    "paper": ("#fcfbf8", "#14181a"),
    "card": ("#ffffff", "#1b2023"),
    "ink": ("#1d2427", "#e9ebe8"),
    "muted": ("#5a6468", "#a2acae"),
    "rule": ("#e3e0d8", "#30383b"),
    "class-0": ("#bd5f10", "#f0994a"),
    "class-0-text": ("#a8530b", "#f0994a"),
    "class-1": ("#1f6bb8", "#6fb0f2"),
    "class-2": ("#00795a", "#3cc49a"),
    "class-3": ("#a3408a", "#e08bc8"),
    "class-4": ("#6350c0", "#a99af0"),
    "class-5": ("#77680a", "#cdbb4a"),
    "class-6": ("#0b7285", "#58c4d8"),
    "class-7": ("#b3262e", "#ff8d86"),
    "class-8": ("#5c6062", "#b4babc"),
    "class-9": ("#4a7a1e", "#9ccb6a"),
    "inputs": ("#3d9a6c", "#4fb583"),
    "hidden": ("#e5b432", "#e8bd48"),
    "outputs": ("#cf4a4a", "#ec7a76"),
    "on-unit": ("#1b1700", "#1b1700"),
}
"""Colours by variable, on light and on dark paper."""
LIGHT, DARK = ({name: pair[theme] for name, pair in COLOURS.items()} for theme in (0, 1))
PRINT = LIGHT | {"paper": "#ffffff", "ink": "#000000", "muted": "#444444", "rule": "#cccccc"}
"""Colours by variable in print."""
CLASS_COUNT = 10
"""Colours of classes; further classes begin again."""
SERIES = (1, 0, 2, 3, 4, 5, 6, 7, 8, 9)
"""Class whose colour each of several curves has, in their order."""
FONTS = '-apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, Inter, system-ui, sans-serif'

_ON_PAGES = """
.specnet-chart, .specnet-network { display: block; width: 100%; height: auto; overflow: visible; }
"""
_SHARED = """
.specnet-chart text, .specnet-network text {
  font-size: 12px; fill: var(--muted); font-variant-numeric: tabular-nums; white-space: pre;
}
"""
_CHART = """
.specnet-chart .axis-label { font-size: 11.5px; }
.specnet-chart .strong { fill: var(--ink); font-weight: 600; }
.specnet-chart .grid { fill: none; stroke: var(--rule); }
.specnet-chart .frame { fill: none; stroke: var(--rule); }
.specnet-chart .line { fill: none; stroke: var(--ink); stroke-width: 2; stroke-linejoin: round; }
.specnet-chart .guide, .specnet-chart .contour { stroke: var(--muted); stroke-width: 1; stroke-dasharray: 4 3; }
.specnet-chart .reference { stroke: var(--muted); stroke-width: 1.6; stroke-dasharray: .1 3.6; stroke-linecap: round; }
.specnet-chart .held { stroke-dasharray: 6 3; }
.specnet-chart .thin { stroke-width: 1.2; }
.specnet-chart .faint { stroke-width: 1; stroke-opacity: .5; }
.specnet-chart .fainter { stroke-width: .8; stroke-opacity: .25; }
.specnet-chart .cloud {
  fill: none; stroke: var(--class-1); stroke-width: 5; stroke-linecap: round; stroke-opacity: .55;
}
.specnet-chart .arrow { fill: none; stroke: var(--class-1); stroke-width: 1.6; }
.specnet-chart .hit { fill: transparent; }
.specnet-chart .hit:hover { fill: var(--ink); fill-opacity: .3; }
.specnet-chart .point { stroke: var(--card); stroke-width: .7; }
.specnet-chart .small { stroke-width: .4; }
.specnet-chart .held-out { stroke: var(--ink); stroke-width: 1.3; }
.specnet-chart .dot { fill: var(--class-1); fill-opacity: .6; }
.specnet-chart .band { fill-opacity: .18; }
.specnet-chart .bar { fill: var(--class-1); fill-opacity: .75; }
.specnet-chart .quiet { fill: var(--muted); fill-opacity: .3; }
.specnet-chart .right { fill: var(--class-1); }
.specnet-chart .wrong { fill: var(--class-0); }
.specnet-chart .whisker { stroke: var(--ink); stroke-width: 1.4; }
"""
_CLASSES = "".join(f".specnet-chart .class-{k} {{ fill: var(--class-{k}); }}\n" for k in range(CLASS_COUNT)) + "".join(
    f".specnet-chart .series-{k} {{ stroke: var(--class-{hue}); }}\n"
    f".specnet-chart .name-{k} {{ fill: var(--class-{hue}{'' if hue else '-text'}); font-weight: 600; }}\n"
    for k, hue in enumerate(SERIES)
)
NETWORK_STYLE = (
    _SHARED
    + """
.specnet-network .caption { font-size: 12.5px; fill: var(--ink); font-weight: 600; }
.specnet-network .detail { font-size: 11.5px; }
.specnet-network .more { font-size: 11.5px; }
.specnet-network .caption, .specnet-network .detail, .specnet-network .more {
  paint-order: stroke; stroke: var(--card); stroke-width: 3px; stroke-linejoin: round;
}
.specnet-network .unit { stroke: var(--card); stroke-width: 1.5; }
.specnet-network .inputs { fill: var(--inputs); }
.specnet-network .hidden { fill: var(--hidden); }
.specnet-network .outputs { fill: var(--outputs); }
.specnet-network .inside { font-size: 11px; font-weight: 600; fill: var(--on-unit); }
.specnet-network .link { fill: none; stroke: var(--muted); }
.specnet-network .plain { stroke-width: .8; stroke-opacity: .45; }
.specnet-network .positive { stroke: var(--class-1); }
.specnet-network .negative { stroke: var(--class-0); stroke-dasharray: 5 3; }
.specnet-network .skip { fill: none; stroke: var(--ink); stroke-width: 1.6; }
.specnet-network .fold { fill: none; stroke: var(--muted); stroke-opacity: .7; }
"""
)
CHART_STYLE = _ON_PAGES + NETWORK_STYLE + _CHART + _CLASSES
"""Rules of all charts and diagrams; they need the variables."""


def variables(colours: dict[str, str]) -> str:
    """Return declarations of the variables, for the inside of a rule."""
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())


def theme(selector: str) -> str:
    """Return rules that set the variables for what a selector matches: light, dark if the reader prefers it, print."""
    return (
        f"{selector} {{ {variables(LIGHT)} }}\n"
        f"@media (prefers-color-scheme: dark) {{ {selector} {{ {variables(DARK)} }} }}\n"
        f"@media print {{ {selector} {{ {variables(PRINT)} }} }}\n"
    )


def with_colours(rules: str, colours: dict[str, str]) -> str:
    """Return rules with colours in place of the variables."""
    return re.sub(r"var\(--([\w-]+)\)", lambda found: colours[found[1]], rules)


def style_alone(rules: str, scope: str) -> str:
    """Return rules for a file that holds a single picture of a class, on paper of its own, in both themes."""
    paper = f".{scope} {{ background: var(--card); font-family: {FONTS}; }}\n"
    coloured = "".join(rule for rule in re.findall(r"[^{}]+{[^{}]*}", rules + paper) if "var(" in rule)
    return (
        f"{with_colours(rules + paper, LIGHT)}"
        f"@media (prefers-color-scheme: dark) {{\n{with_colours(coloured, DARK)}\n}}\n"
    )
