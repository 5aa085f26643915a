"""The constant baseline: what the best answers are that do not look at the row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from specnet.model import NO_PARAMETERS, Answers, Decoder, Model
from specnet.parts.arrays import pieces
from specnet.parts.metrics.statistics import weighted_mean

Outputs = NDArray[np.float64]

LEAST_SHARE = float(np.finfo(np.float64).eps)
"""As scikit-learn's log_loss clips probabilities."""
DOUBLINGS = 64
HALVINGS = 100
CLOSE = 2.0**-44
"""How close, relative to their size, the two ends come between which a best output lies."""
LEVEL = 1e-12
"""A sum of slopes is 0 if it is no larger than this, relative to the sum of their sizes."""


def output_model(decoder: Decoder) -> Model:
    """Return the model of a decoder alone: from outputs as the loss sees them to answers, in float64.

    Its inputs are outputs of any predictor, which is measured by the model's loss and metrics in this way.
    """
    labels = None if decoder.labels is None else decoder.labels.values
    return Model(decoder.network.output_network, NO_PARAMETERS, None, None, decoder.target_preprocessing, labels)


def constant_outputs(head: Model, training: Answers) -> Outputs:
    """Return the best outputs for all rows alike, (outputs,): class frequencies, or what makes the loss least.

    Parameters
    ----------
    head : Model
        What `output_model` returns.
    training : Answers
        Of training rows, whatever the outputs.
    """
    if head.gives_probabilities:
        return share_outputs(head, class_shares(head, training))
    return least_outputs(head, training, np.zeros((len(training), head.network.outputs)))


def share_outputs(head: Model, shares: Outputs) -> Outputs:
    """Return the outputs that give such probabilities: (…, classes), or of 1, (…, outputs)."""
    shares = np.clip(shares, LEAST_SHARE, 1 - LEAST_SHARE)
    return np.log(shares) if head.network.task == "classes" else np.log(shares) - np.log1p(-shares)


def least_outputs(head: Model, training: Answers, base: Outputs, fixed: int = 0) -> Outputs:
    """Return what to add to all rows' outputs alike, (outputs,), so that their loss is least.

    Parameters
    ----------
    head : Model
        What `output_model` returns.
    training : Answers
        Of these rows, whatever the outputs.
    base : ndarray (rows, outputs)
    fixed : int
        How many of the first outputs stay as they are.
    """
    objective, size = _Objective(head, training, base), head.network.target_size
    blocks = [slice(start, start + size) for start in range(fixed, head.network.outputs, size)]
    found = np.zeros(head.network.outputs)
    for block in blocks:
        found[block] = _least(objective, found, block)
    depends_on_others = not fixed and len(blocks) == 1 and size > 1
    return _polished(objective, found) if depends_on_others else found


class _Objective:
    """The mean loss of training rows, and its slopes, as functions of what is added to their outputs."""

    def __init__(self, head: Model, training: Answers, base: Outputs) -> None:
        self._network, self._training, self._base = head.network, training, base
        self._weight = np.ones(len(training)) if training.weight is None else training.weight
        wanted = training.loss_target
        self._wanted = wanted if wanted.ndim == 1 else np.asarray(wanted, np.float64)

    def loss(self, added: Outputs) -> float:
        """Return the mean loss, infinite where it is not defined."""
        losses = self._network.row_losses(NO_PARAMETERS, self._base + added, self._wanted, data_only=True)
        mean = weighted_mean(losses, self._training.weight)
        return mean if np.isfinite(mean) else np.inf

    def mean_target(self) -> Outputs:
        """Return the mean of the target, 0 where that is classes."""
        if self._wanted.ndim == 1:
            return np.zeros(self._base.shape[1])
        return np.asarray(np.average(self._wanted, axis=0, weights=self._weight))

    def slopes(self, added: Outputs) -> Outputs:
        """Return the loss's derivative by each output; 0 where the rows' own cancel but for rounding."""
        total, size = np.zeros(len(added)), np.zeros(len(added))
        for piece in pieces(self._base):
            weight = self._weight[piece]
            if not weight.any():
                continue
            rows = self._network.input_gradient(NO_PARAMETERS, self._base[piece] + added, self._wanted[piece], weight)
            total += rows.sum(axis=0) * weight.sum()
            size += abs(rows).sum(axis=0) * weight.sum()
        with np.errstate(invalid="ignore"):
            return np.where(abs(total) <= LEVEL * size, 0.0, total / self._weight.sum())


def _least(objective: _Objective, added: Outputs, block: slice) -> Outputs:
    """Return the block of outputs where the loss is least along each.

    Of a stretch where it is so it is the middle, or the end where it has only one.
    """
    known: dict[bytes, Outputs] = {}  # both searches try the same values until they part

    def slopes(values: Outputs) -> Outputs:
        if (key := values.tobytes()) not in known:
            tried = added.copy()
            tried[block] = values
            known[key] = objective.slopes(tried)[block]
        return known[key]

    first = _turn(lambda values: slopes(values) >= 0, added[block])
    last = _turn(lambda values: slopes(values) > 0, added[block])
    first, last = np.where(np.isfinite(first), first, last), np.where(np.isfinite(last), last, first)
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(first), first / 2 + last / 2, added[block])


def _turn(rises: Callable[[Outputs], NDArray[np.bool_]], start: Outputs) -> Outputs:
    """Return from which value on each condition is true, as it is for all larger ones; infinite if always or never."""
    low, high, step = start - 1, start + 1, 1.0
    for _ in range(DOUBLINGS):
        always, never = rises(low), ~rises(high)
        if not (always.any() or never.any()):
            break
        step *= 2
        low, high = np.where(always, start - step, low), np.where(never, start + step, high)
    for _ in range(HALVINGS):
        middle = low + (high - low) / 2
        if (high - low <= CLOSE * np.maximum(abs(low), abs(high))).all():
            break
        up = rises(middle)
        low, high = np.where(up, low, middle), np.where(up, middle, high)
    return np.where(never, np.inf, np.where(always, -np.inf, low + (high - low) / 2))


def _polished(objective: _Objective, found: Outputs) -> Outputs:
    """Return outputs that are no worse, where each output's slope may depend on the others."""
    if not objective.slopes(found).any():
        return found
    from scipy.optimize import minimize

    tried = [found]
    for start in (found, objective.mean_target()):
        with np.errstate(all="ignore"):
            tried.append(minimize(objective.loss, start, jac=objective.slopes, method="L-BFGS-B").x)
    return min(tried, key=objective.loss)


def class_shares(head: Model, training: Answers) -> Outputs:
    """Return the share of each class, or of 1 in each output, among training rows.

    A class that none of them has counts as if one more row had it, so that its rows elsewhere have a finite loss.
    """
    target, weight = training.target, training.weight
    rows = len(target) if weight is None else int(np.count_nonzero(weight))
    if head.network.task == "classes":
        counts = np.bincount(target, weight, head.network.outputs)
        return with_unseen(counts / counts.sum(), counts == 0, rows)
    ones = np.average(target.reshape(len(target), -1).astype(np.float64), axis=0, weights=weight)
    both = np.stack([1 - ones, ones], axis=-1)
    return with_unseen(both, both == 0, rows)[:, 1]


def with_unseen(shares: Outputs, unseen: NDArray[np.bool_], rows: int) -> Outputs:
    """Return shares (…, classes) of so many rows with one more row for each class that is unseen."""
    if not unseen.any():
        return shares
    return np.asarray(np.where(unseen, 1.0, rows * shares) / (rows + unseen.sum(axis=-1, keepdims=True)))
