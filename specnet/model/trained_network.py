"""A network with its trained parameters and states, its fitted preprocessing, and the labels of its classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.data import Preparation, RawColumns
from specnet.errors import DataError, FileError
from specnet.model.decoder import Decoder, checked_labels
from specnet.model.error_quantiles import ErrorQuantiles
from specnet.network import Network
from specnet.parts.arrays import Array
from specnet.parts.data import Kind, kind_of
from specnet.spec import Spec


class TrainedNetwork:
    """One network of a model, with one or several sets of parameters: the members of an ensemble.

    Parameters
    ----------
    network : Network
    theta : array_like (parameter_count,) or (members, parameter_count)
        Parameters, copied in the network's dtype.
    state : mapping of str to ndarray, optional
        Running averages; the first axis of an ensemble's arrays is the member.
    preprocessing, target_preprocessing : Preparation, optional
        Fitted preprocessing of the columns and of the target.
    labels : ndarray (classes,), optional
        Class labels, ascending and distinct; default: 0, 1, … For classifiers only.
    error_quantiles : ErrorQuantiles, optional
        Quantiles of this network's errors, if it is one of several networks of a model.

    Attributes
    ----------
    decoder : Decoder
        Converts the outputs into predictions.

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
    ) -> None:
        self.network = network
        self.theta = np.array(theta, network.dtype)
        for each in self.theta if self.theta.ndim == 2 else [self.theta]:
            network.parameters(each)  # raises an error if the shape is wrong
        members = self.theta.shape[:-1]
        initial = network.initial_state() if state is None else {}
        self.state = {name: np.tile(array, (*members, *[1] * array.ndim)) for name, array in initial.items()}
        self.state |= state or {}
        self.preprocessing = preprocessing or Preparation()
        self.target_preprocessing = target_preprocessing or Preparation()
        self.error_quantiles = error_quantiles or ErrorQuantiles()
        self.decoder = Decoder(network, self.target_preprocessing, checked_labels(labels, network))

    @property
    def spec(self) -> Spec:
        """The resolved spec."""
        return self.network.spec

    @property
    def labels(self) -> Array | None:
        """The label of each class, (classes,), int64 or text; None if the network is not a classifier."""
        labels = self.decoder.labels
        return None if labels is None else labels.values

    @property
    def is_ensemble(self) -> bool:
        """Whether the network has a members axis: several members, or the spec of an ensemble."""
        return self.theta.ndim == 2

    @property
    def members(self) -> tuple[tuple[Array, dict[str, Array]], ...]:
        """The parameters and layer states of each member; a network without an ensemble is a single member."""
        if not self.is_ensemble:
            return ((self.theta, self.state),)
        states = [{name: array[number] for name, array in self.state.items()} for number in range(len(self.theta))]
        return tuple(zip(self.theta, states, strict=True))

    def astype(self, dtype: str) -> TrainedNetwork:
        """Return this network converted to compute in another dtype, ``float32`` or ``float64``."""
        network = Network(self.network.resolved.with_dtype(dtype))
        state = {name: array.astype(network.dtype) for name, array in self.state.items()}
        prepared = (self.preprocessing, self.target_preprocessing)
        return TrainedNetwork(network, self.theta, state, *prepared, self.labels, self.error_quantiles)

    def inputs(self, X: RawColumns | Array) -> Array:
        """Return the inputs of the network, (rows, inputs), given raw columns; return an array unchanged."""
        if isinstance(X, RawColumns):
            prepared: Array = self.preprocessing.prepare(X.X, texts=X.texts, reader=self.network)
            return prepared
        return X

    def outputs(self, inputs: Array, *, raw: bool = False) -> list[Array]:
        """Return the outputs of each member, (rows, outputs); if `raw`, as the loss reads them, such as logits."""
        return [self.network.predict_checked(theta, inputs, state, raw=raw) for theta, state in self.members]

    def losses(self, inputs: Array, loss_target: Array) -> NDArray[np.float64]:
        """Return the loss of each row, (rows,), for the only member, given the target as the loss reads it."""
        ((theta, state),) = self.members
        losses: NDArray[np.float64] = self.network.row_losses(theta, inputs, loss_target, state, data_only=True)
        return losses

    def check_members(self) -> None:
        """Check that the number of members is that of the spec; a file with another number could not be read.

        Raises
        ------
        FileError
        """
        ensemble = self.spec.training.ensemble
        if self.theta.shape[:-1] != (() if ensemble is None else (ensemble.members,)):
            expected = "has no ensemble" if ensemble is None else f"has an ensemble of {ensemble.members}"
            raise FileError(f"the model's theta has shape {self.theta.shape}, but its spec {expected}")

    def check_alike(self, other: TrainedNetwork) -> None:
        """Check that predictions of this network and another one can be averaged.

        Raises
        ------
        DataError
        """
        labels = [None if each.labels is None else each.labels.tolist() for each in (self, other)]
        if self.decoder.kind != other.decoder.kind or labels[0] != labels[1]:
            raise DataError("models whose outputs are of different kinds cannot be averaged")
        if self._columns() != other._columns():
            raise DataError("models of different columns cannot be averaged")

    def _columns(self) -> tuple[int, tuple[str, ...] | None, list[Kind]]:
        """Return the number of raw columns, their names, and their kinds; no kinds if they have none."""
        kinds = self.spec.feature_kinds or {}
        return self.network.resolved.columns, self.spec.feature_names, list(map(kind_of, kinds.values()))

    def tensors(self) -> dict[str, Any]:
        """Return the parameters and states of all members, by their tensor names in a model file."""
        if not self.is_ensemble:
            return {**self.network.parameters(self.theta), **self.state}
        return {
            f"members.{number}.{name}": array
            for number, (theta, state) in enumerate(self.members)
            for name, array in {**self.network.parameters(theta), **state}.items()
        }
