"""A diagram with live activations, where a page's script can compute what the model does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from specnet.model import Model
from specnet.report.diagram.live_diagram import Live, dense_layers
from specnet.running.data_rows import Rows

TRIED = 100
"""Training rows on which the script's arithmetic is compared with the model's."""


def live_network(model: Model, rows: Rows) -> Live | None:
    """Return the network of a model for a page's script; None where that could not compute the same.

    There are two columns, which preprocessing only shifts and scales, and one hidden layer.

    Parameters
    ----------
    model : Model
    rows : Rows
        Training rows.
    """
    theta, _ = model.members[0]
    layers = dense_layers(model.network.resolved, model.network.parameters(theta))
    have_texts = any(text is not None for text in rows.texts)
    if model.is_ensemble or layers is None or model.network.resolved.columns != 2 or have_texts:
        return None
    if not model.gives_probabilities and model.network.task != "values":
        return None
    columns = np.asarray(rows.columns, np.float64)
    if not np.isfinite(columns).all():
        return None
    low, high = columns.min(axis=0), columns.max(axis=0)
    first, last = (model.preprocessing.prepare(np.stack([low, high])).astype(np.float64)[k] for k in (0, 1))
    factor = (last - first) / np.where(high > low, high - low, 1.0)
    live = Live(low, high, first - factor * low, factor, layers)
    tried = columns[:TRIED]
    expected = _answers(model, tried)
    if model.network.task == "values":
        live = _scaled_as(live, tried, expected)
    close = np.allclose(live.answers(tried), expected, rtol=1e-3, atol=1e-3 * (1e-9 + np.abs(expected).max()))
    return live if close else None


def _answers(model: Model, columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the answers of each output, (rows, outputs)."""
    if model.network.task == "values":
        return model.predict(columns).astype(np.float64).reshape(len(columns), -1)
    probabilities = model.predict_proba(columns).astype(np.float64)
    return probabilities[:, 1:] if model.network.task == "binary" else probabilities


def _scaled_as(live: Live, columns: NDArray[np.float64], expected: NDArray[np.float64]) -> Live:
    """Return it with outputs shifted and scaled to what is expected of one output."""
    given = live.answers(columns)[:, 0]
    lowest, highest = np.argmin(given), np.argmax(given)
    width = given[highest] - given[lowest]
    scale = float((expected[highest, 0] - expected[lowest, 0]) / width) if width else 1.0
    return replace(live, scale=scale, shift=float(expected[lowest, 0] - scale * given[lowest]))
