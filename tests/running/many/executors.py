"""Who may compute many runs, each as a context that gives the arguments for it; what is missing here is skipped."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.processes.born_loaded import born_loaded


@contextmanager
def processes() -> Iterator[dict[str, Any]]:
    """Four processes, more than there are runs under way."""
    with ProcessPoolExecutor(4, born_loaded()) as executor:
        yield {"executor": executor}


@contextmanager
def threads() -> Iterator[dict[str, Any]]:
    with ThreadPoolExecutor(3) as executor:
        yield {"executor": executor}


@contextmanager
def dask() -> Iterator[dict[str, Any]]:
    """A cluster of dask's of two processes on this machine."""
    with dask_address() as address:
        import distributed

        with distributed.Client(address) as client:
            yield {"executor": client.get_executor()}


@contextmanager
def dask_address() -> Iterator[str]:
    """The address of the scheduler of such a cluster; several may be there at once."""
    distributed = pytest.importorskip("distributed", reason="needs pip install '.[dask]'")
    options = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "worker_dashboard_address": None}
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, **options) as cluster:
        yield cluster.scheduler_address


EXECUTORS = {"processes": processes, "threads": threads, "dask": dask}


def mpi(program: str, *arguments: str | Path) -> None:
    """Run a module of these tests with an executor of mpi4py and two workers."""
    launcher = shutil.which("mpiexec")
    if launcher is None or find_spec("mpi4py") is None:
        pytest.skip("MPI is not installed")
    words = [launcher, "-n", "3", sys.executable, "-m", "mpi4py.futures", "-m", program, *map(str, arguments)]
    allowed = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    oversubscribed = {
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
    }
    environment = {**os.environ, **allowed, **oversubscribed}
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
