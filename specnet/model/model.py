"""A trained network that can be asked, saved and loaded."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from specnet.data import Preparation, RawColumns, raw_columns
from specnet.display import Displayed
from specnet.errors import DataError, FileError, SpecnetWarning, rendered
from specnet.files import PathLike, file_errors, write_file
from specnet.model.decoder import Answers, Decoder, checked_labels
from specnet.model.error_quantiles import ErrorQuantiles
from specnet.model.file import Contents, check_content, encode_model
from specnet.model.unfamiliar import refuse_gaps, unfamiliar_cells
from specnet.network import Network
from specnet.parts.arrays import Array, check_weights
from specnet.parts.metrics import Metric
from specnet.parts.metrics.statistics import weighted_mean
from specnet.spec import Spec


class Model(Displayed):
    """A trained network, or an ensemble of several, with parameters, preprocessing and labels.

    Parameters
    ----------
    network : Network
    theta : array_like (parameter_count,) or (members, parameter_count)
        The parameters, copied in the network's dtype. Those of several networks of the same layers are an ensemble.
    state : mapping of str to ndarray, optional
        Running averages, as `Network.initial_state` makes them; of an ensemble with the members as their first axis.
    preprocessing, target_preprocessing : Preparation, optional
        Fitted preprocessing of the columns and of the target.
    labels : ndarray (classes,), optional
        Integers (int64) or text, ascending and distinct; default: 0, 1, … For classifiers only.
    error_quantiles : ErrorQuantiles, optional
        Of rows that it was not trained on, for intervals and sets.
    history : iterable of dict
        The records of its training; not saved with the model.

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
        self.network = network
        self.theta = np.array(theta, network.dtype)
        for each in self.theta if self.theta.ndim == 2 else [self.theta]:
            network.parameters(each)  # refuses another shape
        members = self.theta.shape[:-1]
        initial = network.initial_state() if state is None else {}
        self.state = {name: np.tile(kept, (*members, *[1] * kept.ndim)) for name, kept in initial.items()}
        self.state |= state or {}
        self.preprocessing = preprocessing or Preparation()
        self.target_preprocessing = target_preprocessing or Preparation()
        self.error_quantiles = error_quantiles or ErrorQuantiles()
        self.history = list(history)
        self.decoder = Decoder(network, self.target_preprocessing, checked_labels(labels, network))

    def __repr__(self) -> str:
        name = f"{self.spec.name}, " if self.spec.name else ""
        members = f"{len(self.theta)} members, " if self.is_ensemble else ""
        return f"<{type(self).__name__} {name}{members}{self.network.inputs} inputs, {self.theta.size} parameters>"

    def astype(self, dtype: str) -> Model:
        """Return the same model, computed in another dtype, ``float32`` or ``float64``."""
        network = Network(self.network.resolved.with_dtype(dtype))
        state = {name: array.astype(network.dtype) for name, array in self.state.items()}
        prepared = (self.preprocessing, self.target_preprocessing)
        return Model(network, self.theta, state, *prepared, self.labels, self.error_quantiles)

    @property
    def target_names(self) -> tuple[str, ...]:
        """The names of the target's columns; empty where it is no table's."""
        names: tuple[str, ...] = getattr(self.spec.data, "targets", ())
        return names if len(names) == self.network.target_size else ()

    @property
    def target_words(self) -> dict[str, tuple[str, str]]:
        """What the training file has for 0 and 1 in those of several targets that have words, by their names."""
        return getattr(self.spec.data, "target_words", {}) if self.network.task == "multilabel" else {}

    @property
    def is_ensemble(self) -> bool:
        """Whether its networks are several, whose answers are averaged."""
        return self.theta.ndim == 2

    @property
    def members(self) -> tuple[tuple[Array, dict[str, Array]], ...]:
        """The parameters and layer states of each member of an ensemble; of the only network if it is none."""
        if self.theta.ndim < 2:
            return ((self.theta, self.state),)
        states = [{name: kept[number] for name, kept in self.state.items()} for number in range(len(self.theta))]
        return tuple(zip(self.theta, states, strict=True))

    @property
    def boundary(self) -> float:
        """The binary output above which 1 is predicted: probability 0.5, or margin 0."""
        return self.decoder.boundary

    @property
    def spec(self) -> Spec:
        """The resolved spec."""
        return self.network.spec

    @property
    def labels(self) -> Array | None:
        """The label of each class, (classes,), int64 or text; None if it is not a classifier."""
        labels = self.decoder.labels
        return None if labels is None else labels.values

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
            Raw columns as in training; data frames are read by the names in `feature_names`, and by the columns'
            kinds. A missing cell is filled by the preprocessing, or has the code of missing or of rare categories;
            gaps in columns that had none in training, and categories without a code, are a `SpecnetWarning`. Rows of
            a file that `specnet.data.read_inputs` has read are taken too, without warnings; see `unfamiliar_cells`.

        Returns
        -------
        ndarray
            The most probable label, (rows,); 0 and 1, (rows, outputs), for independent binary outputs; otherwise
            values in the target's own units, (rows,) for one output and (rows, outputs) for more. An ensemble gives
            the mean of its members' values, or the label that is most probable by the mean of their probabilities.

        Raises
        ------
        DataError
            If X does not hold finite numbers of that shape, lacks a column of `feature_names`, or has a missing cell
            that the preprocessing does not fill.
        """
        return self.decoder.predictions(self.member_outputs(self.inputs_of(X)))

    def predict_proba(self, X: ArrayLike | RawColumns) -> Array:
        """Return the probability of each class, (rows, classes), in the order of `labels`.

        One binary output gives both classes; several give the probability of 1 for each, (rows, outputs). An ensemble
        gives the mean of its members' probabilities.

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
        return self.decoder.probabilities(self.member_outputs(self.inputs_of(X)))

    def predict_interval(self, X: ArrayLike | RawColumns, level: float = 0.9) -> Array:
        """Return an interval around each predicted value; so many of them have the true value inside.

        That holds for rows like those of training, on average and not for each group of them. Where errors on held-out
        rows depend on the prediction, so do the widths (see `specnet.model.error_quantiles`). Intervals end at 0 where
        no target that the model was trained with is negative.

        Parameters
        ----------
        X : array_like (rows, columns)
        level : float
            The fraction of true values inside, of each output: 0.01, 0.02, … 0.99.

        Returns
        -------
        ndarray
            Lower and upper end, float64: (rows, 2), or (rows, outputs, 2) for several outputs.

        Raises
        ------
        DataError
            If X does not fit, the model predicts classes, no rows were held out, or too few for the level.
        """
        self.interval_quantiles(level)
        return self.error_quantiles.ends(self.predict(X), level)

    def interval_quantiles(self, level: float) -> Array:
        """Return the quantiles of errors of a level, as `ErrorQuantiles.at` does; errors are `predict_interval`'s."""
        if self.network.task != "values":
            raise DataError("intervals need a model of values", hint="use predict_set (--set) for classes")
        return self.error_quantiles.at(level)

    def predict_set(self, X: ArrayLike | RawColumns, level: float = 0.9) -> Array:
        """Return the set of classes that are likely enough for each row; so many sets have the true class.

        That holds as for `predict_interval`. A set may be empty if the level is below the accuracy of the model.

        Parameters
        ----------
        X : array_like (rows, columns)
        level : float
            The fraction of sets with the true class: 0.01, 0.02, … 0.99.

        Returns
        -------
        ndarray of bool (rows, classes)
            In the order of `labels`.

        Raises
        ------
        DataError
            If X does not fit, there are no probabilities of classes, no rows were held out, or too few for the level.
        """
        self.check_sets()
        return self.error_quantiles.sets(self.predict_proba(X), level)

    def check_sets(self) -> None:
        """Raise the error of `predict_set` for a model that has no sets."""
        if self.labels is None or not self.gives_probabilities:
            hint = "use predict_interval (--interval) for values" if self.network.task == "values" else None
            raise DataError("sets need a classifier with probabilities and one class per row", hint=hint)

    def predict_spread(self, X: ArrayLike | RawColumns) -> Array:
        """Return the standard deviation over the members of an ensemble of what they predict.

        Returns
        -------
        ndarray
            Of values, (rows,) or (rows, outputs), as `predict` gives them; of probabilities, as `predict_proba` does;
            otherwise of margins, (rows,) or (rows, outputs).

        Raises
        ------
        DataError
            If X does not fit, or the model is not an ensemble.
        """
        if not self.is_ensemble:
            raise DataError("predict_spread needs an ensemble", hint="set training.ensemble = 5")
        return self.decoder.spread(self.member_outputs(self.inputs_of(X)))

    def raw_outputs(self, X: ArrayLike | RawColumns) -> Array:
        """Return the outputs as the loss sees them, (rows, outputs): logits or margins for classifiers.

        Those of an ensemble are the logits of its mean probabilities, or the mean of its members' margins.

        Raises
        ------
        DataError
            If X does not fit.
        """
        raw = self.member_outputs(self.inputs_of(X), raw=True)
        return raw[0] if len(raw) == 1 else self.decoder.together(raw).astype(self.network.dtype)

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
            Labels, 0 and 1 for each output, or values in their own units.
        sample_weight : array_like (rows,), optional
            How much each row counts.
        metrics : str, Metric or sequence of them, optional
            Default: the metrics of the spec.

        Returns
        -------
        dict
            ``loss``, the mean loss of the rows as training sees their target, without dropout, penalties and label
            smoothing; then each metric by its name, with units for each of several named targets:
            ``mean_absolute_error_price``. Those of an ensemble are of its predictions, not means over its
            members.

        Raises
        ------
        DataError
            If an argument does not fit, with its name and both shapes, or a metric is not supported.
        """
        inputs, chosen = self.inputs_of(X), self.decoder.metrics(metrics)
        if chosen:
            return self.answers(inputs, y, sample_weight).figures(chosen)
        losses = self._losses(inputs, self.decoder.target(y, len(inputs))[1])
        return {"loss": weighted_mean(losses, check_weights(sample_weight, len(inputs)))}

    def answers(self, X: Array, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Answers:
        """Return answers for rows X (rows, inputs), as the network reads them, beside the true y and sample_weight."""
        target, wanted = self.decoder.target(y, len(X))
        weights, compared = check_weights(sample_weight, len(X)), self.decoder.compared(self.member_outputs(X))
        return Answers(target, wanted, self._losses(X, wanted), *compared, weights, self.target_names)

    def answers_of(self, raw: Array, outputs: Array, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Answers:
        """Return the answers of outputs (rows, outputs), raw and activated, beside the true y and sample_weight."""
        target, wanted = self.decoder.target(y, len(raw))
        weights, compared = check_weights(sample_weight, len(raw)), self.decoder.compared([outputs])
        return Answers(target, wanted, self.decoder.losses(raw, wanted), *compared, weights, self.target_names)

    def member_outputs(self, X: Array, *, raw: bool = False) -> list[Array]:
        """Return each member's outputs for rows as the network reads them, (rows, outputs).

        Parameters
        ----------
        X : ndarray (rows, inputs)
        raw : bool
            Return them as the loss sees them, such as logits.
        """
        return [self.network.predict_checked(theta, X, state, raw=raw) for theta, state in self.members]

    def save(self, path: PathLike) -> None:
        """Write the model to a file, atomically; equal models give equal bytes.

        Parameters
        ----------
        path : str or path-like
            Usually ends in ``.safetensors``; an existing file is overwritten.

        Raises
        ------
        FileError
            If the file cannot be written, or the model could not be read back, for example because of weights that are
            not finite. An existing file is kept then.
        """
        with file_errors(path):
            content = self.to_bytes()
        write_file(path, content)

    def to_bytes(self) -> bytes:
        """Return the content of the file that `save` writes.

        Raises
        ------
        FileError
            If the model could not be read back.
        """
        ensemble = self.spec.training.ensemble
        if self.theta.shape[:-1] != (() if ensemble is None else (ensemble.members,)):
            expected = "has no ensemble" if ensemble is None else f"has an ensemble of {ensemble.members}"
            raise FileError(f"the model's theta has shape {self.theta.shape}, but its spec {expected}")
        content = encode_model(self.contents)
        check_content(content, [self.network])
        return content

    @property
    def contents(self) -> Contents:
        """All that its file holds."""
        prepared = (self.preprocessing, self.target_preprocessing)
        return Contents(self.network, self.theta, self.state, *prepared, self.labels, self.error_quantiles)

    def _losses(self, X: Array, wanted: Array) -> Array:
        """Return the loss of each row as `member_outputs` takes it, float64 (rows,)."""
        if self.is_ensemble:
            return self.decoder.losses(self.decoder.together(self.member_outputs(X, raw=True)), wanted)
        return self.network.row_losses(self.theta, X, wanted, self.state, data_only=True)

    def inputs_of(self, X: ArrayLike | RawColumns) -> Any:
        """Return raw columns X as `member_outputs` takes them: as the network reads them, (rows, inputs)."""
        return self.read(self._raw_columns(X, stacklevel=4))

    def read(self, raw: RawColumns) -> Any:
        """Return raw columns, without a gap that is not filled, as `member_outputs` takes them, (rows, inputs)."""
        return self.preprocessing.prepare(raw.X, texts=raw.texts, reader=self.network)

    def _raw_columns(self, X: ArrayLike | RawColumns, stacklevel: int) -> RawColumns:
        """Return raw columns, checked; cells unlike those of training rows are told of."""
        raw = raw_columns(X, self.spec.feature_kinds, self.network.resolved.columns, self.feature_names)
        if raw.kinds and not isinstance(X, RawColumns):
            refuse_gaps(self.preprocessing, raw, "X")
            for text in rendered(unfamiliar_cells(self.preprocessing, raw, "X")):
                warnings.warn(text, SpecnetWarning, stacklevel=stacklevel)
        return raw
