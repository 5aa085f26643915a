"""From a spec and arrays to a trained model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from numpy.typing import ArrayLike

from specnet.data import frame_columns, split_rows, table_target
from specnet.data.raw_columns import raw_columns
from specnet.data.target_errors import parsed_for_target
from specnet.errors import DataError
from specnet.model import Model
from specnet.parts.arrays import as_array, column_names, select_columns
from specnet.parts.data import ColumnKind, Split, Table
from specnet.parts.part import Part
from specnet.report.terminal.run_progress import shown_progress
from specnet.running.data_rows import (
    check_rows,
    prepare,
    read_target,
    spec_of_arrays,
    split_errors_at,
)
from specnet.running.fitting import fit_rows
from specnet.running.run_evidence import explaining
from specnet.spec import Limits, Spec, SpecSource, with_engine
from specnet.training import Observer
from specnet.training.observer import check_observer, closing


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
    engine: str | None = None,
    observer: Observer | None = None,
    verbose: bool = False,
) -> Model:
    """Train the network of a spec on arrays.

    Parameters
    ----------
    spec : path, text with a line break, mapping or Spec
        Of its ``data``, ``features`` and ``columns`` say which columns of a data frame are taken, and their kinds.
        ``split`` counts where there is no `validation`: its validation rows are set aside as ``specnet run`` does, by
        the same ``random_state`` and ``stratify``; so are the folds of an ensemble. There are no test rows: all others
        train. The model's spec has no ``data``.
    X : (rows, columns)
        Raw columns; the spec's preprocessing is fitted on them and belongs to the model. So do the names of a data
        frame's columns; where the spec names columns, these are taken from the frame, in the spec's order. A data frame
        of pandas or Polars, or an Arrow table, is read as a file with the same table is.
    y : (rows,) or (rows, outputs)
        Values, 0 and 1 for several outputs, or labels: integers within 0…K−1 are class indices, otherwise the sorted
        distinct labels are the K classes. One-hot rows are class indices too.
    validation : (X, y) or (X, y, sample_weight), optional
        Validation set; all rows of `X` are then used for training.
    sample_weight : (rows,), optional
        Multiplies each row's loss.
    parts, overrides, limits : optional
        As for `parse_spec`.
    engine : {"auto", "numpy", "compiled"}, optional
        Overrides ``training.engine``.
    observer : Observer, optional
        Is told of the course of training, and of rows that look as if it made no sense; without one these are a
        `SpecnetWarning`.
    verbose : bool
        Show the progress on standard error.

    Returns
    -------
    Model
        With the history of its training.

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
    parsed = parsed_for_target(
        spec,
        lambda parsed: read_target(parsed, as_array(y, "y")),
        parts=parts,
        overrides=with_engine(overrides, engine),
        limits=limits,
    )
    data = parsed.data
    X = select_columns(X, parsed.feature_names)
    located, parsed = parsed, parsed.model_copy(update={"data": None})
    from specnet.parts.data import TableFile  # with the readers of files

    written: Mapping[str, ColumnKind | None] | None = parsed.network.feature_kinds
    if written is None and isinstance(located.data, TableFile):
        written = located.data.kinds_in(column_names(X) or ())
    frame, warnings = frame_columns(X, written)
    rows = check_rows(X if frame is None else frame, y, sample_weight)
    parsed = spec_of_arrays(parsed, rows, column_names(X))
    splits = {"train": rows}
    if validation is not None:
        if not isinstance(validation, tuple) or len(validation) not in (2, 3):
            raise DataError("validation must be a tuple (X, y) or (X, y, sample_weight)")
        ensemble = parsed.training.ensemble
        if ensemble is not None and ensemble.validation != "split":
            message = f'validation has no effect with training.ensemble.validation = "{ensemble.validation}"'
            raise DataError(message, hint=ensemble.validated_together())
        columns, kinds = rows.table.shape[1], parsed.network.feature_kinds if rows.kinds else None
        names = column_names(X) if kinds is None else tuple(kinds)
        held_out = raw_columns(validation[0], kinds, columns, names, "validation X")
        splits["validation"] = check_rows(held_out, *validation[1:], columns=columns, prefix="validation ")
    labels, outputs = read_target(parsed, rows.y)
    kind = parsed.target_kind
    split = (Split() if data is None else data.split).with_defaults(parsed.seed, kind)
    if validation is None and ((data is not None and split.validation_fraction) or parsed.training.folds):
        with split_errors_at(located):
            table = Table(rows.table, table_target(rows.y, kind), kind)
            splits = rows.split(split_rows(table, split.without_test(), parsed.seed, parsed.training.ensemble))
    made = prepare(parsed, splits, labels, outputs, warnings=warnings)
    with shown_progress(observer, verbose, calls=2) as observer:
        with closing(observer), explaining():
            fitted = fit_rows(made, observer)
        observer.closed(fitted.result.interruption)
    if fitted.result.interruption is not None:
        raise fitted.result.interruption
    return fitted.model
