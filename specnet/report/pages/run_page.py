"""The page of a run, from its record to HTML: one file that asks for nothing else."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from specnet.number_texts import count, counted, percent, rounded
from specnet.report.diagram.diagram_columns import visible_activation
from specnet.report.diagram.network_diagram import NetworkDiagram
from specnet.report.overview import Overview
from specnet.report.pages import headline
from specnet.report.pages.answer_charts import beginning_of, results_of
from specnet.report.pages.images import mistake_pictures, weight_pictures
from specnet.report.pages.page_record import PageRecord
from specnet.report.pages.page_templates import rendered
from specnet.report.pages.training_charts import training_figures
from specnet.report.panel.ask_panel import panel_script
from specnet.report.plane.plane_story import PlaneStory
from specnet.report.terminal.text_tables import TextTable
from specnet.training.after_epoch import ALL_EPOCHS, kept_epoch

MOST_OF_ROW = 6
"""Columns of a mistake that are shown."""


def page(record: PageRecord) -> str:
    """Return the page of a run as HTML."""
    overview = Overview(record.resolved)
    name, images = record.resolved.spec.name or "unnamed", record.images
    classes = record.classes[1:] if record.resolved.outputs == 1 else record.classes
    names = {"input_names": record.inputs, "output_names": classes or record.outputs}
    recorded = record.history, record.looks, record.evaluation
    diagram = NetworkDiagram(record.resolved, record.parameters, **names)
    return rendered(
        "report.html.j2",
        record=record,
        name=name,
        kicker=[name, overview.summary(), overview.parameters(), f"predicts {record.target}"],
        **beginning_of(record.evaluation, record.resolved.spec.training.metrics, headline.network(record.members)),
        **_without_findings(record),
        as_sentence=_sentence,
        diagram=diagram,
        panel=record.panel,
        asked=record.panel and record.panel.data(None if record.plane is None else record.plane.axes),
        panel_script=panel_script(),
        story=None if record.plane is None else PlaneStory(record.plane, record.snapshots),
        layers=_layers(record, overview),
        weights=images and weight_pictures(record.resolved, record.parameters, images.rows.shape[1]),
        mistakes=images and record.answers and mistake_pictures(images, record.answers, record.classes),
        training=list(training_figures(*recorded, _kept_epochs(record), record.members)),
        end=_end(record),
        **results_of(record),
        worst=_worst(record),
        command=_command(record),
        facts_rows=_facts(record),
    )


def _without_findings(record: PageRecord) -> dict[str, Any]:
    """Return what to say where nothing was found: that a simpler predictor is better for no known reason, if one is."""
    tests = "the tests" if record.tests is None else counted(record.tests, "test")
    tests += " of the data, the training and the results"
    beside = headline.comparison(record.evaluation)
    if beside is None or beside.sign >= 0:
        return {"is_behind": False, "nothing": f"Nothing stands out: {tests} found nothing."}
    better = headline.BASELINES.get(beside.baseline, beside.baseline)
    verb = "are" if better.endswith("s") else "is"
    return {"is_behind": True, "nothing": f"{better.capitalize()} {verb} better, and {tests} did not find out why."}


def _sentence(text: str) -> str:
    """Return a text as a sentence; a key such as ``layers.0`` at its start stays as it is."""
    first = text.partition(" ")[0]
    start = text[:1].upper() if first.isalpha() else text[:1]
    return f"{start}{text[1:].removesuffix('.')}." if text else ""


def _layers(record: PageRecord, overview: Overview) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the table of layers, with weights and dead units of the end of training."""
    looks = {layer["layer"]: layer for layer in record.looks[-1]["layers"]} if record.looks else {}
    _, *rows = overview.table().rows
    for node, (name, units, parameters, first_weights, formula) in zip(overview.nodes, rows, strict=True):
        look, size = looks.get(node.key), record.weights.get(node.key)
        weights = "" if size is None else rounded(size)
        dead = percent(look["dead"]) if look and visible_activation(node.layer) else ""
        yield name, units, formula, parameters, first_weights, weights, dead


def _kept_epochs(record: PageRecord) -> list[int]:
    """Return the epoch whose weights each network has."""
    trained = record.facts.get("members", [record.facts])
    return [kept_epoch(each["end"], each["epochs"]) for each in trained]


def _worst(record: PageRecord) -> TextTable | None:
    """Return the test rows with the largest losses, with their most important columns."""
    if record.panel is None or not record.panel.worst or record.images is not None:
        return None
    shown = record.panel.columns[:MOST_OF_ROW]
    rows = [[row.told, *(column.told(row.cells[column.place]) for column in shown)] for row in record.panel.worst]
    return TextTable(["row", *(column.name for column in shown)], rows)


def _end(record: PageRecord) -> str:
    """Return how training ended; without its time, so that equal runs have equal pages."""
    facts = record.facts
    end = "" if facts["end"] == ALL_EPOCHS else f": {facts['end']}"
    return f"{counted(facts['epochs'], 'epoch')}, {counted(facts['steps'], 'step')}{end}."


def _command(record: PageRecord) -> str:
    settings = [word for setting in record.spec.overrides for word in ("--set", setting)]
    return shlex.join(["specnet", "run", record.spec.name, *settings])


def _facts(record: PageRecord) -> Iterator[tuple[str, str]]:
    """Yield what it takes to do the run again, by name."""
    facts = record.facts
    yield "versions", ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    yield "engine", f"{facts['engine']}: {facts['engine_reason']}" if facts.get("engine") else ""
    yield "seed", str(facts["seed"])
    yield "rows", ", ".join(f"{count(rows)} {split}" for split, rows in record.evaluation["rows"].items())
    for name in ("spec", "data", "model"):
        yield f"SHA-256 of the {name}", str(facts.get(f"{name}_sha256", ""))
