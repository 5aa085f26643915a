"""A declarative engine for small and middle-sized neural networks.

A document describes a network: `parse_spec` reads and checks it, `build` returns closures over one flat parameter
vector, and `fit` and `run` train it. A `Model` predicts and can be saved and loaded; `import_model` makes a `Model`
from another tool's network. `SpecClassifier` and `SpecRegressor` have scikit-learn's interface.
"""

from __future__ import annotations

from specnet import display
from specnet.lazy import lazily
from specnet.version import __version__ as __version__

# Defined here, because importing `typing` would take as long as importing everything else.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from specnet.errors import DataError as DataError
    from specnet.errors import ExportError as ExportError
    from specnet.errors import FileError as FileError
    from specnet.errors import LoggerError as LoggerError
    from specnet.errors import PartError as PartError
    from specnet.errors import SpecError as SpecError
    from specnet.errors import SpecnetError as SpecnetError
    from specnet.errors import SpecnetWarning as SpecnetWarning
    from specnet.errors import TakenError as TakenError
    from specnet.errors import TrainingError as TrainingError
    from specnet.estimators import SpecClassifier as SpecClassifier
    from specnet.estimators import SpecRegressor as SpecRegressor
    from specnet.exporting import export as export
    from specnet.importing import import_model as import_model
    from specnet.loggers import JsonLinesLogger as JsonLinesLogger
    from specnet.loggers import Logger as Logger
    from specnet.loggers import MLflowLogger as MLflowLogger
    from specnet.loggers import TensorBoardLogger as TensorBoardLogger
    from specnet.model import Contributions as Contributions
    from specnet.model import Model as Model
    from specnet.model import load_model as load_model
    from specnet.network import Network as Network
    from specnet.network import build as build
    from specnet.running import RunResult as RunResult
    from specnet.running import fit as fit
    from specnet.running import run as run
    from specnet.running.distillation.distilling import distill as distill
    from specnet.running.expectations.judging import expect as expect
    from specnet.running.repeated_runs import RepeatedResult as RepeatedResult
    from specnet.running.repeated_runs import run_many as run_many
    from specnet.running.sweeps.sweeping import nested_sweep as nested_sweep
    from specnet.running.sweeps.sweeping import sweep as sweep
    from specnet.running.sweeps.teams import NestedResult as NestedResult
    from specnet.running.sweeps.teams import SweepResult as SweepResult
    from specnet.running.verification.result import Verification as Verification
    from specnet.running.verification.verifying import verify as verify
    from specnet.spec import Limits as Limits
    from specnet.spec import Resolved as Resolved
    from specnet.spec import Spec as Spec
    from specnet.spec import parse_spec as parse_spec
    from specnet.spec import resolve as resolve
    from specnet.training import Observer as Observer
    from specnet.training import StopTraining as StopTraining

_names, __getattr__ = lazily(
    __name__,
    {
        "errors": "DataError ExportError FileError LoggerError PartError SpecError SpecnetError SpecnetWarning "
        "TakenError TrainingError",
        "estimators": "SpecClassifier SpecRegressor",
        "exporting": "export",
        "importing": "import_model",
        "loggers": "JsonLinesLogger Logger MLflowLogger TensorBoardLogger",
        "model": "Contributions Model load_model",
        "network": "Network build",
        "running": "RunResult fit run",
        "running.distillation.distilling": "distill",
        "running.expectations.judging": "expect",
        "running.repeated_runs": "RepeatedResult run_many",
        "running.sweeps.sweeping": "nested_sweep sweep",
        "running.sweeps.teams": "NestedResult SweepResult",
        "running.verification.result": "Verification",
        "running.verification.verifying": "verify",
        "spec": "Limits Resolved Spec parse_spec resolve",
        "training": "Observer StopTraining",
    },
)
__all__ = sorted(_names)


def __dir__() -> list[str]:
    return sorted(__all__)


def _html(thing: object) -> str:
    from specnet.report.notebook import html

    return html(thing)


display.html = _html
