"""Encoding of rows as a network reads them, fitted on training rows; metrics of validation rows in training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from specnet.data import Labels, Preparation, unfitted
from specnet.data.split import blocks_of_times, folds_of_classes, folds_of_groups
from specnet.errors import DataError
from specnet.model import Decoder, Model
from specnet.network import Network
from specnet.parts.arrays import Array, as_dtype, check_domain, check_target, check_weights, relative_weights
from specnet.parts.metrics import Metric
from specnet.parts.metrics.statistics import weighted_mean
from specnet.parts.watchers import LOSS, VALIDATION_LOSS
from specnet.running.data_rows import Rows, target_of_steps
from specnet.spec import Spec
from specnet.suggestions import did_you_mean
from specnet.training import TrainingRows
from specnet.training.after_epoch import watcher_name
from specnet.training.epoch_metrics import PARTS, CrossFittedOutputs, Monitors, parts_of
from specnet.training.steps.trainer import State


def check_monitors(spec: Spec) -> None:
    """Raise an error if the spec needs validation rows; call this only if there are none.

    Raises
    ------
    DataError
        If early stopping, the schedule, calibration or weights of a layer need them.
    """
    hint = "set data.split.validation_size = 0.2, or pass validation=(X, y) to fit"
    for path, who in spec.training.watchers():
        if who.monitor != LOSS:
            message = f"training.{watcher_name(path)} monitors {who.monitor}, but there are no validation rows"
            raise DataError(message, hint=hint)
    fitted = {
        "training.calibration": spec.training.calibration is not None,
        "a layer with fitted weights": spec.fits_weights,
    }
    for name, is_used in fitted.items():
        if is_used:
            message = f"{name} needs validation rows, or an ensemble on folds"
            raise DataError(message, hint=f"{hint}, or set training.ensemble = 5")


@dataclass(frozen=True, eq=False)
class WatchedRows:
    """Validation rows, as the network and as metrics read them.

    Attributes
    ----------
    rows : TrainingRows
        The rows as the network reads them.
    target : (rows,) or (rows, outputs)
        The target as metrics read it: class indices, 0 and 1, or values in their own units.
    weight : (rows,) or None
        The weight of each row in a metric.
    groups : (rows,) or None
        The group of each row, if rows are not independent of each other.
    """

    rows: TrainingRows
    target: Array
    weight: NDArray[Any] | None
    groups: NDArray[np.generic] | None = None

    def some(self, chosen: NDArray[Any]) -> WatchedRows:
        """Return the rows of a mask or of indices, without groups."""
        weight = None if self.weight is None else self.weight[chosen]
        return WatchedRows(self.rows.some(chosen), self.target[chosen], weight)


@dataclass(frozen=True, eq=False)
class MemberRows:
    """The training and validation rows of each ensemble member; can be sent to another process.

    Attributes
    ----------
    decoder : Decoder
        The decoder from the network's outputs to predictions.
    training : TrainingRows
        The training rows of all members.
    watched : WatchedRows or None
        The validation rows of all members; with folds the training rows, without class weights.
    folds : (rows,) or None
        The member that each training row validates.
    """

    decoder: Decoder
    training: TrainingRows
    watched: WatchedRows | None
    folds: NDArray[np.intp] | None

    def starts(self) -> list[tuple[Array, None]]:
        """Return the initial parameters of each member, and None for the initial layer states."""
        network = self.decoder.network
        members = range(network.spec.training.members)
        return [(self.rows(each).initial_parameters(network, each), None) for each in members]

    def rows(self, member: int) -> TrainingRows:
        """Return the rows that a member is trained on; without folds, they are not copied."""
        return self.training if self.folds is None else self.training.some(np.not_equal(self.folds, member))

    def __call__(self, member: int) -> tuple[TrainingRows, Monitors]:
        """Return the rows that a member is trained on, and its monitors.

        Outputs on folds are not cross-fitted. The member that leaves a fold out is selected at an epoch that fits the
        fold too well, but the mean of all members has smaller errors by about the same amount.
        """
        training, watched = self.training, self.watched
        if watched is None:
            return training, Monitors()
        if self.folds is None:
            return training, validation_monitors(self.decoder, watched)
        mine = np.equal(self.folds, member)
        return self.rows(member), validation_monitors(self.decoder, watched.some(mine), cross_fits=False)


def validation_monitors(decoder: Decoder, watched: WatchedRows, *, cross_fits: bool = True) -> Monitors:
    """Return the functions that compute each metric of validation rows for the history.

    Parameters
    ----------
    decoder : Decoder
        Decoder from the network's outputs to predictions.
    watched : WatchedRows
    cross_fits : bool
        Whether to record, if validation rows choose the epoch, also outputs at epochs that other rows have chosen.
    """
    network, spec, rows = decoder.network, decoder.network.spec, watched.rows
    target, weights = network.read_target(rows.target, len(rows)), check_weights(rows.weight, len(rows))
    last = np.empty(0)  # losses of the rows at the last epoch, also used to score parts of the rows

    def loss(theta: Array, state: State) -> float:
        nonlocal last
        last = network.row_losses_checked(theta, rows.X, target, state, data_only=True)
        return weighted_mean(last, weights)

    def score(metric: Metric, theta: Array, state: State) -> float:
        compared = decoder.compared([decoder.averaged(network.predict_checked(theta, rows.X, state))])
        return metric.score(watched.target, *compared, watched.weight)

    monitors = Monitors({VALIDATION_LOSS: loss})
    for _, who in spec.training.watchers():
        metric = spec.monitored_metric(who.monitor)
        if metric is not None:
            monitors[who.monitor] = partial(score, metric)
    parts = parts_of(len(rows), watched.groups)
    stopping = spec.training.early_stopping
    if not cross_fits or stopping is None or stopping.monitor == LOSS or len(np.unique(parts)) < PARTS:
        return monitors
    metric = spec.monitored_metric(stopping.monitor)

    def scores(theta: Array, state: State) -> NDArray[np.float64]:
        others = [parts != part for part in range(PARTS)]
        if metric is None:
            every = [weighted_mean(last[each], None if weights is None else weights[each]) for each in others]
            return np.array(every)
        prediction, probability = decoder.compared([decoder.averaged(network.predict_checked(theta, rows.X, state))])
        found = [
            metric.score(
                watched.target[chosen],
                prediction[chosen],
                None if probability is None else probability[chosen],
                None if watched.weight is None else watched.weight[chosen],
            )
            for chosen in others
        ]
        return np.array(found) * (-1 if metric.larger_is_better else 1)

    monitors.cross_fitted = CrossFittedOutputs(
        parts,
        scores,
        lambda theta, state: network.predict_checked(theta, rows.X, state, raw=True),
        np.zeros((len(rows), network.outputs), network.dtype),
    )
    return monitors


FOLDS = 5
"""The number of folds of columns that are fitted to the target, where the ensemble has no folds."""
MIN_DIGITS = 1000
"""The minimum ratio of the standard deviation of a target to its rounding error."""
_MIN_WEIGHT = 2.0**26
"""The minimum weight, in units of a dtype's smallest normal number; a batch may divide by the sum of its weights."""


