"""Training: from the rows of a spec to a trained, calibrated model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from specnet.data import (
    TrainingData,
    column_warnings,
    first_large_cell,
    ignored_groups,
    large_cell_problem,
    target_warnings,
)
from specnet.errors import DataError, Diagnostic, NotFiniteError
from specnet.files.interruptions import Interruptions
from specnet.model import Answers, ErrorQuantiles, Model
from specnet.network import Network
from specnet.parts.arrays import Array
from specnet.parts.splits import TEST, TRAIN, VALIDATION, adjective
from specnet.running.calibration import Calibration, fitted_calibration, with_linear_share, with_temperature
from specnet.running.data_rows import Rows, SpecData
from specnet.running.distillation.student_rows import student_rows
from specnet.running.encoding import Encoder, check_monitors, other_parts, validation_monitors
from specnet.running.output_weights import WeightFigures, with_fitted_weights
from specnet.spec import Spec
from specnet.training import (
    Checkpoint,
    Keeper,
    Observer,
    TrainingResult,
    TrainingRows,
    train,
)
from specnet.training.observer import Stopped


@dataclass(frozen=True)
class FitResult:
    """The result of fitting a network to rows.

    Attributes
    ----------
    model : Model
    result : TrainingResult
    data : SpecData
        The data that the network was fitted to.
    encoder : Encoder
        The encoder from given rows to rows as the network reads them.
    inputs : dict of str to array
        The columns that are encoded already, by split.
    members : tuple of TrainingResult
        The result of each ensemble member that has begun; of the only network without an ensemble.
    training : TrainingRows
        The training rows as the network reads them.
    calibration : Calibration or None
        The calibration by a temperature of probabilities, or by a share of linear models in values; None if the spec
        has none or training was interrupted. `result` and `members` are from before the calibration.
    weights : WeightFigures or None
        Figures about the weights of averaged networks, if the spec fits them; also not in `result` and `members`.
    held_out : (list of ndarray, Answers) or None
        The outputs as the loss reads them, such as logits, of each network that predicts every held-out row, and the
        answers; None without held-out rows. The rows are of the split `SpecData.held_out`: the training rows if each
        ensemble member has left one fold out and none is missing, otherwise the validation rows.
    """

    model: Model
    result: TrainingResult
    data: SpecData
    encoder: Encoder
    inputs: Mapping[str, Array]
    members: tuple[TrainingResult, ...]
    training: TrainingRows
    calibration: Calibration | None = None
    weights: WeightFigures | None = None
    held_out: tuple[list[Array], Answers] | None = None

    def check_whole(self) -> None:
        """Raise the interruption that has ended training, unless it is a planned stop."""
        cause = self.result.interruption
        if cause is not None and not isinstance(cause, Stopped):
            raise cause

    def answers(self, name: str) -> Answers:
        """Return the model's answers for the rows of the split `name`."""
        if self.held_out is not None and name == self.data.held_out != TRAIN:
            return self.held_out[1]
        rows = self.data.splits[name]
        return self.model.answers(self.prepared(name), rows.y, rows.weight)

    def prepared(self, name: str) -> Array:
        """Return the columns of the split `name` as the network reads them."""
        X = self.inputs.get(name)
        return self.encoder.inputs(self.data.splits[name]) if X is None else X

    def answered(self) -> Self:
        """Return this result with `held_out` computed by its model."""
        name, model, held_out = self.data.held_out, self.model, None
        rows = self.data.splits.get(name)
        if rows is not None and rows.folds is None:
            X = self.prepared(name)
            held_out = model.member_outputs(X, raw=True), model.answers(X, rows.y, rows.weight)
        elif rows is not None and rows.folds is not None and len(self.members) > rows.folds.max():
            held_out = self._fold_outputs(rows)
        return replace(self, held_out=held_out)

    def with_fitted_weights(self) -> Self:
        """Return this result with the weights of the networks that its last layer averages fitted to held-out rows."""
        rows, model = self.data.splits[self.data.held_out], self.model
        X, target = self.prepared(self.data.held_out), model.decoder.target(rows.y, len(rows))[1]
        members = range(len(model.members))
        parts = [slice(None) if rows.folds is None else rows.in_fold(member) for member in members]
        model, found = with_fitted_weights(model, X, target, rows.weight, parts, rows.groups)
        return replace(self, model=model, weights=found).answered()

    def calibrated(self) -> Self:
        """Return this result with the model's outputs calibrated on the held-out rows."""
        assert self.held_out is not None, "a spec that calibrates has rows for it"
        (raw, answers), rows = self.held_out, self.data.splits[self.data.held_out]
        if self.model.spec.training.calibration == "linear":
            known = self.training if rows.folds is not None else self.encoder.watched_rows(rows, "y").rows
            model, found = with_linear_share(self.model, raw, self.training, rows.folds, known, rows.groups)
        else:
            found = fitted_calibration(raw, answers, rows.groups, one_by_one=rows.folds is not None)
            model = with_temperature(self.model, found.value)
        return replace(self, model=model, calibration=found).answered()

    def error_quantiles(self, uncalibrated: Sequence[Array]) -> ErrorQuantiles:
        """Return the quantiles of the errors on the held-out rows, given the outputs before calibration.

        If validation rows have chosen the epoch, each row's error is at an epoch that other rows have chosen.
        """
        assert self.held_out is not None, "rows do not vanish"
        (raw, answers), model, name = self.held_out, self.model, self.data.held_out
        rows = self.data.splits[name]
        crossed = [member.cross_fitted for member in self.members]
        if name == VALIDATION and all(each is not None for each in crossed):
            factor = 1.0 if self.calibration is None else self.calibration.factor
            raws = [
                after + factor * (each - before) for after, each, before in zip(raw, crossed, uncalibrated, strict=True)
            ]
            compared = model.decoder.compared([model.decoder.activated(each) for each in raws])
            answers = replace(answers, prediction=compared[0], probability=compared[1])
        targets = [each.y.reshape(len(each), -1) for name, each in self.data.splits.items() if name != TEST]
        is_of_values = model.network.task == "values"
        low = np.min([each.min(axis=0) for each in targets], axis=0) >= 0 if is_of_values else None
        return ErrorQuantiles.of(
            answers, model.network.task, not_negative=low, groups=rows.groups, is_monotone=model.network.is_monotone
        )

    def _fold_outputs(self, rows: Rows) -> tuple[list[Array], Answers]:
        X, network = self.inputs[TRAIN], self.model.network
        raw, outputs = (np.empty((len(rows), network.outputs), network.dtype) for _ in range(2))
        for number, (theta, state) in enumerate(self.model.members):
            mine = rows.in_fold(number)
            raw[mine] = network.predict_checked(theta, X[mine], state, raw=True)
            outputs[mine] = network.predict_checked(theta, X[mine], state)
        return [raw], self.model.answers_of(raw, outputs, rows.y, rows.weight)


