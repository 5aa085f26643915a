"""From a spec and arrays to a trained model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.data import Labels, Preparation, check_labels, check_table, load_table, split_rows, suspicions, target_kind
from specnet.data.suspicions import is_text, more_than_two_classes, parsed_for_target, text_for_numbers
from specnet.errors import DataError
from specnet.model import Model
from specnet.network import Network
from specnet.parts.arrays import (
    Array,
    as_array,
    as_dtype,
    check_domain,
    check_inputs,
    check_target,
    check_weights,
    column_names,
    ordinary_weights,
    select_columns,
)
from specnet.parts.data import Table
from specnet.report.progress import shown_progress
from specnet.running.monitors import check_monitors, validation_monitors
from specnet.spec import Resolved, Spec, SpecSource, known_outputs, parse_spec, resolve, with_feature_names
from specnet.training import (
    Checkpoint,
    Keeper,
    Observer,
    TrainingResult,
    TrainingRows,
    train,
)
from specnet.training.interruptions import Interruptions

_LEAST_WEIGHT = 2.0**26
"""Times a dtype's smallest normal number: a batch of such rows alone divides by their weights, in that dtype."""


@dataclass(frozen=True)
class Rows:
    """Rows as they come from outside, checked.

    Attributes
    ----------
    X : (rows, columns)
        Raw numbers.
    y : (rows,) or (rows, outputs)
        Labels where the loss has classes, else numbers.
    weight : (rows,) or None
    """

    X: Array
    y: Array
    weight: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.X)

    def take(self, indices: Array) -> Rows:
        """Return some of the rows."""
        return Rows(self.X[indices], self.y[indices], None if self.weight is None else self.weight[indices])


def fit(
    spec: SpecSource | Spec,
    X: ArrayLike,
    y: ArrayLike,
    validation: tuple[ArrayLike, ...] | None = None,
    sample_weight: ArrayLike | None = None,
    *,
    observer: Observer | None = None,
    verbose: bool = False,
) -> Model:
    """Train the network of a spec on arrays.

    Parameters
    ----------
    spec : path, text with a line break, mapping or Spec
        Of its ``data`` only ``split`` counts, and only where there is no `validation`: its ``validation_size`` rows are
        set aside as ``specnet run`` does, by the same ``random_state`` and ``stratify``. There are no test rows: all
        others train. The model's spec has no ``data``.
    X : (rows, columns)
        Raw columns; the spec's preprocessing is fitted on them and belongs to the model. So do the names of a data
        frame's columns; where the spec names columns, these are taken from the frame, in the spec's order.
    y : (rows,) or (rows, outputs)
        Values, 0 and 1 for several outputs, or labels: integers within 0…K−1 are class indices, otherwise the sorted
        distinct labels are the K classes. One-hot rows are class indices too.
    validation : (X, y) or (X, y, sample_weight), optional
        Rows whose loss stands in the history; all of `X` trains then.
    sample_weight : (rows,), optional
        Multiplies each row's loss.
    observer : Observer, optional
        Is told of the course of training, and of rows that look as if it made no sense; without one these are a
        `SpecnetWarning`.
    verbose : bool
        Show the progress on standard error, as the command line does.

    Raises
    ------
    SpecError
        If the spec, or its sizes with these arrays, cannot be.
    DataError
        If the arrays do not fit.
    TrainingError
        If the loss is no longer finite.
    """
    parsed = parsed_for_target(
        lambda settings: parse_spec(spec, overrides=settings), lambda parsed: read_target(parsed, as_array(y, "y"))
    )
    data = None if parsed.data is None else parsed.data.with_defaults(parsed.seed, target_kind(parsed))
    X = select_columns(X, parsed.feature_names)
    located, parsed = parsed, with_feature_names(parsed.model_copy(update={"data": None}), column_names(X))
    rows = check_rows(X, y, sample_weight)
    splits: dict[str, Rows | None] = {"train": rows}
    if validation is not None:
        if not isinstance(validation, tuple) or len(validation) not in (2, 3):
            raise DataError("validation is a tuple: (X, y) or (X, y, sample_weight)")
        validation_X = select_columns(validation[0], column_names(X), "validation X")
        splits["validation"] = check_rows(validation_X, *validation[1:], columns=rows.X.shape[1], prefix="validation ")
    labels, outputs = read_target(parsed, rows.y)
    resolved = resolve(parsed, inputs=rows.X.shape[1], outputs=outputs)
    if validation is None and data is not None and data.split.validation_size:
        split = data.split.model_copy(update={"test_size": 0.0})
        with _placed(located):
            parts = split_rows(check_table(Table(rows.X, rows.y, target_kind(parsed))), split, parsed.seed).parts()
        splits = {name: rows.take(indices) for name, indices in parts.items()}
    with shown_progress(observer, verbose, calls=2) as observer:
        model, result = fit_rows(resolved, labels, splits, observer)
    if result.interruption is not None:
        raise result.interruption
    return model


