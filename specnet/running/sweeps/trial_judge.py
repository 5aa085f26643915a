"""What trials are compared by: their answers for rows held out, measured as the spec as written measures its own.

So the losses of trials are comparable, row by row, whatever the preprocessing of their targets and their loss's
smoothing. Where outputs are logits, those of each trial are divided by one number for all rows, which makes its loss
least: so trials are not told apart by how confident they are, which is easy to mend.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

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
from specnet.running.held_answers import HeldAnswers
from specnet.running.many.repetitions import Repetition, changed
from specnet.spec import Spec, parse_spec
from specnet.spec.parsing import document_saying
from specnet.spec.spec_writing import SWEEP

Outputs = Sequence[NDArray[np.float64]]
"""Of a trial's runs, each (rows, outputs) as the loss of the spec as written sees them."""
LONGEST_LOGARITHM = 3.0
"""Logits are divided by no more than its exponential, and multiplied by no more."""
TOLERANCE = 1e-3
"""Of the logarithm of what they are divided by."""
_LOGITS = ("sigmoid", "softmax")


@dataclass(frozen=True)
class HeldRows:
    """The rows held out of a run, and what measures answers for them.

    Attributes
    ----------
    name : str
        The part of the split that they are of.
    decoder : Decoder
        Of the spec as written.
    target, wanted : ndarray
        As `Decoder.target` returns them.
    weight : ndarray (rows,) or None
    units : ndarray (rows,)
        What is independent of each other: the groups of a split, else the rows of the table.
    """

    name: str
    decoder: Decoder
    target: Array
    wanted: Array
    weight: NDArray[np.float64] | None
    units: NDArray[np.generic]

    @classmethod
    def of(cls, data: SpecData, name: str | None = None) -> HeldRows:
        """Return those of a run of the spec as written, or the rows of another part of the split.

        Raises
        ------
        SpecnetError
            If its network cannot be made of these rows.
        """
        name = name or data.held_out
        rows = data.splits[name]
        decoder = Encoder.of(data.network, data.labels, data.preparation, data.splits[TRAIN]).decoder
        units = rows.groups if rows.groups is not None else rows.chosen
        units = np.arange(len(rows)) if units is None else units
        return cls(name, decoder, *decoder.target(rows.y, len(rows)), rows.weight, units)

    def raw(self, answers: HeldAnswers | None) -> NDArray[np.float64] | None:
        """Return answers as the loss sees them; None where they are none to the same rows, or are not comparable."""
        if answers is None or (answers.name, answers.kind) != (self.name, self.decoder.kind):
            return None
        with np.errstate(all="ignore"):
            raw = self.decoder.raw_of(answers.outputs)
        fits = raw.shape[1] == self.decoder.network.outputs and len(raw) == len(answers.rows) <= len(self.target)
        return raw if fits and np.isfinite(raw).all() else None

    def losses(self, raw: Array, rows: Any = slice(None)) -> NDArray[np.float64]:
        """Return the loss of each of some rows, (rows,)."""
        with np.errstate(all="ignore"):
            return self.decoder.losses(raw, self.wanted[rows])

    def answers(self, raw: Array) -> Answers:
        """Return what outputs answer for all rows."""
        compared = self.decoder.compared([self.decoder.activated(raw)])
        return Answers(self.target, self.wanted, self.losses(raw), *compared, self.weight)

    def mean(self, losses: Array, rows: Any = slice(None)) -> float:
        """Return the mean loss of some rows."""
        return weighted_mean(losses, None if self.weight is None else self.weight[rows])


