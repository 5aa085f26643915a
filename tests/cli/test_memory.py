"""Where the system gives no more memory, the message says so, whoever missed it."""

from __future__ import annotations

import errno

import pytest

from specnet.errors import FileError, PartError, SpecnetError, is_memory_shortage
from tests.cli.conftest import Ended, Specnet


def wrapped(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


def assert_short_of_memory(ended: Ended) -> None:
    assert (ended.status, ended.err.startswith("error[memory]: "), ended.err.count("\n")) == (1, True, 1)


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

    monkeypatch.setattr("specnet.spec.parse_spec", fail)
    assert_short_of_memory(specnet("show", "moons.toml"))
    if isinstance(error, SpecnetError):
        return
    monkeypatch.setattr("specnet.cli.application.call", fail)
    assert_short_of_memory(specnet("show", "moons.toml"))


def test_a_full_table_of_threads_own_storage_is_no_want_of_memory() -> None:
    assert not is_memory_shortage(ImportError("libgomp.so: cannot allocate memory in static TLS block"))
    assert not is_memory_shortage(SystemError("error return without exception set"))
    assert not is_memory_shortage(None)
