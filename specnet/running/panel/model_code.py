"""The code of a model for a page: the model itself, with rounded weights, or a small network that imitates it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.data import RawColumns
from specnet.errors import ExportError, SpecnetError
from specnet.exporting.targets.javascript import CHARACTER_BITS, inlined, shortened
from specnet.model import Model
from specnet.model.directions import outputs_of
from specnet.network import Network
from specnet.number_texts import count, counted, rounded_up
from specnet.parts.splits import TEST, TRAIN, VALIDATION, adjective
from specnet.report.terminal.bars import page_progress
from specnet.running.data_rows import Rows, SpecData
from specnet.running.distillation.imitation import imitation
from specnet.training import Observer

MAX_CODE = 2_150_000
"""The maximum number of characters of the code, so that a page with a panel has at most 2.5 MB."""
BITS = (
    *((12, 9), (9, 6), (7, 4), (6, 4), (5, 3), (4, 3), (3.5, 3)),
    *((3, 2), (2.5, 2), (2, 2), (1.5, 2), (1, 1), (0.5, 1), (0, 1)),
)
"""The bits of rounded weights and of vectors of words that are tried, each if the code with more of them is too long.

Vectors need fewer, since a text adds many of them; but the networks of an ensemble or a team, whose roundings are
different and nearly cancel in the mean, read the same vectors.
"""
MAX_APART, MAX_CHANGED = 0.1, 0.05
"""The largest difference of a panel from its model: of probabilities, or in standard deviations of predictions; and the
largest share of rows whose prediction changes, if that is a class. The trials of a team of movies' genres each change 6
to 15 % of its predictions.
"""
COMPARED_ROWS = 1_000
"""The maximum number of rows on which the code is compared with the model."""
_Compared = tuple[str, NDArray[np.intp]]
"""A split, and the indices of its rows that are compared."""
HELD_OUT = 5
"""Of this number of training rows, one is compared and not learned by the small network, if there are no other rows."""


def code_of(model: Model, data: SpecData, level: float | None) -> tuple[str, str, Model]:
    """Return the code that answers in the panel, a note, and the model of this code.

    The model itself answers if its code is short enough; otherwise with rounded weights; if this is too coarse or too
    long, a small network that imitates it. The note says how the answers differ from the model's; empty if they do not.

    Raises
    ------
    ExportError
        If the model cannot be exported as code, or the answers of all of these differ too much or are too long.
    """
    found, compared, problems = _fitting(model, level), _compared(data.splits), list[str]()
    if found is not None:
        code, short, bits = found
        if bits is None:
            return code, "", model
        is_near, amount = _difference(model, short, data.splits, compared)
        of_bits = f"of about {bits + 2:g} bits"
        if is_near:
            note = f"With weights {of_bits}, so that the page is small: differs from the model by at most {amount}."
            return code, note, short
        problems.append(f"with weights that fit, {of_bits}, the panel would differ from it by up to {amount}")
    student = _student(model, data, compared)
    found = None if student is None else _fitting(student, level)
    if found is not None:
        code, short, _ = found
        is_near, amount = _difference(model, short, data.splits, compared)
        if is_near:
            note = "Here a small network answers that was trained on the model's predictions, because the model is too"
            return code, f"{note} large for a page. It differs from the model by at most {amount}.", short
        problems.append(
            f"a panel with a small network trained on its predictions would differ from it by up to {amount}"
        )
    parameters = sum(each.theta.size for each in model.networks)
    if sum(len(each.members) for each in model.networks) > 1:
        problems.append("specnet distill trains a smaller network on its predictions")
    raise ExportError("; ".join([f"the model is too large for a page: {count(parameters)} parameters", *problems]))


def _fitting(model: Model, level: float | None) -> tuple[str, Model, float | None] | None:
    """Return code that is short enough, its model, and the bits of its weights if rounded; None if none is."""
    parameters = sum(each.theta.size for each in model.networks)
    code = inlined(model, level) if parameters * 26 / CHARACTER_BITS <= MAX_CODE else ""
    if code and len(code) <= MAX_CODE:
        return code, model, None
    for bits, vector_bits in BITS:
        if parameters * (bits + 1) / CHARACTER_BITS <= MAX_CODE:
            short = shortened(model, bits, vector_bits)
            code = inlined(short, level)
            if len(code) <= MAX_CODE:
                return code, short, bits
    return None


def _student(model: Model, data: SpecData, compared: _Compared) -> Model | None:
    """Return a small network that imitates a model and has not learned from the compared rows; None without one."""
    split, chosen = compared
    train = data.splits[TRAIN]
    learned = train.some(np.setdiff1d(np.arange(len(train)), chosen)) if split == TRAIN else train
    with page_progress("epochs of a small network for the page") as progress, suppress(SpecnetError):
        most = int(MAX_CODE * CHARACTER_BITS / (BITS[0][0] + 2))
        return imitation(model, data, learned, most, _Epochs(progress.show))
    return None


class _Epochs(Observer):
    """Shows the number of finished epochs."""

    follows_log = False

    def __init__(self, show: Callable[[int, int], None]) -> None:
        self._show, self._epochs = show, 0

    def started(self, network: Network, rows: Mapping[str, int], epochs: int) -> None:
        self._epochs = epochs

    def logged(self, epoch: int, record: Mapping[str, Any]) -> None:
        self._show(epoch, self._epochs)


def _compared(splits: Mapping[str, Rows]) -> _Compared:
    """Return a split, and which of its rows are compared: test rows, else validation rows, else some training rows."""
    split = next(name for name in (TEST, VALIDATION, TRAIN) if splits.get(name))
    rows = len(splits[split])
    most = min(COMPARED_ROWS, max(rows // HELD_OUT, 1)) if split == TRAIN else COMPARED_ROWS
    return split, np.unique(np.linspace(0, rows - 1, most).round().astype(np.intp))


def _difference(model: Model, short: Model, splits: Mapping[str, Rows], compared: _Compared) -> tuple[bool, str]:
    """Return whether another model differs within `MAX_APART` and `MAX_CHANGED`, and how much, in words."""
    split, chosen = compared
    rows = RawColumns(np.asarray(splits[split].columns[chosen]), splits[split].kinds)
    are_probabilities = model.gives_probabilities
    own, other = (np.asarray(outputs_of(each, rows), np.float64) for each in (model, short))
    most = float(np.abs(own - other).max(initial=0))
    amount = f"{rounded_up(100 * most)} percentage points" if are_probabilities else rounded_up(most)
    labels, changed = "", 0
    if model.network.task != "values":
        different = np.not_equal(model.predict(rows), short.predict(rows)).reshape(len(chosen), -1)
        changed = int(different.any(axis=1).sum())
        many = counted(changed, "prediction changes", "predictions change")
        labels = f"; {many if changed else 'no prediction changes'}"
    is_near = most <= MAX_APART * (1 if are_probabilities else float(np.std(own)))
    is_near &= changed <= MAX_CHANGED * len(chosen)
    return is_near, f"{amount} on {count(len(chosen))} {adjective(split)} rows{labels}"
