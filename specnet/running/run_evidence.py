"""What findings are read from, made of what a run has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from specnet.data import repeated_rows
from specnet.errors import Diagnostic, NotFiniteError
from specnet.findings import Evidence, LayerFacts, SpecFacts, TrainingColumns, judge
from specnet.findings.data_findings import SHARED
from specnet.findings.evidence import Path
from specnet.model import Answers
from specnet.network import Network
from specnet.network.unit_activations import activation_after
from specnet.parts.activations import Activation
from specnet.parts.metrics.statistics import weighted_mean
from specnet.parts.watchers import LOSS, VALIDATION_LOSS
from specnet.running.data_rows import Rows
from specnet.running.encoding import Encoder
from specnet.running.evaluation.constant import constant_outputs, output_model
from specnet.running.evaluation.evaluation import ScoreComparison
from specnet.spec import Spec
from specnet.spec.resolving.graph import Node
from specnet.training import TrainingRows
from specnet.training.checkpoint import history_of

MOST_FIRST_ROWS = 4_096
"""Rows of the first batch whose loss is computed before any step."""
LOW = 0.1
"""Fraction of the learning rate under which it hardly moves the weights any more."""
MAX_NOTES = 2
"""Findings in an error."""


def run_evidence(
    encoder: Encoder,
    training: TrainingRows,
    splits: Mapping[str, Rows],
    history: Sequence[Mapping[str, Any]],
    looks: Sequence[Mapping[str, Any]],
    comparison: ScoreComparison | None,
) -> Evidence:
    """Return the evidence of a run.

    Parameters
    ----------
    encoder : Encoder
    training : TrainingRows
        As the network reads them.
    splits : mapping of str to Rows
        The same as ``train``, as they came, and the rows held out.
    history, looks : sequence of mapping
    comparison : ScoreComparison or None
        None if the loss was no longer finite.
    """
    network, target, rows = encoder.network, training.target, splits["train"]
    held = None if comparison is None else comparison.held
    lines = history_of(history, 0)
    held_losses = [line[VALIDATION_LOSS] for line in lines if VALIDATION_LOSS in line]
    return Evidence(
        task=network.task,
        columns=_columns(network.spec, rows),
        inputs=training.X,
        target=target[:, 0] if target.ndim == 2 and target.shape[1] == 1 else target,
        held=held,
        repeated=None if held is None else repeated_rows(rows, splits[held.name], held.name, rows.kinds, SHARED),
        out_of_fold=None if comparison is None else comparison.out_of_fold,
        epochs=np.array([line["epoch"] for line in lines], np.int64),
        losses=np.array([line[LOSS] for line in lines], np.float64),
        held_losses=np.array(held_losses) if lines and len(held_losses) == len(lines) else None,
        has_failed=comparison is None,
        first_loss=_first_loss(network, training),
        constant_loss=_constant_loss(encoder, training, rows),
        train_score=None if comparison is None else comparison.train,
        looks=looks,
        spec=_spec_facts(encoder, rows),
    )


@contextmanager
def explaining() -> Iterator[None]:
    """Add to the error of a loss that is no longer finite what findings name as its cause, and their remedy as hint."""
    try:
        yield
    except NotFiniteError as error:
        raise _explained(error) from None


def _explained(error: NotFiniteError) -> NotFiniteError:
    if error.fitted is None:
        return error
    evidence = run_evidence(*error.fitted, error.history, error.looks, None)
    found = judge(evidence).findings
    if not found:
        return error
    notes = tuple(Diagnostic(each.code, f"{each.code}: {each.sentence}") for each in found[:MAX_NOTES])
    hint = f"set {found[0].remedy}" if found[0].changes else found[0].remedy
    explained = NotFiniteError(replace(error.diagnostics[0], hint=hint, notes=notes))
    explained.history, explained.looks = error.history, error.looks
    explained.findings = [each.as_dict() for each in found]
    return explained


def _columns(spec: Spec, rows: Rows) -> TrainingColumns:
    cells = rows.columns
    names = [column.name for column in rows.kinds] or list(spec.feature_names or ())
    names = names or [f"column {place}" for place in range(cells.shape[1])]
    kinds = [column.kind for column in rows.kinds] or ["numeric"] * len(names)
    return TrainingColumns(tuple(names), cells, tuple(kind == "category" for kind in kinds))


def _first_loss(network: Network, training: TrainingRows) -> float:
    """Return the mean loss of the first batch before any step, of a large batch of its first rows."""
    member = None if network.spec.training.ensemble is None else 0
    batch = next(training.feed(network, member).batches(0))[:MOST_FIRST_ROWS]
    some = training.some(batch)
    with np.errstate(all="ignore"):
        losses = network.row_losses(
            network.initial_parameters(member), some.X, some.target, training.layer_state(network), data_only=True
        )
        return weighted_mean(losses, None if some.weight is None or not some.weight.any() else some.weight)


def _constant_loss(encoder: Encoder, training: TrainingRows, rows: Rows) -> float:
    """Return the loss of the best constant prediction for training rows, weighted as in training."""
    network = encoder.network
    head = output_model(encoder.decoder)
    weight = None if training.weight is None else training.weight.astype(np.float64)
    known = head.answers(np.zeros((len(rows), network.outputs)), rows.y, weight)
    constant = np.tile(constant_outputs(head, known), (len(rows), 1))
    answers: Answers = head.answers(constant, rows.y, weight)
    return weighted_mean(answers.losses, weight)


def _spec_facts(encoder: Encoder, rows: Rows) -> SpecFacts:
    network = encoder.network
    spec, loss = network.spec, network.spec.training.loss
    optimizer, epochs, stopping = spec.training.optimizer, spec.training.epochs, spec.training.early_stopping
    stepping = optimizer.stepping
    _, last = network.nodes[-1].layer.split_activation()
    weighted = network.layout.weights()
    return SpecFacts(
        optimizer=optimizer.type,
        is_adaptive=optimizer.type != "sgd",
        learning_rate=None if stepping is None else stepping.learning_rate,
        default_rate=None if stepping is None else type(stepping).model_fields["learning_rate"].default,
        rate_ends_low=stepping is not None and stepping.schedule.factor_at(epochs - 1, epochs, 1) < LOW,
        epochs=epochs,
        restores_best=stopping is not None and stopping.restore_best and stopping.monitor != LOSS,
        layers=tuple(
            _layer_facts(network, number) for number, node in enumerate(network.nodes) if node.key in weighted
        ),
        labels=() if encoder.labels is None else tuple(map(str, encoder.labels.values)),
        takes_any_target=loss.target == "values" and loss.domain == "any" and (last is None or last.is_identity),
        has_table=bool(rows.kinds) and spec.data is not None,
        has_legacy_generator=spec.random_generator == "legacy",
        written=spec.document.data,
    )


def _layer_facts(network: Network, number: int) -> LayerFacts:
    node, spec = network.nodes[number], network.spec
    activating, activation = activation_after(network.nodes, number)
    initializer = node.layer.initializers_by_field.get("weight_initializer")
    fields = {
        "units": (node, node.layer.size_field),
        "activation": (activating, activating.layer.activation_field),
        "weight_initializer": (node, "weight_initializer" if initializer is not None else None),
        "bias_initializer": (node, "bias_initializer" if initializer is not None else None),
    }
    found = {name: _written_path(spec, where, field) for name, (where, field) in fields.items() if field is not None}
    return LayerFacts(
        name=node.key,
        units=node.size,
        activation="linear" if activation is None else activation.part_name(),
        is_rectifier=activation is not None and activation.default_initializer != Activation.default_initializer,
        initializer=None if initializer is None else initializer.part_name(),
        usual_initializer=None if initializer is None else (activation or Activation).default_initializer,
        paths={name: path for name, path in found.items() if path is not None},
    )


def _written_path(spec: Spec, node: Node, field: str) -> Path | None:
    """Return where a field of a layer is set in the spec as it was written, None if nowhere."""
    path: Path = spec.origin.path_of((*node.path, field))
    if path[:2] == ("network", "layers"):
        return path
    if path[-1] == field and len(path) > 2:  # of a stack whose field is not written
        return ("network", "activations") if field == "activation" else None
    return path
