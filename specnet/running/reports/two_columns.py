"""What a page shows of a network that reads two columns of numbers: its plane, and a diagram with live activations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from specnet.model import Model
from specnet.report.diagram.live_diagram import Live, dense_layers
from specnet.report.plane.surfaces import Plane
from specnet.running.data_rows import Rows, SpecData

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


def plane_of(model: Model, data: SpecData, column_names: Sequence[str], class_names: Sequence[str]) -> Plane | None:
    """Return what is seen of a model over the plane of its columns; None if they are no plane.

    There are two columns, both of numbers, and one target. Of an ensemble it is the first member.

    Parameters
    ----------
    model : Model
    data : SpecData
        Its rows: those that it was not trained on count as held out.
    column_names, class_names : sequence of str
    """
    network = model.network
    has_categories = any(text is not None for text in data.splits["train"].texts) or network.resolved.category_counts
    several_targets = network.task == "values" and network.target_size > 1
    if network.resolved.columns != 2 or has_categories or network.task == "multilabel" or several_targets:
        return None
    parts = [data.splits[name] for name in ("train", "validation", "test") if name in data.splits]
    theta, state = model.members[0]
    y = np.concatenate([part.y for part in parts])
    return Plane(
        network.resolved,
        {**network.parameters(theta), **state},
        np.concatenate([np.asarray(part.columns, np.float64) for part in parts]),
        y.reshape(-1) if data.labels is None else data.labels.encode(y),
        np.arange(len(y)) >= len(parts[0]),
        (column_names[0], column_names[1]),
        tuple(class_names),
        prepare=lambda points: model.preprocessing.prepare(points, reader=network),
        decode=lambda values: model.target_preprocessing.invert(values.reshape(-1, 1))[:, 0],
    )
