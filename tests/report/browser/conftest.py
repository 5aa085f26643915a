"""The system's Chromium, and reports of runs that are made cheaply and once."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

import specnet
from tests.benchmarks.pages.made import spec_of
from tests.report.browser.checks import NAMES, problems
from tests.report.browser.tables import recipe_for

AXE = "SPECNET_AXE"
"""The environment variable with the path of axe-core's ``axe.min.js``."""
SPECS = Path(__file__).parents[3] / "specs"
EPOCHS = {"moons.toml": 40, "realmlp.toml": 2, "wide.toml": 2, "went_wrong.toml": 6, "rare": 40}
"""Few, since only the looks of pages count; 3 for other specs."""

FOLDERS = SPECS, Path(__file__).parent


def spec_for(folder: Path, task: str) -> Path:
    """Return the spec of a task of the small table, of which one of two classes is rare."""
    (folder / "spec.json").write_text(json.dumps(spec_of(folder, task)))
    return folder / "spec.json"


SOURCES: dict[str, Path | Callable[[Path], Path]] = {
    **{spec.name: spec for folder in FOLDERS for spec in sorted(folder.iterdir()) if spec.suffix in (".toml", ".json")},
    **{f"new_{target}": partial(recipe_for, target=target) for target in ("price", "kind", "sold")},
    "rare": partial(spec_for, task="two"),
    **{task: partial(spec_for, task=task) for task in ("outputs", "texts")},
}


@pytest.fixture(scope="session")
def axe() -> str:
    path = os.environ.get(AXE)
    if not path:
        pytest.skip(f"needs axe-core: set {AXE} to the path of its axe.min.js")
    return Path(path).read_text("utf-8")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        pytest.skip("needs Chromium")
    driver = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with driver.sync_playwright() as playwright:
        # In a container there is no sandbox for root.
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def window(chromium: Any) -> Iterator[Any]:
    """One window for all tests: a new one, and all scripts again, would cost more than most of them."""
    page = chromium.new_page()
    yield page
    page.close()


@pytest.fixture
def faults(window: Any, axe: str) -> Callable[..., list[str]]:
    """What is wrong with a page; options are those of `problems`."""
    return partial(problems, opened(window), axe)


@pytest.fixture
def tab(window: Any) -> Any:
    """An empty window, as large as a chart."""
    return opened(window)


def opened(window: Any) -> Any:
    """Return a window as it is when it is opened."""
    window.goto("about:blank")
    window.set_viewport_size({"width": 340, "height": 236})
    window.emulate_media(media="null", color_scheme="light")
    window.mouse.move(0, 0)
    return window


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Make the report of a source, by its name."""

    @cache
    def made(name: str) -> Path:
        source, folder = SOURCES[name], tmp_path_factory.mktemp(name.partition(".")[0])
        overrides = [f"training.epochs={EPOCHS.get(name, 3)}"]
        source = source(folder) if callable(source) else source
        specnet.run(source, folder / "run", overrides=overrides, observer=specnet.Observer())
        return folder / "run" / "report.html"

    return made
