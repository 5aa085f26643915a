"""scikit-learn's own checks of estimators."""

import os
import subprocess
import sys

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from specnet.estimators import SpecClassifier, SpecRegressor

pytestmark = pytest.mark.slow  # all of scikit-learn's checks

CHECK_BOTH = """
import warnings
warnings.simplefilter("error")
from sklearn.utils.estimator_checks import check_estimator
from specnet import SpecClassifier, SpecRegressor
for estimator in SpecClassifier(), SpecRegressor():
    results = check_estimator(estimator)
    assert len(results) > 50
    print({result["status"] for result in results})
"""


@parametrize_with_checks([SpecClassifier(), SpecRegressor()])
def test_a_check_of_scikit_learn(estimator, check):
    check(estimator)


def test_not_one_check_is_skipped_where_scipy_knows_the_array_api():
    environment = os.environ | {"SCIPY_ARRAY_API": "1"}  # SciPy reads it when it is imported
    ended = subprocess.run(
        [sys.executable, "-c", CHECK_BOTH], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.stdout.splitlines() == ["{'passed'}", "{'passed'}"], ended.stderr
