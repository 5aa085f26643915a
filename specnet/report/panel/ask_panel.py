"""What the script of a page's panel is given: the model as code, its columns, and some rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from markupsafe import Markup

from specnet.number_texts import cell_text, day_text
from specnet.report.svg.axes import Axis

Cell = float | str | None
"""A raw cell as the exported code takes it: a date as days since 1970, None if it is missing."""
AskRow = Mapping[str, Any]
"""A row to ask about: its raw ``cells``, and in words (``told``) which one it is and what is true of it."""
SCRIPT = Path(__file__).parent / "panel.js"


@dataclass(frozen=True)
class AskColumn:
    """A raw column, and the control that sets it.

    Attributes
    ----------
    place : int
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

    place: int
    name: str
    kind: Literal["number", "date", "choice"]
    quantiles: Sequence[float] = ()
    is_whole: bool = False
    options: Sequence[str | float] = ()
    may_be_missing: bool = False

    def told(self, cell: Cell) -> str:
        """Return a cell in words."""
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
    said : str
        What part of the model answers, if it is not the whole; else empty.
    """

    code: str
    columns: Sequence[AskColumn]
    typical: AskRow
    kind: Literal["classes", "binary", "values", "outputs"]
    names: Sequence[str]
    rows: Sequence[AskRow] = field(default=())
    worst: Sequence[AskRow] = field(default=())
    level: int | None = None
    said: str = ""

    def data(self, plane: Sequence[Axis] | None) -> dict[str, Any]:
        """Return all but the code as plain data, with the ends of the axes where two columns are a plane."""
        ends = None if plane is None else [(axis.low, axis.high) for axis in plane]
        return {name: value for name, value in asdict(self).items() if name != "code"} | {"plane": ends}

    def model(self) -> Markup:
        """Return the code, which nothing in it can end before the script does."""
        return Markup(self.code.replace("</", "<\\/").replace("<!--", "<\\u0021--"))


def panel_script() -> Markup:
    """Return the script that draws a panel."""
    return Markup(SCRIPT.read_text("utf-8"))
