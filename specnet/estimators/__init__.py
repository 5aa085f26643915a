"""scikit-learn's interface: a classifier and a regressor whose network a spec describes.

In: arrays or data frames, and arguments with the names of a spec's keys. Out: fitted estimators with a `model_`. Start
with `_train` in `estimator`; `estimator_parameters` makes a spec of the arguments, `classifier` and `regressor` say
what differs. Importing this imports scikit-learn, which `import specnet` does not.
"""

from specnet.estimators.classifier import SpecClassifier
from specnet.estimators.regressor import SpecRegressor

__all__ = ["SpecClassifier", "SpecRegressor"]
