"""What findings are read from: plain arrays and numbers of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet.data import Repeated

Numbers = NDArray[np.float64]
Task = Literal["binary", "classes", "multilabel", "values"]
Path = tuple[str | int, ...]
Look = Mapping[str, Any]
"""A line of ``layers.jsonl``: ``epoch``, and ``layers`` with the numbers of each."""


@dataclass(frozen=True, eq=False)
class TrainingColumns:
    """The raw columns of the training rows.

    Attributes
    ----------
    names : tuple of str
    cells : array_like (rows, columns)
        Missing cells are NaN; of a category the indices of its texts.
    are_categories : tuple of bool
    """

    names: tuple[str, ...]
    cells: Any
    are_categories: tuple[bool, ...]


class UntestableError(Exception):
    """A run has nothing that a rule could test."""


class Gap(NamedTuple):
    """A mean difference over rows, such as of their losses by two predictors, and its standard error."""

    value: float
    error: float

    @property
    def is_certain(self) -> bool:
        """Whether it is above 0 by more than chance explains."""
        return self.value > 2 * self.error


@dataclass(frozen=True, eq=False)
class Held:
    """Rows that the network was not trained on, and how well it does there.

    Attributes
    ----------
    name : str
        ``validation``, or ``test`` in runs without validation rows.
    inputs : (rows, inputs)
        As the network reads them.
    target, prediction : (rows,) or (rows, outputs)
        Class indices, 0 and 1, or values in their own units.
    score : float
        Accuracy, or R² of values.
    baselines : mapping of str to float
        The same score of ``constant``, ``linear``, ``neighbours`` and ``trees``, as far as they were fitted.
    gains : mapping of str to Gap
        By how much the loss is less than the constant prediction's, of ``network`` and of the other baselines.
    overconfidence : Gap or None
        By how much the mean probability of the predicted class is above the accuracy; None without classes.
    independent_rows : float
        How many independent rows they are worth, for standard errors: fewer than they are where they come in groups.
    """

    name: str
    inputs: NDArray[Any]
    target: NDArray[Any]
    prediction: NDArray[Any]
    score: float
    baselines: Mapping[str, float]
    gains: Mapping[str, Gap]
    independent_rows: float
    overconfidence: Gap | None = None

    @property
    def rows(self) -> str:
        """What sentences call the rows."""
        return f"{self.name} rows"

    @property
    def simple(self) -> tuple[str, float] | None:
        """The better of a linear model and the nearest neighbours, in words, and its score; None without them."""
        words = {"linear": "a linear model reaches", "neighbours": "nearest neighbours reach"}
        found = [(self.baselines[name], told) for name, told in words.items() if name in self.baselines]
        best = max(found, key=lambda pair: pair[0], default=None)
        return None if best is None else (best[1], best[0])


class OutOfFold(NamedTuple):
    """How well an ensemble does on training rows, each predicted by the network that was not trained on it.

    Attributes
    ----------
    score, independent_rows : float
        As `Held` has them.
    """

    score: float
    independent_rows: float


@dataclass(frozen=True)
class LayerFacts:
    """What the spec says of a layer with trainable parameters.

    Attributes
    ----------
    name : str
        As the looks have it.
    units : int
    activation : str
    is_rectifier : bool
        Whether the activation is 0, or nearly so, for all negative inputs.
    initializer, usual_initializer : str or None
        What its weights were drawn from, and what they are drawn from by default; None for layers without weights.
    paths : mapping of str to path
        Where ``units``, ``activation``, ``weight_initializer`` and ``bias_initializer`` are set in the spec as it was
        written; those that cannot be set are missing.
    """

    name: str
    units: int
    activation: str
    is_rectifier: bool
    initializer: str | None
    usual_initializer: str | None
    paths: Mapping[str, Path]


@dataclass(frozen=True)
class SpecFacts:
    """What the spec says of a run.

    Attributes
    ----------
    optimizer : str
    is_adaptive : bool
        Whether the size of a step hardly depends on the size of the gradient, as in the Adam family.
    learning_rate, default_rate : float or None
        That of the spec, and the optimizer's default; None for an optimizer without one.
    rate_ends_low : bool
        Whether its schedule ends under a tenth of it.
    epochs : int
    restores_best : bool
        Whether the network is that of the best epoch, and not of the last one.
    layers : tuple of LayerFacts
        Those with trainable parameters, in order; the last one is the output.
    labels : tuple of str
        Names of the classes; empty for other targets.
    takes_any_target : bool
        Whether the outputs are numbers without bounds, for which the size of the target counts.
    has_table : bool
        Whether the data are a table whose columns have kinds.
    has_legacy_generator : bool
    written : mapping
        The document as it was written, with overrides.
    """

    optimizer: str
    is_adaptive: bool
    learning_rate: float | None
    default_rate: float | None
    rate_ends_low: bool
    epochs: int
    restores_best: bool
    layers: tuple[LayerFacts, ...]
    labels: tuple[str, ...]
    takes_any_target: bool
    has_table: bool
    has_legacy_generator: bool
    written: Mapping[str, Any]

    def value(self, *path: str | int) -> Any:
        """Return what the document says at a path, None if nothing."""
        value: Any = self.written
        for step in path:
            if isinstance(value, Mapping):
                value = value.get(step)
            elif isinstance(value, Sequence) and isinstance(step, int) and not isinstance(value, str):
                value = value[step] if step < len(value) else None
            else:
                return None
        return value

    @property
    def hidden(self) -> tuple[LayerFacts, ...]:
        """All layers but the output."""
        return self.layers[:-1]


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a run has left to judge it by; of an ensemble the looks and the history are those of its first member.

    Attributes
    ----------
    task : str
    columns : TrainingColumns
    inputs : (rows, inputs)
        Training rows as the network reads them.
    target : (rows,) or (rows, outputs)
        Of training rows: class indices, 0 and 1, or values as the loss takes them.
    held : Held or None
        None if there are no such rows, or the loss was no longer finite.
    repeated : Repeated or None
        What `repeated_rows` finds of the rows held out.
    out_of_fold : OutOfFold or None
        Of an ensemble on folds.
    epochs, losses : (lines,)
        The history of the training loss; finite.
    held_losses : (lines,) or None
        The validation loss on the same lines.
    has_failed : bool
        Whether the loss was no longer finite after these lines.
    first_loss : float
        L(0): mean loss of the first batch before any step.
    constant_loss : float
        L₀: loss of the best constant prediction on the training rows.
    train_score : float or None
        Of the training rows, as `Held.score`.
    looks : sequence of mapping
        The lines of ``layers.jsonl``; the first one is before any step.
    spec : SpecFacts
    """

    task: Task
    columns: TrainingColumns
    inputs: NDArray[Any]
    target: NDArray[Any]
    held: Held | None
    repeated: Repeated | None
    out_of_fold: OutOfFold | None
    epochs: NDArray[np.int64]
    losses: Numbers
    held_losses: Numbers | None
    has_failed: bool
    first_loss: float
    constant_loss: float
    train_score: float | None
    looks: Sequence[Look]
    spec: SpecFacts

    @property
    def known_held(self) -> Held:
        """What `held` is; a rule that needs it tests nothing without."""
        if self.held is None:
            raise UntestableError
        return self.held

    @property
    def has_classes(self) -> bool:
        """Whether the scores are accuracies."""
        return self.task != "values"

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
        """Training rows of each class, (classes,)."""
        return np.bincount(np.asarray(self.target, np.intp), minlength=max(2, len(self.spec.labels)))

    @property
    def steps(self) -> Sequence[Look]:
        """The looks after steps."""
        return self.looks[1:]

    def of_hidden(self, field: str) -> list[tuple[LayerFacts, float, float]]:
        """Return the hidden layers with a number of each at the first look and of the network that is kept.

        There are none if there was no step.
        """
        if not self.steps:
            return []
        looks = (
            [float(layer.get(field) or 0.0) for layer in look["layers"]] for look in (self.looks[0], self.looks[-1])
        )
        return list(zip(self.spec.layers, *looks, strict=True))[:-1]

    @property
    def most_units_are_dead(self) -> bool:
        """Whether over 70 % of the units of a hidden layer are dead in the end: nothing else can be told then."""
        return any(now > 0.7 for _, _, now in self.of_hidden("dead"))

    def largest_step(self, look: Look) -> float:
        """Return the size of a step relative to the weights, in the layer where it is largest."""
        return max((float(layer["step"] or 0.0) for layer in look["layers"]), default=0.0)

    @cached_property
    def median_step(self) -> float | None:
        """The median of `largest_step` over the second half of the looks; None without looks."""
        sizes = [self.largest_step(look) for look in self.steps[len(self.steps) // 2 :]]
        return float(np.median(sizes)) if sizes else None

    def spread(self, score: float) -> float:
        """Return the variance of one row in a score: p(1 − p) of an accuracy, with p at least 2 % from its ends."""
        if not self.has_classes:
            return 1.0
        inner = min(max(score, 0.02), 0.98)
        return inner * (1 - inner)
