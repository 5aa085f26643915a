"""What runs on the same folds say of chance: how far seeds and folds spread them, how far off a simpler model is."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, variance

from specnet.parts.metrics import metric_of
from specnet.parts.registry import installed_registry
from specnet.parts.watchers import LOSS


def spread_of(of_folds: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Return the standard deviations of a figure over seeds on one fold, and over folds beyond that.

    That of folds is the variance of their means without what seeds make of it, 0 at least (analysis of variance of a
    one-way layout; Searle, Casella and McCulloch 1992, *Variance Components*, chapter 3).

    Parameters
    ----------
    of_folds : sequence of sequence of float
        The figures of each fold, one for each seed.
    """
    within = fmean(map(variance, of_folds))
    between = variance(map(fmean, of_folds)) - within / len(of_folds[0])
    return within**0.5, max(between, 0.0) ** 0.5


def difference_of(found: Sequence[float], folds: int) -> tuple[float, tuple[float, float] | None] | None:
    """Return by how much networks have more of a figure than a simpler predictor on the same folds.

    The folds are paired. Their training rows overlap, and so the variance of their mean is (1/k + 1/(k − 1)) times
    theirs (Nadeau and Bengio 2003, *Inference for the Generalization Error*). Without folds there is no interval: seeds
    say nothing of other rows.

    Parameters
    ----------
    found : sequence of float
        The mean difference of each fold that has one.
    folds : int
        How many there are.

    Returns
    -------
    tuple or None
        The difference, and its 95 % interval if there is one.
    """
    if not found:
        return None
    value = fmean(found)
    if len(found) < max(folds, 2):
        return value, None
    from scipy.special import stdtrit

    half = float(stdtrit(folds - 1, 0.975)) * (variance(found) * (1 / folds + 1 / (folds - 1))) ** 0.5
    return value, (value - half, value + half)


def sign_of(interval: tuple[float, float], metric: str) -> int:
    """Return 1 if a difference of a metric is an improvement beyond chance, -1 if the contrary, and 0 if neither."""
    low, high = interval
    more_is_better = int(low > 0) - int(high < 0)
    return more_is_better if _is_larger_better(metric) else -more_is_better


def _is_larger_better(name: str) -> bool:
    registry = installed_registry()
    part = registry.find("metric", metric_of(name, registry.names("metric")))
    return name != LOSS and bool(getattr(part, "larger_is_better", True))
