"""The predictions of a model that a page shows, and the columns on which they depend.

`AskPanel` contains the data for the script ``panel.js`` of an interactive page, which computes predictions with the
code of the JavaScript export.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from specnet.exporting import TARGETS, find_target
from specnet.findings.slices import slice_sentence
from specnet.model.directions import MOVED_ROWS, promise
from specnet.number_texts import count, counted, figure
from specnet.parts.splits import TEST
from specnet.report.class_charts import class_figures, class_thresholds
from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import Figure
from specnet.report.value_charts import (
    Importance,
    Response,
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
    from specnet.report.terminal.terminal_output import TextTable

Cell = float | str | None
"""A raw cell as input of the exported code: a date is the number of days since 1970; None if missing."""
AskRow = Mapping[str, Any]
"""A row to choose in the panel: its raw ``cells``, and a ``text`` with its name and its true value."""
NAMED_CLASSES = 4
"""Largest number of integer labels that are named class 0, class 1, …; more labels are shown as numbers."""


@dataclass(frozen=True)
class AskColumn:
    """A raw column, and the control of the panel that sets it.

    Attributes
    ----------
    index : int
        Index among the raw columns.
    name : str
    kind : {"number", "date", "choice", "words"}
        Kind of the control: a slider, a date field, a list, or a field for a text.
    quantiles : sequence of float
        Quantiles of the training rows, from the minimum to the maximum; empty for a list and a text.
    decimals : int or None
        Number of decimals that write all numbers of the training rows; None if they are many.
    options : sequence of str or float
        Cells that a list offers.
    may_be_missing : bool
        Whether the cell can be missing.
    format : str
        The format of dates in the file, such as ``%d/%m/%Y``; empty for other columns.
    words : (str, str) or None
        The words of the file for false and true, if the column has booleans.
    """

    index: int
    name: str
    kind: Literal["number", "date", "choice", "words"]
    quantiles: Sequence[float] = ()
    decimals: int | None = None
    options: Sequence[str | float] = ()
    may_be_missing: bool = False
    format: str = ""
    words: tuple[str, str] | None = None


@dataclass(frozen=True, eq=False)
class AskPanel:
    """The data of the panel in which a reader changes inputs and sees the predictions.

    Attributes
    ----------
    code : str
        Statements of the JavaScript export that define ``forward`` and, with intervals, ``interval``.
    columns : sequence of AskColumn
        Columns, the most important first.
    typical : AskRow
        A training row near the centre of all, or medians and the most frequent texts.
    rows, mistakes : sequence of AskRow
        Test rows, and test rows whose class is wrong or whose error is among the largest.
    kind : {"classes", "binary", "multilabel", "values", "outputs"}
        Kind of the numbers that ``forward`` returns: probabilities of all classes, of the second class, or of several
        independent outputs, values, or other outputs.
    names : sequence of str
        Names of the classes or outputs.
    level : int or None
        Level of the intervals, in percent.
    note : str
        Sentence on how much the panel's predictions differ from the model's; empty if they do not.
    boundary : float
        Output above which the second of two classes is predicted.
    decimals : sequence of int or None
        Number of decimals of each predicted value, as in `AskColumn`; None for other kinds.
    pad : (int, float) or None
        Width of the square grey images whose pixels are the columns, and the largest grey value.
    why : mapping or None
        Training rows to which a row is compared, as raw cells, ``rows``, and their ``weights``; ``ranks`` of the
        columns in random orders, or None if all coalitions are computed; and the ``names`` of all columns. None without
        rows, and for images.
    trials : sequence of (str, int)
        For a team the name of each trial and the number of its networks, in the order in which `code` calls them.
    """

    code: str
    columns: Sequence[AskColumn]
    typical: AskRow
    kind: Literal["classes", "binary", "multilabel", "values", "outputs"]
    names: Sequence[str]
    rows: Sequence[AskRow] = field(default=())
    mistakes: Sequence[AskRow] = field(default=())
    level: int | None = None
    note: str = ""
    boundary: float = 0.5
    decimals: Sequence[int | None] | None = None
    pad: tuple[int, float] | None = None
    why: Mapping[str, Any] | None = None
    trials: Sequence[tuple[str, int]] = ()

    def data(self, plane: Sequence[Axis] | None) -> dict[str, Any]:
        """Return what the script needs as plain data, with the ends of the axes of a plane if there is one."""
        ends = None if plane is None else [(axis.low, axis.high) for axis in plane]
        return {name: value for name, value in asdict(self).items() if name not in ("code", "note")} | {"plane": ends}

    def model(self) -> Markup:
        """Return the code as the content of a script element, escaped so that it cannot end the element."""
        return Markup(self.code.replace("</", "<\\/").replace("<!--", "<\\u0021--"))


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelAnswers:
    """The predictions of a model for test rows, and derived data, that a page shows.

    Attributes
    ----------
    model : Model
    columns : sequence of str
        Names of the raw columns.
    answers : Answers or None
        Predictions for the test rows; None without test rows, or if they cannot be read again.
    absent : str or None
        Reason why the test rows cannot be read.
    uncalibrated : Answers or None
        Predictions for the same rows before calibration, if probabilities are calibrated.
    importance : Importance or None
    responses : sequence of Response or None
        Responses to the most important columns, in this order; None if they take too long to compute.
    images : ndarray (rows, height, width) or None
        Test rows as square grey images from 0 (white) to 1 (black), if their columns are pixels.
    mistakes, least_sure : TextTable or None
        Test rows with the worst mistakes, or the largest errors, and right predictions of which the model is the least
        sure.
    panel : AskPanel, str or None
        Data of the panel, or the reason why the page's script cannot compute the model; None without rows.
    plane : Plane or None
        Plane of inputs, if they are two columns of numbers.
    """

    model: Model
    columns: Sequence[str]
    answers: Answers | None
    absent: str | None = None
    uncalibrated: Answers | None = None
    importance: Importance | None = None
    responses: Sequence[Response] | None = None
    images: NDArray[Any] | None = None
    mistakes: TextTable | None = None
    least_sure: TextTable | None = None
    panel: AskPanel | str | None = None
    plane: Plane | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; empty if the model is not a classifier."""
        labels = self.model.labels
        if labels is None:
            return ()
        are_numbers = labels.dtype.kind == "i" and len(labels) <= NAMED_CLASSES
        return tuple(f"class {label}" if are_numbers else str(label) for label in labels)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the outputs, which are columns of the target; by default target, or y1, y2, …."""
        size = self.model.network.target_size
        unnamed = ("target",) if size == 1 else tuple(f"y{number}" for number in range(1, size + 1))
        return tuple(self.model.target_names or ()) or unnamed

    @property
    def target(self) -> str:
        """The name of the predicted target: its column, or "the class", "the target" or "the targets"."""
        name = getattr(self.model.spec.data, "target", None)
        if isinstance(name, str):
            return name
        if self.model.labels is not None:
            return "the class"
        return "the target" if self.model.network.target_size == 1 else "the targets"


def results_of(shown: ModelAnswers, evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the template ``results.html.j2``: charts and texts about the predictions for test rows.

    Parameters
    ----------
    shown : ModelAnswers
    evaluation : mapping
        Contents of ``metrics.json``.
    """
    decision = shown.model.spec.training.decision_threshold
    classes, covered = shown.classes, drawn_coverage(evaluation)
    tables = evaluation.get("tables", {}).get(TEST, {})
    return {
        "results": list(_results(shown, evaluation)),
        "thresholds": class_thresholds(shown.answers, decision) if len(classes) == 2 else None,
        "classes": classes,
        "uses": _uses(shown),
        "responses": shown.responses,
        "covered": "" if covered is None else coverage_sentence(covered, shown.outputs, shown.model.network.task),
        "directions": _directions(shown.model, evaluation),
        "is_weighted": shown.answers is not None and shown.answers.weight is not None,
        "outputs": output_table(evaluation, shown.outputs, shown.model.network.task),
        "has_test_rows": TEST in evaluation,
        "absent": shown.absent,
        "failing": _failing(shown, evaluation),
        "are_pictures": shown.images is not None,
        "are_mistakes": bool(classes) or shown.model.network.task == "multilabel",
        "mistakes": shown.mistakes,
        "least_sure": shown.least_sure,
        "slices": [*map(slice_sentence, tables.get("slices", ()))],
    }


