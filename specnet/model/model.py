"""A trained network that can be asked, saved and loaded."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

from specnet.data import Labels, Preparation, RawColumns, raw_columns
from specnet.errors import DataError, FileError
from specnet.files import PathLike, file_errors, open_file, write_file
from specnet.files.runs import model_file
from specnet.model.answers import Answers
from specnet.model.file import Contents, decode_model, encode_model
from specnet.network import Network
from specnet.parts.arrays import Array, as_array, check_row_count, check_target, check_weights
from specnet.parts.metrics import Metric
from specnet.parts.part import Part
from specnet.spec import Limits, Spec
from specnet.spec.reading.hints import part_hint

_TASKS = {
    "binary": "predicts two classes",
    "classes": "predicts more than two classes",
    "multilabel": "predicts several binary outputs",
    "values": "predicts numbers",
}


class Model:
    """A trained network with its parameters, preprocessing and labels.

    Parameters
    ----------
    network : Network
    theta : array_like (parameter_count,)
        The parameters, copied in the network's dtype.
    state : mapping of str to ndarray, optional
        Running averages, as `Network.initial_state` makes them.
    preprocessing, target_preprocessing : Preparation, optional
        Fitted preprocessing of the columns and of the target.
    labels : ndarray (classes,), optional
        int64 or text, ascending and distinct; default: 0, 1, … For classifiers only.
    history : iterable of dict
        The records of its training; not saved with the model.

    Raises
    ------
    DataError
        If theta or labels do not fit the network.
    """

    def __init__(
        self,
        network: Network,
        theta: ArrayLike,
        state: Mapping[str, Array] | None = None,
        preprocessing: Preparation | None = None,
        target_preprocessing: Preparation | None = None,
        labels: Array | None = None,
        history: Iterable[dict[str, Any]] = (),
    ) -> None:
        self.network = network
        self.theta = np.array(theta, network.dtype)
        network.parameters(self.theta)  # refuses another shape
        self.state = network.initial_state() if state is None else dict(state)
        self.preprocessing = preprocessing or Preparation()
        self.target_preprocessing = target_preprocessing or Preparation()
        self.history = list(history)
        self._labels = _checked_labels(labels, network)

    def __repr__(self) -> str:
        name = f"{self.spec.name}, " if self.spec.name else ""
        return f"<{type(self).__name__} {name}{self.network.inputs} inputs, {self.theta.size} parameters>"

    def astype(self, dtype: str) -> Model:
        """Return the same model, computed in another precision, ``float32`` or ``float64``."""
        network = Network(self.network.resolved.with_dtype(dtype))
        state = {name: array.astype(network.dtype) for name, array in self.state.items()}
        return Model(network, self.theta, state, self.preprocessing, self.target_preprocessing, self.labels)

    @property
    def boundary(self) -> float:
        """The binary output above which 1 is predicted: probability 0.5, or margin 0."""
        return 0.5 if self.gives_probabilities else 0.0

    @property
    def spec(self) -> Spec:
        """The resolved spec."""
        return self.network.spec

    @property
    def labels(self) -> Array | None:
        """The label of each class, (classes,), int64 or text; None if it is not a classifier."""
        return None if self._labels is None else self._labels.values

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The names of the columns from a CSV file, a data frame or the spec; None if unknown."""
        return self.spec.feature_names

    @property
    def gives_probabilities(self) -> bool:
        """Whether `predict_proba` is supported."""
        return self.network.task != "values" and self.spec.training.loss.gives_probabilities

    def predict(self, X: ArrayLike | RawColumns) -> Array:
        """Return a prediction for each row.

        Parameters
        ----------
        X : array_like (rows, columns)
            Raw columns as in training; data frames are read by the names in `feature_names`, and by the columns'
            kinds. Rows of a file that `specnet.data.read_inputs` has read are taken too.

        Returns
        -------
        ndarray
            The most probable label, (rows,); 0 and 1, (rows, outputs), for independent binary outputs; otherwise
            values in the target's own units, (rows,) for one output and (rows, outputs) for more.

        Raises
        ------
        DataError
            If X does not hold finite numbers of that shape, or lacks a column of `feature_names`.
        """
        return self._answers(self._outputs(X))

    def predict_proba(self, X: ArrayLike | RawColumns) -> Array:
        """Return the probability of each class, (rows, classes), in the order of `labels`.

        One binary output gives both classes; several give the probability of 1 for each, (rows, outputs).

        Raises
        ------
        DataError
            If X does not fit, or the model predicts values or margins.
        """
        if self.network.task == "values":
            raise DataError("predict_proba needs a classifier; this model predicts numbers")
        if not self.gives_probabilities:
            raise DataError(
                f"predict_proba is not supported with {self.spec.training.loss.type}, which outputs margins"
            )
        return self._probabilities(self._outputs(X))

    def raw_outputs(self, X: ArrayLike | RawColumns) -> Array:
        """Return the outputs as the loss sees them, (rows, outputs): logits or margins for classifiers.

        Raises
        ------
        DataError
            If X does not fit.
        """
        return self.network.predict_checked(self.theta, self._inputs(X), self.state, raw=True)

    def evaluate(
        self,
        X: ArrayLike | RawColumns,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        metrics: str | Metric | Sequence[str | Metric] | None = None,
    ) -> dict[str, float]:
        """Return the loss and metrics of the model on rows.

        Parameters
        ----------
        X : array_like (rows, columns)
            Raw columns.
        y : array_like (rows,) or (rows, outputs)
            Labels, 0 and 1 for each output, or values in their own units.
        sample_weight : array_like (rows,), optional
            How much each row counts.
        metrics : str, Metric or sequence of them, optional
            Default: the metrics of the spec.

        Returns
        -------
        dict
            ``loss``, the mean loss of the rows as training sees their target, without dropout, penalties and label
            smoothing; then each metric by its name.

        Raises
        ------
        DataError
            If an argument does not fit, with its name and both shapes, or a metric is not supported.
        """
        return self.evaluate_inputs(self._inputs(X), y, sample_weight, metrics)

    def evaluate_inputs(
        self,
        X: Array,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        metrics: str | Metric | Sequence[str | Metric] | None = None,
    ) -> dict[str, float]:
        """Return what `evaluate` does, of rows (rows, inputs) as the network reads them."""
        if isinstance(metrics, str | Metric):
            metrics = [metrics]
        chosen = [self._metric(metric) for metric in (self.spec.training.metrics if metrics is None else metrics)]
        target, wanted = self._target(y, X)
        weights = check_weights(sample_weight, len(X))
        figures = {"loss": self.network.loss_checked(self.theta, X, wanted, weights, self.state, data_only=True)}
        if chosen:
            outputs = self.network.predict_checked(self.theta, X, self.state)
            figures |= {metric.type: self.score(metric, outputs, target, weights) for metric in chosen}
        return figures

    def score(self, metric: Metric, outputs: Array, target: Array, weights: Array | None = None) -> float:
        """Return a metric of the network's outputs, (rows, outputs), whatever the parameters that they come from.

        The target is class indices (rows,), 0 and 1 (rows, outputs), or values in their own units.
        """
        return metric.score(target, *self._compared(outputs), weights)

    def answers(self, X: Array, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Answers:
        """Return what the model answers for each row (rows, inputs) as the network reads it, beside what is true."""
        target, wanted = self._target(y, X)
        losses = self.network.row_losses(self.theta, X, wanted, self.state, data_only=True)
        prediction, probability = self._compared(self.network.predict_checked(self.theta, X, self.state))
        return Answers(target, wanted, losses, prediction, probability, check_weights(sample_weight, len(X)))

    def save(self, path: PathLike) -> None:
        """Write the model to a file, atomically; equal models give equal bytes.

        Parameters
        ----------
        path : str or path-like
            Usually ends in ``.safetensors``; an existing file is overwritten.

        Raises
        ------
        FileError
            If the file cannot be written, or the model could not be read back, for example because of weights that are
            not finite. An existing file is kept then.
        """
        with file_errors(path):
            content = self.to_bytes()
        write_file(path, content)

    def to_bytes(self) -> bytes:
        """Return the content of the file that `save` writes.

        Raises
        ------
        FileError
            If the model could not be read back.
        """
        contents = Contents(
            self.network, self.theta, self.state, self.preprocessing, self.target_preprocessing, self.labels
        )
        content = encode_model(contents)
        read_back = decode_model(io.BytesIO(content), len(content), self.spec.registry, self.spec.origin.limits)
        if encode_model(read_back) != content:
            raise FileError("the model would not read back the same")
        return content

    def _outputs(self, X: ArrayLike | RawColumns) -> Array:
        """Return the network's outputs for raw columns, (rows, outputs)."""
        return self.network.predict_checked(self.theta, self._inputs(X), self.state)

    def _inputs(self, X: ArrayLike | RawColumns) -> Array:
        """Return raw columns as the network reads them, (rows, inputs)."""
        raw = raw_columns(X, self.spec.feature_kinds, self.network.resolved.columns, self.feature_names)
        prepared = self.preprocessing.prepare(raw.X, texts=raw.texts, dtype=self.network.input_dtype)
        return self.network.read_inputs(prepared)

    def _answers(self, outputs: Array, *, decoded: bool = True) -> Array:
        """Return labels, or class indices if not `decoded`; 0 and 1; or values, from the network's outputs."""
        match self.network.task:
            case "values":
                values: Array = self.target_preprocessing.invert(outputs[:, : self.network.target_size])
                return values[:, 0] if values.shape[1] == 1 else values
            case "multilabel":
                return (outputs > self.boundary).astype(np.int64)
            case "binary":
                indices = (outputs[:, 0] > self.boundary).astype(np.intp)
            case "classes":
                indices = outputs.argmax(axis=1)
        return self._labels.decode(indices) if decoded and self._labels is not None else indices

    def _compared(self, outputs: Array) -> tuple[Array, Array | None]:
        """Return what metrics compare with a target: predictions, and probabilities where there are some."""
        probability = self._probabilities(outputs) if self.gives_probabilities else None
        return self._answers(outputs, decoded=False), probability

    def _probabilities(self, outputs: Array) -> Array:
        if self.network.task == "binary":
            return np.concatenate([1 - outputs, outputs], axis=1)
        return outputs

    def _target(self, y: ArrayLike, X: Array) -> tuple[Array, Array]:
        """Return the target as metrics compare it with `_answers`, and as the network's loss takes it."""
        y, rows = as_array(y, "y"), len(X)
        check_row_count(y, rows, "y")
        if self._labels is not None:
            indices = self._labels.encode(y)
            return indices, indices
        kind = self.spec.training.loss.target
        target = check_target(y, kind, rows, self.network.target_size).T  # (rows, outputs)
        if kind == "binary":
            return target, target
        prepared = self.target_preprocessing.apply(target.astype(np.float64))
        return target[:, 0] if target.shape[1] == 1 else target, prepared

    def _metric(self, metric: str | Metric) -> Metric:
        if not isinstance(metric, str | Metric):
            raise DataError(f"expected metrics or their names, got {metric!r}")
        if isinstance(metric, str):
            part = self.spec.registry.find("metric", metric)
            if part is None:
                raise DataError(f'unknown metric "{metric}"', hint=part_hint(metric, "metric", self.spec.registry))
            metric = cast(Metric, part.model_validate({"type": part.part_name()}))
        task = "binary" if self.network.task == "classes" and self.network.outputs == 2 else self.network.task
        if task not in metric.task:
            raise DataError(f'metric "{metric.type}" is not supported for a network that {_TASKS[task]}')
        if metric.response == "probability" and not self.gives_probabilities:
            raise DataError(f'metric "{metric.type}" needs probabilities, but this model outputs margins')
        return metric


def load_model(path: PathLike, *, parts: Iterable[type[Part]] = (), limits: Limits | None = None) -> Model:
    """Read a model from a file that `Model.save` wrote; nothing in it is executed.

    Parameters
    ----------
    path : str or path-like
        The file, or the folder of a run.
    parts : iterable of part classes
        Custom parts that its spec uses in addition to built-in and installed ones.
    limits : Limits, optional
        Limits on the size of its network.

    Raises
    ------
    FileError
        If the file is missing, damaged or not a model.
    """
    with open_file(model_file(path)) as (stream, size):
        return Model(*decode_model(stream, size, parts, limits))


def _checked_labels(labels: Array | None, network: Network) -> Labels | None:
    count = network.class_count
    if labels is None:
        return None if count is None else Labels(np.arange(count))
    if count is None or labels.shape != (count,):
        needed = "is not a classifier" if count is None else f"has {count} classes"
        raise DataError(f"labels has shape {labels.shape}, but the network {needed}")
    return Labels(labels)
