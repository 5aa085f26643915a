"""Conversion of the outputs of a network or an ensemble into labels, probabilities or values in the target's units.

Means over members are summed in float64, in the order of the members.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.data import Labels, Preparation
from specnet.errors import DataError
from specnet.network import Network
from specnet.parts.arrays import Array, as_array, check_row_count, check_target
from specnet.parts.metrics import Metric
from specnet.parts.metrics.statistics import weighted_mean
from specnet.spec.reading.hints import part_hint


@dataclass(frozen=True, eq=False)
class Answers:
    """A model's predictions for rows, with the targets and the losses of these rows.

    Attributes
    ----------
    target : ndarray
        Class indices (rows,), 0 and 1 (rows, outputs), or values in their own units.
    loss_target : ndarray
        The target as the loss reads it: values are preprocessed, (rows, outputs).
    losses : ndarray (rows,)
    prediction : ndarray
        Predictions in the form of `target`.
    probability : ndarray (rows, classes) or (rows, outputs), or None
    weight : ndarray (rows,) or None
        How much each row counts.
    targets : tuple of str
        Names of the target's columns; empty if they have none.
    """

    target: Array
    loss_target: Array
    losses: NDArray[np.float64]
    prediction: Array
    probability: Array | None
    weight: NDArray[np.float64] | None
    targets: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.losses)

    @classmethod
    def joined(cls, parts: Sequence[Answers]) -> Answers:
        """Concatenate the answers for several sets of rows; all must come from models of one task."""
        named = {name: [getattr(part, name) for part in parts] for name in vars(parts[0]) if name != "targets"}
        columns: dict[str, Any] = {
            name: None if each[0] is None else np.concatenate(each) for name, each in named.items()
        }
        return cls(**columns, targets=parts[0].targets)

    def figures(self, metrics: Sequence[Metric]) -> dict[str, float]:
        """Return the mean loss and the metrics by name, as `Model.evaluate` does."""
        return {
            "loss": weighted_mean(self.losses, self.weight),
            **{
                name: metric.score(target, prediction, self.probability, self.weight)
                for metric in metrics
                for name, target, prediction in metric.figures(self.targets, self.target, self.prediction)
            },
        }


NO_PARAMETERS = np.empty(0)
"""The parameters of a network's `output_network`, which has none."""


Weights = tuple[float, ...] | None
"""The weight of each member, with a sum of 1; None if all members count equally."""


def mean_of_members(answers: Sequence[Array], weights: Weights = None) -> Array:
    """Return the mean of the members' predictions, in their dtype; a single prediction is returned unchanged."""
    return answers[0] if len(answers) == 1 else _mean(answers, weights).astype(answers[0].dtype)


def spread_of_members(answers: Sequence[Array], weights: Weights = None) -> Array:
    """Return the standard deviation of the members' predictions, √(mean of squared deviations), in their dtype."""
    center = _mean(answers, weights)
    return np.sqrt(_mean([(answer - center) ** 2 for answer in answers], weights)).astype(answers[0].dtype)


def outputs_of_mean(network: Network, raw: Sequence[Array], weights: Weights = None) -> Array:
    """Return the outputs before activation, such as logits, whose activation is the mean of the members' outputs.

    Parameters
    ----------
    network : Network
    raw : sequence of (rows, outputs)
        Members' outputs in the form that the loss reads.
    weights : tuple of float, optional

    Returns
    -------
    ndarray (rows, outputs)
        Outputs in float64; the mean of `raw` if the loss reads activated outputs or the activation is not known here.
    """
    activation = network.nodes[-1].layer.split_activation()[1]
    if network.spec.training.loss.accepted_activations is None or activation is None:
        return _mean(raw, weights)
    match activation.type:
        case "sigmoid":
            one, zero = ([_log_sigmoid(sign * z) for z in raw] for sign in (1, -1))
            return _log_mean(one, weights) - _log_mean(zero, weights)
        case "softmax":
            logs = [z - np.logaddexp.reduce(z.astype(np.float64), axis=1, keepdims=True) for z in raw]
            return _log_mean(logs, weights)
        case "exponential":
            return _log_mean(raw, weights)
    return _mean(raw, weights)


def _mean(arrays: Sequence[Array], weights: Weights) -> NDArray[np.float64]:
    total = np.zeros(arrays[0].shape)
    if weights is not None:
        for array, weight in zip(arrays, weights, strict=True):
            total += weight * array.astype(np.float64)
        return total
    for array in arrays:
        total += array
    return total / len(arrays)


def _log_mean(logarithms: Sequence[Array], weights: Weights) -> NDArray[np.float64]:
    """Return the logarithm of a mean, given the logarithms of the values to average."""
    if weights is not None:
        weighted = (array + math.log(weight) for array, weight in zip(logarithms, weights, strict=True))
        mean: NDArray[np.float64] = np.logaddexp.reduce([array.astype(np.float64) for array in weighted], axis=0)
        return mean
    total = logarithms[0].astype(np.float64)
    for array in logarithms[1:]:
        total = np.logaddexp(total, array.astype(np.float64))
    return total - math.log(len(logarithms))


