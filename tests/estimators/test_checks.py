"""scikit-learn's own checks of estimators."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow  # all of scikit-learn's checks

CHECK_BOTH = """
import sys, warnings
warnings.simplefilter("error")
import specnet
print("sklearn" in sys.modules, specnet.SpecClassifier(), "sklearn" in sys.modules)
from sklearn.utils.estimator_checks import check_estimator
from specnet import SpecClassifier, SpecRegressor
for estimator in SpecClassifier(hidden_layer_sizes=[20]), SpecRegressor(hidden_layer_sizes=[40]):
    results = check_estimator(estimator)
    assert len(results) > 50
    print({result["status"] for result in results})
"""


def test_all_checks_are_passed_and_none_is_skipped_where_scipy_knows_the_array_api():
    environment = os.environ | {"SCIPY_ARRAY_API": "1"}  # SciPy reads it when it is imported
    ended = subprocess.run(
        [sys.executable, "-c", CHECK_BOTH], env=environment, capture_output=True, text=True, check=False
    )
    imports, *statuses = ended.stdout.splitlines()
    assert imports == "False SpecClassifier() True"  # the package has them without importing scikit-learn
    assert statuses == ["{'passed'}", "{'passed'}"], ended.stderr
