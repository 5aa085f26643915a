"""Packages that extras of the distribution install."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from specnet.errors import SpecnetError, install_hint


def required(module: str, extra: str, kind: type[SpecnetError]) -> Any:
    """Import a module that an extra installs.

    Parameters
    ----------
    module, extra : str
    kind : error class
        What is raised if it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        message = f"{module} is required and cannot be imported: {error}"
        raise kind(message, hint=install_hint(extra)) from error
