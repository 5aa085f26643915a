"""Files for other places, each proved at the moment it is written.

A target is a module in `specnet.exporting.targets` and nothing else: it says how operations, layers and answers are
written, and how the result is run.
"""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

from specnet.errors import DataError, ExportError, UnsupportedError
from specnet.exporting import targets
from specnet.exporting.proof import Proof, prove
from specnet.exporting.target import Target
from specnet.files import PathLike, refuse_taken, write_files
from specnet.model import Model

TARGETS = tuple(sorted(module.name for module in pkgutil.iter_modules(targets.__path__)))
"""The names of all targets."""


@dataclass(frozen=True, slots=True)
class Export:
    """What an export has written.

    Attributes
    ----------
    files : tuple of Path
        The main one first.
    dtype : str
        The lowest precision in which it computes or takes its columns.
    proof : Proof
    note : str
        What is not as one might expect; empty for most.
    """

    files: tuple[Path, ...]
    dtype: str
    proof: Proof
    note: str = ""


def export(
    model: Model, target: str, path: PathLike | None = None, *, float32: bool = False, overwrite: bool = True
) -> Export:
    """Write a model as a file for another place; raw columns go in, final answers come out.

    The very bytes that are written run, where they can, on 256 rows before, and are compared with the model. How far
    they agree is in what is returned, and in no file.

    Parameters
    ----------
    model : Model
    target : str
        One of `TARGETS`.
    path : str or path-like, optional
        The file; the network's name in the current folder if None. Other files of the export lie beside it.
    float32 : bool
        Whether a float64 model is stored as float32, for targets that can.
    overwrite : bool
        Replace files that are there already.

    Raises
    ------
    DataError
        If it is no model.
    ExportError
        If there is no such target, it cannot say what the model has (UnsupportedError), a package that it needs is not
        installed (MissingPackageError), or it does not answer as the model does. Nothing is written then.
    TakenError
        If a file is there already, and may not be replaced.
    FileError
        If a file cannot be written.
    """
    if not isinstance(model, Model):
        hint = "a fitted estimator has it as estimator.model_"
        raise DataError(f"model is a {type(model).__name__}, and a specnet.Model is needed", hint=hint)
    kind = find_target(target)
    wanted = np.dtype(np.float32) if float32 else model.network.dtype
    if wanted != model.network.dtype and not kind.writes_float32:
        raise UnsupportedError(f"{target} has no float32 form of a float64 model")
    main = Path(path) if path is not None else Path((model.spec.name or "network") + kind.suffix)
    suffixes = (kind.suffix, *kind.other_suffixes)
    if main.suffix not in suffixes:
        raise ExportError(f"{target} writes a file that ends in {' or '.join(suffixes)}, not {main.name}")
    if not all(np.isfinite(array).all() for array in (model.theta, *model.state.values())):
        raise ExportError("this model has weights that are not finite")
    program = kind.program(model, wanted)
    files = kind.render(program, main)
    if not overwrite:
        refuse_taken(*reversed(files))
    proof = prove(kind, program, files, main.name)
    write_files({str(place): content for place, content in files.items()})
    return Export(tuple(reversed(files)), program.dtype.name, proof, program.note)


def find_target(name: str) -> Target:
    """Return a target by its name.

    Raises
    ------
    ExportError
        If there is none.
    """
    if name not in TARGETS:
        raise ExportError(f'"{name}" is no target; there are {", ".join(TARGETS)}')
    target: Target = import_module(f"specnet.exporting.targets.{name}").TARGET
    return target
