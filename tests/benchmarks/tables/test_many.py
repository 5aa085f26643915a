"""The benchmark of many runs compares whole processes."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests.benchmarks.report import Report
from tests.benchmarks.tables import many
from tests.benchmarks.tables.many import Pair, cost_of_sweep, gain_of_jobs


@pytest.mark.slow
def test_a_sweep_is_compared_with_the_runs_of_its_trials(
    tmp_path: Path, call_here: Callable[[ModuleType], None]
) -> None:
    call_here(many)
    found = cost_of_sweep(tmp_path, rounds=1, trials=3, epochs=5)
    assert min(found) > 0
    assert len(list((tmp_path / "sweep" / "trials").iterdir())) == 3


def test_missed_bounds_are_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(many, "run_process", commands.append)
    monkeypatch.setattr(many, "specnet_command", lambda: "specnet")
    monkeypatch.setattr(many, "cost_of_sweep", lambda *_: Pair(1.4, 1.0))
    monkeypatch.setattr(many, "VALIDATE_AT_MOST", 0.0)
    monkeypatch.setattr(many, "FOLDS_AT_MOST", 0.0)
    report = Report()
    many.many(report, rounds=1)
    assert len(report.missed) == 3
    assert report.exit_status() == 1
    assert "| 1.4 | 1.3 |" in capsys.readouterr().out
    assert sum("--jobs" in command for command in commands) == 1


def test_folds_are_timed_in_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(many, "run_process", commands.append)
    monkeypatch.setattr(many, "specnet_command", lambda: "specnet")
    assert gain_of_jobs(tmp_path, rounds=2, options=["--folds", "2"]).ratio > 0
    assert sum(command[-2:] == ["--jobs", "2"] for command in commands) == 2
    assert len(commands) == 4
