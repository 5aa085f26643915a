"""The page of a run or a team as a self-contained HTML file, from the saved folder and the model's predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from specnet.model import Model
from specnet.number_texts import count, counted, grouped, page_figure, percent
from specnet.parts.splits import adjective
from specnet.report.diagram_layout import visible_activation
from specnet.report.network_diagram import diagram_of, weight_image
from specnet.report.next_step import as_sentence, command_of, next_step, ranked, resuming
from specnet.report.overview import Overview
from specnet.report.pages import headline
from specnet.report.pages.model_answers import AskPanel, ModelAnswers, results_of
from specnet.report.pages.page_beginning import beginning_of
from specnet.report.pages.page_templates import PAGES, rendered
from specnet.report.pages.sweep_page import only_trial
from specnet.report.pages.training_charts import training_figures
from specnet.report.plane_story import PlaneStory
from specnet.report.svg.colours import data_uri, png
from specnet.report.terminal.terminal_output import TextTable
from specnet.saved.expectations_file import JudgedExpectation
from specnet.saved.saved_run import SavedRun
from specnet.spec.origins import origin_rows, origins_of
from specnet.training.after_epoch import ALL_EPOCHS, weights_epoch
from specnet.training.steps.trainer import WeightSizes

if TYPE_CHECKING:
    from specnet.model import Answers
    from specnet.parts.data import Data, Split
    from specnet.spec import Resolved


MAX_WEIGHT_PICTURES, MAX_MISTAKES = 24, 12
"""Most pictures of the weights of units, and of wrongly predicted test rows."""

Picture = tuple[str, str, str]
"""A picture of pixels: the data URI of a PNG, its text description, and its caption."""

SHORT_FORMULA = 20
"""Most characters of a formula in the table of layers that is on one line, also on phones."""


def page(run: SavedRun, shown: ModelAnswers) -> str:
    """Return the page of a run as HTML; raise FileError if its record lacks a fact."""
    run.checked_facts(end=str, epochs=int, steps=int, versions=dict, seed=int | None)
    model, evaluation, plane = run.model, run.evaluation.record(), shown.plane
    network, resolved, (theta, _) = model.network, model.network.resolved, model.members[0]
    overview, members, parameters = Overview(resolved), len(model.members), network.parameters(theta)
    name, images = resolved.spec.name or "unnamed", shown.images
    recorded, beside = (run.history, run.layer_records, evaluation), headline.comparison(evaluation)
    # For each network, the epoch of its delivered weights.
    delivered = [weights_epoch(each["end"], each["epochs"]) for each in run.facts.get("members", [run.facts])]
    facts, end = run.facts, "" if run.facts["end"] == ALL_EPOCHS else f": {grouped(run.facts['end'])}"
    if members > 1 and run.facts.get("finished", True):
        end = f" in {count(members)} networks"  # the chart of losses has their epochs
    written = run.written_text  # an error about its bytes names the file alone
    given = run.given or run.spec
    to_run = run.written.name, run.overrides, "."
    is_finished = run.facts.get("finished", True)
    beginning = beginning_of(evaluation, resolved.spec.training.metrics, headline.network(members))
    if not is_finished:
        beginning["verdict"] = f"{run.remark().capitalize()}. {beginning['verdict']}"
    step = resuming(*to_run)
    if is_finished:
        step = next_step(run.findings, evaluation, given.document.data, *to_run, run.expectations)
    return rendered(
        "report.html.j2",
        step=step,
        findings=[each for each in ranked(run.findings) if each is not step.finding],
        rows=rows_in_words(run.evaluation.rows, run.spec.data),
        members=members,
        name=name,
        kicker=[name, overview.summary(), overview.parameters(), f"predicts {shown.target}"],
        **beginning,
        judged=run.expectations,
        tests="the tests" if run.judgement.tests is None else counted(run.judgement.tests, "test"),
        better=headline.BASELINES.get(beside[1], beside[1]) if beside is not None and beside[0] < 0 else "",
        as_sentence=as_sentence,
        diagram=diagram_of(network, model, shown.columns, shown.classes or shown.outputs),
        has_hidden_layers=len(resolved.nodes) > 1,
        **_asked(shown),
        story=None if plane is None else PlaneStory(plane, run.snapshots),
        layers=_layers(run, overview, WeightSizes(network.layout)(theta)),
        weights=None if images is None else weight_pictures(resolved, parameters, images.shape[1]),
        mistaken=images is not None and shown.answers and mistake_pictures(images, shown.answers, shown.classes),
        training=list(training_figures(*recorded, delivered, members)),
        # The time of training is left out so that equal runs have equal pages.
        end=f"{counted(facts['epochs'], 'epoch')}, {counted(facts['steps'], 'step')}{end}.",
        **results_of(shown, evaluation),
        command=command_of(run.written.name, run.overrides, {}),
        spec=written,
        settings=origin_rows(origins_of(given, run.spec)),
        facts_rows=_facts(run),
    )


def _asked(shown: ModelAnswers) -> dict[str, Any]:
    """Return the values of the template ``ask.html.j2``."""
    panel, plane = shown.panel, shown.plane
    return {
        "panel": panel if isinstance(panel, AskPanel) else None,
        "no_panel": panel if isinstance(panel, str) else "",
        "ask_data": panel.data(None if plane is None else plane.axes) if isinstance(panel, AskPanel) else None,
        "panel_script": Markup("".join((PAGES / name).read_text("utf-8") for name in ("panel.js", "why.js"))),
    }


def rows_in_words(rows: Mapping[str, int], data: Data | None) -> str:
    """Return the number of rows of each split in words, and how they were split."""
    counts = [f"{count(number)} {adjective(split)}" for split, number in rows.items()]
    listed = " and ".join(filter(None, (", ".join(counts[:-1]), counts[-1])))
    return f"{listed} rows{'' if data is None else _how_split(data.split)}"


def _how_split(split: Split) -> str:
    if split.folds is not None and split.fold is not None:
        return f"; the {split.folded_part} rows are fold {split.fold + 1} of {split.folds}"
    if split.time is not None:
        return f", in the order of {split.time}"
    if split.group is not None:
        return f"; rows with the same {split.group} stay together"
    if split.column is not None:
        return f", as the column {split.column} says"
    files = [path for path in (split.validation, split.test) if path is not None]
    if files:
        return f", some from {' and '.join(map(str, files))}"
    return ", drawn at random" + (" with equal shares of the classes" if split.stratify else "")


def _layers(run: SavedRun, overview: Overview, weights: Mapping[str, float | None]) -> TextTable:
    """Return the table of layers, with weights and dead units at the end of training, without empty columns."""
    header = ("layer", "out", "formula", "parameters", "first weights", "last, rms", "dead units")
    cells = []
    last_record = {layer["layer"]: layer for layer in run.layer_records[-1]["layers"]} if run.layer_records else {}
    _, *rows = overview.table().rows
    for node, (name, units, parameters, first_weights, formula) in zip(overview.nodes, rows, strict=True):
        record, size = last_record.get(node.key), weights.get(node.key)
        last = "" if size is None else page_figure(size)
        dead = percent(record["dead"]) if record and visible_activation(node.layer) else ""
        whole = formula if len(formula) > SHORT_FORMULA else formula.replace(" ", "\N{NO-BREAK SPACE}")
        cells.append((name, units, whole, parameters, first_weights, last, dead))
    table = TextTable(header, cells, right=frozenset({1, 3, 5, 6}))
    return table.part(table.filled_columns)


def _facts(run: SavedRun) -> Iterator[tuple[str, str]]:
    """Yield (name, value) of the facts that are needed to repeat the run."""
    facts = run.facts
    yield "versions", ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    yield "engine", f"{facts['engine']}: {facts['engine_reason']}" if facts.get("engine") else ""
    yield "seed", str(facts["seed"])
    yield "rows", ", ".join(f"{count(rows)} {split}" for split, rows in run.evaluation.rows.items())
    for name in ("spec", "data", "model"):
        yield f"SHA-256 of the {name}", str(facts.get(f"{name}_sha256", ""))


def weight_pictures(resolved: Resolved, parameters: Mapping[str, NDArray[Any]], width: int) -> list[Picture]:
    """Return pictures of the weights of a first dense layer's units, in descending order of their norm.

    The list is empty unless each unit has one weight per pixel of a square image of this width.
    """
    node = next((node for node in resolved.nodes if node.inputs == (-1,)), None)
    weight = None if node is None else parameters.get(f"{node.key}.weight")
    if weight is None or weight.ndim != 2 or weight.shape[1] != width * width:
        return []
    found = []
    for unit in np.argsort(-np.linalg.norm(weight, axis=1), kind="stable")[:MAX_WEIGHT_PICTURES]:
        address = weight_image(np.asarray(weight[unit], np.float64).reshape(width, width), width * width)
        found.append((address, f"weights of unit {unit + 1}", str(unit + 1)))
    return found


def mistake_pictures(images: NDArray[Any], answers: Answers, classes: Sequence[str]) -> list[Picture]:
    """Return pictures of the wrongly predicted test rows, in descending order of the predicted probability."""
    if not classes or answers.probability is None or not len(images):
        return []
    certainty = answers.probability.max(axis=1)
    wrong = np.flatnonzero(answers.target != answers.prediction)
    found = []
    for row in wrong[np.argsort(-certainty[wrong], kind="stable")][:MAX_MISTAKES]:
        true, predicted = classes[answers.target[row]], classes[answers.prediction[row]]
        address = data_uri(png(images[row], 0, [(0, 0, 0)]))
        sure = percent(float(certainty[row]))
        found.append((address, f"{true}, predicted as {predicted}", f"{true} read as {predicted}, {sure} sure"))
    return found


def team_page(
    shown: ModelAnswers,
    evaluation: Mapping[str, Any],
    shares: Mapping[str, int],
    spec_name: str,
    expectations: Sequence[JudgedExpectation],
) -> str:
    """Return the page of a team as HTML.

    Parameters
    ----------
    shown : ModelAnswers
    evaluation : mapping
        Contents of the team's ``metrics.json``.
    shares : mapping
        Share of each trial, by its number. The model has equally many consecutive networks of each trial.
    spec_name : str
        Path of the best trial's spec, for commands.
    expectations : sequence of JudgedExpectation
        The outcome of each expectation for the team.
    """
    spec, networks = shown.model.spec, sum(len(each.members) for each in shown.model.networks)
    name, sizes = spec.name or "unnamed", (counted(len(shares), "trial"), counted(networks, "network"))
    return rendered(
        "team.html.j2",
        name=name,
        kicker=[name, "team", *sizes, f"predicts {shown.target}"],
        rows=rows_in_words(evaluation["rows"], spec.data),
        step=next_step((), evaluation, spec.document.data, spec_name, (), ".", expectations),
        judged=expectations,
        networks=_networks(shown.model, shares),
        alone=only_trial(next(iter(shares))) if len(shares) == 1 else "",
        **_asked(shown),
        **beginning_of(evaluation, spec.training.metrics, "team"),
        **results_of(shown, evaluation),
    )


def _networks(model: Model, shares: Mapping[str, int]) -> TextTable:
    """Return a table of the trials with their shares and networks."""
    rows, networks, runs = [], iter(model.networks), len(model.networks) // len(shares)
    for trial, share in shares.items():
        own = [next(networks) for _ in range(runs)]
        counts = count(sum(len(each.members) for each in own)), count(sum(each.theta.size for each in own))
        summary = Overview(own[0].network.resolved).summary()
        rows.append([f"trial {int(trial)}", percent(share / sum(shares.values())), summary, *counts])
    return TextTable(["trial", "share", "network", "networks", "parameters"], rows, right=frozenset([1, 3, 4]))
