"""Targets that can be trained on but probably should not: of the wrong kind or in the wrong units for the loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.data.labels import Labels
from specnet.errors import DataError, Diagnostic, SpecError, SpecnetError
from specnet.number_texts import count, counted
from specnet.parts.arrays import first_few
from specnet.parts.part import Part
from specnet.spec import Limits, Resolved, Spec, SpecSource, parse_spec
from specnet.spec.reading.overrides import settings_of
from specnet.spec.reading.source_document import Document

FAR_FROM_ZERO = 30.0
"""Mean or standard deviation above which a target takes many steps to reach from initial weights."""
MANY_CLASSES = 10
"""Fewer classes with a single row are likely in a small table."""
ROWS_TO_A_CLASS = 5
"""As many rows to a value on average, as a category has, and the values are classes."""

_LOSS = ("training", "loss")
_SPLIT = ("data", "split")


def looks_like_numbers(labels: NDArray[Any]) -> bool:
    """Return whether most classes, and more than a few, have a single row, and on average there are few to a class."""
    _, counts = np.unique(labels, axis=0, return_counts=True)
    has_few = len(labels) < ROWS_TO_A_CLASS * len(counts)
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
        Distinct and ascending.
    unseen : (some of them,)
        Those that no training row has.
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


def parsed_for_target(
    source: SpecSource | Document | Spec,
    look: Callable[[Spec], object],
    *,
    parse: Callable[..., Spec] = parse_spec,
    parts: Iterable[type[Part]] = (),
    overrides: Iterable[str] = (),
    limits: Limits | None = None,
) -> Spec:
    """Parse a spec; if neither its metrics nor its target fit its loss, the error is about the target.

    Parameters
    ----------
    source, parts, overrides, limits
        As for `parse_spec`.
    look : callable
        Raises the error about the target of a spec, if there is one.
    parse : callable
        `parse_spec`, or `parse_sweep`.
    """
    parts, overrides = tuple(parts), settings_of(overrides)
    try:
        return parse(source, parts=parts, overrides=overrides, limits=limits)
    except SpecError as error:
        if any(problem.code == "metric-task" for problem in error.diagnostics):
            try:
                look(parse(source, parts=parts, overrides=(*overrides, "training.metrics="), limits=limits))
            except DataError as other:
                if any(problem.code == "loss-target" for problem in other.diagnostics):
                    raise other from None
            except SpecnetError:  # the mistakes of the spec come first
                pass
        raise


def suspicions(
    resolved: Resolved, labels: Labels | None, target: ArrayLike, held: Mapping[str, ArrayLike] | None = None
) -> tuple[Diagnostic, ...]:
    """Return warnings about the target of the training set.

    Parameters
    ----------
    resolved : Resolved
    labels : Labels or None
        Labels of the target if the loss has labels.
    target : array_like (rows,) or (rows, outputs)
        Raw target of the training set.
    held : mapping of str to array_like
        Raw targets of ``validation`` and ``test``, as far as there are such rows.
    """
    if labels is None:
        return tuple(_of_numbers(resolved, np.asarray(target)))
    classes = labels.encode(target)
    counts = {part: np.bincount(labels.encode(y), minlength=len(labels)) for part, y in (held or {}).items()}
    return (*_of_labels(resolved.spec, labels, classes), *_of_split(resolved.spec, labels, classes, counts))


def _of_split(
    spec: Spec, labels: Labels, classes: NDArray[np.intp], counts: Mapping[str, NDArray[np.intp]]
) -> Iterator[Diagnostic]:
    """Yield the warnings about classes that are on one side of the split only; counts are of each part held out."""
    trained, elsewhere = np.bincount(classes, minlength=len(labels)), sum(counts.values())
    unseen = np.flatnonzero((trained == 0) & (elsewhere > 0))
    if len(unseen):
        rows = " and ".join(
            counted(int(each[unseen].sum()), f"{part} row") for part, each in counts.items() if each[unseen].any()
        )
        message = f"{_named(labels, unseen)} in {rows} and in no training row: the network cannot learn it"
        hint = "add training rows of it; each of its rows now counts as a mistake"
        yield spec.diagnostic("unseen-class", message, _SPLIT, hint=hint)
    single = np.flatnonzero((trained == 1) & (elsewhere == 0))
    if counts and len(single) and not looks_like_numbers(classes):
        message = f"{_named(labels, single)} in one row, which is a training row"
        hint = "add rows of it; no metric tells how well it is predicted"
        yield spec.diagnostic("single-row", message, _SPLIT, hint=hint)


def _named(labels: Labels, classes: NDArray[np.intp]) -> str:
    """Return classes by name, with their verb: ``class a is``, ``each of 2 classes (a, b) is``."""
    names = first_few(labels.decode(classes), 6)
    return f"class {names} is" if len(classes) == 1 else f"each of {len(classes)} classes ({names}) is"


def _of_labels(spec: Spec, labels: Labels, classes: NDArray[np.intp]) -> Iterator[Diagnostic]:
    if looks_like_numbers(classes):
        once = int(np.count_nonzero(np.bincount(classes) == 1))
        message = f"{count(once)} of {count(len(np.unique(classes)))} classes have a single training row"
        yield spec.diagnostic("single-rows", message, _LOSS, hint=other_kind_hint(labels.values))
    elif (classes == classes[0]).all():
        message = f"all training rows have the same label, {labels.values[classes[0]]}"
        yield spec.diagnostic("one-class", message, _LOSS, hint="add rows of the other classes")


def _of_numbers(resolved: Resolved, target: NDArray[Any]) -> Iterator[Diagnostic]:
    spec, loss = resolved.spec, resolved.spec.training.loss
    activation = resolved.nodes[-1].layer.split_activation()[1]
    if loss.domain != "any" or spec.network.target_preprocessing:
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
