"""Statistics of the layers at some epochs of a run, and its parameters at a few epochs.

The statistics after an epoch are plain data, a line of ``layers.jsonl``::

    {"epoch": 0, "layers": [{"layer": "layers.0", "weight": 0.7, "gradient": null, "step": null, "dead": 0.2, …}, …]}

`LayerRecorder` describes them; each is null if it is not a finite number or does not apply.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

import numpy as np

from specnet.network import LayerOutputs, Network
from specnet.network.layout import activation_after
from specnet.parts.activations import Activation
from specnet.parts.arrays import Array
from specnet.spec.resolving.graph import Node
from specnet.training.checkpoint import LayerRecord, Snapshots, TrainingRecord
from specnet.training.observer import Observer, Snapshot
from specnet.training.steps.trainer import State

MAX_RECORDS, MAX_OF_SHORT = 20, 10
"""Maximum number of layer records after the first step: of a long and of a short training."""
ROWS = 256
"""Maximum number of training rows that are passed through the network for a record."""
TRAINED_PER_ROW = 16
"""Minimum number of rows of training steps for each row of a record, so that records take little time."""
MOMENTS = (0.01, 0.05, 0.2, 1.0)
"""Fractions of the epochs after which parameters are recorded, in addition to those before training."""
MAX_PARAMETERS = 10_000
"""Maximum number of parameters of a network whose parameters are recorded."""
END = 0.0127
"""Fraction of the range of a layer's outputs: this near to its ends, sigmoid and tanh have under 5 % of their largest
slope."""
PARALLEL = 1e-9
"""Maximum difference from ±1 of the cosine of the angle between parallel weights."""
MAX_COMPARED = 2048
"""Maximum number of units of a layer whose weights are compared with each other."""


def record_epochs(epochs: int, rows: int) -> list[int]:
    """Return the epochs whose layers are recorded: 0, and half of the others evenly, half geometrically spaced.

    These are up to 10 epochs, or up to 20 if training on this number of rows takes long enough.
    """
    if epochs <= MAX_OF_SHORT:
        return list(range(epochs + 1))
    most = epochs * rows // (TRAINED_PER_ROW * min(rows, ROWS))
    half = min(max(most, MAX_OF_SHORT), MAX_RECORDS) // 2
    spaced = np.concatenate([np.linspace(1, epochs, half), np.geomspace(1, epochs, half)])
    return sorted({0, *map(round, spaced.tolist())})


def snapshot_epochs(epochs: int) -> list[int]:
    """Return the epochs whose parameters are recorded: 0, 1 %, 5 % and 20 % of all epochs, and the last one."""
    return sorted({0, *(max(1, round(moment * epochs)) for moment in MOMENTS)})


class LayerRecorder(Observer):
    """An observer that makes the `TrainingRecord` of a run.

    A record has these statistics of each layer with trainable weights:

    - ``weight`` and ``gradient``: root mean squares of its weights, without biases, and of the gradient of the loss
      with respect to these weights;
    - ``step``: root mean square of a step, divided by the root mean square of the weights before it. Gradient and step
      are of the first step of the epoch; in epoch 0 both are null. With L-BFGS a step is an iteration, and the gradient
      is taken at its end;
    - ``dead``: fraction of units whose output is the same on every row, although the input of their activation varies;
    - ``saturated``: fraction of units that are dead, or whose outputs are on 9 of 10 rows within 1.3 % of the ends of
      the range of all outputs of their layer, where sigmoid and tanh have under 5 % of their largest slope. Units
      without an activation are neither dead nor saturated; both are null for outputs that depend on several inputs,
      such as the outputs of softmax;
    - ``parallel``, in the last record: fraction of units whose weights and bias are a multiple of another unit's; 1 if
      all weights are 0. Null if units do not have a weight for each input, or if there are more than 2048 units.

    Numbers that are not finite are null. The last record is of the final model, whose weights may be averaged or of an
    earlier epoch; its gradient and its step are of the last epoch.

    Parameters
    ----------
    network : Network
    X : (rows, inputs)
        The training rows, of which the first 256 are used.
    epochs : int
        Maximum number of epochs.
    """

    def __init__(self, network: Network, X: Array, epochs: int) -> None:
        self._X, self._records, self._snapshots = X[:ROWS], list[LayerRecord](), Snapshots()
        self._units, self._activations = dict(_units(network)), list(_activations(network))
        self._record_epochs = record_epochs(epochs, len(X))
        keeps = network.inputs == 2 and network.parameter_count <= MAX_PARAMETERS
        self._moments = snapshot_epochs(epochs) if keeps else []
        self._epochs = sorted({*self._record_epochs, *self._moments})

    def next_epoch(self, epoch: int) -> int | None:
        index = bisect_right(self._epochs, epoch)
        return self._epochs[index] if index < len(self._epochs) else None

    def trained(self, epoch: int, snapshot: Snapshot) -> None:
        if epoch in self._record_epochs:
            self._add_record(epoch, snapshot)
        if epoch in self._moments:
            self._add_snapshot(epoch, snapshot)

    def finish(self, epoch: int, snapshot: Snapshot, model_state: tuple[Array, State] | None = None) -> None:
        """Record the end of training after this epoch: complete, early or failed.

        Parameters
        ----------
        epoch : int
        snapshot : Snapshot
        model_state : (theta, state), optional
            Parameters and layer states of the final model; default: those of the snapshot.
        """
        self._add_record(epoch, snapshot)
        if self._moments:
            self._add_snapshot(epoch, snapshot)
        final, last = snapshot if model_state is None else snapshot.at(*model_state), self._records[-1]
        parameters, statistics = final.parameters(), self._statistics(final)
        parallel = {key: _parallel([parameters[name] for name in names]) for key, names in self._units.items()}
        layers = [
            {**layer, **statistics[key], "parallel": parallel.get(key)}
            for key, layer in ((layer["layer"], layer) for layer in last["layers"])
        ]
        # The last checkpoint may share the last record, so it is replaced, not changed.
        self._records[-1] = {**last, "layers": layers}

    def record(self) -> TrainingRecord:
        """Return the record so far."""
        return TrainingRecord(list(self._records), dict(self._snapshots))

    def restore(self, record: TrainingRecord) -> None:
        """Continue the record of a checkpoint, with only its entries of epochs that this training records too."""
        self._records = [each for each in record.layer_records if each["epoch"] in self._record_epochs]
        self._snapshots = {epoch: each for epoch, each in record.snapshots.items() if epoch in self._moments}

    def _add_record(self, epoch: int, snapshot: Snapshot) -> None:
        if self._records and self._records[-1]["epoch"] >= epoch:
            return
        sizes, layers = snapshot.step_sizes(epoch) or {}, []
        for key, statistics in self._statistics(snapshot).items():
            gradient, step = sizes.get(key, (None, None))
            sizes_of = {"weight": statistics.pop("weight"), "gradient": gradient, "step": step}
            layers.append({"layer": key, **sizes_of, **statistics})
        self._records.append({"epoch": epoch, "layers": layers})

    def _statistics(self, snapshot: Snapshot) -> dict[str, dict[str, float | None]]:
        """Return ``weight``, ``dead`` and ``saturated`` of each layer."""
        outputs, weights, found = snapshot.layer_outputs(self._X), snapshot.weight_sizes(), {}
        for key, activating, activation in self._activations:
            flat: tuple[float | None, float | None] = (0.0, 0.0)
            if activation is not None:
                flat = _dead_and_saturated(outputs[activating.key]) if activation.elementwise else (None, None)
            found[key] = {"weight": weights[key], "dead": flat[0], "saturated": flat[1]}
        return found

    def _add_snapshot(self, epoch: int, snapshot: Snapshot) -> None:
        self._snapshots.setdefault(epoch, {**snapshot.parameters(), **snapshot.layer_state()})


def _activations(network: Network) -> Iterator[tuple[str, Node, Activation | None]]:
    """Yield the name of each layer with trainable weights, the layer that applies its activation, and the activation.

    The activation is None for a layer without one, or if the loss includes it.
    """
    weights, includes_last = network.layout.weights(), network.spec.training.loss.accepted_activations is not None
    for number, node in enumerate(network.nodes):
        if node.key in weights:
            activating, activation = activation_after(network.nodes, number)
            yield node.key, activating, None if includes_last and activating is network.nodes[-1] else activation


def _dead_and_saturated(outputs: LayerOutputs) -> tuple[float | None, float | None]:
    """Return the fractions of dead and saturated units, given the outputs of a layer; None if they are not finite."""
    raw, activated = outputs
    lowest, highest = activated.min(axis=0), activated.max(axis=0)
    low, high = lowest.min(), highest.max()
    if not np.isfinite(high - low):
        return None, None
    end = END * (high - low)
    at_ends = np.count_nonzero((activated < low + end) | (activated > high - end), axis=0)
    is_dead = lowest == highest
    is_dead[is_dead] = np.ptp(raw[:, is_dead], axis=0) > 0
    return _fraction(is_dead), _fraction(is_dead | (10 * at_ends >= 9 * len(activated)))


def _fraction(which: Array) -> float:
    return int(np.count_nonzero(which)) / len(which)


def _units(network: Network) -> Iterator[tuple[str, list[str]]]:
    """Yield the name of each layer whose units have a weight for each input, and the names of its weight and bias."""
    inputs = {node.key: sum(node.input_sizes) for node in network.nodes}
    for key, weights in network.layout.weights().items():
        for _, tensor, placed in weights:
            # The table of an embedding has another shape: (categories, size).
            if tensor.shape == (placed.block.shape[1], inputs[key]):
                yield key, [f"{key}.{each.name}" for each in placed.block.tensors]


def _parallel(tensors: Sequence[Array]) -> float | None:
    """Return the fraction of units with weights parallel to those of another unit; units are each tensor's first axis.

    1 if all weights are 0; None if there are too many units, or if a weight is not finite.
    """
    units = np.column_stack([tensor.reshape(len(tensor), -1).astype(np.float64) for tensor in tensors])
    if not tensors[0].any():
        return 1.0
    if len(units) > MAX_COMPARED or not np.isfinite(units).all():
        return None
    lengths = np.linalg.norm(units, axis=1, keepdims=True)
    units = np.divide(units, lengths, out=np.zeros_like(units), where=lengths > 0)
    pairs = np.abs(units @ units.T) > 1 - PARALLEL
    pairs |= (lengths == 0) & (lengths.T == 0)
    return float(np.mean(np.count_nonzero(pairs, axis=1) > 1))
