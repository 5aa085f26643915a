"""What a page shows of a network that reads two columns of numbers: its plane."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from specnet.model import Model
from specnet.parts.splits import PARTS, TRAIN
from specnet.report.plane.surfaces import Plane
from specnet.running.data_rows import SpecData


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
    has_categories = any(text is not None for text in data.splits[TRAIN].texts) or network.resolved.category_counts
    several_targets = network.task == "values" and network.target_size > 1
    if network.resolved.columns != 2 or has_categories or network.task == "multilabel" or several_targets:
        return None
    parts = [data.splits[name] for name in PARTS if name in data.splits]
    theta, state = model.members[0]
    y = np.concatenate([part.y for part in parts])
    return Plane(
        network.run_by("numpy"),
        {**network.parameters(theta), **state},
        np.concatenate([np.asarray(part.columns, np.float64) for part in parts]),
        y.reshape(-1) if data.labels is None else data.labels.encode(y),
        np.arange(len(y)) >= len(parts[0]),
        (column_names[0], column_names[1]),
        tuple(class_names),
        prepare=lambda points: model.preprocessing.prepare(points, reader=network),
        decode=lambda values: model.target_preprocessing.invert(values.reshape(-1, 1))[:, 0],
    )