def fit_rows(
    data: SpecData,
    observer: Observer | None = None,
    *,
    keep_checkpoint: Keeper | None = None,
    checkpoint: Checkpoint | None = None,
    start: Model | None = None,
    epochs: int | None = None,
    jobs: int | None = None,
    cores: int | None = None,
    interruptions: Interruptions | None = None,
    records: bool = False,
    train_ensemble: Callable[..., list[TrainingResult]] | None = None,
) -> FitResult:
    """Return the result of training a network, or the members of an ensemble, on the rows of a spec.

    Parameters
    ----------
    data : SpecData
        The split ``train`` is trained on, and the history has metrics of ``validation``; other splits are only counted.
        More warnings may be added to its warnings.
    observer : Observer, optional
        Follows the training.
    keep_checkpoint, checkpoint, epochs, interruptions : optional
        As for `train`; `epochs` must be None for an ensemble.
    jobs, cores : int, optional
        As for `train_members`.
    start : Model, optional
        Model whose parameters training starts from. Its preprocessing of the target is used too; the preparation of
        `data` must already be the start's.
    records : bool
        As for `train` and `train_members`.
    train_ensemble : callable, optional
        Function with the arguments of `train_members`, the default, that returns the results of the members.

    Raises
    ------
    DataError
        If the rows do not fit, or the starting model has different layers.
    NotFiniteError
        If the loss is no longer finite; `evaluation.explaining` adds the cause.
    """
    observer, spec, splits = observer or Observer(), data.resolved.spec, data.splits
    rows, watched = splits[TRAIN], None
    try:  # large cells are searched only after an error: a search takes as long as preparing the rows
        encoder, training = _encoded(data, start)
        if VALIDATION in splits:
            watched = encoder.watched_rows(splits[VALIDATION], "validation y")
    except DataError:
        _refuse_large_cells(data, splits)
        raise
    _refuse_large_cells(data, splits.keys() - {TRAIN, VALIDATION})
    network, inputs = encoder.network, {TRAIN: training.X}
    if watched is not None:
        inputs[VALIDATION] = watched.rows.X
    elif rows.folds is None:
        check_monitors(spec)
    if spec.training.teacher is not None and data.teacher is None:
        message = "training.teacher needs the table that the teacher was trained on"
        raise DataError(message, hint="set [data] in the spec, and use specnet run or specnet.run")
    if problems := list(_without_weight(spec, splits, training)):
        raise DataError(*problems)
    found = (*data.warnings, *target_warnings(TrainingData(data.resolved, data.labels, splits)))
    if spec.data is not None:  # a caller who passes arrays knows their columns
        found += _column_warnings(data)
    if found:
        observer.warned(found)
    counts = {name: len(part) for name, part in splits.items()}
    observer.started(network, counts, spec.training.epochs)
    given: dict[str, Any] = {"observer": observer, "keep_checkpoint": keep_checkpoint, "checkpoint": checkpoint}
    given |= {"interruptions": interruptions, "records": records}
    try:
        if spec.training.ensemble is None:
            theta, state = (training.initial_parameters(network), None) if start is None else start.members[0]
            monitors = None if watched is None else validation_monitors(encoder.decoder, watched)
            learned = training if data.teacher is None else student_rows(data.teacher, encoder, rows, training)
            result = train(network, theta, learned, monitors=monitors, state=state, epochs=epochs, **given)
            members = [result]
        else:
            from specnet.training.members import joined_result, train_members

            assert epochs is None, "the caller refuses an ensemble"
            own = encoder.member_rows(training, rows, watched)
            starts = own.starts() if start is None else start.members
            members = (train_ensemble or train_members)(network, starts, own, jobs=jobs, cores=cores, **given)
            result = joined_result(members)
    except NotFiniteError as error:
        error.fitted = encoder, training, splits
        raise
    model = _model_of(encoder, result, len(members))
    fitted = FitResult(model, replace(result, warnings=found), data, encoder, inputs, tuple(members), training)
    fitted = fitted.answered()
    if result.interruption is not None or fitted.held_out is None:  # no held-out rows if only one member was trained
        return fitted
    uncalibrated = fitted.held_out[0]
    if spec.fits_weights:
        fitted = fitted.with_fitted_weights()
    if spec.training.calibration is not None:
        fitted = fitted.calibrated()
    fitted.model.error_quantiles = fitted.error_quantiles(uncalibrated)
    return fitted


