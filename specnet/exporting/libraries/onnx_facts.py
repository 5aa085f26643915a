"""What an ONNX graph does not say of the model that it was written from, so that it can be read again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from specnet.exporting.model_facts import INTERVAL, LABELS, MODELS, NUMBERS, whole_spec
from specnet.exporting.model_program import Program
from specnet.exporting.model_steps import ModelSteps
from specnet.exporting.target import required
from specnet.model.file import quantile_tensors
from specnet.parts.arrays import Array


def graph_facts(program: Program, initializers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole spec, or those of a team, class labels, and the numbers that are in no tensor of their own.

    Parameters
    ----------
    program : Program
    initializers : mapping
        The graph's tensors by their names.
    """
    to_array = required("onnx", "onnx").numpy_helper.to_array
    known = {name: array for model in program.models for name, array in _numbers(model)}
    known |= quantile_tensors(program.model.error_quantiles)
    hidden = {
        name: array.ravel().tolist()
        for name, array in known.items()
        if name not in initializers or not np.array_equal(to_array(initializers[name]), array)
    }
    specs = [whole_spec(model.trained.spec.with_dtype(program.dtype.name)) for model in program.models]
    told = [{"share": model.share, "spec": spec} for model, spec in zip(program.models, specs, strict=True)]
    facts = {MODELS: told} if program.is_team else specs[0]
    interval = {} if program.interval is None else {INTERVAL: program.interval.level}
    return facts | {NUMBERS: hidden, LABELS: program.labels, **interval}


def _numbers(steps: ModelSteps) -> Iterator[tuple[str, Array]]:
    """Yield the tensors of a model's file with their names; of a team's with the number of the model."""
    trained = steps.trained
    for name, array in trained.tensors().items():
        yield steps.prefix + name, array.astype(steps.dtype)
    prepared = {"preprocessing": trained.preprocessing, "target_preprocessing": trained.target_preprocessing}
    for key, preparation in prepared.items():
        for name, array in preparation.tensors().items():
            yield f"{steps.prefix}{key}.{name}", array
    if steps.prefix:
        for name, array in quantile_tensors(trained.error_quantiles).items():
            yield steps.prefix + name, array
