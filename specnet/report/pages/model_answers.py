"""What a page shows of a model beside the files of its folder: its answers for rows, and what they depend on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from specnet.model import Answers, Model
    from specnet.report.panel.ask_panel import AskPanel
    from specnet.report.plane.surfaces import Plane


class PageNames(NamedTuple):
    """What a page calls the raw columns, the classes if there are some, and the outputs, which are columns of a target.

    Attributes
    ----------
    columns, classes, outputs : tuple of str
    target : str
        What the model predicts, in words.
    """

    columns: tuple[str, ...]
    classes: tuple[str, ...]
    outputs: tuple[str, ...]
    target: str


@dataclass(frozen=True, eq=False)
class Importance:
    """How much a score falls when a column is shuffled among test rows.

    Attributes
    ----------
    score : str
        The name of the metric; of ``loss`` it is how much that rises.
    rows, shuffles : int
    columns : sequence of str
    mean, deviation : ndarray (columns,)
        Over the shuffles.
    """

    score: str
    rows: int
    shuffles: int
    columns: Sequence[str]
    mean: NDArray[Any]
    deviation: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Response:
    """What a model predicts as one column moves, and all others stay as they are in some test rows.

    Attributes
    ----------
    column : str
    cells : ndarray (cells,)
        What the column is set to.
    texts : sequence of str
        What these cells are called.
    are_numbers : bool
        Whether they have places along an axis.
    outputs : tuple of int
        Those that are shown; of several classes that which the column moves most comes first.
    mean : ndarray (outputs, cells)
        Over the rows.
    low, high : ndarray (cells,)
        Of the first output: four fifths of the rows lie between them.
    """

    column: str
    cells: NDArray[np.float64]
    texts: Sequence[str]
    are_numbers: bool
    outputs: tuple[int, ...]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Responses:
    """How a model responds to its most important columns.

    Attributes
    ----------
    rows : int
        The number of test rows.
    names : sequence of str
        Of all classes, or of the columns of the target.
    are_probabilities : bool
        Whether probabilities of these are predicted, and not their values.
    curves : sequence of Response
        The most important column first.
    """

    rows: int
    names: Sequence[str]
    are_probabilities: bool
    curves: Sequence[Response]


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelAnswers:
    """What a page shows of a model's answers for rows.

    Attributes
    ----------
    model : Model
    names : PageNames
    absent : str or None
        Why the rows cannot be read again, where that is so.
    answers : Answers or None
        Of the test rows; None if there are none, or they cannot be read again.
    uncalibrated : Answers or None
        Of the same rows by the network before its probabilities were calibrated, if they were.
    importance : Importance or None
    responses : Responses or None
        To the most important columns, where that does not take too long.
    images : ndarray (rows, side, side) or None
        The test rows where all columns together are square grey images, from 0, white on paper, to 1, black.
    panel : AskPanel or None
        The model, where the page's script can compute it.
    plane : Plane or None
        Where two columns of numbers are a plane.
    """

    model: Model
    names: PageNames
    absent: str | None
    answers: Answers | None
    uncalibrated: Answers | None = None
    importance: Importance | None = None
    responses: Responses | None = None
    images: NDArray[Any] | None = None
    panel: AskPanel | None = None
    plane: Plane | None = None
