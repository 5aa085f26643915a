"""Errors about targets that do not fit the loss: texts instead of numbers, one class, more than two classes.

The functions take a spec and the labels or values of its target, and return the error or the parsed spec.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.errors import DataError, SpecError, SpecnetError
from specnet.parts.arrays import first_few
from specnet.parts.data.column_kinds import ROWS_TO_A_CATEGORY
from specnet.parts.part import Part
from specnet.spec import Limits, Spec, SpecSource, parse_spec
from specnet.spec.reading.reader import settings_of
from specnet.spec.reading.source_document import Document

MANY_CLASSES = 10
"""Smallest number of classes that look like numbers; fewer classes with one row are normal in a small table."""

_LOSS = ("training", "loss")


def looks_like_numbers(labels: NDArray[Any]) -> bool:
    """Return whether labels look like numbers: there are many, most occur once, and on average they occur rarely.

    Rare labels occur less often than the frequent texts of a category.
    """
    _, counts = np.unique(labels, axis=0, return_counts=True)
    has_few = len(labels) < ROWS_TO_A_CATEGORY * len(counts)
    return has_few and len(counts) >= MANY_CLASSES and bool(2 * np.count_nonzero(counts == 1) > len(counts))


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


def more_than_two_classes(spec: Spec, labels: NDArray[Any], unseen: NDArray[Any]) -> DataError:
    """Return the error for a binary loss whose target has more than two labels.

    Parameters
    ----------
    spec : Spec
    labels : (classes,)
        Distinct labels in ascending order.
    unseen : (labels,)
        Labels without a training row.
    """
    numbers = len(labels) >= MANY_CLASSES and all(map(is_number, labels.astype(np.str_)))
    hint = "use categorical_crossentropy for three or more classes"
    if numbers:
        hint += ", mean_squared_error for numbers"
    loss = spec.training.loss.part_name()
    message = f"{loss} needs two classes, but the target has {len(labels)}: {first_few(labels, 6)}"
    if len(unseen):
        message += f"; no training row is of class {first_few(unseen, 6)}"
        hint = "use categorical_crossentropy, or leave the rows of this class out"
    return DataError(spec.diagnostic("loss-target", message, _LOSS, hint=hint))


def one_class(spec: Spec, labels: NDArray[Any]) -> DataError:
    """Return the error for a target with only one label, from which other classes cannot be inferred."""
    expected = "two classes" if spec.training.loss.target == "binary" else "two classes or more"
    message = f"{spec.training.loss.part_name()} needs {expected}, but the target has one: {labels[0]}"
    return DataError(spec.diagnostic("loss-target", message, _LOSS, hint="add rows of the other classes"))


def is_number(text: Any) -> bool:
    """Return whether a label can be read as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def parsed_for_target(
    source: SpecSource | Document | Spec,
    check_target: Callable[[Spec], object],
    *,
    parse: Callable[..., Spec] = parse_spec,
    parts: Iterable[type[Part]] = (),
    overrides: Iterable[str] = (),
    limits: Limits | None = None,
) -> Spec:
    """Parse a spec; if the target does not fit the loss, this error takes precedence over one about the metrics.

    Parameters
    ----------
    source, parts, overrides, limits
        As for `parse_spec`.
    check_target : callable
        Function that raises an error if the target does not fit a spec.
    parse : callable
        `parse_spec` or `parse_sweep`.
    """
    parts, overrides = tuple(parts), settings_of(overrides)
    if isinstance(source, Spec) and parse is parse_spec and not (parts or overrides or limits):
        return source
    try:
        return parse(source, parts=parts, overrides=overrides, limits=limits)
    except SpecError as error:
        if any(problem.code == "metric-task" for problem in error.diagnostics):
            try:
                check_target(parse(source, parts=parts, overrides=(*overrides, "training.metrics="), limits=limits))
            except DataError as other:
                if any(problem.code == "loss-target" for problem in other.diagnostics):
                    raise other from None
            except SpecnetError:  # the errors of the original spec take precedence
                pass
        raise
