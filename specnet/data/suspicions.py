"""What can be trained and most likely should not: a target of another kind, or in other units, than the loss takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.data.labels import Labels
from specnet.errors import Diagnostic
from specnet.parts.activations import Linear
from specnet.spec import Spec

FAR_FROM_ZERO = 30.0
"""A target whose mean or standard deviation is larger takes many steps to reach from initial weights."""
MANY_CLASSES = 10
"""Fewer classes of one row each may well be a small table."""

_LOSS = ("training", "loss")


def looks_like_numbers(labels: NDArray[Any]) -> bool:
    """Return whether most of the classes in a column of labels, and not only few, have a single row."""
    _, counts = np.unique(labels, axis=0, return_counts=True)
    return len(counts) >= MANY_CLASSES and bool(2 * np.count_nonzero(counts == 1) > len(counts))


def other_kind_hint(labels: NDArray[Any]) -> str:
    """Return what to do about labels of which most are there once."""
    if labels.dtype.kind == "U":
        return "choose another target column"
    return 'use training.loss = "mean_squared_error" to predict numbers'


def suspicions(spec: Spec, labels: Labels | None, target: ArrayLike) -> tuple[Diagnostic, ...]:
    """Return warnings about the target of training rows.

    Parameters
    ----------
    spec : Spec
        Resolved.
    labels : Labels or None
        Of the target, where the loss has labels.
    target : array_like (rows,) or (rows, outputs)
        Raw, of the training rows.
    """
    found = _of_numbers(spec, np.asarray(target)) if labels is None else _of_labels(spec, labels, target)
    return tuple(found)


def _of_labels(spec: Spec, labels: Labels, target: ArrayLike) -> Iterator[Diagnostic]:
    classes = labels.encode(target)
    if looks_like_numbers(classes):
        once = np.count_nonzero(np.bincount(classes) == 1)
        message = f"{once} of {len(np.unique(classes))} classes have a single training row"
        yield spec.diagnostic("single-rows", message, _LOSS, hint=other_kind_hint(labels.values))
    elif (classes == classes[0]).all():
        message = f"all training rows have the same label, {labels.values[classes[0]]}"
        yield spec.diagnostic("one-class", message, _LOSS, hint="add rows of the other classes")


def _of_numbers(spec: Spec, target: NDArray[Any]) -> Iterator[Diagnostic]:
    network, loss = spec.network, spec.training.loss
    assert network.layers is not None, "the spec is resolved"
    activation = network.layers[-1].split_activation()[1] if network.layers else None
    if loss.target != "values" or loss.domain != "any" or network.target_preprocessing:
        return
    if not isinstance(activation, Linear | None):  # it may have been chosen for numbers in these units
        return
    numbers = target.astype(np.float64).reshape(len(target), -1)
    with np.errstate(over="ignore", invalid="ignore"):
        means, spreads = numbers.mean(0), numbers.std(0)
    worst = int(np.maximum(abs(means), spreads).argmax())
    if max(abs(means[worst]), spreads[worst]) > FAR_FROM_ZERO:
        whose = f"target {worst}" if len(means) > 1 else "the target"
        message = f"{whose} has mean {means[worst]:.3g} and standard deviation {spreads[worst]:.3g}, and is not scaled"
        hint = 'use network.target_preprocessing = ["standardize"]'
        yield spec.diagnostic("unscaled-target", message, _LOSS, hint=hint)
