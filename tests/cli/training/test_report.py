"""`specnet report`, and the report that `specnet run` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from specnet.report.pages import run_page as pages
from specnet.running.runner import RunInterrupted
from tests.cli.conftest import Ran, Specnet
from tests.running.sweeps.made import trial, write_sweep


def test_report_again(specnet: Specnet, ran: Ran, folder: Path) -> None:
    ran("here")
    written = (folder / "here/report.html").read_bytes()
    (folder / "here/report.html").unlink()
    ended = specnet("report", "here")
    assert (ended.status, ended.out, ended.err) == (0, "here/report.html\n", "")
    assert (folder / "here/report.html").read_bytes() == written
    assert specnet("report", "here", "--format", "json").document == {"errors": [], "report": "here/report.html"}
    ended = specnet("report", "here", "--quiet")
    assert (ended.status, ended.out, ended.err) == (0, "", "")
    assert "Test row 1 of " in written.decode()
    assert specnet("report", "here", "--no-rows").status == 0
    shared = (folder / "here/report.html").read_text("utf-8")
    assert "Ask it" in shared
    assert "Test row 1 of " not in shared


def test_report_of_folds_again(specnet: Specnet, folder: Path) -> None:
    ended = specnet("run", "moons.toml", "--folds", "2", "--out", "many")
    assert ended.out.endswith("many   2 runs   runs.csv, summary.json, …\nmany/report.html\n")
    written = (folder / "many/report.html").read_bytes()
    ended = specnet("report", "many")
    assert (ended.status, ended.out, ended.err) == (0, "many/report.html\n", "")
    assert (folder / "many/report.html").read_bytes() == written
    ended = specnet("run", "moons.toml", "--folds", "2", "--out", "many", "--force", "--no-report")
    assert ended.out.endswith("many   2 runs   runs.csv, summary.json, …\n")
    assert not (folder / "many/report.html").exists()


def test_report_of_a_sweep_again(specnet: Specnet, folder: Path) -> None:
    sweep = write_sweep(folder / "sweep", [trial(0, 0.5)])
    ended = specnet("report", "sweep")
    assert (ended.status, ended.out, ended.err) == (0, "sweep/report.html\n", "")
    (sweep / "sweep.json").write_text("{}")
    said = specnet("report", "sweep").failed(1)
    assert "sweep.json: error[file]: the record of a sweep is damaged at 'identity': field required" in said


def test_run_without_report(specnet: Specnet, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert specnet("run", "moons.toml", "--out", "here", "--no-report").status == 0
    assert not (folder / "here/report.html").exists()

    def interrupted(*_: Any, **__: Any) -> None:
        raise RunInterrupted(KeyboardInterrupt(), "interrupted after epoch 3", Path("here"), finished=False)

    monkeypatch.setattr("specnet.running.runner.run", interrupted)
    ended = specnet("run", "moons.toml", "--out", "here", "--no-report")
    assert ended.err.endswith("to resume: specnet run moons.toml --out here --no-report --resume\n")


@pytest.mark.parametrize("options", [(), ("--quiet",), ("--format", "json")])
def test_missing_report_is_told_of_a_run_that_succeeds(
    specnet: Specnet, folder: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    def failing(*_: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(pages, "page", failing)
    ended = specnet("run", "moons.toml", "--out", "here", *options)
    assert ended.status == 0
    assert (folder / "here/model.safetensors").exists()
    if "json" in options:
        assert [warning["code"] for warning in ended.document["warnings"]] == ["report"]
    else:
        assert ended.err.count("warning[report]: the report could not be written: ZeroDivisionError") == 1
