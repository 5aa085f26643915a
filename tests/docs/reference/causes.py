"""What causes messages about rows, files of others, parts of one's own and the state of a machine."""

from __future__ import annotations

import errno
import os
import shlex
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, chdir, contextmanager, nullcontext
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import patch

from specnet import FileError
from specnet.errors import render
from specnet.importing.onnx import onnx_import
from specnet.parts.data.tables.store import Store
from specnet.parts.registry import PLUGINS, installed_registry
from tests.texts.calling import called

State = Callable[[], AbstractContextManager[Any]]
MOONS = """\
data = { type = "make_moons", n_samples = 60 }
network = { layer_sizes = [2, 3, 1] }
training = { loss = "binary_crossentropy", epochs = 2 }
"""
TABLE = {
    "table.toml": """\
data = { type = "csv", path = "rows.csv", target = "kind" }
network = { hidden_layer_sizes = [2] }
training = { loss = "categorical_crossentropy", epochs = 1 }
"""
}
SWEPT = {
    "swept.toml": MOONS.replace("60", "60, split.validation_size = 0.2")
    + 'sweep = { trials = 1, space = { "training.epochs" = [1, 2] } }\n'
}
CUBE = '''\
"""An activation with a derivative that is not its own."""

from typing import Literal

from specnet.parts import Activation, Value


class Cube(Activation):
    """x³."""

    type: Literal["cube"] = "cube"

    def expression(self, x: Value) -> Value:
        return x * x * x

    def derivative_from_output(self, y: Value) -> Value:
        return 3 * y
'''
PAIRS = '''\
"""A layer with a number for each pair of rows, for which no C is written."""

from collections.abc import Sequence
from typing import Literal

from specnet.parts import Layer, Scope, Value, matmul


class Pairs(Layer):
    """x·xᵀ·x."""

    type: Literal["pairs"] = "pairs"

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        return input_sizes[0]

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        (x,) = inputs
        return matmul(x, matmul(x, x, flip_a=True)) if scope.training else x
'''


def _rows(labels: str) -> str:
    """Return a table with a row for each label."""
    return "a,b,kind\n" + "".join(f"{place},{place**2 % 7},{label}\n" for place, label in enumerate(labels))


FILES = {"moons.toml": MOONS, **TABLE, "rows.csv": _rows("xxyy").replace("2,4", "2,much")}
"""What commands read that need nothing of their own."""


def _said(line: str) -> str:
    return called(shlex.split(line.partition("specnet ")[2]))[2]


class Cause(NamedTuple):
    """A command that ends with a message, and what it needs.

    Attributes
    ----------
    line : str
    files : mapping
        What it reads, by names; shown above it.
    before : str
        A command that is called earlier.
    state : callable
        The state of the machine, or what is installed, as a context.
    says : callable
        What the command prints beside its results.
    """

    line: str
    files: Mapping[str, str] = {}
    before: str = ""
    state: State = nullcontext
    says: Callable[[str], str] = _said

    @property
    def given(self) -> str:
        """What a terminal shows in front of the message."""
        files = [f"$ cat {name}\n{text}" for name, text in self.files.items()]
        return "".join([*files, *(f"$ {line}\n" for line in (self.before, self.line) if line)])

    def prepare(self) -> None:
        """Write what the command reads into the working folder, and call what comes before it."""
        for name, text in (FILES | self.files).items():
            Path(name).write_text(text, encoding="utf-8")
        _said(self.before)

    def said(self) -> str:
        """Return what the command says in a folder of its own."""
        with tempfile.TemporaryDirectory() as folder, chdir(folder):
            self.prepare()
            with self.state():
                return self.says(self.line)


def _failing(name: str, error: BaseException) -> State:
    return partial(patch, name, side_effect=error)


@contextmanager
def _installed(name: str) -> Iterator[None]:
    """Let a plugin be installed whose module, of the same name, is in the working folder, if there is one."""
    points = [EntryPoint(name, f"{name}:{name.title()}", PLUGINS)]
    installed_registry.cache_clear()
    try:
        with (
            patch("importlib.metadata.entry_points", lambda group: points),
            patch.object(sys, "path", [os.getcwd(), *sys.path]),
            warnings.catch_warnings(action="ignore"),
        ):
            yield
    finally:
        installed_registry.cache_clear()
        sys.modules.pop(name, None)


@contextmanager
def _without_compiler() -> Iterator[None]:
    with patch.dict(os.environ, CC="", PATH=""), patch("importlib.util.find_spec", return_value=None):
        yield


