"""The base class of the classifier and the regressor: from arrays to a trained model, at once or epoch by epoch."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_consistent_length, check_scalar
from sklearn.utils.validation import _check_sample_weight, _check_y, check_is_fitted, validate_data

from specnet.data import Labels, RawColumns, RowSplit, blocks_of_times, frame_columns, split_rows
from specnet.errors import DataError, Diagnostic, SpecnetWarning, rendered
from specnet.estimators.estimator_parameters import RECIPE, SpecParameters
from specnet.model import Model
from specnet.parts.arrays import Array, column_names, eager_frame, refuse_misread
from specnet.parts.data import Column, Split, Table, TargetKind
from specnet.recipes import array_facts, frame_with_texts, recipe
from specnet.running.data_rows import Rows, SpecData, check_rows, prepare, spec_of_arrays
from specnet.running.encoding import other_parts
from specnet.running.evaluation.evaluation import explaining
from specnet.running.fitting import FitResult, fit_rows
from specnet.spec import Spec
from specnet.training import Checkpoint

FLOATS = (np.float64, np.float32)
DEFAULT_VALIDATION_SIZE = 0.1
VALIDATION_BLOCKS = 5
"""Number of blocks of successive times that are validation rows, for rows with an order in time."""


class SpecEstimator(SpecParameters):
    """A network described by a spec, with scikit-learn's interface."""

    model_: Model
    target_kind: ClassVar[TargetKind]

    def _checked_rows(self, X: Any, y: Any, *, reset: bool, **checks: Any) -> tuple[Array | RawColumns, Array]:
        """Return validated rows and target; store the number and names of the features if `reset`.

        Only a data frame can have missing cells or columns that are not numeric.
        """
        kinds, checks = None if reset else self.model_.spec.feature_kinds, {"multi_output": True, **checks}
        frame: RawColumns | None = None
        ignored: tuple[Diagnostic, ...] = ()
        if reset and self._asks_for_recipe():
            frame, ignored = frame_with_texts(X)
        elif reset or kinds is not None:
            frame, ignored = frame_columns(X, kinds)
        refuse_misread(y, "y")
        if frame is None:
            refuse_misread(X, "X")
        if frame is None or not frame.kinds:
            checked: tuple[Array, Array] = validate_data(self, X, y, reset=reset, dtype=FLOATS, **checks)
            return checked
        for text in rendered(ignored):
            warnings.warn(text, SpecnetWarning, stacklevel=4)
        y = _check_y(y, estimator=self, **checks)
        validate_data(self, X, reset=reset, skip_check_array=True)
        check_consistent_length(X, y)
        return frame, y

    def _checked_inputs(self, X: Any) -> Any:
        check_is_fitted(self)
        if column_names(X) is not None:
            eager_frame(X, "X")
        if self.model_.spec.feature_kinds is not None or (self.model_.feature_names and column_names(X)):
            return validate_data(self, X, reset=False, skip_check_array=True)
        refuse_misread(X, "X")
        return validate_data(self, X, reset=False, dtype=FLOATS)

    def _seen(self, y: Array, start: Model | None, partially: bool, classes: Any) -> tuple[Array, Labels | None]:
        """Return the validated target, and its labels if each row has one label; store attributes of the target."""
        raise NotImplementedError

    def _spec_for(self, labels: Labels | None, recipe: str | None = None) -> Spec:
        """Return the spec to train for a target with these labels; `recipe` is the text of the recipe, if requested."""
        raise NotImplementedError

    def _train(self, X: Any, y: Any, sample_weight: Any, *, partially: bool = False, classes: Any = None) -> Self:
        """Train on rows from the beginning, or from the last fit with a warm start; one more epoch if `partially`."""
        start = self.model_ if (partially or bool(self.warm_start)) and hasattr(self, "model_") else None
        X, y = self._checked_rows(X, y, reset=start is None, y_numeric=self.target_kind == "values")
        y, labels = self._seen(y, start, partially, classes)
        rows = check_weighted_rows(X, y, sample_weight)
        if partially:
            return self._fit_partially(None if start is not None else self._spec_for(labels), rows, labels)
        return self._fit(self._spec_for(labels, self._recipe(rows, self.target_kind)), rows, labels, start)

    def _fit(self, spec: Spec, rows: Rows, labels: Labels | None, start: Model | None) -> Self:
        """Resolve a spec and train it on validated rows."""
        spec = self._with_usual_preprocessing(spec, rows.kinds, self._names(rows))
        if start is not None and spec.network.preprocessing != self._preprocessing:
            raise other_parts("preprocessing")
        split, split_by = spec.data.split if spec.data is not None else Split(), None
        if rows.kinds and self._asks_for_recipe():
            split_by = _split_by(rows, split)
            groups = split_by if split.group is not None else None
            rows = replace(_in_order(rows, spec.feature_names or ()), groups=groups)
        splits = self._cut(spec, split, rows, labels, split_by)
        data = self._prepared(spec, splits, labels, start)
        self._reached: Checkpoint | None = None
        with explaining():
            fitted = fit_rows(data, start=start)
        return self._with_fitted(fitted, data)

    def _fit_partially(self, spec: Spec | None, rows: Rows, labels: Labels | None) -> Self:
        """Train one epoch on validated rows; if `spec` is None, continue from the last epoch."""
        start, reached = None, None
        if spec is not None:
            spec = self._with_usual_preprocessing(spec, rows.kinds, self._names(rows))
            data = self._prepared(spec, {"train": rows}, labels)
        else:
            start, reached = self.model_, self._reached
            data = SpecData(start.network.resolved, labels, start.preprocessing, {"train": rows})
        training = data.resolved.spec.training
        if training.optimizer.stepping is None:
            raise ValueError(f"partial_fit is not supported with {training.optimizer.type}; choose another optimizer")
        if training.ensemble is not None:
            raise ValueError("partial_fit is not supported with an ensemble")
        if training.calibration is not None:
            raise ValueError("partial_fit is not supported with training.calibration, which needs validation rows")
        if training.class_weight == "balanced":
            raise ValueError('class_weight="balanced" is not supported by partial_fit; give a weight per class')
        data = replace(data, resolved=data.resolved.without_early_stopping())
        epochs = 1 if reached is None else reached.facts["epochs"] + 1
        with explaining():
            fitted = fit_rows(data, start=start, checkpoint=reached, epochs=epochs)
        self._reached = fitted.result.reached
        return self._with_fitted(fitted, data)

    def _prepared(
        self, spec: Spec, splits: dict[str, Rows], labels: Labels | None, start: Model | None = None
    ) -> SpecData:
        """Return preprocessed rows with their spec, whose data part is replaced by the rows' sizes and column names.

        The preprocessing is taken from the start model if there is one; otherwise it is fitted to the training rows.
        """
        loss, rows = spec.training.loss, splits["train"]
        if labels is None:
            outputs = (1 if rows.y.ndim == 1 else rows.y.shape[1]) * loss.outputs_per_target
        elif loss.target == "classes":
            outputs = len(labels)
        elif len(labels) == 2:
            outputs = 1
        else:
            raise DataError(f"{loss.type} needs two classes, but y has {len(labels)}")
        named = spec_of_arrays(spec, rows, self._names(rows))
        known = None if start is None else start.preprocessing
        data = prepare(named, splits, labels, outputs, preparation=known)
        self._preprocessing = spec.network.preprocessing
        return data

    def _names(self, rows: Rows) -> list[str]:
        """Return the column names of a data frame; an empty list for an array."""
        return [column.name for column in rows.kinds] or [str(name) for name in getattr(self, "feature_names_in_", ())]

    def _with_fitted(self, fitted: FitResult, data: SpecData) -> Self:
        model, result = fitted.model, fitted.result
        if result.interruption is not None:
            raise result.interruption
        model.background = data.splits["train"].background()
        self.model_ = model
        self.history_ = model.history
        self.n_iter_ = result.epochs
        self.loss_ = float(np.mean([member.history[-1]["loss"] for member in fitted.members]))
        return self

    def _check_intervals(self) -> None:
        """Raise an error if the model has no errors on held-out rows, which intervals and sets need."""
        if not self.model_.error_quantiles:
            hint = f'fit {type(self).__name__}(validation_size=0.2, …), or {type(self).__name__}("recipe")'
            raise DataError("the model has no errors on held-out rows, which intervals and sets need", hint=hint)

    def _recipe(self, rows: Rows, kind: TargetKind) -> str | None:
        """Return the spec that ``specnet new`` writes for these rows; None if the argument `spec` is not "recipe"."""
        if not self._asks_for_recipe():
            return None
        X, y = rows.table, rows.y
        if rows.weight is not None:
            X, y = X[rows.weight > 0], y[rows.weight > 0]
        columns = rows.kinds or [Column(f"column_{index + 1}", "numeric") for index in range(X.shape[1])]
        target = "target"
        while any(column.name.startswith(target) for column in columns):
            target += "_"
        targets = [target] if y.ndim == 1 else [f"{target}{index + 1}" for index in range(y.shape[1])]
        facts = array_facts(X, columns, y, targets, kind)
        return recipe(facts, name=RECIPE, file=f"{RECIPE}.toml", data_type="csv", path="table.csv", target=targets)

    def _cut(
        self, spec: Spec, split: Split, rows: Rows, labels: Labels | None, split_by: NDArray[Any] | None = None
    ) -> dict[str, Rows]:
        """Split rows into training and validation rows; `split_by` has the group or time of each row, (rows,)."""
        share, ensemble = self.validation_size, spec.training.ensemble
        if share is not None:
            check_scalar(share, "validation_size", Real, min_val=0, max_val=1, include_boundaries="left")
        else:
            shared = spec.needs_validation and (ensemble is None or ensemble.validation == "split")
            share = split.validation_fraction or (DEFAULT_VALIDATION_SIZE if shared else 0.0)
        split = split.with_defaults(spec.seed, spec.target_kind).without_test().without_folds()
        split = split.model_copy(update={"validation_size": float(share)})
        if labels is None and (share or spec.target_kind == "values"):
            split = split.model_copy(update={"stratify": False})
        if split.time is not None and split_by is not None and share:
            return rows.split(_split_in_blocks(split_by, float(share)))
        table = Table(rows.table, rows.y, spec.target_kind, split_by=split_by)
        return rows.split(split_rows(table, split, spec.seed, ensemble))


