"""Models read from files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from specnet.errors import DataError, FileError
from specnet.files import PathLike, open_file
from specnet.model.background import read_background
from specnet.model.file import decode_model
from specnet.model.model import Model
from specnet.parts.part import Part
from specnet.run_files import BEST, TEAM_OF_SWEEP, kind_of, model_file
from specnet.spec import Limits


def load_model(path: PathLike, *, parts: Iterable[type[Part]] = (), limits: Limits | None = None) -> Model:
    """Read a model from a file that `Model.save` wrote; nothing in it is executed.

    Parameters
    ----------
    path : str or path-like
        The file, or the folder of a run.
    parts : iterable of part classes
        Custom parts that its spec uses in addition to built-in and installed ones.
    limits : Limits, optional
        Limits on the size of its network.

    Returns
    -------
    Model
        The saved model, with its preprocessing and labels, and with training rows to which contributions compare if the
        file or the folder has them.

    Raises
    ------
    FileError
        If the file is missing, damaged or not a model.
    """
    with open_file(model_file(path)) as (stream, size):
        model = read_model(stream, size, parts, limits)
    if model.background is None and os.path.isdir(path):
        folder = Path(path)
        rows = folder.parent / BEST if kind_of(folder) is TEAM_OF_SWEEP else folder
        model.background = read_background(rows, model.spec.feature_kinds, model.network.resolved.columns)
    return model


def read_model(stream: BinaryIO, size: int, parts: Iterable[type[Part]] = (), limits: Limits | None = None) -> Model:
    """Return the model in an open file, as `load_model` does; parameters are those of `decode_model`.

    Raises
    ------
    FileError
        If the file is damaged or not a model.
    """
    try:
        networks, shares, error_quantiles, background = decode_model(stream, size, parts, limits)
        model = Model.of(networks, shares, error_quantiles)
    except DataError as error:
        raise FileError(str(error)) from error
    model.background = background
    return model
