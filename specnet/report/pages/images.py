"""Pictures of networks whose inputs are square grey images: first-layer weights, and the surest mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from specnet.number_texts import percent
from specnet.report.diagram.weight_maps import weight_image
from specnet.report.svg.pixels import data_uri, png

if TYPE_CHECKING:
    from specnet.model import Answers
    from specnet.spec import Resolved

MOST_UNITS, MOST_MISTAKES = 24, 12

Picture = tuple[str, str, str]
"""A picture of pixels: the data URI of a PNG, what stands for it where it is not seen, and its caption."""


def weight_pictures(resolved: Resolved, parameters: Mapping[str, NDArray[Any]], side: int) -> list[Picture]:
    """Return the weights of the units of a first dense layer, those with the largest weights first."""
    node = next((node for node in resolved.nodes if node.inputs == (-1,)), None)
    weight = None if node is None else parameters.get(f"{node.key}.weight")
    if weight is None or weight.ndim != 2 or weight.shape[1] != side * side:
        return []
    found = []
    for unit in np.argsort(-np.linalg.norm(weight, axis=1), kind="stable")[:MOST_UNITS]:
        address = weight_image(np.asarray(weight[unit], np.float64).reshape(side, side), side * side)
        found.append((address, f"weights of unit {unit + 1}", str(unit + 1)))
    return found


def mistake_pictures(images: NDArray[Any], answers: Answers, classes: Sequence[str]) -> list[Picture]:
    """Return the test rows that are predicted wrong, the surest first."""
    if not classes or answers.probability is None or not len(images):
        return []
    certainty = answers.probability.max(axis=1)
    wrong = np.flatnonzero(answers.target != answers.prediction)
    found = []
    for row in wrong[np.argsort(-certainty[wrong], kind="stable")][:MOST_MISTAKES]:
        true, predicted = classes[answers.target[row]], classes[answers.prediction[row]]
        address = data_uri(png(images[row], 0, [(0, 0, 0)]))
        sure = percent(float(certainty[row]))
        found.append((address, f"{true}, predicted as {predicted}", f"{true} read as {predicted}, {sure} sure"))
    return found
