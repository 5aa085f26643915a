"""Evidence for findings: a run's network, rows, history, statistics of units, and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.data import Labels
from specnet.errors import Path
from specnet.files.plain_data import value_at
from specnet.network import Network
from specnet.network.layout import activation_after
from specnet.parts.activations import Activation
from specnet.parts.data import Column
from specnet.parts.watchers import LOSS, VALIDATION_LOSS
from specnet.spec.resolving.graph import Node

Numbers = NDArray[np.float64]
LayerRecord = Mapping[str, Any]
"""A line of ``layers.jsonl``: ``epoch``, and ``layers``, a list of the statistics of each layer."""
MeanWithError = tuple[float, float]
"""A mean over rows, such as the mean difference of two losses, and its standard error."""


MAX_DEAD = 0.7
"""Fraction of dead units in a layer above which a network cannot learn."""


class UntestableError(Exception):
    """The run has no data that a rule could test."""


@dataclass(frozen=True, eq=False)
class UnseenRows:
    """Predictions and scores of a network on rows that it was not trained on.

    Attributes
    ----------
    name : str
        ``validation``, or ``test`` in runs without validation rows; ``out_of_fold`` for the training rows of an
        ensemble on folds.
    target, prediction : (rows,) or (rows, outputs)
        Class indices, 0 and 1, or values in their own units.
    score : float
        Accuracy, or R² of values.
    independent_rows : float
        Number of independent rows, for standard errors; less than the number of rows if rows come in groups.
    baselines : mapping of str to float
        The same score of the baselines ``constant``, ``linear``, ``neighbours`` and ``trees``, if they were fitted.
    gains : mapping of str to tuple
        Loss of the constant prediction minus the loss of ``network`` and of each other baseline, with standard
        errors.
    second : (rows,) or None
        Probability of the second of two classes; None for other tasks.
    overconfidence : tuple or None
        Mean probability of the predicted class minus the accuracy, with its standard error; None without classes.
    """

    name: str
    target: NDArray[Any]
    prediction: NDArray[Any]
    score: float
    independent_rows: float
    baselines: Mapping[str, float] = field(default_factory=dict)
    gains: Mapping[str, MeanWithError] = field(default_factory=dict)
    overconfidence: MeanWithError | None = None
    second: NDArray[Any] | None = None

    @property
    def simple(self) -> tuple[str, float] | None:
        """A phrase for the better of a linear model and nearest neighbours, and its score; None without them."""
        words = {"linear": "a linear model reaches", "neighbours": "nearest neighbours reach"}
        found = [(self.baselines[name], phrase) for name, phrase in words.items() if name in self.baselines]
        best = max(found, key=lambda pair: pair[0], default=None)
        return None if best is None else (best[1], best[0])


Scores = tuple[float | None, UnseenRows | None, UnseenRows | None, UnseenRows | None]
"""The `UnseenRows.score` on training rows, the results on held-out rows, those on training rows out of fold, and those
on test rows beside validation rows; None for rows that are missing or have no score."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """The data of a run that rules read; layer records and history of an ensemble are those of its first member.

    Attributes
    ----------
    network : Network
    labels : Labels or None
        Labels of the classes.
    kinds : tuple of Column
        Kinds of the raw columns; empty if the data are not a table with kinds.
    cells : array_like (rows, columns)
        Raw columns of the training rows: missing cells are NaN, categories are indices of their texts.
    inputs : (rows, inputs)
        Training rows as the network reads them.
    target : (rows,) or (rows, outputs)
        Target of the training rows: class indices, 0 and 1, or values as the loss reads them.
    history : sequence of mapping
        Records of the run, all with a finite loss.
    records : sequence of mapping
        The lines of ``layers.jsonl``; the first one is before any step.
    first_loss : float
        L(0), the mean loss of the first batch before any step.
    constant_loss : float
        L₀, the loss of the best constant prediction on the training rows.
    has_failed : bool
        Whether the loss became infinite or NaN after the last record of the history.
    train_score, unseen, out_of_fold, test
        The items of `Scores`; None if the run has failed.
    repeated : tuple of str, or None
        Result of `repeated_rows.repeated_rows` for these rows.
    """

    network: Network
    labels: Labels | None
    kinds: tuple[Column, ...]
    cells: Any
    inputs: NDArray[Any]
    target: NDArray[Any]
    history: Sequence[Mapping[str, Any]]
    records: Sequence[LayerRecord]
    first_loss: float
    constant_loss: float
    has_failed: bool
    train_score: float | None
    unseen: UnseenRows | None
    out_of_fold: UnseenRows | None
    repeated: tuple[str, str] | None
    test: UnseenRows | None = None

    def written(self, *path: str | int) -> Any:
        """Return the value at a path of the spec as written, with overrides; None if the path is missing."""
        return value_at(self.network.spec.document.data, path)

    @property
    def has_table(self) -> bool:
        """Whether the data are a table whose columns have kinds."""
        return bool(self.kinds) and self.network.spec.data is not None

    @cached_property
    def column_names(self) -> Sequence[str]:
        """The names of the raw columns; ``column 0``, … if they have none."""
        names = [column.name for column in self.kinds] or list(self.network.spec.feature_names or ())
        return names or [f"column {number}" for number in range(self.cells.shape[1])]

    @property
    def known_unseen(self) -> UnseenRows:
        """The value of `unseen`; if it is None, `UntestableError` is raised."""
        if self.unseen is None:
            raise UntestableError
        return self.unseen

    @property
    def has_classes(self) -> bool:
        """Whether the network predicts classes; scores are then accuracies."""
        return self.network.task != "values"

    @cached_property
    def epochs(self) -> list[int]:
        """The epoch of each line of the history."""
        return [line["epoch"] for line in self.history]

    @cached_property
    def losses(self) -> Numbers:
        """The training losses of the history, (lines,)."""
        return np.array([line[LOSS] for line in self.history], np.float64)

    @cached_property
    def validation_losses(self) -> Numbers | None:
        """The validation losses of the history, (lines,); None if a line has none."""
        found = [line[VALIDATION_LOSS] for line in self.history if VALIDATION_LOSS in line]
        return np.array(found) if found and len(found) == len(self.history) else None

    @property
    def start(self) -> float:
        """The first loss of the history."""
        return float(self.losses[0])

    @cached_property
    def end(self) -> float:
        """The median loss of the last twentieth of the history."""
        return float(np.median(self.losses[-max(1, len(self.losses) // 20) :]))

    @property
    def learned(self) -> float:
        """The fraction of the constant prediction's loss that training has removed."""
        return (self.constant_loss - self.end) / self.constant_loss if self.constant_loss else 0.0

    @cached_property
    def counts(self) -> NDArray[np.intp]:
        """The number of training rows of each class, (classes,)."""
        classes = 2 if self.labels is None else max(2, len(self.labels))
        return np.bincount(np.asarray(self.target, np.intp), minlength=classes)

    @cached_property
    def layers(self) -> tuple[Node, ...]:
        """The layers with trainable parameters, in order; the last one is the output."""
        weighted = self.network.layout.weights()
        return tuple(node for node in self.network.nodes if node.key in weighted)

    @property
    def hidden(self) -> tuple[Node, ...]:
        """All layers with trainable parameters but the output."""
        return self.layers[:-1]

    @cached_property
    def _activations(self) -> dict[str, tuple[Node, Activation | None]]:
        """The result of `activation_after` for each layer with trainable parameters, by the layer's key."""
        nodes, keys = self.network.nodes, {layer.key for layer in self.layers}
        return {node.key: activation_after(nodes, index) for index, node in enumerate(nodes) if node.key in keys}

    def activation(self, layer: Node) -> Activation | None:
        """Return the activation of a layer's units, or None if they have none."""
        return self._activations[layer.key][1]

    def is_rectified(self, layer: Node) -> bool:
        """Return whether the activation of a layer passes positive values, and little of negative ones."""
        activation = self.activation(layer)
        return activation is not None and activation.default_initializer != Activation.default_initializer

    def initializers(self, layer: Node) -> tuple[str | None, str | None]:
        """Return the names of a layer's weight initializer and of the default one; None if it has no weights."""
        initializer = layer.layer.initializers_by_field.get("weight_initializer")
        usual = (self.activation(layer) or Activation).default_initializer
        return (None, None) if initializer is None else (initializer.part_name(), usual)

    def path(self, layer: Node, setting: str) -> Path | None:
        """Return the path of a layer's setting in the spec as written, or None if the spec does not set it.

        Parameters
        ----------
        layer : Node
        setting : {"units", "activation", "weight_initializer", "bias_initializer"}
        """
        field: str | None = setting
        if setting == "units":
            field = layer.layer.size_field
        elif setting == "activation":
            layer, _ = self._activations[layer.key]
            field = layer.layer.activation_field
        elif layer.layer.initializers_by_field.get("weight_initializer") is None:
            return None
        if field is None:
            return None
        path: Path = self.network.spec.origin.path_of((*layer.path, field))
        if path[:2] == ("network", "layers"):
            return path
        if path[-1] == field and len(path) > 2:  # a layer of a stack whose field the spec does not write
            return ("network", "activations") if field == "activation" else None
        return path

    @property
    def steps(self) -> Sequence[LayerRecord]:
        """The layer records that were made after steps."""
        return self.records[1:]

    def of_hidden(self, field: str) -> list[tuple[Node, float, float]]:
        """Return each hidden layer with the value of a field before any step and at the end of training.

        The list is empty if there was no step.
        """
        if not self.steps:
            return []
        values = (
            [float(layer.get(field) or 0.0) for layer in record["layers"]]
            for record in (self.records[0], self.records[-1])
        )
        return list(zip(self.layers, *values, strict=True))[:-1]

    @property
    def most_units_are_dead(self) -> bool:
        """Whether most units of a hidden layer are dead at the end; other rules cannot judge the network then."""
        return any(now > MAX_DEAD for _, _, now in self.of_hidden("dead"))

    def largest_step(self, record: LayerRecord) -> float:
        """Return the largest size of a step relative to the weights, over all layers of a record."""
        return max((float(layer["step"] or 0.0) for layer in record["layers"]), default=0.0)

    @cached_property
    def median_step(self) -> float | None:
        """The median of `largest_step` over the second half of the layer records; None if there was no step."""
        sizes = [self.largest_step(record) for record in self.steps[len(self.steps) // 2 :]]
        return float(np.median(sizes)) if sizes else None
