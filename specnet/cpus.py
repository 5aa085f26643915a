"""How many CPUs there are for this process, and threads for its libraries."""

from __future__ import annotations

import os


def usable_cpus() -> int:
    """Return how many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_threads() -> int:
    """Return how many threads BLAS and OpenMP libraries have: one for each CPU, or as the environment says."""
    count = usable_cpus()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        value = os.environ.get(name, "")
        if value.isdigit() and int(value):
            count = min(count, int(value))
    return count