def _column_warnings(data: SpecData) -> tuple[Diagnostic, ...]:
    """Return the warnings about columns, cached for many runs on the same rows."""
    spec, labels, splits = data.resolved.spec, data.labels, data.splits
    rows, names = splits[TRAIN], None if labels is None else tuple(labels.values.tolist())
    location = spec.diagnostic("column", "", ("data",))
    key = "column warnings", tuple(splits), names, spec.training.loss.target, spec.data, spec.feature_names, location

    def warnings() -> tuple[Diagnostic, ...]:
        return column_warnings(TrainingData(data.resolved, labels, splits, rows.kinds, _names_of_groups(data)))

    return rows.once(key, warnings)


def _names_of_groups(data: SpecData) -> dict[str, NDArray[np.float64]]:
    """Return ignored columns of a table whose names suggest groups, such as persons, with texts as indices."""
    spec, table = data.resolved.spec, data.table
    if table is None:
        return {}
    from specnet.parts.data import TableFile  # imports the readers of files

    if not isinstance(spec.data, TableFile) or spec.data.split.by_column is not None or spec.data.split.says_parts:
        return {}
    return ignored_groups(spec.data, spec.folder, table.kinds, len(table.X), table.file_rows)


def _refuse_large_cells(data: SpecData, parts: Iterable[str]) -> None:
    """Raise DataError for a number in a file that is too large for the network, with its location in the file."""
    spec = data.resolved.spec
    for rows in map(data.splits.__getitem__, parts):
        cell = first_large_cell(data.preparation, rows.columns, np.dtype(spec.network.dtype)) if rows.kinds else None
        problem = cell and large_cell_problem(cell, rows.kinds[cell.column].name, spec.data, spec.folder)
        if problem is not None:
            raise DataError(problem)


