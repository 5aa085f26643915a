"""Import of networks as specs and models: from ONNX, Keras and skops files, and objects of scikit-learn and PyTorch.

No code in a file is executed. Once an ONNX graph has been read, onnxruntime runs it to compare its outputs with those
of the model. An error names any part that is not supported.

In: a file or an object. Out: `Imported`, a short spec and its model. The module of each tool fills a `Draft`, layer
by layer; `Draft.finish` returns its spec and model. Start at `read_network`, then `draft`, then the module of a tool.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from specnet.errors import DataError, FileError, SpecnetWarning, rendered
from specnet.exporting import TARGETS, find_target
from specnet.files import PathLike, file_errors, open_file, refuse_taken, write_files
from specnet.files.archives import Archive
from specnet.files.plain_data import to_toml
from specnet.importing.draft import Imported
from specnet.model import Model, load_model
from specnet.spec import Limits

__all__ = ["Imported", "import_model", "open_model", "read_network", "weights_path", "write_network"]

_ZIP = b"PK\x03\x04"


def import_model(source: PathLike | Any, *, limits: Limits | None = None, output: str | None = None) -> Model:
    """Return the model in another tool's file or object; its predictions are those of the source.

    An omission, such as an output that is a copy of an input, causes a `SpecnetWarning`.

    Parameters
    ----------
    source : str, path-like, scikit-learn estimator or torch.nn.Sequential
        An ONNX, ``.keras`` or ``.skops`` file; a fitted ``MLPClassifier`` or ``MLPRegressor``, also at the end of a
        pipeline of scalers, ``SimpleImputer``, encoders and ``ColumnTransformer``; or a ``Sequential`` of layers that
        specnet has.
    limits : Limits, optional
        Limits on the size of the network.
    output : str, optional
        Name of one of several outputs of an ONNX file, such as the action of a policy that also outputs a value.

    Raises
    ------
    FileError
        If the file is missing, damaged, has an unsupported part, or has no output of this name; names the part.
    DataError
        If the object is of another type, or has an unsupported part.
    """
    imported = read_network(source, limits=limits, output=output)
    for text in rendered(imported.warnings):
        warnings.warn(text, SpecnetWarning, stacklevel=2)
    return imported.model


def read_network(source: PathLike | Any, *, limits: Limits | None = None, output: str | None = None) -> Imported:
    """Return the network in another tool's file or object, as `import_model` does, with a short spec."""
    if isinstance(source, str) or hasattr(source, "__fspath__"):
        return _read_file(source, limits, output)
    if output is not None:
        raise DataError("an output can be chosen of an ONNX file alone")
    families = _families(source)
    try:
        if type(source).__module__.partition(".")[0] == "sklearn":
            from specnet.importing.sklearn_estimators import import_estimator

            return import_estimator(source, limits)
        if "torch" in families and "keras" not in families:  # Keras's layers are torch modules with its torch backend
            from specnet.importing.torch_modules import import_module

            return import_module(source, limits)
    except FileError as error:
        raise DataError(error.diagnostics[0].message, hint=error.diagnostics[0].hint) from error
    hint = "give a file (.onnx, .keras, .skops), an nn.Sequential or an estimator of scikit-learn"
    if "keras" in families:
        hint = 'save it with model.save("network.keras"), and import that file'
    elif isinstance(source, Mapping) and any("torch" in _families(value) for value in source.values()):
        hint = "a state dict has no layers; load it into its nn.Sequential, and give that"
    raise DataError(f"cannot import {type(source).__module__}.{type(source).__qualname__}", hint=hint)


def _families(source: Any) -> set[str]:
    """Return the top-level packages of an object's class and its base classes."""
    return {base.__module__.partition(".")[0] for base in type(source).__mro__}


def open_model(path: PathLike, limits: Limits | None = None) -> Model:
    """Return a model for predictions and metrics from a model file, the folder of a run, or an exported file.

    Of exported files, ONNX, Keras and skops files can be read; all others are programs to run on their own.

    Raises
    ------
    FileError
        If the file is missing, damaged, or of another type.
    """
    suffix = Path(path).suffix
    kinds = [kind for kind in map(find_target, TARGETS) if suffix in (kind.suffix, *kind.other_suffixes)]
    if not kinds or os.path.isdir(path):
        return load_model(path, limits=limits)
    if kinds[0].is_program:
        hint = "run it as a program; specnet reads .safetensors, .onnx, .keras and .skops files"
        raise FileError(f"a {suffix} file is a program", source=os.fspath(path), hint=hint)
    imported = read_network(path, limits=limits)
    if not imported.has_facts:
        hint = "`specnet import` makes a model of it"
        message = "this file does not come from `specnet.export`: it names no loss"
        raise FileError(message, source=os.fspath(path), hint=hint)
    return imported.model


def write_network(imported: Imported, path: PathLike, *, overwrite: bool = True) -> None:
    """Write the spec to a TOML file, and the model beside it.

    Raises
    ------
    FileError
        If a file cannot be written; if it exists and `overwrite` is false (TakenError); or if the model has several
        networks, which no spec can express.
    """
    if len(imported.model.networks) > 1:
        message = f"a team of {len(imported.model.networks)} models has no spec of its own"
        hint = "`specnet predict` and `specnet evaluate` take the file as it is, as does specnet.import_model"
        raise FileError(message, hint=hint)
    if not overwrite:
        refuse_taken(path, weights_path(path))
    write_files({weights_path(path): imported.model.to_bytes(), path: to_toml(imported.document)})


def weights_path(path: PathLike) -> Path:
    """Return the path of the model file for a spec that is written to `path`."""
    return Path(path).with_suffix(".safetensors")


def _read_file(path: PathLike, limits: Limits | None, output: str | None) -> Imported:
    with file_errors(path), open_file(path) as (stream, _):
        if stream.read(len(_ZIP)) == _ZIP:
            if output is not None:
                raise FileError("an output can be chosen of an ONNX file alone")
            from specnet.importing.keras_files import import_keras
            from specnet.importing.sklearn_estimators import SCHEMA, import_skops

            archive = Archive(stream)
            read = import_skops if SCHEMA in archive else import_keras
            return read(archive, Path(path).stem, limits)
    from specnet.importing.onnx.onnx_import import import_onnx

    return import_onnx(path, limits, output)
