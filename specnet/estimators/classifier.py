"""A classifier with scikit-learn's interface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, check_classification_targets, type_of_target

from specnet.data import Labels, check_labels
from specnet.estimators.estimator import SpecEstimator, makes_epochs
from specnet.model import Model
from specnet.parts.arrays import Array, refuse_null_ends
from specnet.spec import Spec


def _has_probabilities(estimator: SpecClassifier) -> bool:
    """Return whether a fitted estimator's outputs are probabilities; True before fitting."""
    return not hasattr(estimator, "model_") or estimator.model_.gives_probabilities


@dataclass(eq=False, repr=False)
class SpecClassifier(ClassifierMixin, SpecEstimator):
    """A classifier described by a specnet spec, or by arguments with the names of a spec's keys.

    The default is a network with one hidden layer of 150 relu units over standardized columns, trained by AdamW in
    batches of 100 rows until the loss no longer improves, for at most 150 epochs. The columns of a data frame are
    prepared by their kinds: missing values are filled, texts and dates coded. Explicit settings override these
    defaults: an optimizer that needs the full batch gets it.

    Parameters
    ----------
    spec : "recipe", path, text with a line break, mapping or Spec, optional
        The whole spec; its data part is ignored. "recipe" means the spec that ``specnet new`` writes for the rows:
        slower, and usually better, than the default. The default ``training.loss`` is binary_crossentropy for two
        classes and for several labels per row, and categorical_crossentropy otherwise. `set_params` and searches can
        change it by names such as ``spec__training__optimizer__learning_rate``.
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
        Fraction of rows held out for validation, stratified by class. Default: ``data.split`` of the spec, or 0.1 if
        the validation set is monitored.
    warm_start : bool
        Start `fit` from the weights and preprocessing of the last fit.
    random_state : int, RandomState or None
        Seed of initial weights, shuffling, dropout and the validation set. None uses the seed of the spec, or a new one
        each time if it has none.
    class_weight : mapping of label to float, or "balanced", optional
        Weight of the rows of each label; 1 for labels not listed.

    Attributes
    ----------
    classes_ : ndarray (classes,)
        The labels in ascending order; with several labels per row, the indices of their columns.
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
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_val_score
    >>> from specnet import SpecClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> adam = {"type": "adam", "learning_rate": 0.01}
    >>> classifier = SpecClassifier(optimizer=adam, random_state=0)
    >>> bool(cross_val_score(classifier, X, y).mean() > 0.9)
    True
    """

    default_loss = "binary_crossentropy"
    target_kind = "classes"

    _: KW_ONLY
    class_weight: Mapping[Any, float] | str | None = None

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array_like (rows, columns), or data frame
            A data frame can have missing cells, texts and dates, as in `specnet.fit`. Rows to predict can have
            missing values and texts that the training rows do not have.
        y : array_like (rows,), or (rows, outputs) of 0 and 1
            Labels: whole numbers, booleans or text; or for each output whether the row has that label.
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
        refuse_null_ends(y, "y")
        return self._train(X, y, sample_weight)

    @available_if(makes_epochs)
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train one more epoch on rows, continuing from the current parameters.

        The first call fits the preprocessing. Later changes of the arguments have no effect, and early stopping is
        disabled.

        Parameters
        ----------
        X, y
            As for `fit`.
        classes : array_like (classes,)
            All labels that any call will contain; required by the first call. With several labels per row, the indices
            of their columns.
        sample_weight
            As for `fit`.
        """
        refuse_null_ends(y, "y")
        return self._train(X, y, sample_weight, partially=True, classes=classes)

    def _seen(self, y: Array, start: Model | None, partially: bool, classes: Any) -> tuple[Array, Labels | None]:
        y = _checked_target(y)
        if partially:
            _check_partial_fit_first_call(self, classes)
        else:
            classes = np.arange(y.shape[1]) if y.ndim == 2 else np.unique(y)
            if start is not None and not np.array_equal(classes, self.classes_):
                raise ValueError(f"warm_start needs the classes of the last fit, {self.classes_}, got {classes}")
            self.classes_: Array = classes
        labels = self._labels(y)
        if partially and start is not None and (labels is None) != (start.labels is None):
            raise ValueError("partial_fit needs one label per row in every call, or several in every call")
        return y, labels

    def predict(self, X: Any) -> Array:
        """Return the most probable label of each row, (rows,); with several labels per row 0 and 1, (rows, outputs).

        Parameters
        ----------
        X : array_like (rows, columns), or data frame
        """
        X = self._checked_inputs(X)
        answers = self.model_.predict(X)
        if self.model_.labels is None:
            return answers
        labels: Array = self.classes_[np.searchsorted(self.model_.labels, answers)]
        return labels

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, (rows, classes); with several labels per row, (rows, outputs).

        The method does not exist after fitting with a loss of margins.

        Parameters
        ----------
        X : array_like (rows, columns), or data frame
        """
        X = self._checked_inputs(X)
        return self.model_.predict_proba(X)

    @available_if(_has_probabilities)
    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of `predict_proba`.

        Parameters
        ----------
        X : array_like (rows, columns), or data frame
        """
        with np.errstate(divide="ignore"):
            logarithms: Array = np.log(self.predict_proba(X))
        return logarithms

    @available_if(_has_probabilities)
    def predict_set(self, X: Any, level: float = 0.9) -> Array:
        """Return the prediction set of each row as booleans, (rows, classes), in the order of `classes_`.

        This needs held-out rows, which the recipe, an ensemble or `validation_size` provides. `Model.predict_set`
        explains what the sets cover. Several labels per row are not supported.

        Parameters
        ----------
        X : array_like (rows, columns), or data frame
        level : float
            Fraction of sets that contain the true class: 0.01, 0.02, … 0.99.
        """
        X = self._checked_inputs(X)
        self._check_intervals()
        return self.model_.predict_set(X, level)

    def decision_function(self, X: Any) -> Array:
        """Return the outputs on which the loss is computed: logits, or margins.

        The shape is (rows,) for two classes, where a positive output means the second; otherwise (rows, classes), or
        (rows, outputs) with several labels per row.

        Parameters
        ----------
        X : array_like (rows, columns), or data frame
        """
        X = self._checked_inputs(X)
        outputs = self.model_.raw_outputs(X)
        if self.model_.labels is None or len(self.classes_) != 2:
            return outputs
        return outputs[:, -1] - outputs[:, 0] if outputs.shape[1] == 2 else outputs[:, 0]

    def _labels(self, y: Array) -> Labels | None:
        """Return the labels if each row has exactly one; None if rows have several."""
        if y.ndim == 1:
            return Labels(check_labels(self.classes_))
        if y.shape[1] != len(self.classes_):
            raise ValueError(f"y has {y.shape[1]} columns; expected {len(self.classes_)}, one per label")
        return None

    def _spec_for(self, labels: Labels | None, recipe: str | None = None) -> Spec:
        if len(self.classes_) < 2:
            raise ValueError(f"a classifier needs at least two classes, but y has one class: {self.classes_[0]}")
        two = labels is None or len(labels) == 2
        spec = self._parsed_spec(self.default_loss if two else "categorical_crossentropy", recipe)
        loss = spec.training.loss
        if loss.target == "values":
            raise ValueError(f"a classifier needs a classification loss, got {loss.type}")
        if labels is None and loss.target == "classes":
            raise ValueError(f"{loss.type} needs one class per row, but y has several labels")
        return spec

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _checked_target(y: Any) -> Array:
    """Return a validated target: labels (rows,), or 0 and 1 for each of several labels (rows, outputs)."""
    check_classification_targets(y)
    kind = type_of_target(y, input_name="y")
    if kind == "multiclass-multioutput":
        raise ValueError("y has several classes in several columns; expected one column of 0 and 1 per label")
    if kind == "multilabel-indicator":
        indicators: Array = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
        return indicators
    labels: Array = column_or_1d(y, warn=True)
    return labels
