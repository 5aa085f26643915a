"""scikit-learn's interface: a classifier and a regressor whose network is described by a spec.

In: arrays or data frames, and arguments named after keys of a spec. Out: fitted estimators with a `model_`. Start with
`_train` in `estimator`. `estimator_parameters` turns the arguments into a spec; `classifier` and `regressor` contain
the differences. This package imports scikit-learn; `import specnet` does not.
"""

from specnet.estimators.classifier import SpecClassifier
from specnet.estimators.regressor import SpecRegressor

__all__ = ["SpecClassifier", "SpecRegressor"]