class Judge:
    """Compares trials.

    Parameters
    ----------
    runs : sequence of HeldRows
        One for each run of a trial.
    metric : Metric or None
        What trials are compared by; None for the loss.
    """

    def __init__(self, runs: Sequence[HeldRows], metric: Metric | None) -> None:
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
                runs.append(HeldRows.of(data))
                continue
            repeated = changed(document, each.changes, "sweep")
            parsed = parse_spec(repeated, parts=spec.registry, limits=spec.origin.limits)
            runs.append(HeldRows.of(split_data(parsed, table, has_test=False)))
        return cls(runs, spec.monitored_metric(metric))

    @cached_property
    def has_logits(self) -> bool:
        """Whether the loss sees logits."""
        network = self.runs[0].decoder.network
        activation = network.nodes[-1].layer.split_activation()[1]
        knows_it = network.spec.training.loss.accepted_activations is not None
        return knows_it and activation is not None and activation.type in _LOGITS

    def parts(self, answers: Sequence[tuple[int, HeldAnswers | None]]) -> list[Answered] | None:
        """Return answers for rows of runs, given by their places; None if some of them cannot be compared."""
        found = []
        for place, each in answers:
            raw = self.runs[place].raw(each)
            if each is None or raw is None:
                return None
            found.append(Answered(self.runs[place], each.rows, raw))
        return found

    def outputs(self, answers: Sequence[HeldAnswers | None]) -> Outputs | None:
        """Return a trial's answers for all rows of its runs as the loss sees them; None if they cannot be compared."""
        parts = self.parts(list(enumerate(answers)))
        is_whole = parts is not None and all(len(part.raw) == len(part.run.target) for part in parts)
        return [part.raw for part in parts] if parts is not None and is_whole else None

    def losses(self, parts: Sequence[Answered]) -> list[NDArray[np.float64]]:
        """Return the loss of each row of some parts; logits are divided by the number that is best for all of them."""
        if self.has_logits:

            def loss(logarithm: float) -> float:
                return float(np.mean([part.divided(logarithm).loss for part in parts]))

            best = least_logarithm(loss, (-LONGEST_LOGARITHM, LONGEST_LOGARITHM), TOLERANCE)
            parts = [part.divided(best) for part in parts] if loss(best) < loss(0.0) else parts
        return [part.losses for part in parts]

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
        ours, theirs = (np.concatenate(self._losses_of(each)) for each in (outputs, others))
        weights = [np.ones(len(run.target)) if run.weight is None else run.weight for run in self.runs]
        units = np.concatenate([run.units for run in self.runs])
        gain, error = mean_with_error(theirs - ours, np.concatenate(weights), units)
        return gain > errors * error

    def answers(self, outputs: Outputs) -> list[Answers]:
        """Return what outputs answer for the rows held out of each run."""
        return [run.answers(raw) for run, raw in zip(self.runs, outputs, strict=True)]

    def figures_of(self, outputs: Outputs) -> dict[str, float]:
        """Return the mean loss of rows held out, and each metric of the spec by its name, the mean over runs."""
        metrics = self.runs[0].decoder.metrics()
        found = [answers.figures(metrics) for answers in self.answers(outputs)]
        return {name: float(np.mean([figures[name] for figures in found])) for name in found[0]}

    def figures(self, outputs: Outputs) -> list[float]:
        """Return the calibrated loss of each run of a trial."""
        return [run.mean(losses) for run, losses in zip(self.runs, self._losses_of(outputs), strict=True)]

    def _losses_of(self, outputs: Outputs) -> list[NDArray[np.float64]]:
        """Return the calibrated loss of each row of the runs."""
        return self.losses([Answered(run, slice(None), raw) for run, raw in zip(self.runs, outputs, strict=True)])


@dataclass(frozen=True)
class Answered:
    """Answers for some of the rows held out of a run.

    Attributes
    ----------
    run : HeldRows
    rows : index
    raw : ndarray (rows, outputs)
        As the loss sees them.
    """

    run: HeldRows
    rows: Any
    raw: NDArray[np.float64]

    def divided(self, logarithm: float) -> Answered:
        """Return the same with outputs divided by the exponential of a number."""
        return replace(self, raw=self.raw / np.exp(logarithm))

    @property
    def losses(self) -> NDArray[np.float64]:
        """The loss of each row, (rows,)."""
        return self.run.losses(self.raw, self.rows)

    @property
    def loss(self) -> float:
        """The mean loss."""
        return self.run.mean(self.losses, self.rows)