def _log_sigmoid(z: Array) -> NDArray[np.float64]:
    return -np.logaddexp(0, -z.astype(np.float64))


def checked_labels(labels: Array | None, network: Network) -> Labels | None:
    """Return the labels of a network's classes, by default 0, 1, …; None if it has no classes.

    Raises
    ------
    DataError
        If the number of labels is not the number of classes.
    """
    count = network.class_count
    if labels is None:
        return None if count is None else Labels(np.arange(count))
    if count is None or labels.shape != (count,):
        needed = "is not a classifier" if count is None else f"has {count} classes"
        raise DataError(f"labels has shape {labels.shape}, but the network {needed}")
    return Labels(labels)


_TASKS = {
    "binary": "predicts two classes",
    "classes": "predicts more than two classes",
    "multilabel": "predicts several binary outputs",
    "values": "predicts numbers",
}


class Decoder:
    """Turns the outputs of a network, or of each member of an ensemble, (rows, outputs), into predictions.

    Parameters
    ----------
    network : Network
    target_preprocessing : Preparation
    labels : Labels or None
        Class labels; None if the network has no classes.
    weights : tuple of float, optional
        Weights of the members.

    Attributes
    ----------
    gives_probabilities : bool
        Whether the outputs are probabilities.
    gives_both_classes : bool
        Whether one output is the probability of the second class, and predictions have those of both.
    boundary : float
        The output above which 1, or the second of two classes, is predicted: probability 0.5, or margin 0; or the
        spec's decision threshold.
    includes_boundary : bool
        Whether an output equal to the boundary predicts the second class too: only with a decision threshold, as in
        scikit-learn's `FixedThresholdClassifier`.
    gives_values : bool
        Whether the outputs that the loss reads are exactly the target's values.
    """

    def __init__(
        self, network: Network, target_preprocessing: Preparation, labels: Labels | None, weights: Weights = None
    ) -> None:
        self.network, self.target_preprocessing, self.labels = network, target_preprocessing, labels
        self.weights = weights
        loss = network.spec.training.loss
        self.gives_probabilities = network.task != "values" and loss.gives_probabilities
        self.gives_both_classes = self.gives_probabilities and network.task == "binary"
        threshold = network.spec.training.decision_threshold
        self.boundary = threshold or (0.5 if self.gives_probabilities else 0.0)
        self.includes_boundary = threshold is not None
        are_targets = network.task == "values" and network.outputs == network.target_size
        self.gives_values = are_targets and loss.accepted_activations is None

    def with_weights(self, weights: Weights) -> Decoder:
        """Return a copy of this decoder with other weights of the members."""
        return Decoder(self.network, self.target_preprocessing, self.labels, weights)

    def averaged(self, outputs: Array) -> Array:
        """Return the array to average over members: values in the target's units, or outputs for other tasks.

        The target's preprocessing is inverted in float64: in float32, values far from 0 would become equal.
        """
        if self.network.task != "values":
            return outputs
        own = outputs[:, : self.network.target_size]
        return self.target_preprocessing.invert(own.astype(np.float64)) if self.target_preprocessing.steps else own

    def predictions(self, averaged: Sequence[Array], *, decoded: bool = True) -> Array:
        """Return labels (class indices if not `decoded`), 0 and 1, or values, given `averaged` of each member."""
        mean = mean_of_members(averaged, self.weights)
        match self.network.task:
            case "values":
                return mean[:, 0] if mean.shape[1] == 1 else mean
            case "multilabel":
                return (mean > self.boundary).astype(np.int64)
            case "binary" | "classes" if self.includes_boundary:
                indices = (mean[:, -1] >= self.boundary).astype(np.intp)
            case "binary":
                indices = (mean[:, 0] > self.boundary).astype(np.intp)
            case "classes":
                indices = mean.argmax(axis=1)
        return self.labels.decode(indices) if decoded and self.labels is not None else indices

    def probabilities(self, averaged: Sequence[Array]) -> Array:
        """Return the probability of each class (two for one binary output), or of each of several binary outputs."""
        mean = mean_of_members(averaged, self.weights)
        return np.concatenate([1 - mean, mean], axis=1) if self.gives_both_classes else mean

    def numbers(self, averaged: Sequence[Array]) -> NDArray[np.float64]:
        """Return probabilities, values in the target's units, or margins, whichever are predicted, (rows, outputs)."""
        found = self.probabilities(averaged) if self.gives_probabilities else mean_of_members(averaged, self.weights)
        return found.astype(np.float64)

    def spread(self, averaged: Sequence[Array]) -> Array:
        """Return the standard deviation over members of the values, probabilities or margins that are averaged."""
        spread = spread_of_members(averaged, self.weights)
        if self.gives_both_classes:
            return np.repeat(spread, 2, axis=1)
        return spread[:, 0] if spread.shape[1] == 1 else spread

    def together(self, raw: Sequence[Array], values: Sequence[Array] | None = None) -> NDArray[np.float64]:
        """Return the outputs of a whole ensemble in the form that the loss reads.

        Parameters
        ----------
        raw : sequence of (rows, outputs)
            Outputs of each member in this form.
        values : sequence of (rows, targets), optional
            Outputs in the target's units, float64, if members have different preprocessing of the target.
        """
        if self.network.task == "values" and values is None:
            values = [self.averaged(each.astype(np.float64)) for each in raw]
        if values is not None and self.gives_values:
            mean: NDArray[np.float64] = self.target_preprocessing.apply(mean_of_members(values, self.weights))
            return mean
        together = outputs_of_mean(self.network, raw, self.weights)
        if values is not None and self.target_preprocessing.steps:
            mean = mean_of_members(values, self.weights)
            together[:, : self.network.target_size] = self.target_preprocessing.apply(mean)
        return together

    @property
    def kind(self) -> str:
        """A text that identifies the form of `comparable`: outputs of equal kind can be compared and averaged."""
        spec = self.network.spec
        if self.gives_values:
            return "values"
        steps = [step.model_dump(mode="json") for step in spec.network.target_preprocessing or ()]
        threshold = [self.boundary] if self.includes_boundary else []
        return json.dumps([spec.training.loss.type, steps, *threshold])

    def comparable(self, raw: Sequence[Array], values: Sequence[Array] | None = None) -> NDArray[np.float64]:
        """Return the mean over members in a form that is comparable between networks of one `kind`.

        The result (rows, outputs) has values in the target's units if outputs are values, else outputs as the loss
        reads them. Parameters are those of `together`.
        """
        outputs = [each.astype(np.float64) for each in raw]
        if self.gives_values:
            return mean_of_members(
                [self.averaged(each) for each in outputs] if values is None else values, self.weights
            )
        return outputs[0] if len(outputs) == 1 else self.together(outputs, values)

    def raw_of(self, comparable: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return outputs as the loss reads them, given `comparable` outputs of any network of the same kind."""
        return self.target_preprocessing.apply(comparable) if self.gives_values else comparable

    def activated(self, raw: Array) -> Array:
        """Return the array to average over members, given outputs as the loss reads them."""
        return self.averaged(self.network.output_network.predict_checked(NO_PARAMETERS, raw))

    def losses(self, raw: Array, loss_target: Array) -> Array:
        """Return each row's loss, float64 (rows,), given outputs and the target as the loss reads them."""
        return self.network.output_network.row_losses(NO_PARAMETERS, raw, loss_target, data_only=True)

    def compared(self, averaged: Sequence[Array]) -> tuple[Array, Array | None]:
        """Return predictions for metrics, and probabilities, or None if the network gives none."""
        probability = self.probabilities(averaged) if self.gives_probabilities else None
        return self.predictions(averaged, decoded=False), probability

    def target(self, y: ArrayLike, rows: int) -> tuple[Array, Array]:
        """Return the target in the form of `predictions` (with class indices), and in the form that the loss reads."""
        y = as_array(y, "y")
        check_row_count(y, rows, "y")
        if self.labels is not None:
            indices = self.labels.encode(y)
            return indices, indices
        kind = self.network.spec.training.loss.target
        target = check_target(y, kind, rows, self.network.target_size).T  # (rows, outputs)
        if kind == "binary":
            return target, target
        prepared = self.target_preprocessing.apply(target.astype(np.float64))
        return target[:, 0] if target.shape[1] == 1 else target, prepared

    def metrics(self, chosen: str | Metric | Sequence[str | Metric] | None = None) -> list[Metric]:
        """Return metrics, given their names; default: the metrics of the spec.

        Raises
        ------
        DataError
            If a metric does not exist or does not support the task.
        """
        chosen = self.network.spec.training.metrics if chosen is None else chosen
        return [self._metric(metric) for metric in ([chosen] if isinstance(chosen, str | Metric) else chosen)]

    def _metric(self, metric: str | Metric) -> Metric:
        registry = self.network.spec.registry
        if not isinstance(metric, str | Metric):
            raise DataError(f"expected metrics or their names, got {metric!r}")
        if isinstance(metric, str):
            part = registry.find("metric", metric)
            if part is None:
                raise DataError(f'unknown metric "{metric}"', hint=part_hint(metric, "metric", registry))
            metric = cast(Metric, part.model_validate({"type": part.part_name()}))
        task = "binary" if self.network.task == "classes" and self.network.outputs == 2 else self.network.task
        if task not in metric.task:
            raise DataError(f'metric "{metric.type}" is not supported for a network that {_TASKS[task]}')
        if metric.response == "probability" and not self.gives_probabilities:
            raise DataError(f'metric "{metric.type}" needs probabilities, but this model outputs margins')
        return metric
