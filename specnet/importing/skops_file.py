"""skops's files of scikit-learn's estimators: only what skops trusts by itself is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from specnet.errors import DataError, FileError
from specnet.files import PathLike, file_errors, open_file
from specnet.files.tensors import shown
from specnet.importing.archives import opened
from specnet.importing.draft import Imported
from specnet.importing.sklearn_estimators import import_estimator
from specnet.spec import Limits

SCHEMA = "schema.json"
_LIMIT = 2**31
"""Bytes of all members."""
_HARMLESS = frozenset(f"sklearn.neural_network._stochastic_optimizers.{name}Optimizer" for name in ("Adam", "SGD"))
"""What skops does not know of a fitted network: how far its training had come."""


def import_skops(path: PathLike, limits: Limits | None) -> Imported:
    """Return the network in a ``.skops`` file as a spec and a model.

    Raises
    ------
    FileError
        If the file is damaged, or holds something that is not understood; names it.
    """
    with file_errors(path), open_file(path) as (stream, _):
        with opened(stream) as archive:
            archive.check_sizes(_LIMIT)
            said = archive.said()
        stream.seek(0)
        try:
            return import_estimator(_estimator(stream.read()), limits, name=Path(path).stem, facts=said.facts)
        except DataError as error:
            raise FileError(error.diagnostics[0].message, hint=error.diagnostics[0].hint) from error


def _estimator(content: bytes) -> Any:
    try:
        import skops.io as skops
    except ImportError:
        raise FileError(
            "this is a file of scikit-learn's, which the package skops reads", hint="pip install '.[sklearn-export]'"
        ) from None
    try:
        strange = skops.get_untrusted_types(data=content)
        refused = [name for name in strange if name not in _HARMLESS]
        if refused:
            raise FileError(f"it holds {shown(str(refused[0]))}, which is not trusted")
        return skops.loads(content, trusted=strange)
    except FileError:
        raise
    except Exception as error:  # a damaged file meets any of Python's errors in there
        raise FileError(f"not a valid skops file: {shown(str(error))}") from error