def check_rows(
    X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, *, columns: int | None = None, prefix: str = ""
) -> Rows:
    """Return arrays as rows that belong together, of so many columns if that is known; errors begin with the prefix."""
    inputs, target = check_inputs(X, columns, f"{prefix}X"), as_array(y, f"{prefix}y")
    if target.ndim not in (1, 2) or len(target) != len(inputs):
        raise DataError(f"{prefix}y has shape {target.shape}, and {prefix}X has shape {inputs.shape}: one row for each")
    return Rows(inputs, target, check_weights(sample_weight, len(inputs), f"{prefix}sample_weight"))


def read_target(spec: Spec, y: Array) -> tuple[Labels | None, int]:
    """Return the labels of a target, where the spec's loss has labels, and the number of outputs that it needs."""
    kind = spec.training.loss.target
    columns = 1 if y.ndim == 1 else y.shape[1]
    if kind == "values" and is_text(y):
        raise text_for_numbers(spec, y)
    if kind == "values" or (kind == "binary" and columns > 1):
        return None, columns * spec.training.loss.outputs_per_target
    if kind == "binary" and len(distinct := np.unique(check_labels(y))) > 2:
        raise more_than_two_classes(spec, distinct)
    labels = Labels.from_target(y, 2 if kind == "binary" else known_outputs(spec))
    return labels, 1 if kind == "binary" else len(labels)


@dataclass(frozen=True)
class SpecData:
    """What a spec's data part gives.

    Attributes
    ----------
    resolved : Resolved
        With the sizes and the columns of the data.
    labels : Labels or None
        Of the target, where the loss has labels.
    rows : Rows
        All of them.
    splits : dict of str to Rows
        ``train``, and ``validation`` and ``test`` where the spec asks for them.
    """

    resolved: Resolved
    labels: Labels | None
    rows: Rows
    splits: dict[str, Rows]


def read_data(spec: Spec) -> SpecData:
    """Read and split the data of a parsed spec.

    Raises
    ------
    SpecError, DataError, FileError
        If there are none, or they do not fit; errors about fields of the spec have their place there.
    """
    table = load_table(spec)
    rows = check_rows(table.X, table.y, table.sample_weight)
    labels, outputs = read_target(spec, rows.y)
    assert spec.data is not None, "load_table refuses a spec without data"
    data = spec.data.with_columns(table)
    resolved = resolve(spec, inputs=rows.X.shape[1], outputs=outputs, data=data)
    with _placed(spec):
        split = split_rows(table, data.split, spec.seed)
    return SpecData(resolved, labels, rows, {name: rows.take(indices) for name, indices in split.parts().items()})


@contextmanager
def _placed(spec: Spec) -> Iterator[None]:
    """Point errors about the split at the place in the spec where it says so."""
    try:
        yield
    except DataError as error:
        raise DataError(
            *(
                item
                if item.position or item.source
                else spec.diagnostic(item.code, item.message, item.path, hint=item.hint)
                for item in error.diagnostics
            )
        ) from error


@dataclass(frozen=True)
class Preparations:
    """What was fitted on training rows: on their columns, and on their target."""

    columns: Preparation
    target: Preparation

    def apply(self, network: Network, rows: Rows, target: Array, name: str = "y") -> TrainingRows:
        """Return rows, whose encoded target is given and has this name, as the network reads them."""
        loss = network.spec.training.loss
        columns = self.columns.apply(rows.X.astype(np.float64))
        checked = network.check_inputs(columns, f"{'prepared ' * bool(self.columns.steps)}{name.removesuffix('y')}X")
        X = np.ascontiguousarray(checked)
        if loss.target != "classes":
            name = f"prepared {name}" if self.target.steps else name
            target = np.ascontiguousarray(as_dtype(self.target.apply(target), network.dtype, name))
            check_domain(target, loss.domain, name)
        return TrainingRows(X, target, None if rows.weight is None else _as_weights(rows.weight, network.dtype))


def _as_weights(weights: NDArray[np.float64], dtype: np.dtype[Any]) -> Array:
    """Return rows' weights in the run's dtype; 0 for those so small beside others that it cannot hold 1 over them."""
    return np.where(weights < _LEAST_WEIGHT * np.finfo(dtype).tiny, 0.0, weights).astype(dtype)


def prepare(
    network: Network, labels: Labels | None, rows: Rows, fitted: Preparations | None = None
) -> tuple[Preparations, TrainingRows]:
    """Fit the preprocessing of a network's spec on training rows; return it, and them as the network reads them.

    They are weighted as they are themselves and as their classes are. What is fitted already is taken as it is.
    """
    spec, target = network.spec, _encoded(network, labels, rows.y, "y")
    fitted = fitted or Preparations(
        Preparation.fit(spec.network.preprocessing, rows.X, rows.weight),
        Preparation.fit(spec.network.target_preprocessing, target.reshape(len(rows), -1), rows.weight),
    )
    weighted = replace(rows, weight=_row_weights(spec, labels, target, rows.weight))
    return fitted, fitted.apply(network, weighted, target)


