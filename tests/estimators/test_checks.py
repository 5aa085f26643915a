"""scikit-learn's own checks of estimators."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from specnet.estimators import SpecClassifier, SpecRegressor


@parametrize_with_checks([SpecClassifier(), SpecRegressor()])
def test_a_check_of_scikit_learn(estimator, check):
    check(estimator)
