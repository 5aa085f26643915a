"""The loggers that ``--log`` names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from specnet.cli.output import UsageError

if TYPE_CHECKING:
    from specnet.loggers import Logger

PLACES = {"jsonl": "FILE", "mlflow": "URI", "tensorboard": "DIR"}
"""What stands behind the colon, by the name of the logger."""

LogOption = Annotated[
    list[str] | None,
    typer.Option(
        "--log",
        metavar="LOGGER:TARGET",
        show_default=False,
        help="Also log to jsonl:FILE, tensorboard:DIR or mlflow:URI (repeatable).",
    ),
]


def loggers(texts: Sequence[str] | None, *, overwrite: bool) -> list[Logger]:
    """Return the loggers that are asked for.

    Parameters
    ----------
    texts : sequence of str, optional
        As given to ``--log``.
    overwrite : bool
        Overwrite existing files.

    Raises
    ------
    UsageError
        If there is no such logger, or it lacks its target.
    LoggerError
        If a package is not installed.
    """
    return [_logger(text, overwrite) for text in texts or ()]


def _logger(text: str, overwrite: bool) -> Logger:
    name, _, target = text.partition(":")
    if name not in PLACES:
        raise UsageError(f'--log: unknown logger "{name}"', hint=f"choose from {', '.join(PLACES)}")
    if not target and name != "mlflow":  # which has a setting of its own
        raise UsageError(f"--log {name} needs a target", hint=f"use --log {name}:{PLACES[name]}")

    from specnet.loggers import JsonLinesLogger, MLflowLogger, TensorBoardLogger

    if name == "jsonl":
        return JsonLinesLogger(target, overwrite=overwrite)
    return TensorBoardLogger(target) if name == "tensorboard" else MLflowLogger(target or None)
