"""What a page shows of a model beside the files of its folder: its answers for rows, and what they depend on.

`AskPanel` is what the script ``panel.js`` of a page that one can ask is given; it computes all answers by the code of
the JavaScript export.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from specnet.number_texts import cell_text, day_text
from specnet.parts.splits import TEST
from specnet.report.class_charts import class_figures, class_thresholds
from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import Figure
from specnet.report.value_charts import (
    coverage_sentence,
    drawn_coverage,
    importance_figure,
    output_table,
    response_figures,
    value_figures,
)

if TYPE_CHECKING:
    from specnet.model import Answers, Model
    from specnet.report.plane_story import Plane

Cell = float | str | None
"""A raw cell as the exported code takes it: a date as days since 1970, None if it is missing."""
AskRow = Mapping[str, Any]
"""A row to ask about: its raw ``cells``, and a ``text`` that says which one it is and what is true of it."""
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
    """The predictions for test rows in which one column is set to each of several cells, and all others are unchanged.

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
        Whether they are numbers on an axis, and not names.
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


@dataclass(frozen=True)
class AskColumn:
    """A raw column, and the control that sets it.

    Attributes
    ----------
    index : int
        Among the raw columns.
    name : str
    kind : {"number", "date", "choice"}
        A slider, a date field, or a list.
    quantiles : sequence of float
        Of the training rows, from the smallest to the largest number; of a list empty.
    is_whole : bool
        Whether all numbers of the training rows are integers.
    options : sequence of str or float
        The cells that a list offers.
    may_be_missing : bool
        Whether the cell can be missing.
    """

    index: int
    name: str
    kind: Literal["number", "date", "choice"]
    quantiles: Sequence[float] = ()
    is_whole: bool = False
    options: Sequence[str | float] = ()
    may_be_missing: bool = False

    def text(self, cell: Cell) -> str:
        """Return a cell as text."""
        if cell is None or isinstance(cell, str):
            return "missing" if cell is None else cell
        if self.kind == "date":
            return day_text(cell)
        return cell_text(cell)


@dataclass(frozen=True, eq=False)
class AskPanel:
    """A model that the reader of a page can ask.

    Attributes
    ----------
    code : str
        Of the JavaScript export: statements that define ``forward`` and, with intervals, ``interval``.
    columns : sequence of AskColumn
        The most important first.
    typical : AskRow
        Medians and the most frequent texts of the training rows.
    rows, worst : sequence of AskRow
        Test rows, and those with the largest losses.
    kind : {"classes", "binary", "values", "outputs"}
        What the numbers of ``forward`` are: probabilities of classes, that of the second class, values, or others.
    names : sequence of str
        Of the classes or outputs.
    level : int or None
        Of the intervals, in percent.
    note : str
        A sentence on which member predicts, if it is not the whole model; else empty.
    """

    code: str
    columns: Sequence[AskColumn]
    typical: AskRow
    kind: Literal["classes", "binary", "values", "outputs"]
    names: Sequence[str]
    rows: Sequence[AskRow] = field(default=())
    worst: Sequence[AskRow] = field(default=())
    level: int | None = None
    note: str = ""

    def data(self, plane: Sequence[Axis] | None) -> dict[str, Any]:
        """Return all but the code as plain data, with the ends of the axes where two columns are a plane."""
        ends = None if plane is None else [(axis.low, axis.high) for axis in plane]
        return {name: value for name, value in asdict(self).items() if name != "code"} | {"plane": ends}

    def model(self) -> Markup:
        """Return the code, which nothing in it can end before the script does."""
        return Markup(self.code.replace("</", "<\\/").replace("<!--", "<\\u0021--"))


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


def results_of(shown: ModelAnswers, evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the template ``results.html.j2``: charts and sentences about the predictions for test rows.

    Parameters
    ----------
    shown : ModelAnswers
    evaluation : mapping
        What ``metrics.json`` says.
    """
    classes, covered = shown.classes, drawn_coverage(evaluation)
    return {
        "results": list(_results(shown, evaluation)),
        "thresholds": class_thresholds(shown.answers) if len(classes) == 2 else None,
        "classes": classes,
        "uses": _uses(shown),
        "responses": shown.responses,
        "covered": "" if covered is None else coverage_sentence(covered, shown.outputs, shown.model.network.task),
        "is_weighted": shown.answers is not None and shown.answers.weight is not None,
        "outputs": output_table(evaluation, shown.outputs, shown.model.network.task),
        "has_test_rows": TEST in evaluation,
        "absent": shown.absent,
    }


def _uses(shown: ModelAnswers) -> list[Figure]:
    """Return the charts of the importance of columns, and of the responses to the most important ones."""
    if shown.importance is None:
        return []
    are_probabilities, outputs = shown.model.network.task != "values", shown.classes or shown.outputs
    responses = response_figures(shown.responses or (), outputs, are_probabilities=are_probabilities)
    return [importance_figure(shown.importance), *responses]


def _results(shown: ModelAnswers, evaluation: Mapping[str, Any]) -> Iterator[Figure]:
    tables = evaluation.get("tables", {}).get("test", {})
    if shown.classes:
        yield from class_figures(tables.get("confusion"), shown.classes, shown.answers, shown.uncalibrated)
    elif shown.model.network.task == "values" and shown.answers is not None:
        from specnet.parts.losses import Quantile

        loss = shown.model.spec.training.loss
        quantile = loss.quantile if isinstance(loss, Quantile) else None
        covered = drawn_coverage(evaluation)
        yield from value_figures(shown.answers, shown.outputs, quantile, covered, shown.model.error_quantiles)
