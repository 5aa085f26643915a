"""The benchmark of reports runs specs with and without one."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests.benchmarks.processes import ROOT
from tests.benchmarks.report import Report
from tests.benchmarks.whole import pages as whole_pages
from tests.benchmarks.whole.pages import LARGEST_PAGE, LONGEST, cost_of, pages


@pytest.mark.slow
def test_a_run_is_timed_with_and_without_its_report(tmp_path: Path, call_here: Callable[[ModuleType], None]) -> None:
    call_here(whole_pages)
    found = cost_of(ROOT / "specs" / "iris.json", tmp_path / "run", rounds=1)
    assert min(found.with_report, found.without) > 0
    assert 10_000 < found.size < LARGEST_PAGE


def test_missed_bounds_are_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def slow(command: list[str]) -> int:
        if "--no-report" not in command:
            folder = Path(command[command.index("--out") + 1])
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "report.html").write_bytes(b"x" * (LARGEST_PAGE + 1))
        return 1

    monkeypatch.setattr("tests.benchmarks.whole.pages.run_process", slow)
    monkeypatch.setattr("tests.benchmarks.whole.pages.specnet_command", lambda: "specnet")
    monkeypatch.setattr("tests.benchmarks.whole.pages.LONGEST", dict.fromkeys(LONGEST, -1.0))
    report = Report()
    pages(report, rounds=1)
    assert len(report.missed) == 2 * len(LONGEST)
    assert report.exit_status() == 1
    assert "Missed: size of the report of moons" in capsys.readouterr().out