def fit_rows(
    resolved: Resolved,
    labels: Labels | None,
    splits: Mapping[str, Rows | None],
    observer: Observer | None = None,
    *,
    keep_checkpoint: Keeper | None = None,
    checkpoint: Checkpoint | None = None,
    start: Model | None = None,
    epochs: int | None = None,
    interruptions: Interruptions | None = None,
) -> tuple[Model, TrainingResult]:
    """Train a network.

    Parameters
    ----------
    resolved : Resolved
    labels : Labels or None
        Of the target, where the loss has labels.
    splits : mapping of str to Rows
        ``train`` is what is trained on, ``validation`` what stands in the history; others are only counted.
    observer : Observer, optional
        Is told of the course of training.
    keep_checkpoint, checkpoint, epochs, interruptions : optional
        As for `train`.
    start : Model, optional
        Training starts from its parameters, with the preprocessing that was fitted for it.

    Raises
    ------
    DataError
        If the rows do not fit, or the layers of the model to start from are others.
    """
    observer, rows, spec = observer or Observer(), splits["train"], resolved.spec
    assert rows is not None, "there is always something to train on"
    network, prepared = _network_and_preparations(resolved, start)
    fitted, training = prepare(network, labels, rows, prepared)
    theta, state = (network.initial_parameters(), None) if start is None else (start.theta, start.state)
    validation, monitors = splits.get("validation"), {}
    if validation is None:
        check_monitors(spec)
    else:
        name = "validation y"
        target = _encoded(network, labels, validation.y, name)
        held_out = fitted.apply(network, validation, target, name)
        model = Model(network, theta, state, fitted.columns, fitted.target, None if labels is None else labels.values)
        monitors = validation_monitors(model, held_out, target, validation.weight)
    warnings = suspicions(resolved, labels, rows.y)
    if warnings:
        observer.warned(warnings)
    counts = {name: len(part) for name, part in splits.items() if part is not None}
    observer.started(network, counts, spec.training.epochs)
    result = train(
        network,
        theta,
        training,
        monitors=monitors,
        observer=observer,
        keep_checkpoint=keep_checkpoint,
        checkpoint=checkpoint,
        state=state,
        epochs=epochs,
        interruptions=interruptions,
    )
    model = Model(
        network,
        result.theta,
        result.state,
        preprocessing=fitted.columns,
        target_preprocessing=fitted.target,
        labels=None if labels is None else labels.values,
        history=result.history,
    )
    return model, replace(result, warnings=warnings)


def _network_and_preparations(resolved: Resolved, start: Model | None) -> tuple[Network, Preparations | None]:
    """Return the network to train, the start's own where that is the same, and what was fitted for the start."""
    if start is None:
        return Network(resolved), None
    network = start.network if start.network.resolved == resolved else Network(resolved)
    for part in ("layers", "preprocessing", "target_preprocessing"):
        if getattr(resolved.spec.network, part) != getattr(start.spec.network, part):
            raise DataError(f"training goes on from a model whose {part} are others")
    return network, Preparations(start.preprocessing, start.target_preprocessing)


def _row_weights(
    spec: Spec, labels: Labels | None, target: Array, weight: NDArray[np.float64] | None
) -> NDArray[np.float64] | None:
    """Return the weight of each training row: its own times its class's."""
    wanted, path = spec.training.class_weight, ("training", "class_weight")
    if wanted is None:
        return weight
    assert labels is not None, "a resolved spec weighs classes only where each row has one"
    if wanted == "balanced":
        counts = np.bincount(target, minlength=len(labels))
        by_class = len(target) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    else:
        names = [str(label) for label in labels.values]
        unknown = [
            spec.diagnostic(
                "class-weight",
                f'class_weight has "{name}", and the labels are {labels}',
                (*path, name),
                at_key=True,
                hint=f'did you mean "{close[0]}"?' if (close := get_close_matches(name, names, n=1)) else None,
            )
            for name in wanted
            if name not in names
        ]
        if unknown:
            raise DataError(*unknown)
        by_class = np.array([wanted.get(name, 1.0) for name in names])
    own = np.ones(len(target)) if weight is None else weight
    weights = ordinary_weights(by_class[target] * (own > 0)) * own
    if not weights.any():
        raise DataError(spec.diagnostic("class-weight", "class_weight leaves all rows with a weight of 0", path))
    return ordinary_weights(weights)


def _encoded(network: Network, labels: Labels | None, y: Array, name: str) -> Array:
    """Return class indices (rows,), or float64 numbers: (rows,) for one output, else (rows, outputs)."""
    if labels is not None:
        return labels.encode(y, name)
    target = check_target(y, network.spec.training.loss.target, len(y), network.target_size, name).astype(np.float64)
    return target[0] if len(target) == 1 else target.T
