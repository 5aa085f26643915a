"""A trained network that can be saved, loaded and asked, and its file."""

from specnet.model.model import Model, load_model

__all__ = ["Model", "load_model"]
