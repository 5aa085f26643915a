"""Findings about classes that a network rarely finds, and the decision threshold that would find more of them.

A threshold is advised only if its effect was measured. It has the largest F1 of the rare class on rows that the network
was not trained on, validation rows or the training rows out of fold (Lipton, Elkan and Naryanaswamy 2014, "Optimal
thresholding of classifiers to maximize F1 measure"), and it has to have a larger F1 on the test rows, too. Without such
rows it is the share of the second class in the training rows, which no row has to choose.

Class weights are not advised: only training shows their effect. Dividing probabilities by the shares of classes, which
balanced weights do in theory, promised 5 of 7 rows of a class of storms of which the weighted network found none.
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
_ROWS = {VALIDATION: "validation rows", OUT_OF_FOLD: "out-of-fold training rows"}


def class_imbalance(evidence: Evidence) -> Iterator[Finding]:
    """A class of under 0.3/K of the training rows (K classes), of which under half of the rows held out are found.

    Of more than two classes, one that `low_recall` lists is left to it. A decision threshold is a choice between misses
    and false alarms, so that with one only a class that is never predicted is reported.
    """
    unseen, rarest = _measured(evidence), rare_class(evidence)
    if rarest is None or _is_chosen(evidence, unseen, rarest):
        return
    if len(evidence.counts) > 2 and rarest in _low_classes(unseen, len(evidence.counts)):
        return
    its = unseen.target == rarest
    rows, found = int(its.sum()), int((unseen.prediction[its] == rarest).sum())
    if 2 * found < rows or not rows:
        share = percent(float(evidence.counts[rarest] / evidence.counts.sum()))
        seen = _recall(evidence, unseen, rarest) if rows else f"none of the {unseen.name} rows is of it"
        sentence = f"class {_label(evidence, rarest)} is {share} of the training rows, and {seen}"
        yield Finding("class-imbalance", "warning", sentence, *_remedy(evidence, rarest))


def low_recall(evidence: Evidence) -> Iterator[Finding]:
    """Classes with at least 8 rows of which clearly under half, and clearly fewer than of other rows, are found.

    A rare class of two is left to `class_imbalance`.
    """
    unseen, classes = _measured(evidence), len(evidence.counts)
    low = _low_classes(unseen, classes)
    if not low or (classes == 2 and low[0] == rare_class(evidence)) or _is_chosen(evidence, unseen, low[0]):
        return
    listed = []
    for kind in low[:MAX_LISTED]:
        predicted = unseen.prediction[unseen.target == kind]
        others = np.bincount(predicted.astype(np.intp), minlength=classes)
        others[kind] = 0
        mistaken = "" if classes == 2 else f" (mistaken most often for {_name(evidence, int(others.argmax()))})"
        listed.append(f"{_found(evidence, unseen, kind)}{mistaken}")
    more = f"; and {counted(len(low) - MAX_LISTED, 'more class', 'more classes')}" if len(low) > MAX_LISTED else ""
    sentence = f"of the {unseen.name} rows, {', '.join(listed)}{more}"
    remedy = _remedy(evidence, low[0]) if classes == 2 else ({}, _MORE_ROWS)
    yield Finding("low-recall", "warning", sentence, *remedy)


_READ = 'see "Predict a rare class" in the documentation'
_MORE_ROWS = (
    f"collect more rows of them, or columns that distinguish them from the classes they are mistaken for; {_READ}"
)


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


def _label(evidence: Evidence, kind: int) -> str:
    return str(kind if evidence.labels is None else evidence.labels.values[kind])


def _name(evidence: Evidence, kind: int) -> str:
    """Return a class in words: its label, or ``class 2`` if this is a number."""
    label = _label(evidence, kind)
    return f"class {label}" if label.isdecimal() else label


def _counted(evidence: Evidence, kind: int) -> str:
    """Return a class after a number of its rows, such as ``Yes``, or ``of class 2``."""
    label = _label(evidence, kind)
    return f"of class {label}" if label.isdecimal() else label


def _recall(evidence: Evidence, unseen: UnseenRows, kind: int) -> str:
    its = unseen.target == kind
    rows, found = int(its.sum()), int((unseen.prediction[its] == kind).sum())
    if not (unseen.prediction == kind).any():
        return f"the network never predicts it: 0 of {counted(rows, f'{unseen.name} row')} found"
    return f"{count(found)} of its {counted(rows, f'{unseen.name} row')} {'is' if found == 1 else 'are'} found"


def _found(evidence: Evidence, unseen: UnseenRows, kind: int) -> str:
    its = unseen.target == kind
    name, rows, found = _counted(evidence, kind), int(its.sum()), int((unseen.prediction[its] == kind).sum())
    never = "" if (unseen.prediction == kind).any() else ", which is never predicted"
    return f"{count(found)} of {count(rows)} {name} are found{never}"


def _remedy(evidence: Evidence, kind: int) -> tuple[dict[str, Any], str, str]:
    """Return changes for a class of which few rows are found, advice in words, and the measured effect."""
    if evidence.network.spec.training.decision_threshold is None and (advice := _threshold(evidence, kind)) is not None:
        threshold, effect = advice
        return {DECISION_THRESHOLD: threshold}, "", effect
    return {}, f"collect more rows of {_name(evidence, kind)}; {_READ}", ""


def _is_chosen(evidence: Evidence, unseen: UnseenRows, kind: int) -> bool:
    """Return whether a decision threshold decides how many rows of a class are found, and some are predicted as it."""
    has_threshold = evidence.network.spec.training.decision_threshold is not None
    return has_threshold and bool((unseen.prediction == kind).any())


def _choosing(evidence: Evidence, kind: int) -> UnseenRows | None:
    """Return rows with enough of a class to choose its threshold: validation rows, or training rows out of fold."""
    given = (each for each in (evidence.unseen, evidence.out_of_fold) if each is not None and each.name in _ROWS)
    chosen = (each for each in given if each.second is not None)
    return next((each for each in chosen if (each.target == kind).sum() >= MIN_CLASS_ROWS), None)


def _threshold(evidence: Evidence, kind: int) -> tuple[float, str] | None:
    """Return a threshold that finds more of a class, with its effect; see the text at the top of this file.

    None if there are too few rows; or if, on the rows that choose it or on test rows, the F1 is not larger than now and
    than that of always predicting the class.
    """
    chooses = _choosing(evidence, kind)
    measures = evidence.test or chooses or evidence.known_unseen
    if measures.second is None or (measures.target == kind).sum() < MIN_CLASS_ROWS:
        return None
    if chooses is not None:
        threshold = best_threshold(chooses, kind)
    else:  # weighted probabilities are no frequencies, of which the share would be the mean
        is_weighted = evidence.network.spec.training.class_weight is not None
        threshold = None if is_weighted else _two_digits(float(evidence.counts[1] / evidence.counts.sum()))
    if threshold is None:
        return None
    for each in (chooses or measures, measures):
        before, after = (_counts(each.target, given, kind) for given in (each.prediction, _decided(each, threshold)))
        always = _counts(each.target, np.full(len(each.target), kind), kind)
        if after.f1 <= max(before.f1, always.f1):
            return None
    name, total = _counted(evidence, kind), int((measures.target == kind).sum())
    chosen = "it equals the fraction of the second class in the training rows"
    if chooses is not None:
        chosen = f"it was chosen on {_ROWS[chooses.name]}"
    if measures is chooses:
        chosen = "it was chosen on these rows, so expect less on new rows"
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
    known = np.unique([*map(_two_digits, rows.second.astype(np.float64).tolist())])
    known = known[(known > 0) & (known < 1)]
    scores = [(_counts(rows.target, _decided(rows, each), kind).f1, -abs(each - 0.5), each) for each in known.tolist()]
    return max(scores)[2] if scores else None


def _two_digits(probability: float) -> float:
    """Return a probability with two digits, counted from the nearer of 0 and 1."""
    if probability <= 0.5:
        return float(f"{probability:.2g}")
    return round(1 - float(f"{1 - probability:.2g}"), 12)
