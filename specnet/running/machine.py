"""What the bits of a run depend on beside its spec and its data: libraries, their threads and the processor."""

from __future__ import annotations

import platform
from importlib import import_module
from importlib.metadata import version
from typing import Any

from specnet.version import __version__

THREADS, BLAS, CPU_FEATURES = "threads", "blas", "cpu_features"
"""Keys of what `machine_facts` tells."""


def library_versions() -> dict[str, str]:
    """Return the versions of specnet, Python and the libraries whose results go into a run's."""
    libraries = {name: version(name) for name in ("numpy", "scipy", "scikit-learn")}
    return {"specnet": __version__, **libraries, "python": platform.python_version()}


def machine_facts() -> dict[str, Any]:
    """Return the number of BLAS threads, NumPy's BLAS (name, version, architecture), and the CPU features it uses.

    Two processes where these are equal give the same bits, with the same versions of the libraries.
    """
    from threadpoolctl import threadpool_info

    libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
    libraries.sort(key=lambda library: "numpy" not in library["filepath"])  # SciPy may have brought another one
    blas = libraries[0] if libraries else {}
    return {
        THREADS: blas.get("num_threads"),
        BLAS: {
            "name": blas.get("internal_api"),
            "version": blas.get("version"),
            "architecture": blas.get("architecture"),
        },
        CPU_FEATURES: _cpu_features(),
    }


def _cpu_features() -> list[str]:
    """Return the groups of instructions that NumPy was built for and finds here."""
    core: Any = import_module("numpy._core._multiarray_umath")  # where numpy.show_runtime has them from
    features: dict[str, bool] = core.__cpu_features__
    names: list[str] = [*core.__cpu_baseline__, *core.__cpu_dispatch__]
    return [name for name in names if features[name]]
