"""Where the system gives no more memory, the message says so, whoever missed it."""

from __future__ import annotations

import errno
import shlex
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from specnet import FileError, PartError, SpecnetError
from specnet.errors import is_memory_shortage
from tests.cli.conftest import COMMAND, Ended, Specnet, environment


def wrapped(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


def assert_short_of_memory(ended: Ended) -> None:
    assert (ended.status, ended.err.startswith("error[memory]: "), ended.err.count("\n")) == (1, True, 1)


IRIS = """\
data = { type = "iris" }
network = { hidden_layer_sizes = [4] }
training = { loss = "categorical_crossentropy", epochs = 2 }
"""
UNMAPPED = ImportError("_ufuncs.so: failed to map segment from shared object")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory", "pandas/core"),
        UNMAPPED,
        wrapped(ImportError("IMPORTANT: PLEASE READ THIS"), UNMAPPED),
        RuntimeError("can't start new thread"),
        wrapped(PartError("activation wave is at fault"), MemoryError()),
        wrapped(FileError("Cannot allocate memory"), OSError(errno.ENOMEM, "Cannot allocate memory")),
    ],
)
def test_too_little_memory_is_a_message_wherever_it_is_missed(
    specnet: Specnet, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("specnet.cli.inputs._source", fail)
    assert_short_of_memory(specnet("show", "moons.toml"))
    if isinstance(error, SpecnetError):
        return
    monkeypatch.setattr("specnet.cli.application.call", fail)
    assert_short_of_memory(specnet("show", "moons.toml"))


def test_a_full_table_of_threads_own_storage_is_no_want_of_memory() -> None:
    assert not is_memory_shortage(ImportError("libgomp.so: cannot allocate memory in static TLS block"))
    assert not is_memory_shortage(SystemError("error return without exception set"))
    assert not is_memory_shortage(None)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems limit no address space")
@pytest.mark.parametrize(
    ("mebibytes", "variables"), [(60, {}), (150, {}), (145, {"OMP_NUM_THREADS": "1"}), (290, {}), (400, {})]
)
def test_a_limit_that_libraries_do_not_fit_below_is_an_error(
    folder: Path, mebibytes: int, variables: dict[str, str]
) -> None:
    """OpenBLAS would never return, or would send Ctrl-C to the process."""
    (folder / "iris.toml").write_text(IRIS)
    command = f"ulimit -v {mebibytes * 1024}; exec {shlex.join([*COMMAND, 'run', 'iris.toml', '-o', 'out'])}"
    with subprocess.Popen(
        command, shell=True, text=True, env=environment(OPENBLAS_NUM_THREADS="2", **variables), stdout=PIPE, stderr=PIPE
    ) as running:
        try:
            out, err = running.communicate(timeout=60)
        finally:
            running.kill()
    first, hint = err.splitlines()
    assert (running.returncode, out) == (1, "")
    assert first == f"error[memory]: not enough memory: this process is limited to {mebibytes} MiB"
    assert "ulimit -v" in hint
    assert not (folder / "out").exists()
