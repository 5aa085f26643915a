"""The benchmark of whole processes compares like with like: bare runs, and runs with their pictures."""

import sys

import pytest

from tests.benchmarks import processes
from tests.benchmarks.processes import BARE_RUN, BARE_TUTORIAL, ILLUSTRATED, ROOT, RUN, TUTORIAL_WITH_PICTURES
from tests.benchmarks.report import Report
from tests.benchmarks.speed import processes as show_processes
from tests.reference import tutorial

PICTURES = ["cost", "data", "decision", "merging", "network", "neurons"]


def timed_commands(monkeypatch, missing):
    """The commands that are timed where some peers are missing."""
    found = {}
    monkeypatch.setattr(processes, "specnet_command", lambda: "specnet")
    monkeypatch.setattr(processes, "missing_peers", lambda: missing)
    monkeypatch.setattr(processes, "process_seconds", found.update)
    processes.reference_run_seconds()
    return found


def test_a_run_without_its_report_is_held_against_a_script_without_pictures(monkeypatch):
    found = timed_commands(monkeypatch, ["jax"])
    assert list(found) == [BARE_RUN, BARE_TUTORIAL, RUN, TUTORIAL_WITH_PICTURES]
    assert found[BARE_RUN] == [*found[RUN], "--no-report"]
    assert found[BARE_TUTORIAL] == [sys.executable, str(ROOT / "tests/reference/tutorial.py")]
    assert found[TUTORIAL_WITH_PICTURES][:3] == [sys.executable, "-m", ILLUSTRATED]


def test_without_matplotlib_there_are_no_pictures_to_compare_with(monkeypatch, capsys):
    assert list(timed_commands(monkeypatch, ["matplotlib"])) == [BARE_RUN, BARE_TUTORIAL]
    monkeypatch.setattr("tests.benchmarks.speed.reference_run_seconds", lambda: {BARE_RUN: 0.4, BARE_TUTORIAL: 1.0})
    monkeypatch.setattr("tests.benchmarks.speed.start_up_seconds", dict)
    report = Report()
    show_processes(report)
    assert not report.missed
    assert f"{TUTORIAL_WITH_PICTURES} |" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("bare", "with_report", "missed"),
    [
        (0.44, 1.59, []),
        (0.44, 1.61, [f"{RUN} against {TUTORIAL_WITH_PICTURES}"]),
        (0.46, 1.59, [f"{BARE_RUN} against {BARE_TUTORIAL}"]),
    ],
)
def test_each_run_has_a_bound_of_its_own(monkeypatch, bare, with_report, missed):
    seconds = {BARE_RUN: bare, BARE_TUTORIAL: 1.0, RUN: with_report, TUTORIAL_WITH_PICTURES: 2.0}
    monkeypatch.setattr("tests.benchmarks.speed.reference_run_seconds", lambda: seconds)
    monkeypatch.setattr("tests.benchmarks.speed.start_up_seconds", dict)
    report = Report()
    show_processes(report)
    assert report.missed == missed


@pytest.mark.peers
def test_the_tutorial_with_pictures_trains_the_same_and_draws_them(tmp_path, monkeypatch, capsys):
    from matplotlib import image

    monkeypatch.setattr(sys, "argv", [ILLUSTRATED, str(tmp_path)])
    from tests.benchmarks.whole import illustrated_tutorial

    illustrated_tutorial.main()
    with_pictures = capsys.readouterr().out
    tutorial.main()
    assert with_pictures == capsys.readouterr().out
    assert sorted(path.stem for path in tmp_path.glob("*.png")) == PICTURES
    for picture in PICTURES:
        pixels = image.imread(tmp_path / f"{picture}.png")
        assert pixels.shape[0] >= 400
        assert pixels[..., :3].std() > 0.1
