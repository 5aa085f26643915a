"""Whole processes: what a person waits for at the prompt.

Commands that are compared take turns in a random order. The tables of reports and of many runs have the best of some
rounds; folds in two processes need two idle cores.
"""

import os
import random
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.benchmarks.report import Report
from tests.benchmarks.steps.cases import Bound
from tests.benchmarks.timing import medians

ROOT = Path(__file__).parents[2]
MOONS = ROOT / "specs/moons.toml"
REFERENCE_RUN, TUTORIAL = "`specnet run specs/moons.toml --no-report`", "tutorial's script"
REFERENCE_BOUND = Bound(0.45, 0.45)
WINE_RUN = "specnet run specs/wine_csv.toml --no-report"
START_UP = {"import specnet": 0.15, "specnet --help": 0.3, "specnet validate specs/moons.toml": 0.6, WINE_RUN: 0.75}
"""Commands, and the seconds that they may take, the interpreter's own start included."""
LARGEST_PAGE = 400_000
"""Bytes."""
WIDE = """\
name = "wide"
data = { type = "make_classification", n_samples = 4000, n_features = 200, n_informative = 30 }
network = { hidden_layer_sizes = [500] }
training = { loss = "binary_crossentropy", epochs = 6, metrics = ["accuracy"] }
"""
REPORTED = {"specs/moons.toml": 0.2, "specs/digits.toml": 0.6, "wide.toml": 1.5}
"""Specs, and the seconds that the report may add to their runs."""
TRIALS, EPOCHS = 100, 200
SWEEP_BOUND, FOLDS_BOUND, VALIDATE_AT_MOST = Bound(1.3, 1.3), Bound(0.65, 0.65), 0.6
SPACE = """
[sweep.space]
"training.optimizer.learning_rate" = { low = 1e-3, high = 1.0, log = true }
"training.l2" = { low = 1e-6, high = 1e-2, log = true }
"network.layer_sizes" = [[2, 5, 1], [2, 10, 1], [2, 20, 1]]
[sweep]
"""
RUNS = """\
import sys
from pathlib import Path
import specnet

for spec in sorted(Path(sys.argv[1]).glob("trials/*/spec.toml")):
    specnet.run(spec, threads=1)
"""
FOLDED = "run specs/digits.toml --folds 10 --seeds 4 --no-report"
"""Long enough that processes are worth their start: more than ten seconds of runs."""
Runner = Callable[..., int]
"""Runs a command from start to exit."""


def specnet_command() -> str:
    """The installed command's path, beside the Python that runs this."""
    found = shutil.which("specnet", path=sysconfig.get_path("scripts"))
    if found is None:
        raise SystemExit("specnet is not installed here; in the repository: pip install '.[test]'")
    return found


