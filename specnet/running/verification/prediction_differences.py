"""What two models predict for the same rows."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from specnet.data import RawColumns
from specnet.errors import SpecnetError
from specnet.model import Answers, read_model
from specnet.number_texts import counted
from specnet.parts.arrays import as_array
from specnet.parts.data import Table
from specnet.running.data_rows import Rows
from specnet.spec import Spec


@dataclass(frozen=True)
class PredictionDifference:
    """How far the predictions of two models are apart.

    Attributes
    ----------
    rows : int
        Of all parts of the split.
    others : int or None
        Rows with another label; None if values are predicted.
    largest : float
        The largest difference of a probability, or of a value.
    """

    rows: int
    others: int | None
    largest: float

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**asdict(self), "sentence": str(self)}

    def __str__(self) -> str:
        """Return it in words."""
        where = f"predictions of {counted(self.rows, 'row')}"
        if self.others is None:
            return f"{where}: values differ by at most {self.largest:.1e}"
        labels = "the same labels" if not self.others else f"another label for {self.others}"
        return f"{where}: {labels}, probabilities differ by at most {self.largest:.1e}"


def prediction_difference(then: bytes, now: bytes, spec: Spec, table: Table) -> PredictionDifference | None:
    """Return how far the predictions of two models are apart for the rows of a spec; None if one takes other rows."""
    rows = Rows(table.X, table.y, kinds=table.columns)
    try:
        first, second = (_answers(content, spec, rows) for content in (then, now))
    except SpecnetError:
        return None
    if first.prediction.shape != second.prediction.shape:
        return None
    if first.probability is None or second.probability is None:
        return PredictionDifference(len(rows), None, _largest(first.prediction, second.prediction))
    others = (first.prediction != second.prediction).reshape(len(rows), -1).any(axis=1)
    return PredictionDifference(
        len(rows), int(np.count_nonzero(others)), _largest(first.probability, second.probability)
    )


def _largest(a: Any, b: Any) -> float:
    return float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max())


def _answers(content: bytes, spec: Spec, rows: Rows) -> Answers:
    model = read_model(io.BytesIO(content), len(content), spec.registry, spec.origin.limits)
    return model.answers(RawColumns(as_array(rows.columns, "X"), rows.kinds), rows.y)
