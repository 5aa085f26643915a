"""A trained network that can be saved, loaded and asked, and its file.

In: a network, its parameters and states, fitted preprocessing and labels; or the bytes of a file. Out: predictions,
probabilities, figures, and the same bytes again. Start with `Model` in `model`; `decoder` says what outputs mean, also
those of an ensemble's members, `file` is the format, and `unfamiliar` counts cells unlike those of training rows.
"""

from specnet.model.decoder import NO_PARAMETERS, Answers, Decoder, output_network
from specnet.model.model import Model, load_model
from specnet.model.unfamiliar import UnfamiliarCells, unfamiliar_cells

__all__ = [
    "NO_PARAMETERS",
    "Answers",
    "Decoder",
    "Model",
    "UnfamiliarCells",
    "load_model",
    "output_network",
    "unfamiliar_cells",
]