@dataclass(frozen=True)
class Encoder:
    """The encoding of rows as a network reads them: labels, and preprocessing fitted on training rows.

    Attributes
    ----------
    network : Network
    labels : Labels or None
        Labels of the target; None if the loss has no labels.
    preparation, target_preparation : Preparation
        Fitted preprocessing of the columns and of the target.
    """

    network: Network
    labels: Labels | None
    preparation: Preparation
    target_preparation: Preparation

    @classmethod
    def fit(cls, network: Network, labels: Labels | None, preparation: Preparation, rows: Rows) -> Self:
        """Return an encoder whose preprocessing of the target is fitted to training rows."""
        target = _numbers(network, labels, rows.y, "y").reshape(len(rows), -1)
        steps = unfitted(network.spec.network.target_preprocessing)
        return cls(network, labels, preparation, Preparation.fit(steps, target, rows.weight))

    def training_rows(self, rows: Rows) -> TrainingRows:
        """Return encoded training rows, with the products of row weights and class weights."""
        target = _numbers(self.network, self.labels, rows.y, "y")
        weight = _row_weights(self.network.spec, self.labels, target, rows.weight)
        X = self.inputs(rows)
        if self.preparation.reads_target:
            X = rows.once(("out of fold", self.preparation, self.network.dtype), lambda: self._out_of_fold(rows, X))
        return self._encoded(rows, X, target, weight, "y")

    def _out_of_fold(self, rows: Rows, X: Array) -> Array:
        """Return encoded training rows with columns out of fold: of the ensemble's folds, or of others.

        The others are drawn by the seed, of whole groups if the split has groups, or are blocks of times if it goes by
        times, as the ensemble's folds are.
        """
        folds, seed = rows.folds, self.network.spec.seed
        if folds is None:
            count = min(FOLDS, len(rows))
            if rows.groups is not None and len(np.unique(rows.groups)) >= count:
                folds = folds_of_groups(rows.groups, count, seed)
            elif rows.times is not None and len(np.unique(blocks := blocks_of_times(rows.times, count))) > 1:
                folds = blocks
            else:
                folds = folds_of_classes(None, len(rows), count, seed)  # not even a row's fold depends on its target
        target = target_of_steps(self.labels, rows)
        return self.preparation.out_of_fold(X, rows.columns, target, folds, rows.weight, texts=rows.texts)

    def soft_target_rows(self, X: Array, targets: Array, weight: Array | None) -> TrainingRows:
        """Return training rows whose targets are the predictions of a teacher.

        Parameters
        ----------
        X : ndarray (rows, inputs)
            The rows as the network reads them.
        targets : ndarray
            As `Teacher.answers` returns them.
        weight : (rows,) or None
            The weight of each row, of the network's dtype.
        """
        target = targets[:, 1:] if self.network.task == "binary" else targets
        if self.network.task == "values":
            target = self.target_preparation.prepare(target)
        target = as_dtype(target, self.network.dtype, "the teacher's predictions")
        check_domain(target, self.network.spec.training.loss.domain, "the teacher's predictions")
        is_single = target.shape[1] == 1
        return TrainingRows(X, np.ascontiguousarray(target[:, 0] if is_single else target), weight)

    def watched_rows(self, rows: Rows, name: str) -> WatchedRows:
        """Return encoded validation rows; `name` is the name of their target in errors."""
        target = _numbers(self.network, self.labels, rows.y, name)
        return WatchedRows(
            self._encoded(rows, self.inputs(rows, name), target, rows.weight, name), target, rows.weight, rows.groups
        )

    def member_rows(self, training: TrainingRows, rows: Rows, watched: WatchedRows | None) -> MemberRows:
        """Return the rows of each ensemble member, given training rows and the validation rows of all members."""
        if rows.folds is not None:
            weight = None if rows.weight is None else _as_weights(rows.weight, self.network.dtype)
            target = _numbers(self.network, self.labels, rows.y, "y")
            watched = WatchedRows(replace(training, weight=weight), target, rows.weight)
        return MemberRows(self.decoder, training, watched, rows.folds)

    def inputs(self, rows: Rows, name: str = "y") -> Array:
        """Return the columns of rows as the network reads them, C-contiguous and of its dtype."""
        label = f"{'prepared ' * bool(self.preparation.steps)}{name.removesuffix('y')}X"
        prepared = self.preparation.prepare(rows.columns, texts=rows.texts, name=label, reader=self.network)
        return np.ascontiguousarray(prepared)

    @property
    def decoder(self) -> Decoder:
        """The decoder from the network's outputs to predictions."""
        return Decoder(self.network, self.target_preparation, self.labels)

    def model(self, theta: Array, state: Mapping[str, Array] | None, history: Iterable[dict[str, Any]] = ()) -> Model:
        """Return the model with these parameters and states."""
        labels = None if self.labels is None else self.labels.values
        prepared = (self.preparation, self.target_preparation)
        return Model(self.network, theta, state, *prepared, labels, history=history)

    def _encoded(
        self, rows: Rows, X: Array, target: Array, weight: NDArray[np.float64] | None, name: str
    ) -> TrainingRows:
        shape = target.shape
        target = self.target_preparation.prepare(target.reshape(len(rows), -1)).reshape(shape)
        loss, dtype = self.network.spec.training.loss, self.network.dtype
        if loss.target != "classes":
            name = f"prepared {name}" if self.target_preparation.steps else name
            given, target = target, np.ascontiguousarray(as_dtype(target, dtype, name))
            check_domain(target, loss.domain, name)
            _check_digits(given, target, name)
        return TrainingRows(X, target, None if weight is None else _as_weights(weight, dtype))


