"""A trained network as one symbolic value: the computation from columns to predictions, for derivatives and exports."""

from __future__ import annotations

from specnet.compiler import Value, rows, state_value
from specnet.data import Preparation
from specnet.model.trained_network import TrainedNetwork
from specnet.parts.arrays import Array


def symbolic(preparation: Preparation, columns: int, key: str) -> tuple[Preparation, dict[str, Array]]:
    """Return preprocessing with symbolic arrays, and their numbers by name; its input has codes instead of texts."""
    arrays: dict[str, Array] = {}

    def symbol(name: str, array: Array) -> Value:
        leaf = f"state.{key}.{name}"
        arrays[leaf] = array
        return state_value(leaf, array.shape)

    made = [group for group in preparation.replaced(symbol).groups if group.output_size(columns)]
    return Preparation(tuple(made)), arrays


def answer_of(trained: TrainedNetwork, prepared: Value) -> tuple[Value, list[dict[str, Array]], dict[str, Array]]:
    """Return what a network predicts for prepared columns, in evaluation mode, as a symbolic value.

    Parameters
    ----------
    trained : TrainedNetwork
    prepared : Value (inputs, "batch")

    Returns
    -------
    value : Value (answers, "batch")
        Values in the target's units, or the activated outputs: what is averaged over the members of an ensemble.
    learned : list of dict
        For each member its parameters and layer states, by their names in the value.
    fitted : dict
        The numbers of the target's preprocessing, by their names in the value.
    """
    network, layout = trained.network, trained.network.layout
    learned = [layout.arrays(theta, "theta") | layout.state_arrays(state) for theta, state in trained.members]
    value = network.blueprint.forward(training=False, x=prepared).output
    if network.task != "values":
        return value, learned, {}
    finish, arrays = symbolic(trained.target_preprocessing, network.target_size, "target_preprocessing")
    value = finish.invert(rows(value, 0, network.target_size))
    return value, learned, arrays