def _directions(model: Model, evaluation: Mapping[str, Any]) -> str:
    """Return what holds for monotone columns, and in which exports to the last bit; empty without such columns."""
    sentences = [promise(model, never_falls=False)]
    if not sentences[0]:
        return ""
    if "monotone" in evaluation:
        fall = evaluation["monotone"]["largest_fall"]
        largest = f"The largest fall was {figure(fall)} units" if fall else "None fell"
        sentences.append(f"{largest} while these columns moved in {MOVED_ROWS} training rows.")
    targets = [target for target in map(find_target, TARGETS) if target.never_falls(model, model.network.dtype)]
    if targets:
        *first, last = [target.title for target in targets]
        titles = " and ".join(filter(None, (", ".join(first), last)))
        sentences.append(f"In exports to {titles} they do not fall even in the last bit.")
    return " ".join(sentences)


def _failing(shown: ModelAnswers, evaluation: Mapping[str, Any]) -> str:
    """Return a sentence with the number of mistakes on test rows; empty without answers."""
    answers = shown.answers
    if answers is None or TEST not in evaluation:
        return ""
    rows = counted(len(answers), "test row")
    if not shown.classes and shown.model.network.task != "multilabel":
        what = (
            "an error is the prediction minus the true value"
            if len(shown.outputs) == 1
            else "in the order of their loss"
        )
        return f"Of {rows}; {what}."
    wrong = np.not_equal(answers.target, answers.prediction).reshape(len(answers), -1).any(axis=1)
    if not wrong.any():
        return f"None of {rows} is wrong."
    text = f"{count(int(wrong.sum()))} of {rows} {'is' if wrong.sum() == 1 else 'are'} wrong"
    return f"{text}, the most confident mistakes first." if wrong.sum() > 1 else f"{text}."


def _uses(shown: ModelAnswers) -> list[Figure]:
    """Return the charts of the importance of columns, and of the responses to the most important columns."""
    if shown.importance is None:
        return []
    are_probabilities, outputs = shown.model.network.task != "values", shown.classes or shown.outputs
    responses = response_figures(shown.responses or (), outputs, are_probabilities=are_probabilities)
    return [importance_figure(shown.importance), *responses]


def _results(shown: ModelAnswers, evaluation: Mapping[str, Any]) -> Iterator[Figure]:
    tables = evaluation.get("tables", {}).get("test", {})
    if shown.classes:
        decision = shown.model.spec.training.decision_threshold
        confusion = tables.get("confusion")
        yield from class_figures(confusion, shown.classes, shown.answers, shown.uncalibrated, decision)
    elif shown.model.network.task == "values" and shown.answers is not None:
        from specnet.parts.losses import Quantile

        loss = shown.model.spec.training.loss
        quantile = loss.quantile if isinstance(loss, Quantile) else None
        covered = drawn_coverage(evaluation)
        yield from value_figures(shown.answers, shown.outputs, quantile, covered, shown.model.error_quantiles)
