"""A teacher that is not a model of specnet: its predictions are columns of the table.

Nothing says whether predictions for training rows are out of fold. So the errors on training rows are compared with
those on validation and test rows: a model predicts its own training rows much better than other rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from specnet.data import Labels
from specnet.errors import DataError, Path
from specnet.files.plain_data import toml_value
from specnet.number_texts import counted
from specnet.parts.data import Table
from specnet.parts.data.table_files import TableFile
from specnet.parts.splits import TRAIN
from specnet.running.distillation.column_order import order_of_errors, order_of_names
from specnet.spec import Spec

PATH: Path = ("data", "teacher_columns")
MAX_RATIO = 0.5
"""Errors on training rows below this fraction of those on other rows are refused, if the difference is not chance."""
MAX_P_OF_RANKS, MAX_P_OF_MEANS = 0.001, 0.01
"""Largest p-values of a difference that is not chance, by the tests of Mann and Whitney (1947) and of Welch (1947).

Both are needed: most errors of a memorizing forest are smaller, while boosted trees have fewer large ones. Of five
models on ten public tables, 21 of 50 are refused by their own training rows, among them all forests, and one of 50 by
folds: nearest neighbours on rows split by time.
"""
SUM_TOLERANCE = 0.01
MAX_LISTED = 10
LEAST_PROBABILITY = 1e-15
LEAST_IN_TESTS = 1e-3
"""Lowest probability in comparisons of errors, so that no single row decides."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ForeignTeacher:
    """The predictions of a teacher for all rows of a table.

    Attributes
    ----------
    predictions : ndarray (rows, columns)
        Probabilities of classes, two for one binary output; probabilities of 1 for several binary outputs; or values in
        the target's units.
    """

    sha256: ClassVar[None] = None
    predictions: Numbers = field(repr=False)

    @classmethod
    def of(cls, spec: Spec, table: Table, labels: Labels | None, splits: Mapping[str, NDArray[np.intp]]) -> Self:
        """Return the teacher of a table, after checking its predictions.

        Parameters
        ----------
        spec : Spec
        table : Table
        labels : Labels or None
            The class labels, if the target has such.
        splits : mapping of str to ndarray
            Indices of the rows of each split in the table.

        Raises
        ------
        DataError
            If predictions are no probabilities or not one for each class or target, if their columns are in another
            order than classes or targets, if there are neither validation nor test rows, or if training rows are
            predicted so well that the predictions are not out of fold.
        """
        assert table.teacher is not None, "the table has predictions"
        predictions = table.teacher
        if labels is not None and len(labels) == 2 and predictions.shape[1] == 1:
            predictions = np.concatenate([1 - predictions, predictions], axis=1)
        y = table.y if table.y.ndim == 2 else table.y[:, np.newaxis]
        count, noun = (y.shape[1], "target") if labels is None else (len(labels), "class")
        if predictions.shape[1] != count:
            plural = "targets" if labels is None else "classes"
            message = f"got {counted(table.teacher.shape[1], 'column')} for {counted(count, noun, plural)}"
            hint = f"name one column for each {noun}"
            if labels is not None:
                hint += f", in this order: {_listed([str(label) for label in labels.values])}"
            raise _refusal(spec, message, hint)
        if spec.training.loss.target != "values":
            predictions = _checked_probabilities(spec, predictions, has_classes=labels is not None)
        _refuse_other_order(spec, predictions, y, labels)
        unseen = np.concatenate([np.empty(0, np.intp), *(rows for name, rows in splits.items() if name != TRAIN)])
        if not len(unseen):
            message = "there are no test or validation rows, which show that the predictions are out of fold"
            raise _refusal(spec, message, "set data.split.test_size or data.split.validation_size")
        errors, name = _row_errors(spec, predictions, y, labels)
        _refuse_memorized(spec, errors[splits[TRAIN]], errors[unseen], name)
        return cls(predictions)

    def out_of_fold(self, rows: NDArray[np.intp]) -> Numbers:
        """Return the predictions for rows, given by their indices in the table."""
        return self.predictions[rows]


def _checked_probabilities(spec: Spec, predictions: Numbers, *, has_classes: bool) -> Numbers:
    """Return probabilities, those of classes divided by their sum; raise DataError for other numbers."""
    outside = ((predictions < 0) | (predictions > 1)).any(axis=1)
    if outside.any():
        row = int(outside.argmax())
        message = f"expected probabilities from 0 to 1, got {_shown(predictions[row])} in row {row + 1}"
        raise _refusal(spec, message, "name columns of probabilities")
    if not has_classes:
        return predictions
    sums = predictions.sum(axis=1, keepdims=True)
    apart = np.abs(sums[:, 0] - 1)
    if apart.max() > SUM_TOLERANCE:
        row = int(apart.argmax())
        message = f"the probabilities in row {row + 1} add up to {sums[row, 0]:.4g} instead of 1"
        raise _refusal(spec, message, "name one column for each class")
    normalized: Numbers = predictions / sums
    return normalized


