"""Keras's ``.keras`` files: an archive of the network as JSON and of its weights as HDF5, neither of them executed.

Only layers of a fixed list are understood, each read field by field; names of modules and functions are compared with
that list and never looked up.
"""

from __future__ import annotations

from pathlib import Path

from specnet.errors import FileError
from specnet.files import PathLike, file_errors, open_file
from specnet.files.tensors import parse_object
from specnet.importing.archives import opened
from specnet.importing.draft import Imported
from specnet.importing.keras_description import describe
from specnet.importing.keras_models import read_model
from specnet.importing.keras_weights import WEIGHTS, Weights
from specnet.spec import Limits

CONFIG = "config.json"
_CONFIG_LIMIT = 2**24
_WEIGHTS_LIMIT = 2**31


def import_keras(path: PathLike, limits: Limits | None) -> Imported:
    """Return the network in a ``.keras`` file as a spec and a model.

    Raises
    ------
    FileError
        If the file is damaged, or holds something that is not understood; names it.
    """
    with file_errors(path), open_file(path) as (stream, _):
        with opened(stream) as archive:
            for name in (CONFIG, WEIGHTS):
                if name not in archive:
                    hint = "in Python, specnet.import_model takes a torch.nn.Sequential or an estimator of scikit-learn"
                    raise FileError(f"this archive is neither Keras's nor skops's: it has no {name}", hint=hint)
            config = parse_object(archive.read(CONFIG, _CONFIG_LIMIT), CONFIG)
            content, said = archive.read(WEIGHTS, _WEIGHTS_LIMIT), archive.said()
        model = describe(config, limits or Limits())
        with Weights(content) as weights:
            draft, output = read_model(model, weights, limits)
            return draft.finish(output, Path(path).stem, labels=said.labels, facts=said.facts)
