"""scikit-learn's interface: a classifier and a regressor whose network a spec describes.

Importing this imports scikit-learn, which `import specnet` does not.
"""

from specnet.estimators.classifier import SpecClassifier
from specnet.estimators.regressor import SpecRegressor

__all__ = ["SpecClassifier", "SpecRegressor"]
