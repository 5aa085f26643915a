"""Which engine trains and with how many threads, who says so, and what a run with either leaves behind."""

from __future__ import annotations

import json
import math
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import specnet
from specnet import DataError, FileError, Network, Observer, SpecError
from specnet.compiler.native.toolchain import libraries
from specnet.compiler.thread_limits import available_threads, limited_threads, thread_limit
from specnet.training.steps.engine_choice import Choice, Work, choose, threads_worth
from tests.compiling import compiles
from tests.running.moons import interrupt
from tests.texts.pinned import Refused

ROOT = Path(__file__).parents[3]
SPECS = sorted([*(ROOT / "specs").glob("*.toml"), *(ROOT / "specs").glob("*.json")])
SHORT = ["training.epochs=3", "training.log_every=1", "training.baselines=[]"]


def document(**training: Any) -> dict[str, Any]:
    return {
        "data": {"type": "make_moons", "n_samples": 60},
        "network": {"layer_sizes": [2, 6, 1], "dtype": "float64"},
        "training": {"loss": "binary_crossentropy", "epochs": 5, "batch_size": 8, **training},
    }


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setitem(sys.modules, "ziglang", None)


def problem_of(call: Callable[[], object]) -> Any:
    """Return the mistake in a spec that a call finds."""
    with pytest.raises(SpecError) as raised:
        call()
    (problem,) = raised.value.diagnostics
    return problem


class Chosen(Observer):
    """Notes which engines were chosen."""

    def __init__(self) -> None:
        self.engines: list[tuple[str, str]] = []

    def engine_chosen(self, engine: str, reason: str) -> None:
        self.engines.append((engine, reason))


def facts(folder: Path) -> tuple[str, str]:
    said = json.loads((folder / "run.json").read_text())
    return said["engine"], said["engine_reason"]


# ------------------------------------------------------------------------------------------------------------- choice


@compiles
def test_auto_compiles_where_numpy_needs_long():
    short, long = (specnet.build(document(epochs=epochs)) for epochs in (10, 100_000))
    assert choose(short, 45, 10).engine == "numpy"
    assert choose(short, 45, 10).reason == "NumPy needs less than 0.1 s"
    assert choose(long, 45, 100_000).engine == "compiled"
    assert choose(long, 45, 100_000).reason.startswith("NumPy would need about")
    assert choose(long, 45, 100_000, begun="numpy") == Choice("numpy", "as the run was begun")
    assert choose(short, 45, 10, begun="compiled") == Choice("compiled", "as the run was begun")
    members = specnet.build(document(epochs=20_000, ensemble=5))
    assert choose(members, 45, 20_000).engine == "compiled"
    wide = specnet.build(document(epochs=100_000, batch_size=1024) | {"network": {"layer_sizes": [2, 512, 512, 1]}})
    assert choose(wide, 4096, 100_000) == Choice("numpy", "the largest products are left to BLAS")


@compiles
def test_auto_compiles_only_what_is_compiled_soon():
    deep = specnet.build(document() | {"network": {"layer_sizes": [2, *range(5, 105), 1]}})
    assert choose(deep, 60, 300) == Choice("numpy", "NumPy needs about 3.1 s, and compiling about 2.3 s")
    assert choose(deep, 60, 20_000).engine == "compiled"
    alike = specnet.build(document() | {"network": {"layer_sizes": [2, *[8] * 100, 1]}})  # are compiled once
    assert choose(alike, 60, 300) == Choice("numpy", "NumPy needs about 0.7 s, and compiling about 0.8 s")


