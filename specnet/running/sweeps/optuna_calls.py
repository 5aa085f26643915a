"""Optuna, imported when a sweep needs it, without what it prints and without its warnings of experimental features."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from specnet.errors import TrainingError
from specnet.extras import required

_lock = threading.RLock()


def required_optuna() -> Any:
    """Return the module of Optuna.

    Raises
    ------
    TrainingError
        If it is not installed.
    """
    return required("optuna", "sweep", TrainingError)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna from printing, and from warning of features that it calls experimental.

    Both are the process's: of several threads, one at a time calls Optuna.
    """
    optuna = required_optuna()
    with _lock:
        before = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                yield
        finally:
            optuna.logging.set_verbosity(before)
