"""What a page shows of a model beside the files of its folder: its answers for rows, and what they depend on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from specnet.model import Answers, Model
    from specnet.report.panel.ask_panel import AskPanel
    from specnet.report.plane.surfaces import Plane


NAMED_CLASSES = 4
"""Up to so many integer labels are called class 0, class 1, …; more are only numbers."""


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

    What it predicts is a value in its unit, or probabilities.

    Attributes
    ----------
    rows : int
        The number of test rows.
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

    rows: int
    column: str
    cells: NDArray[np.float64]
    texts: Sequence[str]
    are_numbers: bool
    outputs: tuple[int, ...]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelAnswers:
    """What a page shows of a model's answers for rows.

    Attributes
    ----------
    model : Model
    columns : sequence of str
        What the raw columns are called.
    answers : Answers or None
        Of the test rows; None if there are none, or they cannot be read again.
    absent : str or None
        Why not, where that is so.
    uncalibrated : Answers or None
        Of the same rows by the network before its probabilities were calibrated, if they were.
    importance : Importance or None
    responses : sequence of Response or None
        To the most important columns, the first one first, where that does not take too long.
    images : ndarray (rows, side, side) or None
        The test rows where all columns together are square grey images, from 0, white on paper, to 1, black.
    panel : AskPanel or None
        The model, where the page's script can compute it.
    plane : Plane or None
        Where two columns of numbers are a plane.
    """

    model: Model
    columns: Sequence[str]
    answers: Answers | None
    absent: str | None = None
    uncalibrated: Answers | None = None
    importance: Importance | None = None
    responses: Sequence[Response] | None = None
    images: NDArray[Any] | None = None
    panel: AskPanel | None = None
    plane: Plane | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; none where the model is not a classifier."""
        labels = self.model.labels
        if labels is None:
            return ()
        are_numbers = labels.dtype.kind == "i" and len(labels) <= NAMED_CLASSES
        return tuple(f"class {label}" if are_numbers else str(label) for label in labels)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the outputs, which are columns of the target: target or y1, y2, … where they have none."""
        size = self.model.network.target_size
        unnamed = ("target",) if size == 1 else tuple(f"y{number}" for number in range(1, size + 1))
        return tuple(self.model.target_names or ()) or unnamed

    @property
    def target(self) -> str:
        """What the model predicts, in words."""
        name = getattr(self.model.spec.data, "target", None)
        if isinstance(name, str):
            return name
        if self.model.labels is not None:
            return "the class"
        return "the target" if self.model.network.target_size == 1 else "the targets"
