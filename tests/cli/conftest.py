"""The command line, called within the tests' process or as one of its own; and models to ask."""

from __future__ import annotations

import csv
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from specnet import Model, load_model
from specnet.cli import main
from tests.made import made_once
from tests.running.sweeps.searches import BASE, SPACE
from tests.texts.calling import Ended, called, own_signals
from tests.waiting import MARK, processes_of, wait_until

COMMAND = [sys.executable, "-c", "from specnet.cli import main; main()"]

MOONS = """\
name = "moons"
[data]
type = "make_moons"
n_samples = 60
noise = 0.2
[network]
layer_sizes = [2, 5, 1]
[training]
loss = "binary_crossentropy"
epochs = 20
metrics = ["accuracy"]
"""
CSV_SPEC = """\
name = "kinds"
data = { type = "csv", path = "table.csv", target = "kind" }
network = { hidden_layer_sizes = [4], preprocessing = ["standardize"] }
training = { loss = "categorical_crossentropy", epochs = 5, metrics = ["accuracy", "neg_log_loss"] }
"""
GAPPY = """\
data = { type = "csv", path = "gappy.csv", target = "price", split = { test_size = 0 } }
network = { hidden_layer_sizes = [4], target_preprocessing = ["standardize"] }
training = { loss = "mse", epochs = 2, ensemble = 2 }
"""
SPECS = {
    "moons": MOONS,
    "kinds": CSV_SPEC,
    "gappy": GAPPY,
    "three": MOONS.replace("epochs = 20", "epochs = 2\nensemble = 3"),
}
KINDS = "\n".join(
    ["first,second,kind,third", *(f'{i},{i * 2 % 7},"kind {"abc"[i % 3]}",{i % 5}' for i in range(30)), ""]
)
NEW = 'id,"size",age,city\n007,1.5,2,rome\n008,,2,\n009,2,,oslo\n010,1,3,bonn\n'
"""Rows of a table with gaps: in a column that had gaps in training, in one that had none, and a category."""


Specnet = Callable[..., Ended]
TypeIn = Callable[[str | bytes], None]
Ran = Callable[[str], Path]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a small spec in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "moons.toml").write_text(MOONS, encoding="utf-8")
    return tmp_path


@pytest.fixture
def specnet(folder: Path, capsys: pytest.CaptureFixture[str]) -> Specnet:
    """Run a command within this process; a single argument is the whole line, as one types it."""

    def run(*arguments: str | Path) -> Ended:
        words = shlex.split(str(arguments[0])) if len(arguments) == 1 else [str(each) for each in arguments]
        with own_signals(), pytest.raises(SystemExit) as ending:
            main(words)
        out, err = capsys.readouterr()
        assert isinstance(ending.value.code, int)
        return Ended(ending.value.code, out, err)

    return run


def in_ascii(*arguments: str | Path) -> Ended:
    """Run a command within this process whose streams have the characters of ASCII alone."""
    out, err = (TextIOWrapper(BytesIO(), "ascii", write_through=True) for _ in range(2))
    status = called(*arguments, stdout=out, stderr=err).status
    return Ended(status, *(stream.buffer.getvalue().decode() for stream in (out, err)))


@pytest.fixture
def type_in(monkeypatch: pytest.MonkeyPatch) -> TypeIn:
    """Let standard input be a text."""

    def type_in(text: str | bytes) -> None:
        content = text.encode() if isinstance(text, str) else text
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(content)))

    return type_in


