"""A declarative engine for small and middle-sized neural networks.

A network is a document: `parse_spec` reads and checks it, `build` makes closures over one flat parameter vector, `fit`
and `run` train it, and a `Model` answers, saves and loads; `import_model` makes one of another tool's network.
`SpecClassifier` and `SpecRegressor` do so for scikit-learn.
"""

from __future__ import annotations

from importlib import import_module

from specnet.version import __version__ as __version__

# As in `typing`, whose import would take as long as all the rest.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from specnet.errors import (
        DataError,
        ExportError,
        FileError,
        LoggerError,
        PartError,
        SpecError,
        SpecnetError,
        SpecnetWarning,
        TakenError,
        TrainingError,
    )
    from specnet.estimators import SpecClassifier, SpecRegressor
    from specnet.exporting import export
    from specnet.importing import import_model
    from specnet.loggers import JsonLinesLogger, Logger, MLflowLogger, TensorBoardLogger
    from specnet.model import Model, load_model
    from specnet.network import Network, build
    from specnet.running import RunResult, fit, run
    from specnet.running.many.repeated_runs import RepeatedResult, run_many
    from specnet.running.sweeps.sweep_results import NestedResult, SweepResult
    from specnet.running.sweeps.sweeping import nested_sweep, sweep
    from specnet.running.verification.result import Verification
    from specnet.running.verification.verifying import verify
    from specnet.spec import Limits, Resolved, Spec, parse_spec, resolve
    from specnet.training import Observer, StopTraining

__all__ = [
    "DataError",
    "ExportError",
    "FileError",
    "JsonLinesLogger",
    "Limits",
    "Logger",
    "LoggerError",
    "MLflowLogger",
    "Model",
    "NestedResult",
    "Network",
    "Observer",
    "PartError",
    "RepeatedResult",
    "Resolved",
    "RunResult",
    "Spec",
    "SpecClassifier",
    "SpecError",
    "SpecRegressor",
    "SpecnetError",
    "SpecnetWarning",
    "StopTraining",
    "SweepResult",
    "TakenError",
    "TensorBoardLogger",
    "TrainingError",
    "Verification",
    "build",
    "export",
    "fit",
    "import_model",
    "load_model",
    "nested_sweep",
    "parse_spec",
    "resolve",
    "run",
    "run_many",
    "sweep",
    "verify",
]

_HOMES = {
    "DataError": "errors",
    "ExportError": "errors",
    "FileError": "errors",
    "JsonLinesLogger": "loggers",
    "Limits": "spec",
    "Logger": "loggers",
    "LoggerError": "errors",
    "MLflowLogger": "loggers",
    "Model": "model",
    "NestedResult": "running.sweeps.sweep_results",
    "Network": "network",
    "Observer": "training",
    "PartError": "errors",
    "RepeatedResult": "running.many.repeated_runs",
    "Resolved": "spec",
    "RunResult": "running",
    "Spec": "spec",
    "SpecClassifier": "estimators",
    "SpecError": "errors",
    "SpecRegressor": "estimators",
    "SpecnetError": "errors",
    "SpecnetWarning": "errors",
    "StopTraining": "training",
    "SweepResult": "running.sweeps.sweep_results",
    "TakenError": "errors",
    "TensorBoardLogger": "loggers",
    "TrainingError": "errors",
    "Verification": "running.verification.result",
    "build": "network",
    "export": "exporting",
    "fit": "running",
    "import_model": "importing",
    "load_model": "model",
    "nested_sweep": "running.sweeps.sweeping",
    "parse_spec": "spec",
    "resolve": "spec",
    "run": "running",
    "run_many": "running.many.repeated_runs",
    "sweep": "running.sweeps.sweeping",
    "verify": "running.verification.verifying",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, so that `import specnet` stays light (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'specnet' has no attribute {name!r}")
    value = getattr(import_module(f"specnet.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