def makes_epochs(estimator: SpecEstimator) -> bool:
    """Return whether an estimator supports `partial_fit`; with a recipe it does not, because that needs all rows."""
    return not estimator._asks_for_recipe()


def _in_order(rows: Rows, names: Sequence[str]) -> Rows:
    """Return rows with their columns ordered by a list of names."""
    indices = {column.name: index for index, column in enumerate(rows.kinds)}
    order = [indices[name] for name in names]
    return replace(rows, table=rows.table[:, order], kinds=tuple(rows.kinds[index] for index in order))


def _split_by(rows: Rows, split: Split) -> NDArray[np.float64] | None:
    """Return the group or the time of each row, (rows,), or None for a split at random; -1 is a missing group."""
    indices = [index for index, column in enumerate(rows.kinds) if column.name == split.by_column]
    return None if not indices else np.nan_to_num(rows.table[:, indices[0]], nan=-1.0)


def _split_in_blocks(times: NDArray[np.float64], share: float) -> RowSplit:
    """Split rows into training rows and a share of validation rows: blocks of successive times, spread evenly.

    They are not the latest rows, because an estimator trains for the rows that follow, which resemble these most.
    """
    every = max(2, round(1 / share))
    is_held_out = blocks_of_times(times, every * VALIDATION_BLOCKS) % every == every // 2
    return RowSplit(np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out), None)


def check_weighted_rows(X: Array | RawColumns, y: Array, sample_weight: Any) -> Rows:
    """Return validated rows with their weights; a single number is the weight of every row."""
    if sample_weight is not None:
        refuse_misread(sample_weight, "sample_weight")
        sample_weight = _check_sample_weight(sample_weight, y, dtype=np.float64)
    return check_rows(X, y, sample_weight)
