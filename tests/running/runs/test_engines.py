"""Which engine trains, who says so, and what a run with either leaves behind."""

from __future__ import annotations

import json
import math
import pickle
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import FileError, Network, Observer, SpecError
from specnet.compiler.native.toolchain import libraries
from specnet.compiler.native.toolchain.compilers import missing
from specnet.running.runner import RunInterrupted
from specnet.training.steps.compiled_steps import CompiledStepper
from specnet.training.steps.engine_choice import Choice, Work, choose
from tests.compiling import compiles

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
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)


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
        with pytest.raises(SpecError) as raised:
            make()
        (problem,) = raised.value.diagnostics
        assert problem.code == "no-compiler"
        assert problem.path == ("training", "engine")
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
    with pytest.raises(SpecError) as raised:
        specnet.run(spec, tmp_path / "out", engine=engine, observer=Observer())
    (problem,) = raised.value.diagnostics
    assert problem.code == "compiler-failed"
    assert problem.message.startswith("the compiled engine is not available: false failed")
    hint = 'name another compiler in the environment variable CC, or set training.engine to "numpy"'
    assert problem.hint == hint
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
    assert missing() is None
    for again in (specnet.load_model(tmp_path / "model.safetensors"), pickle.loads(pickled)):
        assert again.network.engine == "numpy"
        np.testing.assert_allclose(again.predict_proba(X), predicted, rtol=1e-12)
    with pytest.raises(SpecError, match="the compiled engine is not available: false failed"):
        specnet.build(document(engine="compiled"))
    with pytest.raises(SpecError, match="the compiled engine is not available: false failed"):
        Network(model.network.resolved, "compiled").predict(model.theta, X)


def test_an_unknown_engine_is_an_error():
    with pytest.raises(SpecError) as raised:
        specnet.build(document(), engine="fortran")
    (problem,) = raised.value.diagnostics
    assert problem.path == ("training", "engine")


# --------------------------------------------------------------------------------------------------------------- runs


@compiles
@pytest.mark.slow
@pytest.mark.usefixtures("compiled_quickly")
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_runs_of_reference_specs_agree_and_write_the_same_bytes_again(path: Path, tmp_path: Path):
    results = []
    for name, engine in (("a", "compiled"), ("b", "compiled"), ("n", "numpy")):
        watch = Chosen()
        made = specnet.run(path, tmp_path / name, overrides=SHORT, engine=engine, observer=watch, report=False)
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
@pytest.mark.slow
def test_an_interrupted_run_goes_on_with_its_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole = specnet.run(document(engine="compiled"), observer=Observer()).model.to_bytes()
    made, run = [0], CompiledStepper._run

    def interrupted(stepper: CompiledStepper, *arguments: Any) -> list[float]:
        made[0] += 1
        losses = run(stepper, *arguments)
        if made[0] == 7:
            signal.raise_signal(signal.SIGINT)
        return losses

    with monkeypatch.context() as patch:
        patch.setattr(CompiledStepper, "_run", interrupted)
        patch.setattr(CompiledStepper, "most_at_once", 2)
        patch.setattr(signal, "default_int_handler", signal.default_int_handler)
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with pytest.raises(RunInterrupted):
                specnet.run(document(engine="compiled"), tmp_path / "out", observer=Observer())
        finally:
            signal.signal(signal.SIGINT, before)
    assert (tmp_path / "out" / "checkpoint.safetensors").exists()
    with pytest.raises(FileError, match=r"training\.engine"):
        specnet.run(document(engine="numpy"), tmp_path / "out", resume=True, observer=Observer())
    again = specnet.run(document(engine="compiled"), tmp_path / "out", resume=True, observer=Observer())
    assert again.model.to_bytes() == whole


def test_a_compiled_run_is_not_resumed_without_a_compiler(no_compiler: None):
    with pytest.raises(SpecError) as raised:
        choose(specnet.build(document(epochs=100_000)), 45, 100_000, begun="compiled")
    (problem,) = raised.value.diagnostics
    assert problem.hint == "install a C compiler, such as gcc or clang, or start the run anew"


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
