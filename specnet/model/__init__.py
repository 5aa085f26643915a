"""A trained network that can be saved, loaded and asked, and its file."""

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
