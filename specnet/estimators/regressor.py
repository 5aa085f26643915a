"""A regressor with scikit-learn's interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from sklearn.base import RegressorMixin

from specnet.estimators.base import SpecEstimator, check_weighted_rows
from specnet.estimators.parameters import DEFAULT_SPEC
from specnet.parts.arrays import Array
from specnet.spec import Spec


class SpecRegressor(RegressorMixin, SpecEstimator):
    """A regressor whose network is a specnet spec, or is described by arguments that are named as a spec's keys.

    Without arguments it is a network with one hidden layer of 100 relu units over standardized columns, which learns
    a standardized target by Adam, in batches of 200 rows, until its loss no longer falls: at most 200 epochs. What of
    this does not go with what is said gives way: a loss that needs its target in its own units, such as poisson, gets
    it so, and an optimizer that needs all rows in one batch gets them.

    Parameters
    ----------
    spec : path, text with a line break, mapping or Spec, optional
        The whole of it; its data part is not read. Where it has no ``training.loss``, that is mean_squared_error.
        `set_params` and searches reach into it by names such as ``spec__training__optimizer__learning_rate``.
    hidden_layer_sizes : sequence of int, or int, optional
        A number is the size of the only one. This and the following arguments take the place of what the spec says
        under the same key, unless they are None. Numbers and arrays of NumPy are the numbers and lists that they hold.
    activations : str, mapping or sequence, optional
        One for all hidden layers, or a sequence that names them all, the output's included.
    loss : str or mapping, optional
    optimizer : str or mapping, optional
    epochs : int, optional
        How often all rows are seen at most.
    batch_size : int or "full", optional
    l2 : float, optional
    early_stopping : bool or mapping, optional
        True is early stopping with its defaults, which watches the loss of validation rows. False is none.
    validation_size : float, optional
        The share of the rows that is not trained on, and whose loss stands in the history. Where nothing is said, what
        the spec's ``data.split`` says, or else 0.1 if something watches that loss.
    warm_start : bool
        Whether `fit` goes on from the weights of the last one, with its preprocessing, instead of starting anew.
    random_state : int, RandomState or None
        Its integer is the seed of the spec: of initial weights, the order of rows, dropout and the validation rows.
        None stands for the seed that the spec has, or else for another one each time.

    Attributes
    ----------
    model_ : Model
        The trained network, which can be saved.
    history_ : list of dict
        A record for each logged epoch: ``epoch``, ``loss``, and ``validation_loss`` where there are such rows.
    n_iter_ : int
        Epochs of the last `fit`, or of all calls of `partial_fit` since then.
    loss_ : float
        The mean loss of the last epoch.
    n_features_in_ : int
    feature_names_in_ : ndarray of str (n_features_in_,)
        Only where X had names that are all text.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import cross_val_score
    >>> from specnet import SpecRegressor
    >>> bool(cross_val_score(SpecRegressor(random_state=0), *load_diabetes(return_X_y=True)).mean() > 0.4)
    True
    """

    default_spec: ClassVar[Mapping[str, Any]] = {
        **DEFAULT_SPEC,
        "network": {**DEFAULT_SPEC["network"], "target_preprocessing": ["standardize"]},
    }
    default_loss = "mean_squared_error"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array_like (rows, columns)
        y : array_like (rows,) or (rows, outputs)
        sample_weight : array_like (rows,), optional
            Multiplies each row's loss, and is how often a row counts in standardizing.

        Raises
        ------
        SpecError
            If the spec, or its sizes with these arrays, cannot be.
        ValueError
            If the arrays do not fit.
        TrainingError
            If the loss is no longer finite.
        """
        start = self.model_ if self._goes_on() else None
        X, y = self._checked_rows(X, y, reset=start is None, y_numeric=True)
        self._y_is_flat = y.ndim == 1
        return self._fit(self._spec_for_values(), check_weighted_rows(X, y, sample_weight), None, start)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Make one epoch on rows, from where training stands.

        The first call fits the preprocessing. Arguments that change later have no effect, and there is no early
        stopping.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        """
        first = not hasattr(self, "model_")
        X, y = self._checked_rows(X, y, reset=first, y_numeric=True)
        self._y_is_flat = y.ndim == 1
        spec = self._spec_for_values() if first else None
        return self._fit_partially(spec, check_weighted_rows(X, y, sample_weight), None)

    def predict(self, X: Any) -> Array:
        """Return the values that the network predicts, in the target's units and of its shape.

        Parameters
        ----------
        X : array_like (rows, columns)
        """
        X = self._checked_inputs(X)
        predicted = self.model_.predict(X)
        return predicted if self._y_is_flat else predicted.reshape(len(X), -1)

    def _spec_for_values(self) -> Spec:
        spec = self._parsed_spec(self.default_loss)
        if spec.training.loss.target != "values":
            raise ValueError(f"{spec.training.loss.type} tells classes apart, and a regressor predicts values")
        return spec

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
