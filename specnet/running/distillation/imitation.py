"""A small network that imitates a model in memory, also on the rows that the model was trained on.

It has the same training as a student of `distilling`, but its targets are the model's own predictions, not those out of
fold: it has to answer as the model does, and not to predict new rows as well as it can. It takes seconds, since the
rows that the model predicts, and the steps, are limited by their work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.compiler.thread_limits import limited_threads
from specnet.model import Model
from specnet.parts.splits import TRAIN
from specnet.running.data_rows import Rows, SpecData, prepare, spec_of_arrays
from specnet.running.distillation.student_spec import MIXTURES, WIDTHS, parameters_of, student_changes, width_of
from specnet.running.distillation.teacher import Teacher
from specnet.running.fitting import fit_rows
from specnet.spec import Spec, parse_spec
from specnet.spec.reading.reader import with_change
from specnet.spec.spec_writing import Change
from specnet.training import Observer

MAX_PREDICTED, MAX_TRAINED = 2.5e10, 5e10
"""The maximum numbers of multiplications with weights of the model, for the targets, and of all steps of training."""
WIDER = (256, 192, 128, 96)
"""Numbers of units that are tried before those of other students."""
MIN_EPOCHS, MAX_EPOCHS = 10, 50
PASSES, MIN_PARAMETERS = 3, 10_000
"""The multiplications of a step with each weight for a row: forward, and for the gradients of weights and inputs; and
the number of parameters up to which a network takes as long.
"""


def imitation(model: Model, data: SpecData, rows: Rows, most: int, observer: Observer | None = None) -> Model:
    """Return a model of one network, with at most `most` parameters if its inputs allow it, trained on predictions.

    Parameters
    ----------
    model : Model
    data : SpecData
        The data of a run of the model; of a team, of one of its trials, whose layers and preprocessing are used.
    rows : Rows
        The raw rows to learn from.
    most : int
        The maximum number of parameters.
    observer : Observer, optional
        Follows the training.

    Returns
    -------
    Model
        With the error quantiles of `model`.

    Raises
    ------
    SpecError, DataError
        If the layers, the loss or the model's predictions are not suitable.
    NotFiniteError
        If training diverges.
    """
    own = data.resolved.spec
    parameters = sum(each.theta.size for each in model.networks)
    learned = _some(rows, int(MAX_PREDICTED // parameters))
    mixtures = max(min(MIXTURES, int(MAX_PREDICTED // parameters // len(learned)) - 1), 0)
    count = len(learned) * (1 + mixtures)
    most = min(most, int(MAX_TRAINED // (PASSES * MIN_EPOCHS * count)))
    width = width_of(model, own, most, (*WIDER, *WIDTHS), widens=True)
    work = PASSES * count * max(parameters_of(model, own, width, widens=True), MIN_PARAMETERS)
    epochs = int(np.clip(MAX_TRAINED // work, MIN_EPOCHS, MAX_EPOCHS))
    spec = spec_of_arrays(_student(own, width, epochs, mixtures), learned, own.feature_names)
    outputs = model.network.outputs
    made = prepare(spec, {TRAIN: learned}, data.labels, outputs, preparation=data.preparation)
    with limited_threads(1):  # more threads would sum in another order, with other last bits
        fitted = fit_rows(replace(made, teacher=Teacher(model)), observer)
    fitted.check_whole()
    return Model.of(fitted.model.networks, error_quantiles=model.error_quantiles)


def _some(rows: Rows, most: int) -> Rows:
    """Return at most `most` rows, evenly spaced, without folds."""
    chosen: NDArray[np.intp] = np.unique(
        np.linspace(0, len(rows) - 1, min(max(most, 2), len(rows))).round().astype(np.intp)
    )
    return replace(rows.some(chosen), folds=None)


def _student(spec: Spec, units: int, epochs: int, mixtures: int) -> Spec:
    """Return the spec of the network, without data, given that of the model."""
    written = spec.model_dump(mode="json", exclude_none=True)
    data: Mapping[str, Any] = {key: written[key] for key in ("seed", "random_generator", "network", "training")}
    if spec.feature_names is not None:
        written["network"]["feature_names"] = list(spec.feature_names)  # those of the data
    changes = [
        *student_changes(data, spec, units, epochs, mixtures, widens=True),
        Change(("training", "teacher"), "the model"),
    ]
    for change in changes:
        data, _ = with_change(data, list(map(str, change.path)), change.value, change.removed)
    return parse_spec(data, parts=spec.registry, limits=spec.origin.limits)
