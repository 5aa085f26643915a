"""From a spec and arrays to a trained model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from numpy.typing import ArrayLike

from specnet.data import (
    Labels,
    Preparation,
    column_suspicions,
    frame_columns,
    raw_columns,
    split_rows,
    suspicions,
    table_target,
)
from specnet.errors import DataError, Diagnostic
from specnet.model import Answers, Model
from specnet.network import Network
from specnet.parts.arrays import Array, as_array, column_names, select_columns
from specnet.parts.data import Table
from specnet.parts.part import Part
from specnet.report.progress import shown_progress
from specnet.running.encoding import Encoder
from specnet.running.monitors import check_monitors, validation_monitors
from specnet.running.rows import (
    Rows,
    check_rows,
    fit_preparation,
    parsed_with_target,
    read_target,
    split_errors_at,
)
from specnet.spec import Limits, Resolved, Spec, SpecSource, resolve, with_feature_names
from specnet.training import Checkpoint, Keeper, Observer, TrainingResult, TrainingRows, train
from specnet.training.interruptions import Interruptions
from specnet.training.observer import check_observer


def fit(
    spec: SpecSource | Spec,
    X: ArrayLike,
    y: ArrayLike,
    validation: tuple[ArrayLike, ...] | None = None,
    sample_weight: ArrayLike | None = None,
    *,
    parts: Iterable[type[Part]] = (),
    overrides: Iterable[str] = (),
    limits: Limits | None = None,
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
        Validation set; all rows of `X` are then used for training.
    sample_weight : (rows,), optional
        Multiplies each row's loss.
    parts, overrides, limits : optional
        As for `parse_spec`.
    observer : Observer, optional
        Is told of the course of training, and of rows that look as if it made no sense; without one these are a
        `SpecnetWarning`.
    verbose : bool
        Show the progress on standard error.

    Raises
    ------
    SpecError
        If the spec, or its sizes with these arrays, cannot be.
    DataError
        If the arrays do not fit.
    TrainingError
        If the loss is no longer finite.
    """
    check_observer(observer)
    parsed = parsed_with_target(
        spec, lambda parsed: read_target(parsed, as_array(y, "y")), parts=parts, overrides=overrides, limits=limits
    )
    data = parsed.data
    X = select_columns(X, parsed.feature_names)
    located, parsed = parsed, parsed.model_copy(update={"data": None})
    frame, warnings = frame_columns(X, parsed.network.feature_kinds)
    rows = check_rows(X if frame is None else frame, y, sample_weight)
    kinds = {column.name: column.kind for column in rows.kinds} or None
    parsed = with_feature_names(parsed, column_names(X) if kinds is None else tuple(kinds), kinds)
    splits = {"train": rows}
    if validation is not None:
        if not isinstance(validation, tuple) or len(validation) not in (2, 3):
            raise DataError("validation must be a tuple (X, y) or (X, y, sample_weight)")
        columns, name = rows.table.shape[1], "validation X"
        held_out = raw_columns(validation[0], kinds, columns, tuple(kinds) if kinds else column_names(X), name)
        splits["validation"] = check_rows(held_out, *validation[1:], columns=columns, prefix="validation ")
    labels, outputs = read_target(parsed, rows.y)
    if validation is None and data is not None and data.split.validation_size:
        split = data.split.model_copy(update={"test_size": 0.0})
        with split_errors_at(located):
            table = Table(rows.table, table_target(rows.y, parsed.target_kind), parsed.target_kind)
            splits = rows.split(split_rows(table, split, parsed.seed))
    prepared, preparation = fit_preparation(parsed, splits["train"])
    resolved = resolve(prepared, inputs=rows.table.shape[1], outputs=outputs, of_rows=True)
    with shown_progress(observer, verbose, calls=2) as observer:
        fitted = fit_rows(resolved, labels, preparation, splits, observer, warnings=warnings)
    if fitted.result.interruption is not None:
        raise fitted.result.interruption
    return fitted.model