def _check_digits(given: Array, target: Array, name: str) -> None:
    """Check that the network's precision represents a target to a thousandth of its standard deviation.

    Raises
    ------
    DataError
        If the rounding error is larger.
    """
    rounding, apart = np.abs(target - given).max(axis=0), given.std(axis=0)
    lost = np.atleast_1d((rounding > apart / MIN_DIGITS) & (apart > 0))
    if lost.any():
        output = int(lost.argmax())
        around, wide, by = (np.atleast_1d(each)[output] for each in (given.mean(axis=0), apart, rounding))
        message = f"{name} has numbers around {around:.6g} with a standard deviation of {wide:.3g}"
        hint = 'set network.target_preprocessing = ["standardize"], or network.dtype = "float64"'
        raise DataError(f"{message}, which {target.dtype} rounds by up to {by:.3g}", hint=hint)


def other_parts(name: str) -> DataError:
    """Return the error for a starting model whose network has different layers or preprocessing."""
    return DataError(f"cannot continue: the starting model has different {name}")


def _as_weights(weights: NDArray[np.float64], dtype: np.dtype[Any]) -> Array:
    """Return row weights in the run's dtype; a weight is 0 if it is too small to divide by in this dtype."""
    return np.where(weights < _MIN_WEIGHT * np.finfo(dtype).tiny, 0.0, weights).astype(dtype)


