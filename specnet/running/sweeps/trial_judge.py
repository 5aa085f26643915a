"""The comparison of trials: their outputs for held-out rows, measured by the loss and metrics of the spec as written.

The losses of trials are therefore comparable row by row, even if the preprocessing of targets or the smoothing of the
loss differs. If outputs are logits, the logits of each trial are divided by one number for all rows, its temperature
(Guo et al. 2017). Trials then do not differ by their confidence, which is easy to correct. If all predictions are
right, the loss alone has its least value, 0, at the smallest temperature, and all such trials are equal. The logarithm
of the temperature therefore has a normal prior with mean 0 and standard deviation 1, and its posterior mode is taken:
trials that are right by a larger margin remain better. If not all predictions are right, and with many rows, the prior
changes nothing that matters.
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
"""The outputs of a trial: for each run an array (rows, outputs), as the loss of the spec as written reads them."""
MAX_LOGARITHM = 3.0
"""Logits are divided or multiplied by at most exp of this number."""
TOLERANCE = 1e-3
"""The tolerance of the logarithm of the number that logits are divided by."""
_LOGITS = ("sigmoid", "softmax")


@dataclass(frozen=True)
class JudgedRows:
    """The held-out rows of a run, with targets, weights and the decoder to measure outputs for them.

    Attributes
    ----------
    name : str
        The split of the rows.
    decoder : Decoder
        The decoder of the spec as written.
    target, loss_target : ndarray
        The targets as `Decoder.target` returns them.
    weight : ndarray (rows,) or None
    units : ndarray (rows,)
        The independent unit of each row: its group if the split has groups, otherwise its row of the table.
    """

    name: str
    decoder: Decoder
    target: Array
    loss_target: Array
    weight: NDArray[np.float64] | None
    units: NDArray[np.generic]

    @classmethod
    def of(cls, data: SpecData, name: str | None = None) -> JudgedRows:
        """Return the held-out rows of a run of the spec as written, or the rows of the split `name`.

        Raises
        ------
        SpecnetError
            If the network cannot be made for these rows.
        """
        name = name or data.held_out
        rows = data.splits[name]
        decoder = Encoder.fit(data.network, data.labels, data.preparation, data.splits[TRAIN]).decoder
        units = rows.groups if rows.groups is not None else rows.chosen
        units = np.arange(len(rows)) if units is None else units
        return cls(name, decoder, *decoder.target(rows.y, len(rows)), rows.weight, units)

    def raw(self, answers: HeldOutAnswers | None) -> NDArray[np.float64] | None:
        """Return outputs as the loss reads them, or None if they are of other rows or not comparable."""
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
        """Return the targets, losses and predictions of outputs for all rows."""
        compared = self.decoder.compared([self.decoder.activated(raw)])
        return Answers(self.target, self.loss_target, self.losses(raw), *compared, self.weight)

    def mean(self, losses: Array) -> float:
        """Return the mean loss."""
        return weighted_mean(losses, self.weight)


class Judge:
    """The comparison of trials by their outputs for held-out rows.

    Parameters
    ----------
    runs : sequence of JudgedRows
        The held-out rows of each run of a trial.
    metric : Metric or None
        The metric that trials are compared by; None for the loss.
    """

    def __init__(self, runs: Sequence[JudgedRows], metric: Metric | None) -> None:
        self.runs, self.metric = runs, metric

    @classmethod
    def of(
        cls, spec: Spec, repetitions: Sequence[Repetition], table: Table, metric: str, data: SpecData | None = None
    ) -> Judge:
        """Return the judge of a spec's trials by a sweep's metric, on held-out rows of each repetition, not test rows.

        Parameters
        ----------
        spec : Spec
        repetitions : sequence of Repetition
        table : Table
        metric : str
        data : SpecData, optional
            The data of the spec, if known; used for repetitions that change nothing.

        Raises
        ------
        SpecnetError
            If the spec as written cannot be trained.
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
        """Whether the loss reads logits."""
        network = self.runs[0].decoder.network
        activation = network.nodes[-1].layer.split_activation()[1]
        knows_it = network.spec.training.loss.accepted_activations is not None
        return knows_it and activation is not None and activation.type in _LOGITS

    @property
    def is_calibrated(self) -> bool:
        """Whether trials are compared by the loss of calibrated outputs."""
        return self.metric is None and self.has_logits

    def losses_beside(
        self, answers: Sequence[tuple[int, HeldOutAnswers | None]], outputs: Outputs
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Return the loss of each row in `answers`, and the loss of another trial's outputs for the same rows.

        Parameters
        ----------
        answers : sequence of (int, HeldOutAnswers or None)
            Index of a run, and a trial's outputs for some of its rows. The result is None if some cannot be compared.
        outputs : sequence of (rows, outputs)
            Outputs of the other trial for all rows of each run.
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
        """Return a trial's outputs for all rows of its runs as the loss reads them, or None if not comparable."""
        found = []
        for run, each in zip(self.runs, answers, strict=True):
            raw = run.raw(each)
            if raw is None or len(raw) < len(run.target):
                return None
            found.append(raw)
        return found

    def _losses(self, runs: Sequence[JudgedRows], outputs: Outputs) -> list[NDArray[np.float64]]:
        """Return the loss of each row of some runs, of calibrated outputs if these are logits."""

        def divided(logarithm: float) -> list[NDArray[np.float64]]:
            return [run.losses(raw / np.exp(logarithm)) for run, raw in zip(runs, outputs, strict=True)]

        def loss(logarithm: float) -> float:
            mean = float(np.mean([run.mean(each) for run, each in zip(runs, divided(logarithm), strict=True)]))
            return mean + logarithm**2 / (2 * rows)

        rows = sum(len(run.target) for run in runs)
        if self.has_logits:
            best = least_logarithm(loss, (-MAX_LOGARITHM, MAX_LOGARITHM), TOLERANCE)
            if loss(best) < loss(0.0):
                return divided(best)
        return [run.losses(raw) for run, raw in zip(runs, outputs, strict=True)]

    def joined(self, together: Outputs, outputs: Outputs, count: int) -> Outputs:
        """Return the combined outputs of a team of `count` trials and one more trial."""
        weights = (count / (count + 1), 1 / (count + 1))
        pairs = zip(self.runs, together, outputs, strict=True)
        return [run.decoder.with_weights(weights).together(pair) for run, *pair in pairs]

    def score(self, outputs: Outputs) -> float:
        """Return a score of outputs for all rows by the loss or metric of the comparison; lower is better."""
        if self.metric is None:
            return float(np.mean(self.figures(outputs)))
        figure = self.figures_of(outputs)[self.metric.type]
        if figure is None or not np.isfinite(figure):
            return np.inf
        return -figure if self.metric.larger_is_better else figure

    def is_better(self, outputs: Outputs, others: Outputs, errors: float) -> bool:
        """Return whether outputs are better than other outputs.

        Parameters
        ----------
        outputs, others : sequence of (rows, outputs)
        errors : float
            Required number of standard errors of the mean difference of row losses. The rows of a group count once, and
            so does a row in several runs. Not used with a metric: its values are compared directly.
        """
        if self.metric is not None:
            return self.score(outputs) < self.score(others)
        ours, theirs = (np.concatenate(self._losses(self.runs, each)) for each in (outputs, others))
        weights = [np.ones(len(run.target)) if run.weight is None else run.weight for run in self.runs]
        units = np.concatenate([run.units for run in self.runs])
        gain, error = mean_with_error(theirs - ours, np.concatenate(weights), units)
        return gain > errors * error

    def answers(self, outputs: Outputs) -> list[Answers]:
        """Return the targets, losses and predictions of outputs for the held-out rows of each run."""
        return [run.answers(raw) for run, raw in zip(self.runs, outputs, strict=True)]

    def figures_of(self, outputs: Outputs) -> dict[str, float]:
        """Return the loss of held-out rows and each metric of the spec by name, as means over runs."""
        metrics = self.runs[0].decoder.metrics()
        found = [answers.figures(metrics) for answers in self.answers(outputs)]
        return {name: float(np.mean([figures[name] for figures in found])) for name in found[0]}

    def figures(self, outputs: Outputs) -> list[float]:
        """Return the calibrated loss of each run of a trial."""
        return [run.mean(losses) for run, losses in zip(self.runs, self._losses(self.runs, outputs), strict=True)]