@dataclass(frozen=True)
class FitResult:
    """What fitting a network to rows gives.

    Attributes
    ----------
    model : Model
    result : TrainingResult
    encoder : Encoder
        What made the network's rows of the given ones.
    inputs : dict of str to array
        The columns of the rows that it has made so, by the part of the split.
    """

    model: Model
    result: TrainingResult
    encoder: Encoder
    inputs: Mapping[str, Array]

    def evaluate(self, name: str, rows: Rows) -> dict[str, float]:
        """Return the figures of the model on the rows of that part of the split."""
        return self.model.evaluate_inputs(self.prepared(name, rows), rows.y, rows.weight)

    def answers(self, name: str, rows: Rows) -> Answers:
        """Return what the model answers for the rows of that part of the split."""
        return self.model.answers(self.prepared(name, rows), rows.y, rows.weight)

    def prepared(self, name: str, rows: Rows) -> Array:
        """Return the columns of the rows of that part of the split as the network reads them."""
        X = self.inputs.get(name)
        return self.encoder.inputs(rows) if X is None else X


def fit_rows(
    resolved: Resolved,
    labels: Labels | None,
    preparation: Preparation,
    splits: Mapping[str, Rows],
    observer: Observer | None = None,
    *,
    keep_checkpoint: Keeper | None = None,
    checkpoint: Checkpoint | None = None,
    start: Model | None = None,
    epochs: int | None = None,
    interruptions: Interruptions | None = None,
    warnings: Sequence[Diagnostic] = (),
) -> FitResult:
    """Train a network.

    Parameters
    ----------
    resolved : Resolved
    labels : Labels or None
        Of the target, where the loss has labels.
    preparation : Preparation
        Of the columns.
    splits : mapping of str to Rows
        ``train`` is what is trained on, ``validation`` what stands in the history; others are only counted.
    observer : Observer, optional
        Is told of the course of training.
    keep_checkpoint, checkpoint, epochs, interruptions : optional
        As for `train`.
    start : Model, optional
        Training starts from its parameters, with the target's preprocessing that was fitted for it; so is the
        preparation then.
    warnings : sequence of Diagnostic
        About the rows, from where they were read; more may follow.

    Raises
    ------
    DataError
        If the rows do not fit, or the layers of the model to start from are others.
    """
    observer, rows, spec = observer or Observer(), splits["train"], resolved.spec
    encoder, training = _encoded(resolved, labels, preparation, rows, start)
    network, inputs = encoder.network, {"train": training.X}
    theta, state = (network.initial_parameters(), None) if start is None else (start.theta, start.state)
    validation, monitors = splits.get("validation"), {}
    if validation is None:
        check_monitors(spec)
    else:
        held_out, target = encoder.watched_rows(validation, "validation y")
        inputs["validation"] = held_out.X
        monitors = validation_monitors(encoder.model(theta, state), held_out, target, validation.weight)
    found = (*warnings, *suspicions(resolved, labels, rows.y))
    if spec.data is not None:  # who passes arrays has made their columns
        found += column_suspicions(spec, labels, splits, rows.kinds)
    if found:
        observer.warned(found)
    counts = {name: len(part) for name, part in splits.items()}
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
    model = encoder.model(result.theta, result.state, result.history)
    return FitResult(model, replace(result, warnings=found), encoder, inputs)


def _encoded(
    resolved: Resolved, labels: Labels | None, preparation: Preparation, rows: Rows, start: Model | None
) -> tuple[Encoder, TrainingRows]:
    """Return the rows to train on as the network reads them, and what makes others so.

    The network is the start's own where that is the same, with what was fitted for the start.
    """
    if start is None:
        return Encoder.fit(Network(resolved), labels, preparation, rows)
    network = start.network if start.network.resolved == resolved else Network(resolved)
    for part in ("layers", "preprocessing", "target_preprocessing"):
        if getattr(resolved.spec.network, part) != getattr(start.spec.network, part):
            raise DataError(f"cannot continue: the starting model has different {part}")
    encoder = Encoder(network, labels, preparation, start.target_preprocessing)
    return encoder, encoder.training_rows(rows)