def test_without_a_compiler_auto_is_numpy_and_compiled_an_error(no_compiler: None, tmp_path: Path):
    long = specnet.build(document(epochs=100_000))
    choice = choose(long, 45, 100_000)
    assert choice.engine == "numpy"
    assert choice.reason.startswith("the compiled engine is not available: no C compiler was found")
    for make in (
        lambda: specnet.build(document(engine="compiled")),
        lambda: specnet.run(document(), tmp_path / "out", engine="compiled"),
        lambda: specnet.fit(document(), np.zeros((9, 2)), np.arange(9) % 2, engine="compiled"),
    ):
        assert (problem_of(make).code, problem_of(make).path) == ("no-compiler", ("training", "engine"))
    assert not (tmp_path / "out").exists()
    # A model that was trained elsewhere answers all the same.
    resolved = specnet.build(document()).resolved
    spec = resolved.spec
    compiled = spec.model_copy(update={"training": spec.training.model_copy(update={"engine": "compiled"})})
    assert Network(specnet.spec.resolve(compiled)).engine == "numpy"


@compiles
@pytest.mark.parametrize("engine", ["auto", "compiled"])
def test_a_compiler_that_fails_is_an_error(engine: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Where auto compiles too: the next build may succeed, and the engine of a spec would depend on that."""
    monkeypatch.setenv("CC", "false")
    spec = {**document(epochs=10**6), "network": {"layer_sizes": [2, 13, 1]}}
    problem = problem_of(lambda: specnet.run(spec, tmp_path / "out", engine=engine, observer=Observer()))
    assert problem.code == "compiler-failed"
    assert problem.message.startswith("the compiled engine is not available: false failed")
    assert problem.hint == 'name another compiler in the environment variable CC, or set training.engine to "numpy"'
    assert not (tmp_path / "out").exists()


@compiles
def test_a_compiler_that_fails_leaves_models_to_numpy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """What another machine has compiled is predicted here, and by objects that it has pickled too."""
    X = np.zeros((3, 2))
    model = specnet.fit(document(epochs=1), X, np.arange(3) % 2, engine="compiled", observer=Observer())
    pickled, predicted = pickle.dumps(model), model.predict_proba(X)
    model.save(tmp_path / "model.safetensors")
    assert model.network.engine == "compiled"
    monkeypatch.setenv("CC", "false")
    monkeypatch.setattr(libraries, "_loaded", {})
    for again in (specnet.load_model(tmp_path / "model.safetensors"), pickle.loads(pickled)):
        assert again.network.engine == "numpy"
        np.testing.assert_allclose(again.predict_proba(X), predicted, rtol=1e-12)
    for call in (
        lambda: specnet.build(document(engine="compiled")),
        lambda: Network(model.network.resolved, "compiled").predict(model.theta, X),
    ):
        assert "the compiled engine is not available: false failed" in problem_of(call).message


def test_an_unknown_engine_is_an_error():
    assert problem_of(lambda: specnet.build(document(), engine="fortran")).path == ("training", "engine")


# --------------------------------------------------------------------------------------------------------------- runs


@compiles
@pytest.mark.slow
@pytest.mark.usefixtures("compiled_quickly")
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_runs_of_reference_specs_agree_and_write_the_same_bytes_again(path: Path, tmp_path: Path):
    short = [*SHORT, "expect=[]"]  # the baselines of an expectation are left out
    results = []
    for name, engine in (("a", "compiled"), ("b", "compiled"), ("n", "numpy")):
        watch = Chosen()
        made = specnet.run(path, tmp_path / name, overrides=short, engine=engine, observer=watch, report=False)
        results.append(made)
        assert {made for made, _ in watch.engines} == {engine}
        assert facts(tmp_path / name) == (engine, "as training.engine says")
    for written in ("model.safetensors", "history.jsonl", "metrics.json", "layers.jsonl", "spec.resolved.json"):
        assert (tmp_path / "a" / written).read_bytes() == (tmp_path / "b" / written).read_bytes()
    compiled, _, numpy = (result.model for result in results)
    close = 1e-9 if numpy.network.dtype == np.float64 else 2e-2
    for name, theirs in numpy.network.parameters(numpy.theta).items():
        if name not in before_normalization(numpy.network):
            ours = compiled.network.parameters(compiled.theta)[name]
            np.testing.assert_allclose(ours, theirs, rtol=close, atol=close, err_msg=name)


def before_normalization(network: Network) -> set[str]:
    """The biases that batch normalization takes away: their gradient is rounding, of which adam makes steps."""
    layers = [node.layer.part_name() for node in network.nodes]
    return {
        f"{node.key}.bias"
        for node, following in zip(network.nodes, layers[1:], strict=False)
        if following == "batch_normalization"
    }


@compiles
def test_estimators_take_an_engine():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = (X[:, 0] > 0).astype(int)
    compiled, numpy = (
        specnet.SpecClassifier(hidden_layer_sizes=[4], epochs=5, random_state=0, engine=engine).fit(X, y)
        for engine in ("compiled", "numpy")
    )
    np.testing.assert_allclose(compiled.predict_proba(X), numpy.predict_proba(X), rtol=1e-9)
    assert compiled.model_.network.engine == "compiled"


@compiles
def test_an_interrupted_run_goes_on_with_its_engine(tmp_path: Path):
    compiled = document(engine="compiled")
    whole = specnet.run(compiled, observer=Observer()).model.to_bytes()
    interrupt(compiled, tmp_path / "out", 3)
    with pytest.raises(FileError, match=r"training\.engine"):
        specnet.run(document(engine="numpy"), tmp_path / "out", resume=True, observer=Observer())
    again = specnet.run(compiled, tmp_path / "out", resume=True, observer=Observer())
    assert again.model.to_bytes() == whole


def test_a_compiled_run_is_not_resumed_without_a_compiler(no_compiler: None):
    problem = problem_of(lambda: choose(specnet.build(document(epochs=100_000)), 45, 100_000, begun="compiled"))
    assert problem.hint == "install a C compiler, such as gcc or clang, or start the run anew with --force"


@compiles
@pytest.mark.slow
@pytest.mark.usefixtures("born_loaded")
@pytest.mark.parametrize("jobs", [1, 2])
def test_all_members_have_the_engine_of_the_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, jobs: int):
    """Of 65 rows in two folds, one member trains on 32 and one on 33: between them is where auto compiles."""
    spec = document(ensemble=2, epochs=40) | {
        "data": {"type": "make_moons", "n_samples": 65, "split": {"test_size": 0}}
    }
    network = specnet.build(spec)
    few, many = (Work.of(network, rows, 40).seconds for rows in (32, 33))
    for name, value in (("WORTH_SECONDS", (few + many) / 2), ("SAVED_SHARE", math.inf)):
        monkeypatch.setattr(f"specnet.training.steps.engine_choice.{name}", value)
    watch = Chosen()
    specnet.run(spec, tmp_path / "out", observer=watch, jobs=jobs)
    assert len(watch.engines) == 2
    assert len({engine for engine, _ in watch.engines}) == 1


WINE = "specs/wine_csv.toml"
SETTINGS = ("training.epochs=3",)


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


class Threads(specnet.Observer):
    def __init__(self) -> None:
        self.seen: list[set[int]] = []

    def logged(self, epoch, record):
        self.seen.append(blas_threads())


def test_a_run_has_its_threads_and_gives_them_back_and_that_of_a_small_network_has_one(tmp_path: Path):
    """Others would only wait, at full speed."""
    models = []
    for name, before, threads, expected in (("small", 2, None, 1), ("one", 2, 1, 1), ("said", 1, 2, 2)):
        with threadpool_limits(before):
            observer = Threads()
            result = specnet.run(WINE, tmp_path / name, overrides=SETTINGS, threads=threads, observer=observer)
            assert observer.seen == [{expected}] * 3
            assert json.loads((tmp_path / name / "run.json").read_text())["threads"] == expected
            models.append(result.model.to_bytes())
            assert blas_threads() == {before}
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
        specnet.run(WINE, overrides=SETTINGS, threads=threads)
