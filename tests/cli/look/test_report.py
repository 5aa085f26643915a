"""Pages: `specnet report` makes them again, `--open` shows them, and `--no-rows` leaves out all rows."""

import json
import re
import webbrowser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

from tests.cli.conftest import write_rows
from tests.running.sweeps.made import trial, write_sweep
from tests.running.sweeps.searches import BASE, SPACE


def test_report_again(specnet, ran, folder):
    ran("here")
    written = (folder / "here/report.html").read_bytes()
    (folder / "here/report.html").unlink()
    assert specnet("report here").went() == "here/report.html\n"
    assert (folder / "here/report.html").read_bytes() == written
    assert specnet("report here --format json").document == {"errors": [], "report": "here/report.html"}
    assert specnet("report here --quiet").went() == ""
    assert "Test row, " in written.decode()
    assert "Each point is a row." in written.decode()
    specnet("report here --no-rows").ok()
    shared = (folder / "here/report.html").read_text("utf-8")
    assert "Ask it" in shared
    assert "Test row, " not in shared
    assert "Each point is a row." not in shared


@pytest.mark.parametrize("options", ["", "--quiet", "--format json"])
def test_missing_report_is_told_of_a_run_that_succeeds(specnet, folder, monkeypatch, options):
    monkeypatch.setattr("specnet.report.pages.run_page.page", lambda *_: 1 / 0)
    ended = specnet(f"run moons.toml --out here {options}").ok()
    assert (folder / "here/model.safetensors").exists()
    if "json" in options:
        assert [warning["code"] for warning in ended.document["warnings"]] == ["report"]
    else:
        assert ended.err.count("warning[report]: the report could not be written: ZeroDivisionError") == 1


# ------------------------------------------------------------------------------------------- pages that are opened

SHORT = "--set training.epochs=2 --set training.baselines=[]"
NESTED = "--folds 2 --set data.split.test_size=0"
SLOW = [pytest.mark.slow, pytest.mark.trains]
WRITING = [
    pytest.param("run moons.toml -o one", "one/report.html", id="run"),
    pytest.param("run moons.toml --folds 2 -o many", "many/report.html", id="folds"),
    pytest.param("report sweep", "sweep/report.html", id="report"),
    pytest.param("compare moons moons", "compare.html", id="compare"),
    pytest.param("runs sweep --html", "runs.html", id="runs"),
    pytest.param(f"sweep s.toml --trials 1 --jobs 1 -o found {SHORT}", "found/report.html", marks=SLOW, id="sweep"),
    pytest.param(f"sweep s.toml --trials 1 -o nested {NESTED} {SHORT}", "nested/report.html", marks=SLOW, id="nested"),
]
"""Commands that write a page, and where."""


@pytest.mark.parametrize(("command", "page"), WRITING)
def test_the_path_of_a_page_is_the_last_line_and_is_opened_if_asked(specnet, folder, ran, monkeypatch, command, page):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda url: not opened.append(url))
    write_sweep(folder / "sweep", [trial(0, 0.5)])
    ran("moons")
    (folder / "s.toml").write_text(BASE + SPACE)
    assert specnet(command).ok().out.splitlines()[-1] == page
    assert (folder / page).is_file()
    assert opened == []
    force = "" if command.startswith("report") else "--force"
    for option in ("", "--quiet", "--format json"):
        specnet(f"{command} --open {force} {option}").ok()
    assert {unquote(urlsplit(url).path) for url in opened} == {str((folder / page).resolve())}
    assert len(opened) == 3


@pytest.mark.parametrize("option", ["", "--quiet"])
def test_without_a_browser_that_is_told_and_no_error(specnet, folder, monkeypatch, option):
    write_sweep(folder / "sweep", [trial(0, 0.5)])
    monkeypatch.setattr(webbrowser, "open", lambda url: False)
    ended = specnet(f"report sweep --open {option}").ok()
    assert ended.err == "sweep/report.html: warning[browser]: no browser to open the page\n"
    (warning,) = specnet("report sweep --open --format json").document["warnings"]
    assert warning["code"] == "browser"


# ------------------------------ runs that store no rows: none stands in a file one by one, or as a hash, or in a page

PRICES = """
name = "prices"
network = { hidden_layer_sizes = [3], target_preprocessing = ["standardize"] }
training = { loss = "mean_squared_error", epochs = 3 }
sweep = { trials = 2, space = { "training.l2" = [0.0, 0.1] } }
[data]
type = "csv"
path = "rows.csv"
target = "price"
split = { test_size = 0.3, validation_size = 0.2 }
"""
TEST_ROWS = 24


@pytest.fixture
def shown(folder):
    """Write a table and its spec; return a function that counts targets, found nowhere else, that a folder shows."""
    rng = np.random.default_rng(3)
    prices = rng.choice(np.arange(100_000, 1_000_000), 80, replace=False).tolist()
    numbers = rng.normal(size=(80, 2)).round(2)
    write_rows("rows.csv", "a,b,price", [[*ab, price] for ab, price in zip(numbers, prices, strict=True)])
    (folder / "spec.toml").write_text(PRICES)

    def shown(folder):
        paths = [path for path in Path(folder).rglob("*") if path.suffix in (".html", ".json", ".jsonl")]
        number = re.compile(r"(?<!\d)\d{3}[ \u202f]?\d{3}(?!\d)")  # with or without a space after the thousands
        found = [text for path in paths for text in number.findall(path.read_text("utf-8"))]
        return len({int(re.sub(r"\D", "", text)) for text in found} & {*prices})

    return shown


def hashes(folder):
    """Return what runs in a folder have of their training rows."""
    facts = [json.loads(path.read_text()) for path in Path(folder).rglob("run.json")]
    return [each["training_rows"] for each in facts if "training_rows" in each]


@pytest.mark.slow
@pytest.mark.trains
@pytest.mark.parametrize("verb", ["run", "run --folds 2 --seeds 1", "sweep", "sweep --folds 2"])
def test_no_row_is_stored(verb, shown, specnet):
    specnet(f"{verb} spec.toml -o rows --jobs 1 -q").went()
    assert all(hashes("rows"))
    assert "--folds 2 --seeds" in verb or shown("rows") >= TEST_ROWS
    specnet(f"{verb} spec.toml -o none --jobs 1 --no-rows -q").went()
    assert len(hashes("none")) == len(hashes("rows"))
    assert not any(hashes("none"))
    assert shown("none") == 0
    specnet("verify none").ok()


def test_a_page_that_is_made_again_has_none_either(shown, specnet, folder):
    specnet("run spec.toml -o none --no-rows -q").went()
    page = folder / "none/report.html"
    before = page.read_bytes()
    specnet("report none -q").went()
    assert page.read_bytes() == before
    specnet("run spec.toml -o rows -q").went()
    specnet("report rows --no-rows -q").went()
    assert shown("rows") == 0
    specnet("evaluate none rows.csv -q").went()
