"""A metric of another package is named where it fails; where scikit-learn defines no score there is none."""

import math
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from specnet import PartError
from specnet.parts.metrics import Metric, PositiveLikelihoodRatio, RocAuc


class Failing(Metric):
    """Fails as its keywords, its computation or its result say."""

    task = frozenset({"binary"})
    type: Literal["failing"] = "failing"
    how: str = "compute"

    def keywords(self) -> dict[str, Any]:
        return {}[self.how] if self.how == "keywords" else {}

    def compute(self, target: NDArray[Any], response: NDArray[Any], keywords: dict[str, Any]) -> float:
        if self.how == "result":
            return "much"
        raise ValueError("these rows are odd")


class Borrowed(Metric):
    """Leaves the work to scikit-learn, with a word that it knows or does not know."""

    task = frozenset({"binary"})
    function = "roc_auc_score"
    response = "probability"
    type: Literal["borrowed"] = "borrowed"
    average: str = "macro"

    def keywords(self) -> dict[str, Any]:
        return {"average": self.average}


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        (Failing(), "ValueError: these rows are odd"),
        (Failing(how="keywords"), "KeyError: 'keywords'"),
        (Failing(how="result"), "ValueError: could not convert"),
        (Borrowed(average="mostly"), "InvalidParameterError"),
    ],
)
def test_what_a_metric_of_another_package_raises_is_named_as_its_fault(metric: Metric, reason: str):
    target = np.array([0, 1, 1])
    with pytest.raises(PartError, match=rf"error\[broken-part\]: metric {metric.type} .*{reason}"):
        metric.score(target, target, np.eye(2)[target])


def test_scores_that_scikit_learn_does_not_define_are_nan_whoever_asks():
    same = np.zeros(3, int)
    for metric in (Borrowed(), RocAuc(), PositiveLikelihoodRatio()):
        figure = metric.score(same, same, np.eye(2)[same])
        assert math.isnan(figure) or metric.type == "positive_likelihood_ratio"
