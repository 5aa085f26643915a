"""What the bits of a run depend on beside its spec and its data: libraries, their threads and the processor."""

from __future__ import annotations

import platform
from functools import cache
from importlib import import_module
from importlib.metadata import version
from typing import Any

from specnet.compiler.native.toolchain.compilers import compiler_name
from specnet.version import __version__

THREADS, BLAS, CPU_FEATURES = "threads", "blas", "cpu_features"
"""Keys of what `machine_facts` tells."""
COMPILER = "compiler"
"""The key in a run's facts for what `compiler_facts` tells; null where nothing was compiled."""


def library_versions() -> dict[str, str]:
    """Return the versions of specnet, Python and the libraries whose results go into a run's."""
    return {"specnet": __version__, **_installed_versions(), "python": platform.python_version()}


def machine_facts() -> dict[str, Any]:
    """Return the number of BLAS threads, NumPy's BLAS (name, version, architecture), and the CPU features it uses.

    Two processes where these are equal give the same bits, with the same versions of the libraries.
    """
    blas = _blas()
    return {
        THREADS: blas and blas.num_threads,
        BLAS: {
            "name": blas and blas.internal_api,
            "version": blas and blas.version,
            "architecture": getattr(blas, "architecture", None),
        },
        CPU_FEATURES: _cpu_features(),
    }


def compiler_facts() -> dict[str, str | None]:
    """Return the name and version of the C compiler, and the kind of CPU that it compiles for."""
    from specnet.compiler.native.toolchain.processors import native_processor

    return {"name": compiler_name(), "target": native_processor().name}


# A process keeps what it has loaded, and to look for it takes milliseconds, of which a series of short runs has few.
@cache
def _installed_versions() -> dict[str, str]:
    return {name: version(name) for name in ("numpy", "scipy", "scikit-learn")}


@cache
def _blas() -> Any:
    """Return threadpoolctl's controller of NumPy's BLAS, None if it knows none."""
    from threadpoolctl import ThreadpoolController

    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    ours = [library for library in libraries if "numpy" in library.filepath]  # SciPy may have brought another one
    return next(iter(ours or libraries), None)


def _cpu_features() -> list[str]:
    """Return the groups of instructions that NumPy was built for and finds here."""
    core: Any = import_module("numpy._core._multiarray_umath")  # where numpy.show_runtime has them from
    features: dict[str, bool] = core.__cpu_features__
    names: list[str] = [*core.__cpu_baseline__, *core.__cpu_dispatch__]
    return [name for name in names if features[name]]
