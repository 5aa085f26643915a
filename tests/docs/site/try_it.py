"""The section of the home page where the exported reference network predicts a point that a reader chooses."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from specnet.report.plane_story import Plane, PlaneStory

SCRIPT = Path(__file__).with_suffix(".js")
SLIDER = Markup(
    '<label for="try-{name}">{name}</label>'
    '<input id="try-{name}" type="range" min="{low}" max="{high}" step="0.01" value="{value}">\n'
)
SECTION = Markup("""<div class="try-it">
<figure>{rows.chart}<figcaption><b>{rows.title}.</b> {rows.note}</figcaption></figure>
<figure class="plane">{answer.chart}<figcaption><b>{answer.title}.</b> {answer.note}</figcaption></figure>
<div>
<output for="{sliders}"></output>
<p class="sliders">
{inputs}</p>
<code></code>
</div>
</div>
<script type="module">
{code}</script>
""")
START = 1.0, 0.0
"""The point that is shown first."""


def section(plane: Plane, exported: str) -> str:
    """Return HTML with the plane of a network of two inputs, two sliders, and the network as it was exported.

    Parameters
    ----------
    plane : Plane
        For the picture, and the ends of the sliders.
    exported : str
        What `specnet export --to javascript` has written. It is the beginning of the section's script, unchanged.
    """
    sliders = [
        SLIDER.format(name=name, low=round(axis.low, 2), high=round(axis.high, 2), value=value)
        for name, axis, value in zip(plane.column_names, plane.axes, START, strict=True)
    ]
    story = PlaneStory(plane, {})
    return SECTION.format(
        rows=story.rows,
        answer=story.answer,
        sliders=" ".join(f"try-{name}" for name in plane.column_names),
        inputs=Markup("").join(sliders),
        code=Markup(exported + SCRIPT.read_text("utf-8")),
    )
