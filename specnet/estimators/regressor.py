"""A regressor with scikit-learn's interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from sklearn.base import RegressorMixin
from sklearn.utils.metaestimators import available_if

from specnet.data import Labels
from specnet.estimators.estimator import SpecEstimator, makes_epochs
from specnet.estimators.estimator_parameters import DEFAULT_SPEC
from specnet.model import Model
from specnet.parts.arrays import Array
from specnet.spec import Spec


class SpecRegressor(RegressorMixin, SpecEstimator):
    """A regressor described by a specnet spec, or by arguments with the names of a spec's keys.

    The default is a network with one hidden layer of 400 relu units over standardized columns, trained on a
    standardized target by Adam with an L2 penalty, in batches of 200 rows until the loss no longer improves, for at
    most 200 epochs. The columns of a data frame are prepared by their kinds: missing values are filled, texts and dates
    coded. Explicit settings override these defaults: a loss such as poisson gets its target in its own units, and an
    optimizer that needs the full batch gets it.

    Parameters
    ----------
    spec : "recipe", path, text with a line break, mapping or Spec, optional
        The whole spec; its data part is ignored. "recipe" means the spec that ``specnet new`` writes for the rows:
        slower, and usually better, than the default. The default ``training.loss`` is mean_squared_error. `set_params`
        and searches can change it by names such as ``spec__training__optimizer__learning_rate``.
    hidden_layer_sizes : sequence of int, or int, optional
        Sizes of the hidden layers; a number means a single layer. Unless None, this and the following arguments
        override the key of the same name in the spec. NumPy scalars and arrays are accepted.
    activations : str, mapping or sequence, optional
        Activation of all hidden layers, or a sequence with one per layer including the output.
    loss : str or mapping, optional
    optimizer : str or mapping, optional
    epochs : int, optional
        Maximum number of passes over the training data.
    batch_size : int or "full", optional
    l2 : float, optional
    early_stopping : bool or mapping, optional
        True enables early stopping with its defaults, which monitors the validation loss; False disables it.
    engine : "auto", "numpy" or "compiled", optional
        Engine that computes the training steps; the compiled engine needs a C compiler.
    validation_size : float, optional
        Fraction of rows held out for validation. Default: ``data.split`` of the spec, or 0.1 if the validation set is
        monitored.
    warm_start : bool
        Start `fit` from the weights and preprocessing of the last fit.
    random_state : int, RandomState or None
        Seed of initial weights, shuffling, dropout and the validation set. None uses the seed of the spec, or a new one
        each time if it has none.

    Attributes
    ----------
    model_ : Model
        The trained network, which can be saved.
    history_ : list of dict
        A record for each logged epoch: ``epoch``, ``loss``, and ``validation_loss`` if there is a validation set.
    n_iter_ : int
        Epochs of the last `fit`, or of all calls of `partial_fit` since then.
    loss_ : float
        The mean loss of the last epoch.
    n_features_in_ : int
    feature_names_in_ : ndarray of str (columns,)
        Column names of X; defined only if all are text.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import cross_val_score
    >>> from specnet import SpecRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> bool(cross_val_score(SpecRegressor(random_state=0), X, y).mean() > 0.4)
    True
    """

    # Width and penalty belong together: the width improves tables with little noise (concrete, yacht), and the penalty
    # protects noisy ones (diabetes). Random biases distribute the kinks of relu over the data.
    default_spec: ClassVar[Mapping[str, Any]] = {
        **DEFAULT_SPEC,
        "network": {**DEFAULT_SPEC["network"], "hidden_layer_sizes": [400], "target_preprocessing": ["standardize"]},
        "training": {
            **DEFAULT_SPEC["training"],
            "optimizer": {"type": "adam", "learning_rate": 6e-4},
            "epochs": 200,
            "batch_size": 200,
            "l2": 2e-3,
        },
    }
    default_loss = "mean_squared_error"
    target_kind = "values"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array_like (rows, columns), or data frame
            A data frame can have missing cells, texts and dates, as in `specnet.fit`. Rows to predict can have
            missing values and texts that the training rows do not have.
        y : array_like (rows,) or (rows, outputs)
        sample_weight : array_like (rows,), optional
            Factor of each row's loss; in standardizing, the number of times that the row counts.

        Raises
        ------
        SpecError
            If the spec is not valid, or does not fit these arrays.
        ValueError
            If the arrays do not fit.
        TrainingError
            If the loss is no longer finite.
        """
        return self._train(X, y, sample_weight)

    @available_if(makes_epochs)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train one more epoch on rows, continuing from the current parameters.

        The first call fits the preprocessing. Later changes of the arguments have no effect, and early stopping is
        disabled.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        """
        return self._train(X, y, sample_weight, partially=True)

    def _seen(self, y: Array, start: Model | None, partially: bool, classes: Any) -> tuple[Array, Labels | None]:
        self._y_is_flat = y.ndim == 1
        return y, None

    def predict(self, X: Any) -> Array:
        """Return the predicted values, in the units and the shape of the target.

        Parameters
        ----------
        X : array_like (rows, columns), or data frame
        """
        X = self._checked_inputs(X)
        predicted = self.model_.predict(X)
        return predicted if self._y_is_flat else predicted.reshape(len(predicted), -1)

    def predict_interval(self, X: Any, level: float = 0.9) -> Array:
        """Return an interval around each predicted value, (rows, 2), or (rows, outputs, 2) for y (rows, outputs).

        This needs held-out rows, which the recipe, an ensemble or `validation_size` provides. `Model.predict_interval`
        explains what the intervals cover.

        Parameters
        ----------
        X : array_like (rows, columns), or data frame
        level : float
            Fraction of true values inside the intervals: 0.01, 0.02, … 0.99.
        """
        X = self._checked_inputs(X)
        self._check_intervals()
        ends = self.model_.predict_interval(X, level)
        return ends if self._y_is_flat else ends.reshape(len(ends), -1, 2)

    def _spec_for(self, labels: Labels | None, recipe: str | None = None) -> Spec:
        spec = self._parsed_spec(self.default_loss, recipe)
        if spec.training.loss.target != "values":
            raise ValueError(f"a regressor needs a loss for numbers, got {spec.training.loss.type}")
        return spec

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
