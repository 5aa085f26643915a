"""What a network's outputs mean: labels, probabilities, or values in the target's units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from specnet.data import Labels, Preparation
from specnet.errors import DataError
from specnet.model.ensemble_answers import NO_PARAMETERS, mean_of_members, output_network, outputs_of_mean
from specnet.network import Network
from specnet.parts.arrays import Array, as_array, check_row_count, check_target
from specnet.parts.metrics import Metric
from specnet.spec.reading.hints import part_hint

_TASKS = {
    "binary": "predicts two classes",
    "classes": "predicts more than two classes",
    "multilabel": "predicts several binary outputs",
    "values": "predicts numbers",
}


@dataclass(frozen=True, eq=False)
class Decoder:
    """Reads the outputs of a network, or of each member of an ensemble, (rows, outputs), as answers.

    Attributes
    ----------
    network : Network
    target_preprocessing : Preparation
    labels : Labels or None
        Of the classes, where the network tells classes apart.
    """

    network: Network
    target_preprocessing: Preparation
    labels: Labels | None

    @property
    def gives_probabilities(self) -> bool:
        """Whether the outputs are probabilities."""
        return self.network.task != "values" and self.network.spec.training.loss.gives_probabilities

    @property
    def boundary(self) -> float:
        """The binary output above which 1 is predicted: probability 0.5, or margin 0."""
        return 0.5 if self.gives_probabilities else 0.0

    def averaged(self, outputs: Array) -> Array:
        """Return what an ensemble averages: values in the target's units, else the outputs."""
        if self.network.task != "values":
            return outputs
        values: Array = self.target_preprocessing.invert(outputs[:, : self.network.target_size])
        return values

    def predictions(self, outputs: Sequence[Array], *, decoded: bool = True) -> Array:
        """Return labels, or class indices if not `decoded`; 0 and 1; or values, from each member's outputs."""
        mean = mean_of_members([self.averaged(each) for each in outputs])
        match self.network.task:
            case "values":
                return mean[:, 0] if mean.shape[1] == 1 else mean
            case "multilabel":
                return (mean > self.boundary).astype(np.int64)
            case "binary":
                indices = (mean[:, 0] > self.boundary).astype(np.intp)
            case "classes":
                indices = mean.argmax(axis=1)
        return self.labels.decode(indices) if decoded and self.labels is not None else indices

    def probabilities(self, outputs: Sequence[Array]) -> Array:
        """Return the probability of each class, both of two, or of each of several binary outputs."""
        mean = mean_of_members(outputs)
        return np.concatenate([1 - mean, mean], axis=1) if self.network.task == "binary" else mean

    def together(self, raw: Sequence[Array]) -> Array:
        """Return an ensemble's outputs as the loss sees them, in float64, from those of its members."""
        together = outputs_of_mean(self.network, raw)
        if self.target_preprocessing.steps:
            values = mean_of_members([self.averaged(each.astype(np.float64)) for each in raw])
            together[:, : self.network.target_size] = self.target_preprocessing.apply(values)
        return together

    def losses(self, raw: Array, wanted: Array) -> Array:
        """Return each row's loss, float64 (rows,), of outputs as the loss sees them, whatever they come from."""
        return self._output_network.row_losses(NO_PARAMETERS, raw, wanted, data_only=True)

    @cached_property
    def _output_network(self) -> Network:
        return output_network(self.network)

    def compared(self, outputs: Sequence[Array]) -> tuple[Array, Array | None]:
        """Return what metrics compare with a target: predictions, and probabilities where there are some."""
        probability = self.probabilities(outputs) if self.gives_probabilities else None
        return self.predictions(outputs, decoded=False), probability

    def target(self, y: ArrayLike, rows: int) -> tuple[Array, Array]:
        """Return the target as metrics compare it with `predictions`, and as the network's loss takes it."""
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
        """Return the metrics that are asked for, those of the spec if None.

        Raises
        ------
        DataError
            If one does not exist or is not supported.
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
