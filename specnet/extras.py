"""Imports of optional packages, which extras of the distribution install."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from specnet.errors import SpecnetError, install_hint


def required(module: str, extra: str, kind: type[SpecnetError]) -> Any:
    """Import and return a module that an extra installs.

    Parameters
    ----------
    module, extra : str
        Names of the module and of the extra.
    kind : error class
        Error to raise if the module cannot be imported.
    """
    try:
        return import_module(module)
    except ImportError as error:
        message = f"{module} is required and cannot be imported: {error}"
        raise kind(message, hint=install_hint(extra)) from error
