"""How long fits take, and how good they are, beside scikit-learn's networks: ``python -m tests.estimators.speed``.

All have one hidden layer; scikit-learn's are given standardized columns, and a standardized target. Times are medians
of fits that take turns, on one thread.
"""

import time
import warnings
from statistics import median
from typing import Any

from sklearn import datasets
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from specnet import SpecClassifier, SpecRegressor

REPEATS = 7


def contenders(values: bool) -> dict[str, Any]:
    """Return an estimator of each kind, for values or for classes."""
    if not values:
        theirs = make_pipeline(StandardScaler(), MLPClassifier(random_state=0))
        return {"specnet": SpecClassifier(random_state=0), "scikit-learn": theirs}
    theirs = make_pipeline(StandardScaler(), MLPRegressor(random_state=0))
    standardized = TransformedTargetRegressor(theirs, transformer=StandardScaler())
    return {"specnet": SpecRegressor(random_state=0), "scikit-learn": standardized}


def seconds(estimator: Any, X: Any, y: Any) -> float:
    """Return how long a fit takes."""
    begin = time.perf_counter()
    estimator.fit(X, y)
    return time.perf_counter() - begin


def main() -> None:
    """Print a line for each data set."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(f"{'':14}{'rows':>6}{'specnet':>12}{'scikit-learn':>14}   score of 5 folds")
    for name in ("iris", "wine", "breast_cancer", "diabetes", "digits"):
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        estimators = contenders(name == "diabetes")
        with threadpool_limits(1, "blas"):
            times = [{who: seconds(it, X, y) for who, it in estimators.items()} for _ in range(REPEATS)]
            scores = [cross_val_score(it, X, y).mean() for it in estimators.values()]
        took = [f"{1000 * median(turn[who] for turn in times):.0f} ms" for who in estimators]
        print(f"{name:14}{len(y):6}{took[0]:>12}{took[1]:>14}   {scores[0]:.3f} and {scores[1]:.3f}")


if __name__ == "__main__":
    main()
