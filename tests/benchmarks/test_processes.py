"""The benchmarks of whole processes compare like with like, and tell what has missed its bound."""

import os
import re
import sys
import time
from pathlib import Path

import pytest

import specnet
from tests.benchmarks.processes import MOONS, ROOT, cost_of_sweep, many, pages, processes, run_process, specnet_command
from tests.benchmarks.report import Report
from tests.benchmarks.whole.cost import SPECS, cached_building_seconds, cost_of
from tests.compiling import missing
from tests.processes.born_loaded import born_loaded
from tests.texts.calling import called


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes where a command sleeps, and nowhere else: however busy the machine is, bounds are missed or not."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])


class Sleeping:
    """Runs nothing, but takes the seconds of the first pattern that a command has, and writes a page of some bytes."""

    def __init__(self, seconds: dict[str, float], page: int = 10) -> None:
        self.seconds, self.page, self.commands = seconds, page, list[str]()

    def __call__(self, command: list[str]) -> int:
        self.commands.append(" ".join(command))
        found = (took for pattern, took in self.seconds.items() if re.search(pattern, self.commands[-1]))
        time.sleep(next(found, 0.001))
        if "--out" in command:
            out = Path(command[command.index("--out") + 1])
            out.mkdir(parents=True, exist_ok=True)
            (out / "report.html").write_bytes(bytes(self.page))
        return 1


def run_here(command: list[str], **environment: str) -> int:
    """Call the command line in this process, and start other commands alone."""
    if command[0] != specnet_command():
        return run_process(command, **environment)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        called(*command[1:]).ok()
    return 1


SLOW, FAST = {"tutorial": 0.02, "no-report": 0.04, "validate": 0.61}, {"tutorial": 0.2, "no-report": 0.01}


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    ("seconds", "missed"),
    [
        (SLOW, ["`specnet run specs/moons.toml --no-report` against tutorial's script",
                "`specnet validate specs/moons.toml`"]),
        (FAST, []),
    ],
    ids=["slow", "fast"],
)  # fmt: skip
def test_a_run_without_its_report_is_compared_with_a_script_without_pictures(seconds, missed, capsys):
    report, run = Report(), Sleeping(seconds)
    processes(report, 1, run)
    assert report.missed == missed
    ours, theirs = (next(each for each in run.commands if word in each) for word in ("moons", "tutorial"))
    assert f"{specnet_command()} run {MOONS} --no-report --out" in ours
    assert theirs == f"{sys.executable} {ROOT / 'tests/reference/tutorial.py'}"
    assert "| start-up | s | under |" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_is_timed_with_and_without_its_report(capsys):
    report = Report()
    pages(report, 1, run_here, {"specs/iris.json": 99.0})
    assert report.exit_status() == 0
    size = int(capsys.readouterr().out.splitlines()[-1].split(" | ")[5])
    assert 10 < size < 400


@pytest.mark.usefixtures("clock")
def test_reports_have_bounds_of_time_and_size(capsys):
    report = Report()
    pages(report, 1, Sleeping({r"moons.*/with$": 0.25}, page=400_001))
    specs = ("specs/moons.toml", "specs/digits.toml", "wide.toml")
    assert report.missed == [
        "time of the report of specs/moons.toml",
        *(f"size of the report of {each}" for each in specs),
    ]
    assert "| 400 | 400 |" in capsys.readouterr().out


@pytest.mark.slow
def test_a_sweep_is_compared_with_the_runs_of_its_trials(tmp_path: Path):
    assert min(cost_of_sweep(tmp_path, 1, run_here, trials=3, epochs=5).values()) > 0
    assert len(list((tmp_path / "sweep" / "trials").iterdir())) == 3


@pytest.mark.usefixtures("clock")
def test_many_runs_have_bounds_and_take_turns(capsys):
    report, run = (
        Report(),
        Sleeping(
            {"no-report.*jobs 2": 0.04, "jobs 1 --no-report": 0.04, "trials": 0.02, "folds": 0.02, "validate": 0.61}
        ),
    )
    many(report, 2, run)
    assert [each.partition(" against ")[2] for each in report.missed] == ["its runs in a script", "1 job", ""]
    assert [
        sum(pattern in each for each in run.commands) for pattern in ("--jobs 2", "--folds 10", "--jobs 1", "validate")
    ] == [2, 4, 3, 2]
    assert "Missed: `specnet validate specs/sweep_digits.toml`" not in capsys.readouterr().out


def test_all_reference_specs_are_run():
    assert {"moons.toml", "iris.json", "realmlp.toml"} <= {spec.name for spec in SPECS}
    assert all(specnet.parse_spec(spec).name for spec in SPECS)


@pytest.mark.slow
def test_a_run_leaves_its_choice_and_a_model_to_build(tmp_path: Path):
    spec = tmp_path / "short.toml"
    spec.write_text((ROOT / "specs/diabetes.toml").read_text("utf-8").replace("epochs = 60", "epochs = 20"), "utf-8")
    chosen, found = cost_of(spec, tmp_path, 1, run_here, time.process_time)
    assert chosen in ("numpy", "compiled")
    assert min(*found["auto"], *found["numpy"]) > 0
    if missing() is None:
        # New processes, which need not import all.
        models, cache = [tmp_path / "numpy" / "model.safetensors"], tmp_path / "cache"
        (seconds,) = cached_building_seconds(models, cache, 1, born_loaded())
        assert seconds > 0
        assert len(os.listdir(cache)) == 1