def run_process(command: list[str], **environment: str) -> int:
    """Run a command in the repository from start to exit, with two BLAS threads."""
    threads = {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    subprocess.run(command, check=True, capture_output=True, env=os.environ | threads | environment, cwd=ROOT)
    return 1


def median_seconds(commands: Mapping[str, list[str]], rounds: int, run: Runner) -> dict[str, float]:
    """The median time of each command from start to exit."""
    return medians({name: lambda _, each=command: run(each) for name, command in commands.items()}, rounds, seconds=0)


def least_seconds(commands: Mapping[str, list[str]], rounds: int, run: Runner) -> dict[str, float]:
    """The least time of each command."""
    least = dict.fromkeys(commands, float("inf"))
    for _ in range(rounds):
        for name in random.sample(list(commands), len(commands)):
            start = time.perf_counter()
            run(commands[name])
            least[name] = min(least[name], time.perf_counter() - start)
    return least


def processes(report: Report, rounds: int = 9, run: Runner = run_process) -> None:
    """The reference run beside the tutorial's script, and commands that do little."""
    with tempfile.TemporaryDirectory() as folder:
        out = ["--out", f"{folder}/run", "--force"]
        reference = [specnet_command(), "run", str(MOONS), "--no-report", *out]
        script = [sys.executable, str(ROOT / "tests/reference/tutorial.py")]
        seconds = median_seconds({REFERENCE_RUN: reference, TUTORIAL: script}, rounds, run)
        report.table("whole process", "specnet s", "peer", "peer s", "ours ÷ theirs", "at most (goal)")
        report.compared(REFERENCE_RUN, TUTORIAL, seconds[REFERENCE_RUN], seconds[TUTORIAL], REFERENCE_BOUND, 1)
        commands = {title: [specnet_command(), *title.split()[1:]] for title in START_UP}
        commands |= {"import specnet": [sys.executable, "-c", "import specnet"], WINE_RUN: [*commands[WINE_RUN], *out]}
        report.table("start-up", "s", "under")
        for title, each in median_seconds(commands, rounds, run).items():
            report.limited(f"`{title}`", each, START_UP[title])


def pages(report: Report, rounds: int = 5, run: Runner = run_process, reported: Mapping[str, float] = REPORTED) -> None:
    """What the report adds to a run, and how large it is."""
    report.table("`specnet run`", "with report, s", "without, s", "added, s", "at most", "page, kB", "at most")
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "wide.toml").write_text(WIDE, encoding="utf-8")
        for title, longest in reported.items():
            spec = str(ROOT / title if title.startswith("specs") else Path(name) / title)
            command = [specnet_command(), "run", spec, "--force", "--quiet", "--out", f"{name}/with"]
            without = [*command[:-1], f"{name}/without", "--no-report"]
            found = least_seconds({"with": command, "without": without}, rounds, run)
            size, added = (Path(name) / "with/report.html").stat().st_size, found["with"] - found["without"]
            cells = [*(f"{each:.3f}" for each in (found["with"], found["without"], added)), f"{longest:g}"]
            report.row(title, *cells, f"{size / 1000:.0f}", f"{LARGEST_PAGE / 1000:g}")
            report.judge(f"time of the report of {title}", added <= longest)
            report.judge(f"size of the report of {title}", size <= LARGEST_PAGE)


def cost_of_sweep(
    folder: Path, rounds: int, run: Runner, trials: int = TRIALS, epochs: int = EPOCHS
) -> dict[str, float]:
    """Least seconds of a sweep of the reference network in one process, and of a script that runs its trials' specs."""
    text = MOONS.read_text(encoding="utf-8").replace("epochs = 20000", f"epochs = {epochs}")
    text = text.replace("test_size = 0.2,", "test_size = 0.2, validation_size = 0.2,") + f"{SPACE}trials = {trials}\n"
    (folder / "moons.toml").write_text(text, encoding="utf-8")
    sweep = [specnet_command(), "sweep", str(folder / "moons.toml"), "--out", str(folder / "sweep")]
    sweep += ["--force", "--quiet", "--jobs", "1"]
    run(sweep)
    script = [sys.executable, "-c", RUNS, str(folder / "sweep")]
    return least_seconds({"ours": [*sweep, "--no-report"], "theirs": script}, rounds, run)


def gain_of_jobs(folder: Path, rounds: int, run: Runner) -> dict[str, float]:
    """Least seconds of folds of digits in two processes, and in one."""
    command = [specnet_command(), *FOLDED.split(), "--out", str(folder / "folds"), "--force", "--quiet"]
    return least_seconds({"ours": [*command, "--jobs", "2"], "theirs": command}, rounds, run)


def many(report: Report, rounds: int = 3, run: Runner = run_process) -> None:
    """What sweeps and folds cost beside their runs."""
    report.table("what", "s", "compared with", "s", "ratio", "at most (goal)")
    for title, peer, measure, bound in (
        (f"sweep, {TRIALS} trials of moons", "its runs in a script", cost_of_sweep, SWEEP_BOUND),
        ("10 folds × 4 seeds of digits, 2 jobs", "1 job", gain_of_jobs, FOLDS_BOUND),
    ):
        with tempfile.TemporaryDirectory() as name:
            found = measure(Path(name), rounds, run)
        report.compared(title, peer, found["ours"], found["theirs"], bound, 1)
    report.table("what", "s", "at most")
    validate = {"validate": [specnet_command(), "validate", str(ROOT / "specs/sweep_digits.toml")]}
    seconds = least_seconds(validate, rounds, run)["validate"]
    report.limited("`specnet validate specs/sweep_digits.toml`", seconds, VALIDATE_AT_MOST)
