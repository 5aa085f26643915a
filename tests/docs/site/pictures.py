"""Pictures of tutorials, as SVG within HTML that a page includes: drawn by what draws specnet's own pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup, escape

from specnet.report.network_diagram import NetworkDiagram
from specnet.report.plane_story import PlaneStory
from specnet.report.svg.charts import Axis, Chart, Figure
from specnet.running.folder_pages import answers_shown, rows_again
from specnet.saved.saved_run import SavedRun
from tests.docs.site import dot_plots, stages, try_it
from tests.reference import tutorial
from tests.reference.wrong_gradient import STEPS, losses, mistaken_backward

EVERY = 100
"""Steps between two losses in a picture."""


def write(run: Path, folder: Path) -> None:
    """Write the pictures of a run of the reference network, and of its export beside it, into a folder."""
    folder.mkdir(exist_ok=True)
    others = ("wrong_gradient", _pictures([_wrong_gradient()])), ("stages", stages.diagram())
    plots = [(name, _pictures(figures, "plots")) for name, figures in dot_plots.figures()]
    for name, html in [*_of_run(run), *others, *plots]:
        (folder / f"{name}.html").write_text(html, encoding="utf-8")


def _of_run(run: Path) -> Iterator[tuple[str, str]]:
    saved = SavedRun(run)
    shown, network = answers_shown(saved, rows_again(saved)), saved.model.network
    story = PlaneStory(shown.plane, saved.snapshots)
    (_, _, cuts), (_, _, sums) = story.sections
    yield "rows", _pictures([story.rows._replace(note=_key(story) + story.rows.note)])
    yield "answer", _pictures([story.answer])
    yield "try_it", try_it.section(run, run.with_suffix(".mjs").read_text("utf-8"), run.parent)
    yield "cuts", _pictures(cuts, "small")
    yield "sums", _pictures([each._replace(title=f"{each.title}:") for each in sums], "small")
    parameters = network.parameters(saved.model.members[0][0])
    names = saved.model.preprocessing.named(shown.columns)
    diagram = NetworkDiagram(network.resolved, parameters, input_names=names)
    yield "network", _pictures([Figure("The trained network", diagram.legend, diagram.svg())])


def _key(story: PlaneStory) -> Markup:
    return Markup("").join(mark + f"{name}. " for mark, name in story.marks)


def _wrong_gradient() -> Figure:
    kinds = [("right", tutorial.backward), ("wrong", mistaken_backward)]
    curves = {name: np.array(list(losses(backward, data_seed=0, every=EVERY))) for name, backward in kinds}
    steps = np.arange(0, STEPS + 1, EVERY)
    ends = {name: f"{curve[-1]:.3f}" for name, curve in curves.items()}
    told = ", ".join(f"{end} with the {name} gradient" for name, end in ends.items())
    heights = np.concatenate(list(curves.values()))
    chart = Chart(
        f"Training loss over {STEPS} steps: at last {told}",
        Axis.over(steps, label="step"),
        Axis.over(heights, label="training loss"),
    )
    for number, (name, curve) in enumerate(curves.items()):
        chart.line(steps, curve, f"series-{number}", name=name, value=ends[name])
    return Figure("Both losses fall", "A falling loss does not show that the gradient is right.", chart.svg())


def _pictures(figures: Sequence[Figure], size: str = "") -> str:
    """Return figures side by side."""
    stop = "" if size == "small" else "."  # small pictures have a sentence that begins with their title
    drawn = (
        f"<figure>{each.chart}<figcaption><b>{escape(each.title)}{stop}</b> {escape(each.note)}</figcaption></figure>\n"
        for each in figures
    )
    return f'<div class="pictures {size}">\n{"".join(drawn)}</div>\n'
