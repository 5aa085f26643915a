"""What causes messages about rows, files of others, parts of one's own and the state of a machine."""

from __future__ import annotations

import errno
import os
import shlex
import sys
import tempfile
import tomllib
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
from specnet.parts.registry import PLUGINS, installed_registry
from tests.texts.calling import called

State = Callable[[], AbstractContextManager[Any]]
_READ = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
FILES: dict[str, str] = _READ["files"]
"""What commands read, by names."""
MEANINGS: dict[str, str] = {code: case["meaning"] for code, case in _READ["codes"].items()}
"""What the message alone does not tell."""


def _said(line: str) -> str:
    return called(*shlex.split(line.partition("specnet ")[2])).err


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
        names = {"specnet.running.sweeps.coordinator": "Haswell", "specnet.running.workers": "Zen"}
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


@contextmanager
def _unchecked() -> Iterator[None]:
    """Let DuckDB read a small file, and convert cells that are no numbers."""
    with patch(*LARGE), patch(*UNCHECKED):
        yield


PARSING = "specnet.spec.searching.parse_spec"
# specnet's own check of all cells is left out, and DuckDB meets what it would have refused.
UNCHECKED = ("specnet.parts.data.tables.columns.DuckColumns._text", lambda self, index: f"CAST(c{index} AS DOUBLE)")
LARGE = ("specnet.parts.data.tables.sources.SMALL_BYTES", -1)
OTHER_OPTUNA = ("specnet.running.sweeps.coordinator.required_optuna", lambda: SimpleNamespace(__version__="6.0.0"))
FULL_DISK = FileError(os.strerror(errno.ENOSPC))
STATES: dict[str, State] = {
    "broken-plugin": partial(_installed, "spike"),
    "browser": partial(patch, "webbrowser.open", return_value=False),
    "compiler-failed": partial(patch.dict, os.environ, CC="false"),
    "different": _edited_history,
    "format": _unchecked,
    "internal": _failing(PARSING, ZeroDivisionError("division by zero")),
    "interrupted": _failing("specnet.training.loop.TrainingProgress.begin", KeyboardInterrupt()),
    "logger": _failing("specnet.extras.import_module", ModuleNotFoundError("No module named 'mlflow'")),
    "machine": _two_machines,
    "memory": _failing(PARSING, MemoryError()),
    "no-compiled-form": partial(_installed, "pairs"),
    "no-compiler": _without_compiler,
    "optuna-version": partial(patch, *OTHER_OPTUNA),
    "report": _failing("specnet.running.folder_pages.write_file", FULL_DISK),
    "wrong-derivative": partial(_installed, "cube"),
    "wrong-gradient": partial(_installed, "cube"),
}
"""The state of the machine, or what is installed, by codes."""


def _cause(code: str, case: Mapping[str, Any]) -> Cause:
    tables = {f"{name}.csv": case[name] for name in ("rows", "new") if name in case}
    files = {name: FILES[name] for name in case.get("files", ())} | tables
    says = _copied_input if code == "copied-input" else _said
    return Cause(case["line"], files, case.get("before", ""), STATES.get(code, nullcontext), says)


CAUSES = {code: _cause(code, case) for code, case in _READ["codes"].items()}
