"""Where pages are: their path alone on the last line, and a browser that opens them."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.cli.conftest import Ran, Specnet
from tests.running.sweeps.made import trial, write_sweep
from tests.running.sweeps.searches import BASE, SPACE

WRITING = {
    "run": ("run moons.toml -o one", "one/report.html"),
    "folds": ("run moons.toml --folds 2 -o many", "many/report.html"),
    "report": ("report sweep", "sweep/report.html"),
    "compare": ("compare moons moons", "compare.html"),
    "runs": ("runs sweep --html", "runs.html"),
}
"""Commands that write a page, and where."""
SHORT = "--set training.epochs=2 --set training.baselines=[]"
SWEEPS = {
    "sweep": (f"sweep search.toml --trials 1 --jobs 1 -o found {SHORT}", "found/report.html"),
    "nested": (
        f"sweep search.toml --trials 1 -o nested --folds 2 --set data.split.test_size=0 {SHORT}",
        "nested/report.html",
    ),
}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a browser was asked to open."""
    asked: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: not asked.append(url))
    return asked


@pytest.mark.parametrize(
    ("command", "page"),
    [
        *WRITING.values(),
        *(pytest.param(*each, marks=[pytest.mark.slow, pytest.mark.trains]) for each in SWEEPS.values()),
    ],
    ids=[*WRITING, *SWEEPS],
)
def test_the_path_of_a_page_is_the_last_line_and_is_opened_if_asked(
    specnet: Specnet, folder: Path, ran: Ran, opened: list[str], command: str, page: str
) -> None:
    write_sweep(folder / "sweep", [trial(0, 0.5)])
    ran("moons")
    (folder / "search.toml").write_text(BASE + SPACE)
    ended = specnet(*command.split())
    assert ended.status == 0
    assert ended.out.splitlines()[-1] == page
    assert (folder / page).is_file()
    assert opened == []
    force = [] if command.startswith("report") else ["--force"]
    for how in ([], ["--quiet"], ["--format", "json"]):
        assert specnet(*command.split(), "--open", *force, *how).status == 0
    assert {unquote(urlsplit(url).path) for url in opened} == {str((folder / page).resolve())}
    assert len(opened) == 3


@pytest.mark.parametrize("how", [[], ["--quiet"]])
def test_without_a_browser_that_is_told_and_no_error(
    specnet: Specnet, folder: Path, monkeypatch: pytest.MonkeyPatch, how: list[str]
) -> None:
    write_sweep(folder / "sweep", [trial(0, 0.5)])
    monkeypatch.setattr(webbrowser, "open", lambda url: False)
    ended = specnet("report", "sweep", "--open", *how)
    assert ended.status == 0
    assert ended.err == "sweep/report.html: warning[browser]: no browser to open the page\n"
    (told,) = specnet("report", "sweep", "--open", "--format", "json").document["warnings"]
    assert told["code"] == "browser"
