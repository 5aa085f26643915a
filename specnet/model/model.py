"""A model: one or several trained networks whose outputs are averaged. It predicts, evaluates, and saves itself."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.data import Preparation, RawColumns
from specnet.data.raw_columns import raw_columns
from specnet.display import Displayed
from specnet.errors import DataError
from specnet.files import PathLike, file_errors, write_file
from specnet.model.contributions import Background, Contributions, Progress, compared_rows, contributions
from specnet.model.decoder import Answers
from specnet.model.error_quantiles import ErrorQuantiles
from specnet.model.file import MAX_SHARE, encode_model
from specnet.model.gradients import column_gradients
from specnet.model.trained_network import TrainedNetwork
from specnet.model.unfamiliar import warn_of_unfamiliar
from specnet.network import Network
from specnet.parts.arrays import Array, check_weights
from specnet.parts.metrics import Metric
from specnet.spec import Spec


class Model(Displayed):
    """One or several trained networks that predict together; each may be an ensemble.

    A model of several networks, such as the team of a sweep, predicts their mean, weighted by their shares. The
    constructor makes a model of one network; `Model.joined` combines several models.

    Parameters
    ----------
    network : Network
    theta : array_like (parameter_count,) or (members, parameter_count)
        Parameters, copied in the network's dtype; two axes for the members of an ensemble.
    state : mapping of str to ndarray, optional
        Running averages, as returned by `Network.initial_state`; the first axis of an ensemble's arrays is the member.
    preprocessing, target_preprocessing : Preparation, optional
        Fitted preprocessing of the columns and of the target.
    labels : ndarray (classes,), optional
        Class labels, integers (int64) or text, ascending and distinct; default: 0, 1, … For classifiers only.
    error_quantiles : ErrorQuantiles, optional
        Quantiles of errors on rows that the model was not trained on, for intervals and sets.
    history : iterable of dict
        Records of the training; not saved with the model.

    Attributes
    ----------
    networks : tuple of TrainedNetwork
        The trained networks, each with its preprocessing and members.
    shares : tuple of int
        Weight of each network in the mean.
    network : Network
        The only or first network. All networks have the same columns, target and task.
    background : Background or None
        Training rows to which `contributions` compares; None if the model has none.
    theta, state, preprocessing, target_preprocessing, members
        Attributes of the only network. A model of several networks raises `DataError`: use those of `networks`.

    Raises
    ------
    DataError
        If theta or labels do not fit the network.
    """

    def __init__(
        self,
        network: Network,
        theta: ArrayLike,
        state: Mapping[str, Array] | None = None,
        preprocessing: Preparation | None = None,
        target_preprocessing: Preparation | None = None,
        labels: Array | None = None,
        error_quantiles: ErrorQuantiles | None = None,
        history: Iterable[dict[str, Any]] = (),
    ) -> None:
        trained = TrainedNetwork(network, theta, state, preprocessing, target_preprocessing, labels)
        self._combine([trained], [1], error_quantiles)
        self.history = list(history)

    @classmethod
    def of(
        cls,
        networks: Sequence[TrainedNetwork],
        shares: Sequence[int] = (1,),
        error_quantiles: ErrorQuantiles | None = None,
    ) -> Model:
        """Return a model, given its trained networks.

        Parameters
        ----------
        networks : sequence of TrainedNetwork
        shares : sequence of int
            Weight of each network in the mean.
        error_quantiles : ErrorQuantiles, optional
            Quantiles of the errors of the mean on rows that the networks were not trained on.

        Raises
        ------
        DataError
            If the predictions cannot be averaged, or there is not one share, a positive integer, for each network.
        """
        model = cls.__new__(cls)
        model._combine(networks, shares, error_quantiles)
        model.history = []
        return model

    @classmethod
    def joined(
        cls, models: Sequence[Model], shares: Sequence[int], error_quantiles: ErrorQuantiles | None = None
    ) -> Model:
        """Return one model of several models with one network each; the other parameters are those of `of`.

        Raises
        ------
        DataError
            If the predictions cannot be averaged, or a model has several networks.
        """
        networks = [copy(model._only("network")) for model in models]
        for model, network in zip(models, networks, strict=True):
            network.error_quantiles = model.error_quantiles
        return cls.of(networks, shares, error_quantiles)

    def _combine(
        self, networks: Sequence[TrainedNetwork], shares: Sequence[int], error_quantiles: ErrorQuantiles | None
    ) -> None:
        if len(shares) != len(networks) or not all(0 < share <= MAX_SHARE for share in shares) or not shares:
            message = f"expected a share from 1 to {MAX_SHARE} for each of {len(networks)} networks"
            raise DataError(f"{message}, got {list(shares)}")
        first, weights = networks[0], None
        for each in networks:
            each.check_alike(first)
        if len(networks) > 1:
            members = [len(each.members) for each in networks]
            weights = tuple(
                share / sum(shares) / count for share, count in zip(shares, members, strict=True) for _ in range(count)
            )
        self.networks, self.shares = tuple(networks), tuple(map(operator.index, shares))
        self.decoder = first.decoder.with_weights(weights)
        self.error_quantiles = error_quantiles or ErrorQuantiles()
        self.background: Background | None = None

    def __repr__(self) -> str:
        name = f"{self.spec.name}, " if self.spec.name else ""
        first, number = self.networks[0], len(self.networks)
        members = f"{len(first.theta)} members, " if first.is_ensemble else ""
        parameters = sum(each.theta.size for each in self.networks)
        counts = f"{number} networks, " if number > 1 else members
        return f"<{type(self).__name__} {name}{counts}{self.network.inputs} inputs, {parameters} parameters>"

    def astype(self, dtype: str) -> Model:
        """Return this model converted to compute in another dtype, ``float32`` or ``float64``."""
        model = Model.of([each.astype(dtype) for each in self.networks], self.shares, self.error_quantiles)
        model.background = self.background
        return model

    def _only(self, name: str) -> TrainedNetwork:
        """Return the only network; if there are several, raise an error that names the requested attribute."""
        if len(self.networks) > 1:
            message = f"a model of {len(self.networks)} networks has no {name} of its own"
            raise DataError(message, hint=f"use model.networks[0].{name}, or that of another network")
        return self.networks[0]

    @property
    def network(self) -> Network:
        """The only or first network; all networks have the same columns, target and task."""
        return self.networks[0].network

    @property
    def theta(self) -> Array:
        """The parameters of the only network, (parameter_count,) or (members, parameter_count)."""
        return self._only("theta").theta

    @property
    def state(self) -> dict[str, Array]:
        """The layer states of the only network."""
        return self._only("state").state

    @property
    def preprocessing(self) -> Preparation:
        """The fitted preprocessing of the only network's columns."""
        return self._only("preprocessing").preprocessing

    @property
    def target_preprocessing(self) -> Preparation:
        """The fitted preprocessing of the only network's target."""
        return self._only("target_preprocessing").target_preprocessing

    @property
    def members(self) -> tuple[tuple[Array, dict[str, Array]], ...]:
        """The parameters and layer states of each member; a network without an ensemble is a single member."""
        return self._only("members").members

    @property
    def preparations(self) -> list[Preparation]:
        """The fitted preprocessing of the columns of each network."""
        return [each.preprocessing for each in self.networks]

    @property
    def target_names(self) -> tuple[str, ...]:
        """The names of the target's columns; empty if it does not come from a table."""
        names: tuple[str, ...] = getattr(self.spec.data, "targets", ())
        return names if len(names) == self.network.target_size else ()

    @property
    def target_words(self) -> dict[str, tuple[str, str]]:
        """The words for 0 and 1 in the training file, by target name; empty unless there are several binary targets."""
        return getattr(self.spec.data, "target_words", {}) if self.network.task == "multilabel" else {}

    @property
    def is_ensemble(self) -> bool:
        """Whether the predictions of several networks or members are averaged."""
        return len(self.networks) > 1 or self.networks[0].is_ensemble

    @property
    def boundary(self) -> float:
        """The output above which 1, or the second of two classes, is predicted; see `Decoder`."""
        return self.decoder.boundary

    @property
    def spec(self) -> Spec:
        """The resolved spec."""
        return self.network.spec

    @property
    def labels(self) -> Array | None:
        """The label of each class, (classes,), int64 or text; None if the model is not a classifier."""
        return self.networks[0].labels

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The names of the columns from a CSV file, a data frame or the spec; None if unknown."""
        return self.spec.feature_names

    @property
    def gives_probabilities(self) -> bool:
        """Whether `predict_proba` is supported."""
        return self.decoder.gives_probabilities

    def predict(self, X: ArrayLike | RawColumns) -> Array:
        """Return a prediction for each row.

        Parameters
        ----------
        X : array_like (rows, columns)
            Raw columns as in training; data frames are read by the names in `feature_names` and the columns' kinds.
            The preprocessing fills missing cells, or gives them the code of missing or rare categories. Missing values
            in columns that had none in training, and unknown categories, cause a `SpecnetWarning`. Rows from
            `specnet.data.read_inputs` are accepted too, without warnings; see `unfamiliar_cells`.

        Returns
        -------
        ndarray
            Classifier: the most probable label, (rows,), or with a decision threshold the second of two if its
            probability reaches it. Independent binary outputs: 0 and 1, (rows, outputs). Otherwise: values in the
            target's units, (rows,) or (rows, outputs). The label of an ensemble is that of its mean probabilities.

        Raises
        ------
        DataError
            If X has the wrong shape or numbers that are not finite, lacks a column of `feature_names`, or has a
            missing cell that the preprocessing does not fill.
        """
        return self.decoder.predictions(self.member_outputs(self._raw_columns(X)))

    def predict_proba(self, X: ArrayLike | RawColumns) -> Array:
        """Return the probability of each class, (rows, classes), in the order of `labels`.

        One binary output gives two columns, one for each class; several give the probability of 1 for each, (rows,
        outputs). An ensemble returns the mean of its members' probabilities.

        Raises
        ------
        DataError
            If X does not fit, or the model predicts values or margins.
        """
        if self.network.task == "values":
            raise DataError("predict_proba needs a classifier; this model predicts numbers")
        if not self.gives_probabilities:
            loss = self.spec.training.loss.type
            raise DataError(f"predict_proba is not supported with {loss}, which outputs margins")
        return self.decoder.probabilities(self.member_outputs(self._raw_columns(X)))

    def predict_interval(self, X: ArrayLike | RawColumns, level: float = 0.9) -> Array:
        """Return an interval around each predicted value, which contains the true value with a given probability.

        The probability is valid for rows like the training rows, on average and not for each group of them. If errors
        on held-out rows depend on the prediction, so do the widths (see `specnet.model.error_quantiles`). Intervals end
        at 0 if the training data have no negative target.

        Parameters
        ----------
        X : array_like (rows, columns)
        level : float
            Fraction of true values within the intervals, for each output: 0.01, 0.02, … 0.99.

        Returns
        -------
        ndarray
            Lower and upper ends, float64: (rows, 2), or (rows, outputs, 2) for several outputs.

        Raises
        ------
        DataError
            If X is invalid, the model predicts classes, or there were no held-out rows, or too few for the level.
        """
        self.interval_quantiles(level)
        return self.error_quantiles.ends(self.predict(X), level)

    def interval_quantiles(self, level: float) -> Array:
        """Return the quantiles of errors at a level, as `ErrorQuantiles.at` does, for `predict_interval`."""
        if self.network.task != "values":
            raise DataError("intervals need a model of values", hint="use predict_set (--confidence-set) for classes")
        return self.error_quantiles.at(level)

    def predict_set(self, X: ArrayLike | RawColumns, level: float = 0.9) -> Array:
        """Return a set of classes for each row, which contains the true class with a given probability.

        The probability is valid as for `predict_interval`. A set may be empty if the level is below the accuracy.

        Parameters
        ----------
        X : array_like (rows, columns)
        level : float
            Fraction of sets that contain the true class: 0.01, 0.02, … 0.99.

        Returns
        -------
        ndarray of bool (rows, classes)
            Whether each class is in the set, in the order of `labels`.

        Raises
        ------
        DataError
            If X is invalid, or the model has no class probabilities, no held-out rows, or too few for the level.
        """
        self.check_sets()
        return self.error_quantiles.sets(self.predict_proba(X), level)

    def check_sets(self) -> None:
        """Raise the error of `predict_set` if the model cannot predict sets."""
        if self.labels is None or not self.gives_probabilities:
            hint = "use predict_interval (--interval) for values" if self.network.task == "values" else None
            raise DataError("sets need a classifier with probabilities and one class per row", hint=hint)

    def predict_spread(self, X: ArrayLike | RawColumns) -> Array:
        """Return the standard deviation of predictions over the members of an ensemble.

        Returns
        -------
        ndarray
            Standard deviation of values, in the shape of `predict`; of probabilities, in the shape of `predict_proba`;
            otherwise of margins, (rows,) or (rows, outputs).

        Raises
        ------
        DataError
            If X does not fit, or the model is not an ensemble.
        """
        if not self.is_ensemble:
            raise DataError("predict_spread needs an ensemble", hint="set training.ensemble = 5")
        return self.decoder.spread(self.member_outputs(self._raw_columns(X)))

    def contributions(
        self, X: ArrayLike | RawColumns, background: ArrayLike | RawColumns | None = None, *, progress: Progress = None
    ) -> Contributions:
        """Return how much each raw column contributes to the prediction of each row: Shapley values.

        They are exact for up to 8 columns, otherwise means over random orders of the columns by the spec's seed, with
        standard errors. `specnet.model.contributions` has the definition and sources.

        Parameters
        ----------
        X : array_like (rows, columns)
        background : array_like (rows, columns), optional
            Rows to which those of `X` are compared, such as 100 training rows. Default: 100 training rows of the run.
        progress : callable, optional
            Called with the number of finished predictions and of all.

        Returns
        -------
        Contributions
            ``values`` (rows, columns, outputs), whose sum is a row's prediction minus the ``base`` (outputs,), the mean
            of the background; and ``errors``. Outputs are those of `predict_proba`, otherwise values or margins.

        Raises
        ------
        DataError
            If X or `background` does not fit, or there are no rows to compare to.
        """
        raw, known = self._raw_columns(X), self.background
        if background is not None:
            rows = self._raw_columns(background)
            known = Background(rows, np.full(len(rows), 1 / max(len(rows), 1)))
        known = compared_rows(
            known, "contributions need rows to compare to", "pass background=X with training rows, or "
        )

        def predict(rows: RawColumns) -> NDArray[np.float64]:
            return self.decoder.numbers(self.member_outputs(rows))

        return contributions(predict, raw, known, self.spec.seed, progress)

    def gradient(self, X: ArrayLike | RawColumns) -> NDArray[np.float64]:
        """Return the derivatives of the predictions by the raw columns, computed in float64.

        They are those of `predict_proba`, or of values in the target's units or margins, per unit of the column, and
        per day for dates. At a kink, such as that of relu at 0, a derivative is one-sided, as in training.

        Returns
        -------
        ndarray (rows, outputs, columns)
            NaN for booleans, categories, texts and missing cells, which have no derivative.

        Raises
        ------
        DataError
            If X does not fit.
        """
        return column_gradients(self.networks, self.decoder, self._raw_columns(X))

    def raw_outputs(self, X: ArrayLike | RawColumns) -> Array:
        """Return the outputs as the loss reads them, (rows, outputs): logits or margins for classifiers.

        An ensemble returns the logits of its mean probabilities, or the mean of its members' margins.

        Raises
        ------
        DataError
            If X does not fit.
        """
        raw = self.member_outputs(self._raw_columns(X), raw=True)
        return raw[0] if len(raw) == 1 else self._together(raw).astype(self.network.dtype)

    def evaluate(
        self,
        X: ArrayLike | RawColumns,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        metrics: str | Metric | Sequence[str | Metric] | None = None,
    ) -> dict[str, float]:
        """Return the loss and metrics of the model on rows.

        Parameters
        ----------
        X : array_like (rows, columns)
            Raw columns.
        y : array_like (rows,) or (rows, outputs)
            Labels, 0 and 1 for each output, or values in the target's units.
        sample_weight : array_like (rows,), optional
            Weight of each row.
        metrics : str, Metric or sequence of them, optional
            Metrics to compute; default: the metrics of the spec.

        Returns
        -------
        dict
            ``loss``, the mean loss of the rows for the preprocessed target, without dropout, penalties and label
            smoothing; then each metric by name. A metric with units has one entry for each of several named targets,
            such as ``mean_absolute_error_price``. Figures of an ensemble are computed from its predictions; they are
            not means over its members.

        Raises
        ------
        DataError
            If an argument is invalid, with its name and both shapes, or a metric is not supported.
        """
        rows, chosen = self._raw_columns(X), self.decoder.metrics(metrics)
        return self.answers(rows, y, sample_weight).figures(chosen)

    def answers(self, X: RawColumns | Array, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Answers:
        """Return predictions and losses for rows X, as for `member_outputs`, with targets y and sample_weight."""
        target, loss_target = self.decoder.target(y, len(X))
        weights, averaged, raw = check_weights(sample_weight, len(X)), list[Array](), list[Array]()
        for network in self.networks:
            inputs = network.inputs(X)
            averaged += self._averaged(network, network.outputs(inputs))
            raw += network.outputs(inputs, raw=True) if self.is_ensemble else ()
        losses = self.decoder.losses(self._together(raw), loss_target) if raw else network.losses(inputs, loss_target)
        return Answers(target, loss_target, losses, *self.decoder.compared(averaged), weights, self.target_names)

    def answers_of(self, raw: Array, outputs: Array, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Answers:
        """Return the answers of the only network, given its outputs.

        Parameters
        ----------
        raw, outputs : ndarray (rows, outputs)
            Outputs before and after the output activation.
        y : array_like (rows,) or (rows, targets)
        sample_weight : array_like (rows,), optional

        Returns
        -------
        Answers
            Predictions, targets and losses, from which metrics are computed.
        """
        target, loss_target = self.decoder.target(y, len(raw))
        losses = self.decoder.losses(raw, loss_target)
        compared = self.decoder.compared([self.decoder.averaged(outputs)])
        weights = check_weights(sample_weight, len(raw))
        return Answers(target, loss_target, losses, *compared, weights, self.target_names)

    def member_outputs(self, X: RawColumns | Array, *, raw: bool = False) -> list[Array]:
        """Return the outputs of each member of each network for rows; the prediction is their mean.

        Parameters
        ----------
        X : RawColumns or ndarray (rows, inputs)
            Raw columns, whose missing values the preprocessing fills; or inputs of the only network.
        raw : bool
            Whether to return outputs as the loss reads them, such as logits.

        Returns
        -------
        list of ndarray
            Probabilities or margins, (rows, outputs), or values in the target's units, (rows, targets).
        """
        found: list[Array] = []
        for network in self.networks:
            outputs = network.outputs(network.inputs(X), raw=raw)
            found += outputs if raw else self._averaged(network, outputs)
        return found

    def comparable(self, X: RawColumns | Array) -> NDArray[np.float64]:
        """Return outputs that can be compared and averaged with outputs of other networks for the same rows.

        Parameters
        ----------
        X : RawColumns or ndarray (rows, inputs)
            Rows as for `member_outputs`.

        Returns
        -------
        ndarray (rows, outputs)
            Result of `Decoder.comparable`.
        """
        raw = self.member_outputs(X, raw=True)
        return self.decoder.comparable(raw, self._values(raw))

    def _averaged(self, network: TrainedNetwork, outputs: Sequence[Array]) -> list[Array]:
        """Return the outputs of a network's members; values in the target's units, float64 for several networks."""
        if len(self.networks) > 1 and self.network.task == "values":
            outputs = [each.astype(np.float64) for each in outputs]
        return [network.decoder.averaged(each) for each in outputs]

    def _together(self, raw: Sequence[Array]) -> NDArray[np.float64]:
        """Return the outputs of the whole model as the loss reads them, given the outputs of each member."""
        return self.decoder.together(raw, self._values(raw))

    def _values(self, raw: Sequence[Array]) -> list[Array] | None:
        """Return each member's raw outputs in the target's units, float64; None if the task is not values."""
        if self.network.task != "values":
            return None
        decoders = [each.decoder for each in self.networks for _ in each.members]
        return [decoder.averaged(each.astype(np.float64)) for decoder, each in zip(decoders, raw, strict=True)]

    def save(self, path: PathLike, *, with_rows: bool = False) -> None:
        """Write the model to a file, atomically; equal models give equal bytes.

        Parameters
        ----------
        path : str or path-like
            Path that usually ends in ``.safetensors``; an existing file is overwritten.
        with_rows : bool
            Add the `background`, up to 100 training rows, so that `contributions` needs nothing but the file. Everyone
            who has the file can read these rows.

        Raises
        ------
        DataError
            If `with_rows` is set and the model has no background.
        FileError
            If the file cannot be written, or the model could not be read back, for example because of weights that are
            not finite. An existing file then remains unchanged.
        """
        with file_errors(path):
            content = self.to_bytes(with_rows=with_rows)
        write_file(path, content)

    def to_bytes(self, *, with_rows: bool = False) -> bytes:
        """Return the content of the file that `save` writes. Arguments are those of `save`.

        Raises the errors of `save`.
        """
        background = compared_rows(self.background, "a file with rows needs training rows") if with_rows else None
        return encode_model(self.networks, self.shares, self.error_quantiles, background)

    def _raw_columns(self, X: ArrayLike | RawColumns) -> RawColumns:
        """Check and return the raw columns for a public method; warn of cells unlike those of training rows."""
        raw = raw_columns(X, self.spec.feature_kinds, self.network.resolved.columns, self.feature_names)
        if raw.kinds and not isinstance(X, RawColumns):
            warn_of_unfamiliar(self.preparations, raw, "X", stacklevel=4)
        return raw