@pytest.fixture
def while_reading(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Let something happen while a command reads its spec."""
    return lambda happen: monkeypatch.setattr("specnet.spec.searching.parse_spec", lambda *_, **__: happen())


def _made(name: str, out: Path) -> None:
    """Write a spec and its tables into a new folder, and run it there."""
    out.mkdir()
    for file, text in {
        f"{name}.toml": SPECS[name],
        "table.csv": KINDS,
        "gappy.csv": gappy_rows(),
        "new.csv": NEW,
    }.items():
        (out / file).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(out)
        called("run", f"{name}.toml", "--out", name, "-q").ok()


@pytest.fixture
def ran(folder: Path) -> Ran:
    """Leave the folder of a run on two classes, as `specnet run moons.toml -o NAME -q` does."""
    return lambda name: Path(shutil.copytree(made_once(_made, "moons") / "moons", folder / name))


@pytest.fixture
def moons(ran: Ran, folder: Path) -> Model:
    """A model of two classes in ``moons/``, and rows for it in ``rows.npz``."""
    ran("moons")
    X = np.random.default_rng(0).normal(size=(7, 2))
    np.savez(folder / "rows.npz", X=X, y=np.array([0, 1, 0, 1, 0, 1, 1]))
    return load_model(folder / "moons/model.safetensors")


@pytest.fixture
def ready(moons: Model, folder: Path) -> Path:
    """The working folder with all that the command lines of ``lines.txt`` need."""
    (folder / "search.toml").write_text(BASE + SPACE)
    shutil.copytree(made_once(_made, "three") / "three", folder / "three")
    shutil.copy(Path(__file__).parents[1] / "importing/files/sklearn_words.onnx", folder / "network.onnx")
    return folder


@pytest.fixture
def kinds(folder: Path) -> Model:
    """A model of three labels that are text, trained on the columns of ``table.csv``, in ``kinds/``."""
    shutil.copytree(made_once(_made, "kinds"), folder, dirs_exist_ok=True)
    return load_model(folder / "kinds/model.safetensors")


@pytest.fixture
def gappy(folder: Path) -> Path:
    """An ensemble for numbers, trained on gaps in the columns size and city, but not in age; and ``new.csv``."""
    shutil.copytree(made_once(_made, "gappy"), folder, dirs_exist_ok=True)
    return folder / "gappy"


def gappy_rows() -> str:
    rng, lines = np.random.default_rng(0), ["size,age,city,price"]
    for row in range(60):
        size = "" if row % 6 == 0 else f"{rng.normal():.3f}"
        city = "" if row % 6 == 1 else ("rome", "oslo")[row % 2]
        lines.append(f"{size},{rng.normal():.3f},{city},{rng.normal(5, 2):.3f}")
    return "\n".join(lines) + "\n"


def write_rows(path: str | Path, header: str, rows: Iterable[Iterable[object]]) -> None:
    """Write a table of cells that need no quotes."""
    Path(path).write_text("\n".join([header, *(",".join(map(str, row)) for row in rows), ""]), encoding="utf-8")


def spec_of_rows(loss: str = "binary_crossentropy", epochs: int = 2, **data: Any) -> dict[str, Any]:
    """Return a spec of rows.csv, whose target is y unless something else is given."""
    return {
        "data": {"type": "csv", "path": "rows.csv", "target": "y", **data},
        "network": {"hidden_layer_sizes": [3]},
        "training": {"loss": loss, "epochs": epochs},
    }


def csv_rows(text: str) -> tuple[list[str], list[list[str]]]:
    header, *rows = csv.reader(text.splitlines())
    return header, rows


def arrays_in(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path) as archive:
        return dict(archive)


def environment(**changes: str) -> dict[str, str]:
    """Return this process's environment without what decides on colour, and with the changes."""
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    return {**kept, "TERM": "xterm-256color", **changes}


def take_interrupts() -> None:
    """In a child before its program starts: let it see Ctrl-C, which a shell hides from what runs behind it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def process(*arguments: str | Path, folder: Path, **changes: str) -> Ended:
    """Run a command as a process of its own."""
    command, env = [*COMMAND, *map(str, arguments)], environment(**changes)
    streams = {"capture_output": True, "text": True, "encoding": "utf-8"}
    ended = subprocess.run(command, cwd=folder, env=env, timeout=120, check=False, **streams)
    return Ended(ended.returncode, ended.stdout, ended.stderr)


@contextmanager
def started(
    *arguments: str, folder: Path, code: str = COMMAND[-1], changes: Mapping[str, str] = {}, **options: Any
) -> Iterator[subprocess.Popen[str]]:
    """Give a running command that Ctrl-C reaches; however the test ends, so does the command."""
    command, env = [sys.executable, "-c", code, *arguments], environment(**changes)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    running = subprocess.Popen(command, cwd=folder, env=env, preexec_fn=take_interrupts, **streams, **options)
    with running:
        try:
            yield running
        finally:
            running.kill()


TABLE = """\
data = { type = "csv", path = "table.csv", target = "kind" }
network.hidden_layer_sizes = [4]
training = { loss = "categorical_crossentropy", epochs = 2 }
"""
"""A spec of a table whose columns have no kinds in it."""

PATIENT = """
from specnet.running import workers
from specnet.cli import main

workers.SECONDS_WORTH_WORKERS = 0
main()
"""
"""Waits for workers, whatever they are worth."""


def stopped(
    *arguments: str, folder: Path, number: int, status: int, done: Callable[[], bool], counted: str
) -> tuple[int, list[str]]:
    """Send a signal to a command with two workers once something is done: SIGTERM, or others to all as terminals do.

    Check that it ends with a status and leaves no process; return how much it says is done, and how to resume it.
    """
    mark = f"{os.getpid()}-signal-{number}"
    options = {"code": PATIENT, "changes": {MARK: mark}, "start_new_session": True}
    with started(*arguments, "--jobs", "2", folder=folder, **options) as running:
        wait_until(lambda: done() or running.poll() is not None)
        if number == signal.SIGTERM:
            running.send_signal(number)
        else:
            os.killpg(running.pid, number)
        _, told = running.communicate(timeout=60)
    assert running.returncode == status, told
    assert not re.search("Traceback|resource_tracker", told)
    wait_until(lambda: not processes_of(mark), 10)
    (count,) = re.findall(counted, told)
    (command,) = re.findall(r"to resume: specnet (.*)", told)
    return int(count), shlex.split(command)
