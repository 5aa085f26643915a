"""Makes the small sweeps, and folds of one, in a folder with workers of MPI; run by `tests.running.many.executors`."""

import sys
from pathlib import Path

import specnet
from tests.running.sweeps.searches import BASE, SWEEPS

if __name__ == "__main__":
    from mpi4py.futures import MPIPoolExecutor

    out = Path(sys.argv[1])
    with MPIPoolExecutor() as executor:
        for name, text in SWEEPS.items():
            specnet.sweep(text, out / name, executor=executor, report=False)
        specnet.run_many(BASE, out / "runs", folds=3, seeds=2, executor=executor)
