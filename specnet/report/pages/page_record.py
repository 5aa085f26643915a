"""What the page of a run is made from: plain data and arrays, wherever they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from specnet.findings import Finding
    from specnet.model import Answers, ErrorQuantiles
    from specnet.parts.arrays import Array
    from specnet.report.panel.ask_panel import AskPanel
    from specnet.report.plane.surfaces import Plane
    from specnet.spec import Resolved


class WrittenSpec(NamedTuple):
    """The spec as it was given.

    Attributes
    ----------
    name : str
        The name of the file in the folder of the run.
    text : str
    overrides : tuple of str
        Settings ``KEY=VALUE`` of the command line.
    """

    name: str
    text: str
    overrides: tuple[str, ...]


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


@dataclass(frozen=True, eq=False)
class Images:
    """Test rows that are square grey images.

    Attributes
    ----------
    rows : ndarray (rows, side, side)
        From 0, white on paper, to the largest of all training rows, black.
    largest : float
    """

    rows: NDArray[Any]
    largest: float


@dataclass(frozen=True, eq=False, kw_only=True)
class AnswersRecord:
    """What a page tells of a model's answers.

    Attributes
    ----------
    resolved : Resolved
        The network, with all sizes; of a team the first one.
    evaluation : mapping
        What ``metrics.json`` says.
    task : str
        As `specnet.network.Network.task` has it.
    classes, outputs : tuple of str
        The names of the classes if there are some, and of the columns of the target.
    target : str
        What the model predicts, in words.
    answers : Answers or None
        Of the test rows; None if there are none, or they cannot be read again.
    absent : str or None
        Why the rows cannot be read again, where that is so.
    uncalibrated : Answers or None
        Of the same rows by the network before its probabilities were calibrated, if they were.
    errors : ErrorQuantiles or None
        That the intervals of the model are made of.
    importance : Importance or None
    responses : Responses or None
        To the most important columns, where that does not take too long.
    """

    resolved: Resolved
    evaluation: Mapping[str, Any]
    task: str
    classes: tuple[str, ...]
    outputs: tuple[str, ...]
    target: str
    answers: Answers | None
    absent: str | None
    uncalibrated: Answers | None = None
    errors: ErrorQuantiles | None = None
    importance: Importance | None = None
    responses: Responses | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class PageRecord(AnswersRecord):
    """What the page of a run is made from.

    Attributes
    ----------
    parameters : mapping of str to array
        By name: a weight is (outputs, inputs). Of an ensemble those of its first member.
    weights : mapping of str to float or None
        The root mean square of the weights of each layer of that network, by its name.
    members : int
        The number of networks that were trained.
    facts : mapping
        What ``run.json`` says.
    history, looks : sequence of mapping
        The lines of ``history.jsonl`` and ``layers.jsonl``.
    findings : sequence of Finding
    tests : int or None
        How many tests looked for them; None where that is not known, as in folders of earlier versions.
    inputs : sequence of str
        What the network's inputs are called.
    spec : WrittenSpec
    settings : sequence of (key, value, origin)
        The resolved spec: each value, and the line of the spec, the override, the data or the default that set it.
    images : Images or None
        Where all columns together are square grey images.
    panel : AskPanel or None
        The model, where the page's script can compute it.
    plane : Plane or None
        Where two columns of numbers are a plane.
    snapshots : mapping
        What ``snapshots.safetensors`` holds: arrays by name, by epoch.
    """

    parameters: Mapping[str, Array]
    weights: Mapping[str, float | None]
    members: int
    facts: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    looks: Sequence[Mapping[str, Any]]
    findings: Sequence[Finding]
    tests: int | None
    inputs: Sequence[str]
    spec: WrittenSpec
    settings: Sequence[tuple[str, str, str]]
    images: Images | None
    panel: AskPanel | None
    plane: Plane | None
    snapshots: Mapping[int, Mapping[str, Array]]
