"""The number of threads: what a run says of it, and how long it holds."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import specnet
from specnet import DataError
from specnet.compiler.thread_limits import available_threads, limited_threads, thread_limit
from specnet.training.steps.engine_choice import threads_worth
from tests.texts.pinned import Refused

SPEC = "specs/wine_csv.toml"
SETTINGS = ("training.epochs=3",)


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


class Threads(specnet.Observer):
    def __init__(self) -> None:
        self.seen: list[set[int]] = []

    def logged(self, epoch, record):
        self.seen.append(blas_threads())


@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_has_its_threads_and_gives_them_back(tmp_path: Path, threads: int):
    observer = Threads()
    with threadpool_limits(3 - threads):
        before = blas_threads()
        specnet.run(SPEC, tmp_path / "run", overrides=SETTINGS, threads=threads, observer=observer)
        assert blas_threads() == before
    assert observer.seen == [{threads}] * 3
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert facts["threads"] == threads
    assert facts["blas"].keys() == {"name", "version", "architecture"}
    (numpys,) = [library for library in threadpool_info() if "numpy" in library["filepath"]]
    assert facts["blas"]["architecture"] == numpys["architecture"]
    assert all(isinstance(feature, str) for feature in facts["cpu_features"])


def test_a_run_of_a_small_network_has_one_thread(tmp_path: Path):
    """Others would only wait, at full speed."""
    models = []
    with threadpool_limits(2):
        for name, threads, expected in (("small", None, 1), ("one", 1, 1), ("said", 2, 2)):
            observer = Threads()
            result = specnet.run(SPEC, tmp_path / name, overrides=SETTINGS, threads=threads, observer=observer)
            assert observer.seen == [{expected}] * 3
            assert json.loads((tmp_path / name / "run.json").read_text())["threads"] == expected
            models.append(result.model.to_bytes())
        assert blas_threads() == {2}
    assert models[0] == models[1]


@pytest.mark.parametrize(
    ("sizes", "batch", "rows", "expected"),
    [
        ([30, 64, 64, 2], 64, 10_000, 1),
        ([784, 256, 128, 10], 128, 10_000, None),
        ([784, 256, 128, 10], 128, 10, 1),  # a batch has no more rows than there are
        ([2, 5, 1], "full", 240, 1),
        ([2, 64, 64, 1], "full", 10_000, None),
    ],
)
def test_threads_pay_from_some_size_on(sizes: list[int], batch: int | str, rows: int, expected: int | None):
    spec = {"network": {"layer_sizes": sizes}, "training": {"loss": "mean_squared_error", "batch_size": batch}}
    assert threads_worth(specnet.build(spec).resolved, rows) == expected


def test_a_limit_holds_for_compiled_functions_too():
    assert thread_limit() is None
    with limited_threads(1), limited_threads(None):
        assert thread_limit() == available_threads() == 1
    assert thread_limit() is None


def test_a_limit_lasts_until_the_last_thread_is_done():
    with threadpool_limits(2), ThreadPoolExecutor(1) as other, limited_threads(1):
        inner = limited_threads(1)
        other.submit(inner.__enter__).result()
        assert blas_threads() == {1}
        other.submit(inner.__exit__, None, None, None).result()
        assert blas_threads() == {1}


def test_a_limit_holds_whichever_thread_has_set_one_before():
    """That of threadpoolctl remembers the first one."""
    with threadpool_limits(2), limited_threads(2), ThreadPoolExecutor(1) as other:
        limit = limited_threads(1)
        other.submit(limit.__enter__).result()
        assert blas_threads() == {1}
        other.submit(limit.__exit__, None, None, None).result()
        assert blas_threads() == {2}


UNKNOWN = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
import scipy
(path,) = Path(scipy.__file__).parent.glob("linalg/_fblas*.so")
spec = spec_from_file_location("unknown._fblas", path)
sys.modules[spec.name] = module_from_spec(spec)
spec.loader.exec_module(sys.modules[spec.name])
"""
"""A package that loads BLAS by an extension module of its own, and imports no other one for it."""


@pytest.mark.slow
@pytest.mark.parametrize("module", ["scipy.special", "sklearn.ensemble", "unknown"])
def test_a_limit_holds_for_libraries_that_a_run_loads_later(tmp_path: Path, module: str):
    (tmp_path / "unknown.py").write_text(UNKNOWN)
    program = f"""
import sys
sys.path.append({str(tmp_path)!r})
from specnet.compiler.thread_limits import limited_threads
from threadpoolctl import threadpool_info
def threads():
    return {{library["num_threads"] for library in threadpool_info()}}
finders = [*sys.meta_path]
with limited_threads(2):
    first = len(threadpool_info())
    import {module}
    assert len(threadpool_info()) > first, "nothing was loaded later"
    later = threads()
    with limited_threads(1):
        inner = threads()
    outer = threads()
print(later, inner, outer, threads(), finders == sys.meta_path)
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    told = subprocess.check_output([sys.executable, "-c", program], text=True, env=environment)
    assert told == "{2} {1} {2} {1} True\n"


@pytest.mark.parametrize("threads", [0, True, 1.5, "2"])
def test_what_is_no_number_of_threads_is_refused(threads, refused: Refused):
    with refused(DataError):
        specnet.run(SPEC, overrides=SETTINGS, threads=threads)