def _row_errors(spec: Spec, predictions: Numbers, y: NDArray[np.generic], labels: Labels | None) -> tuple[Numbers, str]:
    """Return the log loss or squared error of each row, and the name of the figure that summarizes them."""
    if labels is not None:
        of_truth = predictions[np.arange(len(y)), labels.encode(y[:, 0])]
        return -np.log(np.maximum(of_truth, LEAST_IN_TESTS)), "log loss"
    if spec.training.loss.target != "values":
        of_truth = np.where(y == 1, predictions, 1 - predictions)
        return -np.log(np.maximum(of_truth, LEAST_IN_TESTS)).mean(axis=1), "log loss"
    truth = y.astype(np.float64)
    return (((predictions - truth) / _scales(truth)) ** 2).mean(axis=1), "root mean squared error"


def _refuse_other_order(spec: Spec, predictions: Numbers, y: NDArray[np.generic], labels: Labels | None) -> None:
    """Raise DataError if columns are in another order than the classes or targets, by their names or their errors."""
    assert isinstance(spec.data, TableFile), "the table has columns of predictions"
    columns = spec.data.teacher_columns or ()
    names = list(spec.data.targets) if labels is None else [str(label) for label in labels.values]
    noun = "targets" if labels is None else "classes"
    order = order_of_names(columns, names) if len(columns) == len(names) else None
    if order is None:
        order = order_of_errors(
            _sums_of_errors(spec, predictions, y, labels),
            lambda order: _row_errors(spec, predictions[:, order], y, labels)[0],
        )
    if np.array_equal(order, np.arange(len(order))):
        return
    if len(columns) < len(names):  # one column for two classes
        message = f'"{columns[0]}" has the probability of {names[0]}, not of {names[1]}'
        raise _refusal(spec, message, f"name a column with the probability of {names[1]}")
    message = f"the columns are in another order than the {noun}, {_listed(names)}"
    if len(columns) <= MAX_LISTED:
        hint = f"set data.teacher_columns = {toml_value([columns[index] for index in order])}"
    else:
        hint = f"name the columns in the order of the {noun}"
    raise _refusal(spec, message, hint)


def _sums_of_errors(spec: Spec, predictions: Numbers, y: NDArray[np.generic], labels: Labels | None) -> Numbers:
    """Return the sum of the errors of each column as a prediction of each class or target, (columns, names)."""
    logs = np.log(np.maximum(predictions, LEAST_IN_TESTS)) if spec.training.loss.target != "values" else predictions
    if labels is not None:
        return -logs.T @ np.eye(len(labels))[labels.encode(y[:, 0])]
    truth = y.astype(np.float64)
    if spec.training.loss.target != "values":
        of_others = np.log(np.maximum(1 - predictions, LEAST_IN_TESTS))
        return -logs.T @ truth - of_others.T @ (1 - truth)
    scale = _scales(truth)
    found: Numbers = (((predictions[:, :, np.newaxis] - truth[:, np.newaxis]) / scale) ** 2).sum(axis=0)
    return found


def _scales(y: Numbers) -> Numbers:
    """Return the standard deviation of each of several targets, which may have different units; 1 for a single one."""
    spread = y.std(axis=0)
    return np.where((spread > 0) & (y.shape[1] > 1), spread, 1.0)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_LISTED]) + ", …" * (len(names) > MAX_LISTED)


def _refuse_memorized(spec: Spec, training: Numbers, unseen: Numbers, name: str) -> None:
    """Raise DataError if errors on training rows are too small for out-of-fold predictions."""
    from scipy.stats import mannwhitneyu, ttest_ind

    own, other = float(training.mean()), float(unseen.mean())
    if name != "log loss":
        own, other = own**0.5, other**0.5
    if own >= MAX_RATIO * other:
        return
    of_ranks = mannwhitneyu(training, unseen, alternative="less").pvalue
    of_means = ttest_ind(training, unseen, equal_var=False, alternative="less").pvalue
    if not (of_ranks <= MAX_P_OF_RANKS or of_means <= MAX_P_OF_MEANS):  # NaN for a single row
        return
    message = f"the predictions for training rows are not out of fold: their {name} is {own:.3g} on training rows"
    message += f", but {other:.3g} on {counted(len(unseen), 'validation or test row')}"
    hint = "for training rows, use cross-validated predictions, such as those of sklearn's cross_val_predict"
    raise _refusal(spec, message, hint)


def _refusal(spec: Spec, message: str, hint: str) -> DataError:
    return DataError(spec.diagnostic("teacher", message, PATH, hint=hint))


def _shown(numbers: Numbers) -> str:
    return ", ".join(f"{number:.4g}" for number in numbers[:6])
