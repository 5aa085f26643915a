"""What trials are compared by: their answers for held-out rows, measured as the spec as written measures its own.

So the losses of trials are comparable, row by row, whatever the preprocessing of their targets and their loss's
smoothing. Where outputs are logits, those of each trial are divided by one number for all rows, which makes its loss
least: so trials do not differ by how confident they are, which is easy to mend.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from specnet.model import Answers, Decoder
from specnet.parts.arrays import Array
from specnet.parts.data import Table
from specnet.parts.metrics import Metric
from specnet.parts.metrics.statistics import mean_with_error, weighted_mean
from specnet.parts.splits import TRAIN
from specnet.running.calibration import least_logarithm
from specnet.running.data_rows import SpecData, split_data
from specnet.running.encoding import Encoder
from specnet.running.repeated_runs import Repetition, changed
from specnet.running.training_run import HeldOutAnswers
from specnet.spec import Spec, parse_spec
from specnet.spec.parsing import document_saying
from specnet.spec.spec_writing import SWEEP

Outputs = Sequence[NDArray[np.float64]]
"""Of a trial's runs, each (rows, outputs) as the loss of the spec as written sees them."""
MAX_LOGARITHM = 3.0
"""Logits are divided by no more than its exponential, and multiplied by no more."""
TOLERANCE = 1e-3
"""Of the logarithm of what they are divided by."""
_LOGITS = ("sigmoid", "softmax")


@dataclass(frozen=True)
class JudgedRows:
    """The held-out rows of a run, and what measures answers for them.

    Attributes
    ----------
    name : str
        The part of the split that they are of.
    decoder : Decoder
        Of the spec as written.
    target, loss_target : ndarray
        As `Decoder.target` returns them.
    weight : ndarray (rows,) or None
    units : ndarray (rows,)
        What is independent of each other: the groups of a split, else the rows of the table.
    """

    name: str
    decoder: Decoder
    target: Array
    loss_target: Array
    weight: NDArray[np.float64] | None
    units: NDArray[np.generic]

    @classmethod
    def of(cls, data: SpecData, name: str | None = None) -> JudgedRows:
        """Return those of a run of the spec as written, or the rows of another part of the split.

        Raises
        ------
        SpecnetError
            If its network cannot be made of these rows.
        """
        name = name or data.held_out
        rows = data.splits[name]
        decoder = Encoder.fit(data.network, data.labels, data.preparation, data.splits[TRAIN]).decoder
        units = rows.groups if rows.groups is not None else rows.chosen
        units = np.arange(len(rows)) if units is None else units
        return cls(name, decoder, *decoder.target(rows.y, len(rows)), rows.weight, units)

    def raw(self, answers: HeldOutAnswers | None) -> NDArray[np.float64] | None:
        """Return answers as the loss sees them; None where they are none to the same rows, or are not comparable."""
        if answers is None or (answers.name, answers.kind) != (self.name, self.decoder.kind):
            return None
        with np.errstate(all="ignore"):
            raw = self.decoder.raw_of(answers.outputs)
        fits = raw.shape[1] == self.decoder.network.outputs and len(raw) == len(answers.rows) <= len(self.target)
        return raw if fits and np.isfinite(raw).all() else None

    def some(self, rows: NDArray[np.intp]) -> JudgedRows:
        """Return the rows with these indices."""
        weight = None if self.weight is None else self.weight[rows]
        return replace(
            self, target=self.target[rows], loss_target=self.loss_target[rows], weight=weight, units=self.units[rows]
        )

    def losses(self, raw: Array) -> NDArray[np.float64]:
        """Return the loss of each row, (rows,)."""
        with np.errstate(all="ignore"):
            return self.decoder.losses(raw, self.loss_target)

    def answers(self, raw: Array) -> Answers:
        """Return what outputs answer for all rows."""
        compared = self.decoder.compared([self.decoder.activated(raw)])
        return Answers(self.target, self.loss_target, self.losses(raw), *compared, self.weight)

    def mean(self, losses: Array) -> float:
        """Return the mean loss."""
        return weighted_mean(losses, self.weight)