@contextmanager
def _two_machines() -> Iterator[None]:
    """Let trials be computed on another processor than the sweep's own."""
    with ExitStack() as patches:
        names = {"specnet.running.sweeps.coordinator": "Haswell", "specnet.running.many.run_tasks": "Zen"}
        for module, core in names.items():
            machine = {"blas": {"name": "openblas", "core": core}, "cpu_features": []}
            patches.enter_context(patch(f"{module}.this_machine", return_value=machine))
        yield


@contextmanager
def _edited_history() -> Iterator[None]:
    """Let someone have changed the numbers that a run has recorded."""
    history = Path("moons/history.jsonl")
    history.write_text(history.read_text("utf-8").replace(".", ".1"), encoding="utf-8")
    yield


def _copied_input(line: str) -> str:
    """Return what the import of a graph says, without the packages that read its file."""
    graph: Any = SimpleNamespace(copies={"copy": "X"}, inputs=SimpleNamespace(shapes={"X": 2}))
    return "\n".join(render(each, "warning") for each in onnx_import._left_out(graph, line.rpartition(" ")[2]))


PAIRED = 'input_size = 2, layers = ["pairs", { type = "dense", units = 1 }]'
VALIDATE = "specnet validate moons.toml"
PARSING = "specnet.spec.searching.parse_spec"
RUN = "specnet run moons.toml --out moons"
COMPILED = "specnet run moons.toml --set training.engine=compiled"
CLASSES = "specnet run table.toml --no-report"
SWEEP = "specnet sweep swept.toml --out sweep --jobs 1 --no-report"
WITH_CUBE = Cause(
    "specnet check cube.toml",
    {"cube.py": CUBE, "cube.toml": MOONS.replace("1]", '1], activations = ["cube", "sigmoid"]')},
    state=partial(_installed, "cube"),
)
CAUSES = {
    "broken-plugin": Cause(f"{VALIDATE} --set network.activations=spike", state=partial(_installed, "spike")),
    "browser": Cause(
        "specnet report moons --open", before=RUN, state=partial(patch, "webbrowser.open", return_value=False)
    ),
    "compiler-failed": Cause(f"CC=false {COMPILED}", state=partial(patch.dict, os.environ, CC="false")),
    "copied-input": Cause("specnet import copy.onnx", says=_copied_input),
    "different": Cause("specnet verify moons", before=RUN, state=_edited_history),
    "format": Cause(
        f"{CLASSES} --set data.columns.b=numeric",
        # specnet's own check of all cells is left out, and DuckDB meets what it would have refused.
        state=partial(patch.object, Store, "value", lambda self, place, kind: f"CAST(t{place} AS DOUBLE)"),
    ),
    "internal": Cause(VALIDATE, state=_failing(PARSING, ZeroDivisionError("division by zero"))),
    "interrupted": Cause(RUN, state=_failing("specnet.training.loop.Course.begin", KeyboardInterrupt())),
    "logger": Cause(
        "specnet run moons.toml --log mlflow:http://localhost:5000",
        state=_failing("specnet.extras.import_module", ModuleNotFoundError("No module named 'mlflow'")),
    ),
    "machine": Cause(SWEEP, SWEPT, state=_two_machines),
    "memory": Cause(VALIDATE, state=_failing(PARSING, MemoryError())),
    "no-compiled-form": Cause(
        "specnet show pairs.toml --code --engine compiled",
        {"pairs.py": PAIRS, "pairs.toml": MOONS.replace("layer_sizes = [2, 3, 1]", PAIRED)},
        state=partial(_installed, "pairs"),
    ),
    "no-compiler": Cause(COMPILED, state=_without_compiler),
    "optuna-version": Cause(
        f"{SWEEP} --resume",
        SWEPT,
        before=SWEEP,
        state=partial(
            patch, "specnet.running.sweeps.sweep_folder.required_optuna", lambda: SimpleNamespace(__version__="6.0.0")
        ),
    ),
    "report": Cause(
        RUN, state=_failing("specnet.running.reports.run_report.write_file", FileError(os.strerror(errno.ENOSPC)))
    ),
    "single-row": Cause(CLASSES, TABLE | {"rows.csv": _rows("xxxxyyyyz")}),
    "single-rows": Cause(f"{CLASSES} --set data.split.test_size=0", TABLE | {"rows.csv": _rows("abcdefghij")}),
    "unseen-class": Cause(
        f"{CLASSES} --set data.split.test=new.csv", TABLE | {"rows.csv": _rows("xyxyxy"), "new.csv": _rows("xyz")}
    ),
    "wrong-derivative": WITH_CUBE,
    "wrong-gradient": WITH_CUBE,
}
