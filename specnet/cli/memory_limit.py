"""A limit on memory (``ulimit -v``) that leaves too little for a library: it is seen before the library is loaded.

Where OpenBLAS finds no memory for its threads, it ends the process, sends it Ctrl-C, or never returns.
"""

from __future__ import annotations

import os
import sys

MIB = 2**20
OWN = {"numpy": 100 * MIB, "scipy": 110 * MIB, "sklearn": 300 * MIB}
"""What loading a library takes of the address space, without what it loads of the others."""
BUFFER = 32 * MIB
"""What each further thread of OpenBLAS takes beside its stack; NumPy and SciPy have an OpenBLAS each."""
STACK = 8 * MIB
"""Of a thread, where its size is not limited: at most."""


def check_imports() -> None:
    """Refuse to import these libraries where this process has a limit that leaves too little for them."""
    if sys.platform == "linux":
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        stack, _ = resource.getrlimit(resource.RLIMIT_STACK)
        if limit != resource.RLIM_INFINITY:
            sys.meta_path.insert(0, EnoughMemory(limit, STACK if stack == resource.RLIM_INFINITY else stack))


class EnoughMemory:
    """A finder that finds no module, and refuses to import a library that does not fit below a limit."""

    def __init__(self, limit: int, stack: int) -> None:
        self._limit, self._thread = limit, BUFFER + stack

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname not in OWN:
            return
        missing = {fullname, "scipy" if fullname == "sklearn" else fullname} - sys.modules.keys()
        threads = (_openblas_threads() - 1) * len(missing & {"numpy", "scipy"})
        if sum(OWN[name] for name in missing) + threads * self._thread > self._limit - _address_space():
            raise ImportError(f"cannot allocate memory for {fullname}")


def _openblas_threads() -> int:
    """Return how many threads OpenBLAS starts: its own variables hold before OpenMP's, and no more than CPUs."""
    from specnet.cpus import usable_cpus

    values = (os.environ.get(f"{name}_NUM_THREADS", "") for name in ("OPENBLAS", "GOTO", "OMP"))
    count = next((int(value) for value in values if value.isdigit() and int(value)), usable_cpus())
    return min(count, usable_cpus())


def _address_space() -> int:
    import resource

    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