def _without_weight(spec: Spec, splits: Mapping[str, Rows], training: TrainingRows) -> Iterator[Diagnostic]:
    """Yield an error for each split, and for the first fold, in which all rows have a weight of 0."""
    path, hint = ("data", "split"), "leave rows with a weight of 0 out"
    for name, part in splits.items():
        if part.weight is not None and not part.weight.any():
            yield spec.diagnostic(
                "sample-weight", f"every row of the {adjective(name)} set has a weight of 0", path, hint=hint
            )
    rows, path, hint = splits[TRAIN], ("training", "ensemble"), f"use fewer members, or {hint}"
    for member in range(spec.training.members) if rows.folds is not None else ():
        fold = rows.in_fold(member)
        if rows.weight is not None and not rows.weight[fold].any():
            yield spec.diagnostic("sample-weight", f"every row of fold {member} has a weight of 0", path, hint=hint)
        elif training.weight is not None and not training.weight[~fold].any():
            message = f"every row outside fold {member} has a weight of 0"
            yield spec.diagnostic("sample-weight", message, path, hint=hint)
        else:
            continue
        return


def _model_of(encoder: Encoder, result: TrainingResult, count: int) -> Model:
    """Return the model of `count` members: after an interruption, only of members that had begun."""
    network = encoder.network
    if result.interruption is not None and count < network.spec.training.members:
        encoder = replace(encoder, network=Network(network.resolved.with_members(count)))
    return encoder.model(result.theta, result.state, result.history)


def _encoded(data: SpecData, start: Model | None) -> tuple[Encoder, TrainingRows]:
    """Return the encoder, and the training rows as the network reads them.

    With a start, its preprocessing of the target is used, and its network too if that has the same resolved spec.
    """
    resolved, rows = data.resolved, data.splits[TRAIN]
    if start is None:
        encoder = Encoder.fit(data.network, data.labels, data.preparation, rows)
        return encoder, encoder.training_rows(rows)
    network = start.network if start.network.resolved == resolved else data.network
    for part in ("layers", "preprocessing", "target_preprocessing"):
        if getattr(resolved.spec.network, part) != getattr(start.spec.network, part):
            raise other_parts(part)
    members = resolved.spec.training.members
    if len(start.members) != members:
        raise DataError(f"cannot continue: the starting model has {len(start.members)} networks, expected {members}")
    encoder = Encoder(network, data.labels, data.preparation, start.target_preprocessing)
    return encoder, encoder.training_rows(rows)
