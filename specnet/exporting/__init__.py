"""Export of models to files for other tools; each export is compared with its model before it is written.

A `model_program.Program` describes a model for all targets: its raw columns, a plan of each network (`export_plan`),
and the way from outputs to answers. A target is a module in `specnet.exporting.targets`. It has the code of each
operation, a template for the rest of the file (`templates`, rendered by `file_templates`), and a function that runs
the exported files. C and JavaScript files loop over the features of a row (`loops`). NumPy and PyTorch
files consist of functions of arrays (`array_functions`). SQL has one expression for each feature (`sql`).
`export_proof` compares the files with the model.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from specnet.errors import DataError, ExportError, UnsupportedError
from specnet.exporting import targets
from specnet.exporting.export_proof import Examine, Proof, prove
from specnet.exporting.target import Target
from specnet.files import PathLike, refuse_taken, write_files
from specnet.model import Model
from specnet.spec.reading.hints import shown

TARGETS = tuple(sorted(module.name for module in pkgutil.iter_modules(targets.__path__)))
"""The names of all targets."""


@dataclass(frozen=True, slots=True)
class Export:
    """The result of an export.

    Attributes
    ----------
    files : tuple of Path
        Paths of the written files, the main file first.
    dtype : str
        The lowest precision of the export's computations and of its columns.
    proof : Proof
        The result of the comparison with the model.
    note : str
        A remark about an unexpected property of the export; usually empty.
    """

    files: tuple[Path, ...]
    dtype: str
    proof: Proof
    note: str = ""


def export(
    model: Model,
    target: str,
    path: PathLike | None = None,
    *,
    float32: bool = False,
    interval: float | None = None,
    derivatives: bool = False,
    learn: bool = False,
    fixed: Literal["int8", "int16"] | None = None,
    rows: ArrayLike | None = None,
    overwrite: bool = True,
    examine: Examine | None = None,
    dialect: str | None = None,
    table: str | None = None,
    view: str | None = None,
    keep: Sequence[str] = (),
) -> Export:
    """Export a model to another format: a file that takes raw columns and returns predictions.

    The exported bytes are run on 256 rows if possible, and compared with the model, before they are written. The
    agreement is part of the result, not of the files.

    Parameters
    ----------
    model : Model
    target : {"c", "javascript", "keras", "numpy", "onnx", "sklearn", "sql", "torch"}
        Format of the export.
    path : str or path-like, optional
        The main file; default: the name of the network, in the working directory. Other files are written beside it.
    float32 : bool
        Store a float64 model as float32, if the format supports it.
    interval : float, optional
        Add the intervals that `Model.predict_interval` returns for this level, if the format supports it.
    derivatives : bool
        Add the derivatives that `Model.gradient` returns, if the format supports it.
    learn : bool
        Add the training step, if the format supports it.
    fixed : {"int8", "int16"}, optional
        Write C that computes with such integers alone, with a proved bound on the difference from the model. Other
        options are not possible with it.
    rows : array_like (rows, columns), optional
        The raw training rows, whose ranges `fixed` needs.
    overwrite : bool
        Overwrite existing files.
    examine : callable, optional
        If the export can be run, it is called with a function that runs it, from raw rows to outputs and labels, and
        with the rows of the comparison.
    dialect : str, optional
        For ``sql``, the database: ``duckdb`` (default), ``sqlite`` or ``postgres``.
    table : str, optional
        For ``sql``, the table with the rows; default: ``data``.
    view : str, optional
        For ``sql``, the name of a view that the statement defines; by default, it is a query.
    keep : sequence of str
        For ``sql``, columns of the table that stand before the predictions.

    Returns
    -------
    Export
        The paths of the written files, and the result of the comparison with the model.

    Raises
    ------
    DataError
        If `model` is not a model, or has no intervals of this level.
    ExportError
        If the format is unknown or does not support the model (UnsupportedError), a required package is not installed
        (MissingPackageError), or the export does not predict as the model does. Nothing is written then.
    TakenError
        If a file exists and may not be overwritten.
    FileError
        If a file cannot be written.
    """
    if not isinstance(model, Model):
        hint = "for a fitted estimator, pass estimator.model_"
        raise DataError(f"expected a specnet.Model, got {type(model).__name__}", hint=hint)
    kind = find_target(target)
    database = {"dialect": dialect, "table": table, "view": view, "keep": tuple(keep)}
    if settings := {name: value for name, value in database.items() if value}:
        kind = kind.of_table(**settings)
    if len(model.networks) > 1 and not kind.takes_teams:
        message = f"a team of {len(model.networks)} models is not supported by {target}"
        best = f"export the best trial: `specnet export SWEEP/best --to {target}`"
        raise UnsupportedError(message, hint=f"choose from {_able('takes_teams')}, or {best}")
    words = [name for name, of in (model.spec.feature_kinds or {}).items() if of == "text"]
    if words and not kind.takes_words:
        message = f"{target} has no equivalent of columns of words: {', '.join(map(shown, words))}"
        hint = f"choose from {_able('takes_words')}, or set the columns to ignore and train again"
        raise UnsupportedError(message, hint=hint)
    if fixed is not None:
        given = {"float32": float32, "interval": interval is not None, "derivatives": derivatives, "learn": learn}
        others = [name for name, is_given in given.items() if is_given]
        if target != "c":
            raise UnsupportedError(f"fixed point is not supported by {target}", hint="choose c")
        if others:
            raise ExportError(f"fixed point cannot be combined with {', '.join(others)}")
        return _fixed(model, fixed, rows, Path(path or f"{model.spec.name or 'network'}.c"), overwrite=overwrite)
    dtype = np.dtype(np.float32) if float32 else model.network.dtype
    if dtype != model.network.dtype and not kind.writes_float32:
        raise UnsupportedError(f"float32 is not supported for a float64 model by {target}")
    if interval is not None and not kind.gives_intervals:
        raise UnsupportedError(
            f"intervals are not supported by {target}", hint=f"choose from {_able('gives_intervals')}"
        )
    if derivatives and not kind.gives_derivatives:
        raise UnsupportedError(
            f"derivatives are not supported by {target}", hint=f"choose from {_able('gives_derivatives')}"
        )
    if learn and not kind.gives_training:
        raise UnsupportedError(
            f"the training step is not supported by {target}", hint=f"choose from {_able('gives_training')}"
        )
    main = Path(path) if path is not None else Path((model.spec.name or "network") + kind.suffix)
    suffixes = (kind.suffix, *kind.other_suffixes)
    if main.suffix not in suffixes:
        raise ExportError(f"{target} needs a file name ending in {' or '.join(suffixes)}, got {main.name}")
    if not all(np.isfinite(array).all() for each in model.networks for array in (each.theta, *each.state.values())):
        raise ExportError("the model has weights that are not finite")
    program = kind.program(model, dtype).with_interval(interval)
    if derivatives:
        program = kind.with_derivatives(program)
    if learn:
        program = program.with_training()
    files = kind.render(program, main)
    if not overwrite:
        refuse_taken(*reversed(files))
    proof = prove(kind, program, files, main.name, examine)
    write_files({str(path): content for path, content in files.items()})
    return Export(tuple(reversed(files)), program.dtype.name, proof, program.note)


def _fixed(model: Model, kind: str, rows: ArrayLike | None, main: Path, *, overwrite: bool) -> Export:
    """Export a model in fixed point; arguments are those of `export`."""
    from specnet.exporting.fixed.fixed_c import fixed_files, prove_fixed
    from specnet.exporting.fixed.fixed_network import WIDTHS, FixedNetwork

    if kind not in WIDTHS:
        raise ExportError(f"unknown fixed point {kind!r}; choose from {', '.join(WIDTHS)}")
    if rows is None:
        raise ExportError("fixed point needs the ranges of the training rows", hint="pass rows=X_train")
    if main.suffix != ".c":
        raise ExportError(f"c needs a file name ending in .c, got {main.name}")
    given = np.asarray(rows, np.float64)
    if given.ndim != 2 or given.shape[1] != model.network.inputs or not len(given) or not np.isfinite(given).all():
        raise DataError(f"rows must be (rows, {model.network.inputs}) finite numbers, got shape {given.shape}")
    network = FixedNetwork(model, kind, given)
    files = fixed_files(network, main)
    if not overwrite:
        refuse_taken(*reversed(files))
    proof = prove_fixed(network, files, main.name, given)
    write_files({str(path): content for path, content in files.items()})
    return Export(tuple(reversed(files)), kind, proof)


def _able(ability: str) -> str:
    return ", ".join(name for name in TARGETS if getattr(find_target(name), ability))


def find_target(name: str) -> Target:
    """Return the target with a name.

    Raises
    ------
    ExportError
        If no target has this name.
    """
    if name not in TARGETS:
        raise ExportError(f'unknown format "{name}"; choose from {", ".join(TARGETS)}')
    target: Target = import_module(f"specnet.exporting.targets.{name}").TARGET
    return target