class Judge:
    """Compares trials.

    Parameters
    ----------
    runs : sequence of JudgedRows
        One for each run of a trial.
    metric : Metric or None
        What trials are compared by; None for the loss.
    """

    def __init__(self, runs: Sequence[JudgedRows], metric: Metric | None) -> None:
        self.runs, self.metric = runs, metric

    @classmethod
    def of(
        cls, spec: Spec, repetitions: Sequence[Repetition], table: Table, metric: str, data: SpecData | None = None
    ) -> Judge:
        """Return what compares trials of a spec by a metric of a sweep, on each repetition's rows; none is for testing.

        Parameters
        ----------
        spec : Spec
        repetitions : sequence of Repetition
        table : Table
        metric : str
        data : SpecData, optional
            Of the spec, where they are known: those of a repetition that changes nothing.

        Raises
        ------
        SpecnetError
            If the spec cannot be trained as it is written.
        """
        document, runs = document_saying(spec).without(SWEEP), []
        for each in repetitions:
            if data is not None and not each.changes:
                runs.append(JudgedRows.of(data))
                continue
            repeated = changed(document, each.changes, "sweep")
            parsed = parse_spec(repeated, parts=spec.registry, limits=spec.origin.limits)
            runs.append(JudgedRows.of(split_data(parsed, table, has_test=False)))
        return cls(runs, spec.monitored_metric(metric))

    @cached_property
    def has_logits(self) -> bool:
        """Whether the loss sees logits."""
        network = self.runs[0].decoder.network
        activation = network.nodes[-1].layer.split_activation()[1]
        knows_it = network.spec.training.loss.accepted_activations is not None
        return knows_it and activation is not None and activation.type in _LOGITS

    def losses_beside(
        self, answers: Sequence[tuple[int, HeldOutAnswers | None]], outputs: Outputs
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Return the loss of each row that is answered, and of another trial's outputs for the same rows.

        Parameters
        ----------
        answers : sequence of (int, HeldOutAnswers or None)
            For rows of runs, which are given by their indices. Where some cannot be compared, the result is None.
        outputs : sequence of (rows, outputs)
            Of the other trial, for all rows of each run.
        """
        runs, ours, others = [], [], []
        for index, each in answers:
            raw = self.runs[index].raw(each)
            if each is None or raw is None:
                return None
            runs.append(self.runs[index].some(each.rows))
            ours.append(raw)
            others.append(outputs[index][each.rows])
        first, second = (np.concatenate(self._losses(runs, raws)) for raws in (ours, others))
        return first, second

    def outputs(self, answers: Sequence[HeldOutAnswers | None]) -> Outputs | None:
        """Return a trial's answers for all rows of its runs as the loss sees them; None if they cannot be compared."""
        found = []
        for run, each in zip(self.runs, answers, strict=True):
            raw = run.raw(each)
            if raw is None or len(raw) < len(run.target):
                return None
            found.append(raw)
        return found

    def _losses(self, runs: Sequence[JudgedRows], outputs: Outputs) -> list[NDArray[np.float64]]:
        """Return the loss of each row of some runs; logits are divided by the number that is best for all of them."""

        def divided(logarithm: float) -> list[NDArray[np.float64]]:
            return [run.losses(raw / np.exp(logarithm)) for run, raw in zip(runs, outputs, strict=True)]

        def loss(logarithm: float) -> float:
            return float(np.mean([run.mean(each) for run, each in zip(runs, divided(logarithm), strict=True)]))

        if self.has_logits:
            best = least_logarithm(loss, (-MAX_LOGARITHM, MAX_LOGARITHM), TOLERANCE)
            if loss(best) < loss(0.0):
                return divided(best)
        return [run.losses(raw) for run, raw in zip(runs, outputs, strict=True)]

    def joined(self, together: Outputs, outputs: Outputs, count: int) -> Outputs:
        """Return what so many trials that answer together, and another one, answer together."""
        weights = (count / (count + 1), 1 / (count + 1))
        pairs = zip(self.runs, together, outputs, strict=True)
        return [run.decoder.with_weights(weights).together(pair) for run, *pair in pairs]

    def score(self, outputs: Outputs) -> float:
        """Return how bad answers for all rows are, by what trials are compared by."""
        if self.metric is None:
            return float(np.mean(self.figures(outputs)))
        figure = self.figures_of(outputs)[self.metric.type]
        if figure is None or not np.isfinite(figure):
            return np.inf
        return -figure if self.metric.larger_is_better else figure

    def is_better(self, outputs: Outputs, others: Outputs, errors: float) -> bool:
        """Return whether answers are better than others.

        Parameters
        ----------
        outputs, others : sequence of (rows, outputs)
        errors : float
            By how many standard errors of the mean difference of the rows' losses, which counts rows of a group, and a
            row in several runs, once. A metric has none, and is compared.
        """
        if self.metric is not None:
            return self.score(outputs) < self.score(others)
        ours, theirs = (np.concatenate(self._losses(self.runs, each)) for each in (outputs, others))
        weights = [np.ones(len(run.target)) if run.weight is None else run.weight for run in self.runs]
        units = np.concatenate([run.units for run in self.runs])
        gain, error = mean_with_error(theirs - ours, np.concatenate(weights), units)
        return gain > errors * error

    def answers(self, outputs: Outputs) -> list[Answers]:
        """Return what outputs answer for the held-out rows of each run."""
        return [run.answers(raw) for run, raw in zip(self.runs, outputs, strict=True)]

    def figures_of(self, outputs: Outputs) -> dict[str, float]:
        """Return the mean loss of held-out rows, and each metric of the spec by its name, the mean over runs."""
        metrics = self.runs[0].decoder.metrics()
        found = [answers.figures(metrics) for answers in self.answers(outputs)]
        return {name: float(np.mean([figures[name] for figures in found])) for name in found[0]}

    def figures(self, outputs: Outputs) -> list[float]:
        """Return the calibrated loss of each run of a trial."""
        return [run.mean(losses) for run, losses in zip(self.runs, self._losses(self.runs, outputs), strict=True)]
