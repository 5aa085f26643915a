"""The section of the home page where the exported reference network trains, and predicts a point of the plane."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
from markupsafe import Markup

import specnet
from specnet import Model
from specnet.report.plane_story import PlaneStory
from specnet.report.svg.charts import Axis, Chart
from specnet.running.folder_pages import answers_shown, rows_again
from specnet.saved.saved_run import SavedRun
from tests.docs.documents import ROOT

SCRIPT = Path(__file__).with_suffix(".js")
UNITS, ACTIVATIONS = (2, 3, 5, 8), ("relu", "tanh", "sigmoid")
RATES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3)
STEPS = 20_000
OWN = 5, "relu"
"""The hidden units and the activation of the reference network."""
START = 1.0, 0.0
"""The point that is shown first."""
POINT = Markup(
    '<label for="try-{name}">{name}</label>'
    '<input id="try-{name}" type="range" min="{low}" max="{high}" step="0.01" value="{value}">\n'
)
CHOICE = Markup(
    '<label for="try-{name}">{label} <b>{shown}</b></label><input id="try-{name}" type="range" min="0" max="{last}" '
    'step="1" value="{value}" aria-valuetext="{shown}" data-values="{values}">\n'
)
MODULE = Markup('<script type="text/plain" class="try-it-module" data-network="{}, {}">\n{}</script>\n')
SECTION = Markup("""<div class="try-it">
<figure class="plane">{answer}<figcaption><b>The answer.</b> The probability of class 1: ½ on the solid line. Points
with an edge are held out: the network is not trained on them.</figcaption></figure>
<div>
<p class="buttons"><button type="button">Train</button> <button type="button">Start again</button></p>
<p class="state">Trained by specnet, {steps} steps: loss {loss:.4f}.</p>
<p class="sliders">
{choices}</p>
<output for="{sliders}"></output>
<p class="sliders">
{points}</p>
<code></code>
</div>
<figure class="loss">{chart}<figcaption><b>The loss</b> of the training rows. The dashed line is that of the run of
specnet.</figcaption></figure>
</div>
{modules}<script type="application/json" class="try-it-rows">{rows}</script>
<script type="module">
{code}</script>
""")


def section(run: Path, exported: str, folder: Path) -> str:
    """Return HTML where the network of a run trains, and others with other units and activations.

    Parameters
    ----------
    run : Path
        The folder of the run of the reference network.
    exported : str
        What `specnet export --to javascript --learn` has written. It is in the section, unchanged.
    folder : Path
        Where the other networks are exported to.
    """
    saved = SavedRun(run)
    plane = answers_shown(saved, rows_again(saved)).plane
    assert plane is not None, "the network has two inputs"
    story, drawn = PlaneStory(plane, {}), re.compile('<g id="plane-rows".*?</g>', re.DOTALL)
    rows = drawn.search(story.rows.chart)
    assert rows is not None, "the rows are a group"
    points = zip(plane.column_names, plane.axes, START, strict=True)
    choices = [("rate", "Learning rate", RATES, 0.003), ("units", "Hidden units", UNITS, OWN[0])]
    choices.append(("activation", "Activation", ACTIVATIONS, OWN[1]))
    modules = {OWN: exported} | _others(saved, folder)
    shown = {"x": plane.columns.tolist(), "y": plane.target.tolist(), "heldOut": plane.held_out.tolist()}
    return SECTION.format(
        answer=Markup(str(story.answer.chart).replace('<use href="#plane-rows"/>', rows.group())),
        steps=f"{STEPS:,}".replace(",", "\u202f"),
        loss=saved.history[-1]["loss"],
        choices=Markup("").join(
            CHOICE.format(
                name=name,
                label=label,
                shown=value,
                last=len(values) - 1,
                value=values.index(value),
                values=" ".join(map(str, values)),
            )
            for name, label, values, value in choices
        ),
        sliders=" ".join(f"try-{name}" for name in plane.column_names),
        points=Markup("").join(
            POINT.format(name=name, low=round(axis.low, 2), high=round(axis.high, 2), value=value)
            for name, axis, value in points
        ),
        chart=_losses(saved),
        modules=Markup("").join(MODULE.format(*key, Markup(text)) for key, text in modules.items()),
        rows=Markup(json.dumps(shown)),
        code=Markup(SCRIPT.read_text("utf-8")),
    )


def _losses(saved: SavedRun) -> Markup:
    """Return the chart of the loss over the steps, with a transparent picture that has its frame."""
    chart = Chart(
        f"Training loss over {STEPS} steps of the run of specnet, at last {saved.history[-1]['loss']:.4f}",
        Axis(0, STEPS, "step", unit="whole"),
        Axis(0, 1, "training loss"),
        width=440,
        height=330,
    )
    chart.surface(np.zeros((2, 2)))
    chart.line([each["epoch"] for each in saved.history], [each["loss"] for each in saved.history], "plain dashed")
    return chart.svg()


def _others(saved: SavedRun, folder: Path) -> dict[tuple[int, str], str]:
    """Return the exports of networks before training with other units or another activation, by both."""
    found = {}
    for units, activation in ((units, name) for name in ACTIVATIONS for units in UNITS):
        if (units, activation) == OWN:
            continue
        sizes = [f"network.layer_sizes=[2,{units},1]", f'network.activations=["{activation}","sigmoid"]']
        network = specnet.build(ROOT / "specs" / "moons.toml", overrides=sizes)
        model = Model(network, network.initial_parameters(), labels=saved.model.labels)
        path = folder / f"moons_{units}_{activation}.mjs"
        specnet.export(model, "javascript", path, learn=True)
        found[units, activation] = path.read_text("utf-8")
    return found
