"""A trained network that can be saved, loaded and asked, and its file."""

from specnet.model.answers import Answers
from specnet.model.model import Model, load_model

__all__ = ["Answers", "Model", "load_model"]
