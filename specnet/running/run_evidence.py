"""What findings are read from, made of what a run has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from specnet.data.repeated_rows import repeated_rows
from specnet.errors import Diagnostic, NotFiniteError
from specnet.findings import Evidence, Scores, judge
from specnet.findings.data_findings import SHARED
from specnet.model import Answers
from specnet.network import Network
from specnet.parts.metrics.statistics import weighted_mean
from specnet.running.data_rows import Rows
from specnet.running.encoding import Encoder
from specnet.running.evaluation.constant import constant_outputs, output_model
from specnet.training import TrainingRows
from specnet.training.checkpoint import history_of

MOST_FIRST_ROWS = 4_096
"""Rows of the first batch whose loss is computed before any step."""
MAX_NOTES = 2
"""Findings in an error."""


def run_evidence(
    encoder: Encoder,
    training: TrainingRows,
    splits: Mapping[str, Rows],
    history: Sequence[Mapping[str, Any]],
    looks: Sequence[Mapping[str, Any]],
    scores: Scores | None,
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
    scores : tuple or None
        None if the loss was no longer finite.
    """
    network, target, rows = encoder.network, training.target, splits["train"]
    train_score, held, out_of_fold = scores or (None, None, None)
    return Evidence(
        network=network,
        labels=encoder.labels,
        kinds=rows.kinds,
        cells=rows.columns,
        inputs=training.X,
        target=target[:, 0] if target.ndim == 2 and target.shape[1] == 1 else target,
        history=history_of(history, 0),
        records=looks,
        first_loss=_first_loss(network, training),
        constant_loss=_constant_loss(encoder, training, rows),
        has_failed=scores is None,
        train_score=train_score,
        unseen=held,
        out_of_fold=out_of_fold,
        repeated=None if held is None else repeated_rows(rows, splits[held.name], held.name, rows.kinds, SHARED),
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