def _row_weights(
    spec: Spec, labels: Labels | None, target: Array, weight: NDArray[np.float64] | None
) -> NDArray[np.float64] | None:
    """Return the weight of each training row: its row weight times its class weight."""
    class_weight, path = spec.training.class_weight, ("training", "class_weight")
    if class_weight is None:
        return weight
    assert labels is not None, "a resolved spec weighs classes only where each row has one"
    if class_weight == "balanced":
        counts = np.bincount(target)
        by_class = len(target) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    else:
        names = [str(label) for label in labels.values]
        unknown = [
            spec.diagnostic(
                "class-weight",
                f'class_weight has unknown label "{name}"; the labels are {labels}',
                (*path, name),
                at_key=True,
                hint=did_you_mean(name, names),
            )
            for name in class_weight
            if name not in names
        ]
        if unknown:
            raise DataError(*unknown)
        by_class = np.array([class_weight.get(name, 1.0) for name in names])
    own = np.ones(len(target)) if weight is None else weight
    weights = relative_weights(by_class[target] * (own > 0)) * own
    if not weights.any():
        raise DataError(spec.diagnostic("class-weight", "class_weight gives every row a weight of 0", path))
    return relative_weights(weights)


def _numbers(network: Network, labels: Labels | None, y: Array, name: str) -> Array:
    """Return class indices (rows,), or float64 numbers: (rows,) for one output, else (rows, outputs)."""
    if labels is not None:
        return labels.encode(y, name)
    target = check_target(y, network.spec.training.loss.target, len(y), network.target_size, name).astype(np.float64)
    return target[0] if len(target) == 1 else target.T
