"""Targets that can be trained on but probably should not: of the wrong kind or in the wrong units for the loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.data.labels import Labels
from specnet.errors import DataError, Diagnostic, SpecError, SpecnetError
from specnet.parts.arrays import first_few
from specnet.spec import Resolved, Spec

FAR_FROM_ZERO = 30.0
"""Mean or standard deviation above which a target takes many steps to reach from initial weights."""
MANY_CLASSES = 10
"""Fewer classes with a single row are likely in a small table."""

_LOSS = ("training", "loss")


def looks_like_numbers(labels: NDArray[Any]) -> bool:
    """Return whether most classes, and more than a few, have a single row."""
    _, counts = np.unique(labels, axis=0, return_counts=True)
    return len(counts) >= MANY_CLASSES and bool(2 * np.count_nonzero(counts == 1) > len(counts))


def other_kind_hint(labels: NDArray[Any]) -> str:
    """Return the hint for labels that mostly occur once."""
    if labels.dtype.kind == "U" and not all(map(is_number, labels.flat)):
        return "choose another target column"
    return 'use training.loss = "mean_squared_error" to predict numbers'


def is_text(target: NDArray[Any]) -> bool:
    """Return whether a target holds text."""
    return target.dtype.kind in "UT" or (
        target.dtype.kind == "O" and all(isinstance(item, str) for item in target.flat)
    )


def text_for_numbers(spec: Spec, target: NDArray[Any]) -> DataError:
    """Return the error for a regression loss with a text target."""
    labels = np.unique(target.astype(np.str_))
    fitting = "binary_crossentropy" if len(labels) == 2 else "categorical_crossentropy"
    message = f"{spec.training.loss.part_name()} needs numbers, but the target holds text: {first_few(labels, 6)}"
    return DataError(spec.diagnostic("loss-target", message, _LOSS, hint=f"use {fitting} for text labels"))


def more_than_two_classes(spec: Spec, labels: NDArray[Any]) -> DataError:
    """Return the error for a binary loss whose target has more than two labels, given distinct and ascending."""
    numbers = len(labels) >= MANY_CLASSES and all(map(is_number, labels.astype(np.str_)))
    hint = "use categorical_crossentropy for three or more classes"
    if numbers:
        hint += ", mean_squared_error for numbers"
    loss = spec.training.loss.part_name()
    message = f"{loss} needs two classes, but the target has {len(labels)}: {first_few(labels, 6)}"
    return DataError(spec.diagnostic("loss-target", message, _LOSS, hint=hint))


def one_class(spec: Spec, labels: NDArray[Any]) -> DataError:
    """Return the error for a target of which nothing says that there are other classes than its only one."""
    wanted = "two classes" if spec.training.loss.target == "binary" else "two classes or more"
    message = f"{spec.training.loss.part_name()} needs {wanted}, but the target has one: {labels[0]}"
    return DataError(spec.diagnostic("loss-target", message, _LOSS, hint="add rows of the other classes"))


def is_number(text: Any) -> bool:
    """Return whether a label can be read as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def parsed_for_target(parse: Callable[[Iterable[str]], Spec], look: Callable[[Spec], object]) -> Spec:
    """Return a parsed spec; if neither its metrics nor its target fit its loss, the error is about the target.

    Parameters
    ----------
    parse : callable
        Parses the spec, with further overrides.
    look : callable
        Raises the error about the target of a spec, if there is one.
    """
    try:
        return parse(())
    except SpecError as error:
        if any(problem.code == "metric-task" for problem in error.diagnostics):
            try:
                look(parse(["training.metrics="]))
            except DataError as other:
                if any(problem.code == "loss-target" for problem in other.diagnostics):
                    raise other from None
            except SpecnetError:  # the mistakes of the spec come first
                pass
        raise


def suspicions(resolved: Resolved, labels: Labels | None, target: ArrayLike) -> tuple[Diagnostic, ...]:
    """Return warnings about the target of the training set.

    Parameters
    ----------
    resolved : Resolved
    labels : Labels or None
        Labels of the target if the loss has labels.
    target : array_like (rows,) or (rows, outputs)
        Raw target of the training set.
    """
    if labels is None:
        return tuple(_of_numbers(resolved, np.asarray(target)))
    return tuple(_of_labels(resolved.spec, labels, target))


def _of_labels(spec: Spec, labels: Labels, target: ArrayLike) -> Iterator[Diagnostic]:
    classes = labels.encode(target)
    if looks_like_numbers(classes):
        once = np.count_nonzero(np.bincount(classes) == 1)
        message = f"{once} of {len(np.unique(classes))} classes have a single training row"
        yield spec.diagnostic("single-rows", message, _LOSS, hint=other_kind_hint(labels.values))
    elif (classes == classes[0]).all():
        message = f"all training rows have the same label, {labels.values[classes[0]]}"
        yield spec.diagnostic("one-class", message, _LOSS, hint="add rows of the other classes")


def _of_numbers(resolved: Resolved, target: NDArray[Any]) -> Iterator[Diagnostic]:
    spec, loss = resolved.spec, resolved.spec.training.loss
    activation = resolved.nodes[-1].layer.split_activation()[1]
    if loss.target != "values" or loss.domain != "any" or spec.network.target_preprocessing:
        return
    if activation is not None and not activation.is_identity:  # it may have been chosen for numbers in these units
        return
    numbers = target.astype(np.float64).reshape(len(target), -1)
    with np.errstate(over="ignore", invalid="ignore"):
        means, spreads = numbers.mean(0), numbers.std(0)
    worst = int(np.maximum(abs(means), spreads).argmax())
    if max(abs(means[worst]), spreads[worst]) > FAR_FROM_ZERO:
        whose = f"target {worst}" if len(means) > 1 else "the target"
        message = f"{whose} is not scaled: mean {means[worst]:.3g}, standard deviation {spreads[worst]:.3g}"
        hint = 'use network.target_preprocessing = ["standardize"]'
        yield spec.diagnostic("unscaled-target", message, _LOSS, hint=hint)
