"""Checks of expectations against the rest of a spec: metrics, baselines and columns, as far as they are known."""

from __future__ import annotations

from typing import cast

from specnet.errors import Path
from specnet.parts.arrays import first_few
from specnet.parts.data import OF_TEXTS, kind_of
from specnet.parts.metrics import Metric
from specnet.parts.watchers import LOSS
from specnet.spec.document import Spec
from specnet.spec.expectations import DIRECTIONS, EXPECT, Expectation
from specnet.spec.reading.hints import part_hint, shown
from specnet.spec.resolving.agreement import check_metric, tasks_of
from specnet.spec.resolving.problems import Problems
from specnet.suggestions import perhaps


def check_expectations(spec: Spec, outputs: int, problems: Problems) -> None:
    """Report the mistakes of a spec's expectations; names of columns are checked if the spec has them.

    `outputs` is the number of outputs of the network, 0 if it is unknown.
    """
    for index, expectation in enumerate(spec.expect or ()):
        path: Path = (EXPECT, index)
        if expectation.metric is not None:
            _check_metric_name(spec, expectation.metric, outputs, (*path, "metric"), problems)
        if expectation.better_than is not None:
            _check_baseline(spec, expectation.better_than, (*path, "better_than"), problems)
        loss = spec.training.loss
        if expectation.form in DIRECTIONS and loss.target != "values" and not loss.gives_probabilities:
            message = "a direction needs a model of values or probabilities"
            problems.report("expectation", message, (*path, expectation.form))
        _check_columns(spec, expectation, path, problems)
        targets = getattr(spec.data, "targets", ())
        if expectation.predicts is not None and (loss.target == "values" or len(targets) > 1):
            message, hint = "a model without classes predicts no label", "use at_least or at_most"
            problems.report("expectation", message, (*path, "predicts"), hint=hint)
        if loss.target == "values" and targets and expectation.of is not None and expectation.of not in targets:
            message, hint = f"no output {shown(expectation.of)}", f"choose from {first_few(targets)}"
            problems.report("expectation", message, (*path, "of"), hint=hint)


def metric_type(name: str, spec: Spec) -> type[Metric] | None:
    """Return the class of the metric of a figure, such as ``mean_absolute_error_price``; None if there is none."""
    found = spec.registry.find(Metric.kind, name)
    if found is None:
        parts = [part for part in spec.registry.of_kind(Metric.kind) if name.startswith(f"{part.part_name()}_")]
        found = max(parts, key=lambda part: len(part.part_name()), default=None)
    return cast("type[Metric] | None", found)


def _check_metric_name(spec: Spec, name: str, outputs: int, path: Path, problems: Problems) -> None:
    if name == LOSS:
        return
    metric, targets = metric_type(name, spec), getattr(spec.data, "targets", ())
    figures = [] if metric is None else [metric.part_name()]
    if metric is not None and metric.has_units and len(targets) > 1:
        figures = [f"{metric.part_name()}_{target}" for target in targets]
    if figures and name not in figures:
        hint = f"choose from {first_few(figures)}"
        problems.report("expectation", f"{shown(name)} is not a metric of this model", path, hint=hint)
    elif any(each.type == name for each in spec.training.metrics):
        return
    elif metric is None:
        hint = part_hint(name, Metric.kind, spec.registry)
        problems.report("expectation", f"unknown metric {shown(name)}", path, hint=hint)
    elif not problems.has("loss-target"):
        check_metric(spec, metric, set(tasks_of(spec.training.loss, outputs)), path, problems)


def _check_baseline(spec: Spec, name: str, path: Path, problems: Problems) -> None:
    known = spec.training.baselines
    if name not in known:
        others = f", or choose from {', '.join(known)}" if known else ""
        hint = perhaps(name, known) or f"add it to training.baselines{others}"
        problems.report("expectation", f"{shown(name)} is not in training.baselines", path, hint=hint)


def _check_columns(spec: Spec, expectation: Expectation, path: Path, problems: Problems) -> None:
    names, kinds = spec.feature_names, spec.feature_kinds or {}
    if not names:
        return
    for inner, name in expectation.columns:
        if name not in names:
            hint = perhaps(name, names) or f"choose from {first_few(names)}"
            problems.report("unknown-column", f"no input column {shown(name)}", (*path, *inner), hint=hint)
        elif inner[0] in DIRECTIONS and name in kinds and kind_of(kinds[name]) in OF_TEXTS:
            hint = "choose a column of numbers, dates or true and false"
            problems.report("expectation", f"texts of column {shown(name)} have no order", (*path, *inner), hint=hint)
