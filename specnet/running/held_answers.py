"""What networks answer for rows that they were not trained on, so that other networks' answers are comparable."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet.running.fitting import FitResult


class HeldAnswers(NamedTuple):
    """What is answered for rows by networks that were not trained on them, as other networks' answers are comparable.

    Attributes
    ----------
    name : str
        The part of the split that the rows are of.
    rows : ndarray (rows,)
        Their places in it.
    kind : str
        What the outputs are, as `Decoder.kind` says.
    outputs : ndarray (rows, outputs)
        As `Decoder.comparable` returns them.
    """

    name: str
    rows: NDArray[np.intp]
    kind: str
    outputs: NDArray[np.float64]


def held_answers(fitted: FitResult) -> HeldAnswers | None:
    """Return the answers for the rows held out, if there are such rows."""
    if fitted.held_out is None:
        return None
    (raw, answers), decoder = fitted.held_out, fitted.model.decoder
    return HeldAnswers(fitted.data.held_out, np.arange(len(answers)), decoder.kind, decoder.comparable(raw))


def answers_of_member(fitted: FitResult, member: int) -> HeldAnswers:
    """Return the answers for the fold of a member of an ensemble, which alone was trained."""
    model, rows = fitted.model, fitted.data.splits["train"].in_fold(member)
    ((theta, state),) = model.members
    raw = model.network.predict_checked(theta, fitted.prepared("train")[rows], state, raw=True)
    return HeldAnswers("train", np.flatnonzero(rows), model.decoder.kind, model.decoder.comparable([raw]))
