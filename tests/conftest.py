"""How the tests are run, which of them, and what is no test of this repository's own suite."""

import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Modules, rewritten asserts and thousands of tests are made once and stay: to look through them for garbage again and
# again would take a third of the time that collecting takes.
gc.set_threshold(100_000, 50)

# Thousands of small files are written: to memory, where there is enough of it, since disks may take longer.
if "TMPDIR" not in os.environ and os.path.isdir("/dev/shm") and shutil.disk_usage("/dev/shm").free > 2**32:
    os.environ["TMPDIR"], tempfile.tempdir = "/dev/shm", None

# Processes that share the CPUs compute with one thread each, unless the environment says otherwise: threads of several
# processes would wait for each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")

signal.signal(signal.SIGINT, signal.default_int_handler)  # background processes ignore it
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and those under nohup this one

# Examples do not vary from run to run, and have as much time as a busy machine takes.
settings.register_profile("specnet", deadline=None, derandomize=True, database=None)
settings.load_profile("specnet")

pytest_plugins = ["tests.texts.pinned", "tests.compiling"]

collect_ignore = ["plugin"]  # a package with tests of its own, which tests/testing/test_plugin.py installs and runs


def pytest_collection_finish() -> None:
    """Leave what was collected out of later looks for garbage."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _nothing_outlives_a_power_failure() -> Iterator[None]:
    """Wait for no disk within this process: thousands of small files are written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Fail the test that leaves Ctrl-C to something else, and not one that comes after it and needs it."""
    left = signal.signal(signal.SIGINT, signal.default_int_handler)
    assert left is signal.default_int_handler, f"Ctrl-C was left to {left}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs torch, Keras or jax unless ``-m`` names it: chosen, it fails where they are missing.

    Documents come first. All commands of one are run for each of its tests that a process has; near the end, the
    processes share what is left of the tests.
    """
    items.sort(key=lambda item: item.path.name != "test_documents.py")
    if "peers" not in config.option.markexpr:
        left_out = [item for item in items if item.get_closest_marker("peers")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def born_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes start in no time, for tests that look at what they compute, and not at how they begin."""
    from specnet import processes
    from tests.processes.born_loaded import born_loaded

    monkeypatch.setattr(processes, "get_context", lambda _: born_loaded())
