"""Findings about classes that a network rarely finds, and the decision threshold that would find more of them.

A threshold is advised only if its effect was measured. It has the largest F1 of the rare class on rows that the network
was not trained on, validation rows or the training rows out of fold (Lipton, Elkan and Naryanaswamy 2014, "Optimal
thresholding of classifiers to maximize F1 measure"), and it has to have a larger F1 on the test rows, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet.findings.evidence import Evidence, UnseenRows, UntestableError
from specnet.findings.finding import Finding
from specnet.number_texts import count, counted, percent
from specnet.parts.metrics.statistics import wilson_bounds
from specnet.parts.splits import OUT_OF_FOLD, VALIDATION

MIN_CLASS_ROWS = 8
"""Smallest number of rows of a class for which its recall, or a threshold that suits it, is judged."""
LOW_RECALL = 0.5
DECISION_THRESHOLD = "training.decision_threshold"
MAX_LISTED = 5
_ROWS = {VALIDATION: "validation rows", OUT_OF_FOLD: "training rows out of fold"}


def class_imbalance(evidence: Evidence) -> Iterator[Finding]:
    """A class of under 0.3/K of the training rows of which under half of the rows held out are found.

    Of more than two classes, one that `low_recall` lists is left to it.
    """
    unseen, rarest = _measured(evidence), rare_class(evidence)
    if rarest is None or (len(evidence.counts) > 2 and rarest in _low_classes(unseen, len(evidence.counts))):
        return
    its = unseen.target == rarest
    rows, found = int(its.sum()), int((unseen.prediction[its] == rarest).sum())
    if 2 * found < rows or not rows:
        share = percent(float(evidence.counts[rarest] / evidence.counts.sum()))
        seen = _recall(evidence, unseen, rarest) if rows else f"none of the {unseen.name} rows is of it"
        sentence = f"class {_name(evidence, rarest)} is {share} of the training rows, and {seen}"
        yield Finding("class-imbalance", "warning", sentence, *_remedy(evidence, rarest))


def low_recall(evidence: Evidence) -> Iterator[Finding]:
    """Classes with at least 8 rows of which clearly under half, and clearly fewer than of other rows, are found.

    A rare class of two is left to `class_imbalance`.
    """
    unseen, classes = _measured(evidence), len(evidence.counts)
    low = _low_classes(unseen, classes)
    if not low or (classes == 2 and low[0] == rare_class(evidence)):
        return
    listed = []
    for kind in low[:MAX_LISTED]:
        predicted = unseen.prediction[unseen.target == kind]
        others = np.bincount(predicted.astype(np.intp), minlength=classes)
        others[kind] = 0
        mistaken = "" if classes == 2 else f" (mistaken most for {_name(evidence, int(others.argmax()))})"
        listed.append(f"{_found(evidence, unseen, kind)}{mistaken}")
    more = f"; and {counted(len(low) - MAX_LISTED, 'more class', 'more classes')}" if len(low) > MAX_LISTED else ""
    sentence = f"of the {unseen.name} rows, {', '.join(listed)}{more}"
    remedy = _remedy(evidence, low[0]) if classes == 2 else ({}, _MORE_ROWS)
    yield Finding("low-recall", "warning", sentence, *remedy)


_MORE_ROWS = "collect more rows of them, or columns that tell them from what they are mistaken for"


def rare_class(evidence: Evidence) -> int | None:
    """Return the rarest class if it has under 0.3/K of the training rows of K classes.

    Classes with one row or none are ignored: a warning before training names them, and no setting replaces their rows.
    """
    if evidence.network.task not in ("binary", "classes"):
        return None
    several = np.flatnonzero(evidence.counts > 1)
    if not several.size:
        return None
    rarest = several[evidence.counts[several].argmin()]
    return int(rarest) if evidence.counts[rarest] / evidence.counts.sum() < 0.3 / len(several) else None


def _measured(evidence: Evidence) -> UnseenRows:
    """Return the results on test rows, or on other held-out rows without them; raise `UntestableError` without any."""
    unseen = evidence.test or evidence.known_unseen
    if evidence.network.task not in ("binary", "classes"):
        raise UntestableError
    return unseen


def _low_classes(unseen: UnseenRows, classes: int) -> list[int]:
    """Return the classes whose recall is clearly low, those with the most missed rows first.

    The 95 % interval of the recall (Wilson 1927) lies below one half and below the recall of all other rows.
    """
    right = unseen.target == unseen.prediction
    low: list[tuple[int, int]] = []
    for kind in range(classes):
        its = unseen.target == kind
        rows = int(its.sum())
        if rows < MIN_CLASS_ROWS or rows == len(its):
            continue
        _, most = wilson_bounds(float(right[its].mean()), rows)
        if most < min(LOW_RECALL, float(right[~its].mean())):
            low.append((int(right[its].sum()) - rows, kind))
    return [kind for _, kind in sorted(low)]


def _name(evidence: Evidence, kind: int) -> Any:
    return kind if evidence.labels is None else evidence.labels.values[kind]


def _recall(evidence: Evidence, unseen: UnseenRows, kind: int) -> str:
    its = unseen.target == kind
    rows, found = int(its.sum()), int((unseen.prediction[its] == kind).sum())
    if not (unseen.prediction == kind).any():
        return f"the network never predicts it: 0 of {counted(rows, f'{unseen.name} row')} found"
    return f"{count(found)} of its {counted(rows, f'{unseen.name} row')} {'is' if found == 1 else 'are'} found"


def _found(evidence: Evidence, unseen: UnseenRows, kind: int) -> str:
    its = unseen.target == kind
    name, rows, found = _name(evidence, kind), int(its.sum()), int((unseen.prediction[its] == kind).sum())
    never = "" if (unseen.prediction == kind).any() else ", which is never predicted"
    return f"{count(found)} of {count(rows)} {name} are found{never}"


def _remedy(evidence: Evidence, kind: int) -> tuple[dict[str, Any], str, str]:
    """Return changes for a class of which few rows are found, advice in words, and the measured effect."""
    training = evidence.network.spec.training
    more = f"collect more rows of {_name(evidence, kind)}"
    if training.decision_threshold is None and (advice := _threshold(evidence, kind)) is not None:
        threshold, effect = advice
        return {DECISION_THRESHOLD: threshold}, "", effect
    if training.class_weight is not None or training.decision_threshold is not None or _choosing(evidence) is not None:
        return {}, more, ""
    return {"training.class_weight": "balanced"}, "and look at the metric balanced_accuracy", ""


def _choosing(evidence: Evidence) -> UnseenRows | None:
    """Return the rows that may choose a threshold: validation rows, otherwise training rows out of fold."""
    given = (each for each in (evidence.unseen, evidence.out_of_fold) if each is not None and each.name in _ROWS)
    return next((each for each in given if each.second is not None), None)


def _threshold(evidence: Evidence, kind: int) -> tuple[float, str] | None:
    """Return the threshold with the largest F1 of a class on rows that choose it, with its effect.

    None if there are too few such rows, or if the F1 is not larger than now, on them and on test rows.
    """
    chooses = _choosing(evidence)
    if chooses is None or (chooses.target == kind).sum() < MIN_CLASS_ROWS:
        return None
    threshold, measures = best_threshold(chooses, kind), evidence.test or chooses
    if threshold is None:
        return None
    for each in (chooses, measures):
        before, after = (_counts(each.target, given, kind) for given in (each.prediction, _decided(each, threshold)))
        if after.f1 <= before.f1:
            return None
    name, total = _name(evidence, kind), int((measures.target == kind).sum())
    chosen = f"the {_ROWS[chooses.name]} chose it"
    if measures is chooses:
        chosen = "these rows also chose it, so expect less on new rows"
    effect = (
        f"on {count(len(measures.target))} {_ROWS.get(measures.name, 'test rows')}, the threshold {threshold:g} finds "
        f"{count(after.found)} of {count(total)} {name} rather than {count(before.found)}, at "
        f"{counted(after.alarms, 'false alarm')} rather than {count(before.alarms)}; {chosen}"
    )
    return threshold, effect


class _Counts(NamedTuple):
    found: int
    alarms: int
    f1: float


def _counts(target: NDArray[Any], prediction: NDArray[Any], kind: int) -> _Counts:
    its, predicted = target == kind, prediction == kind
    found, alarms = int((its & predicted).sum()), int((predicted & ~its).sum())
    return _Counts(found, alarms, 2 * found / max(1, int(its.sum()) + found + alarms))


def _decided(rows: UnseenRows, threshold: float) -> NDArray[np.intp]:
    assert rows.second is not None, "the caller has checked"
    return (rows.second >= threshold).astype(np.intp)


def best_threshold(rows: UnseenRows, kind: int) -> float | None:
    """Return the threshold with the largest F1 of one of two classes; None if all probabilities are 0 or 1.

    Thresholds have two digits, counted from the nearer of 0 and 1. Of equally good ones, that nearest to 0.5 is best.
    """
    assert rows.second is not None, "the caller has checked"
    known = rows.second.astype(np.float64)
    low, high = ([float(f"{each:.2g}") for each in part] for part in (known[known <= 0.5], 1 - known[known > 0.5]))
    known = np.unique(np.round([*low, *(1 - each for each in high)], 12))
    known = known[(known > 0) & (known < 1)]
    scores = [(_counts(rows.target, _decided(rows, each), kind).f1, -abs(each - 0.5), each) for each in known.tolist()]
    return max(scores)[2] if scores else None
