"""Training is tested with both engines: each test here runs with either, whatever `auto` would choose."""

from __future__ import annotations

import pytest

from specnet.training import loop
from specnet.training.steps import engine_choice
from tests.compiling import missing


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with both engines, unless it pins texts, which depend on none."""
    compares_engines = metafunc.module.__name__.endswith("test_engines")
    if not compares_engines and not {"pinned", "refused"} & set(metafunc.fixturenames):
        compiled = pytest.param("compiled", marks=pytest.mark.slow)
        metafunc.parametrize("trained_by", ["numpy", compiled], indirect=True)


@pytest.fixture(autouse=True)
def trained_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, compiled_quickly: None) -> str:
    """Let an engine train, where the test is run with both: of names that are added later, pytest forgets some."""
    engine: str = getattr(request, "param", "auto")
    if engine == "auto":
        return engine
    if engine == "compiled" and missing():
        pytest.skip(f"nothing can be compiled: {missing()}")
    monkeypatch.setattr(loop, "choose", lambda *_: engine_choice.Choice(engine, "the test says so"))
    return engine
