"""What sweeps and folds cost beside their runs: `python -m tests.benchmarks.tables.many`, in the repository.

Each figure compares whole processes, in turns within this one run; the best of three counts. A sweep of 100 trials is
compared with a script that runs the specs of its trials one after the other, folds in two processes with folds in one.
The exit status is 1 if a bound is missed. Folds in two processes need two idle cores.
"""

import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.processes import MOONS, ROOT, run_process, specnet_command
from tests.benchmarks.report import Report, plain

ROUNDS = 3
TRIALS, EPOCHS = 100, 200
SWEEP_AT_MOST, FOLDS_AT_MOST, VALIDATE_AT_MOST = 1.3, 0.65, 0.6
SPACE = f"""
[sweep]
trials = {TRIALS}

[sweep.space]
"training.optimizer.learning_rate" = {{ low = 1e-3, high = 1.0, log = true }}
"training.l2" = {{ low = 1e-6, high = 1e-2, log = true }}
"network.layer_sizes" = [[2, 5, 1], [2, 10, 1], [2, 20, 1]]
"""
RUNS = """\
import sys
from pathlib import Path
import specnet

for spec in sorted(Path(sys.argv[1]).glob("trials/*/spec.toml")):
    specnet.run(spec, threads=1)
"""
FOLDED = ["--folds", "10", "--seeds", "4", "--no-report"]
"""Long enough that processes are worth their start: more than ten seconds of runs."""


class Pair(NamedTuple):
    """Least seconds of a command and of what it is compared with."""

    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs


def swept_moons(folder: Path, trials: int = TRIALS, epochs: int = EPOCHS) -> Path:
    """The spec of a sweep over the reference network."""
    text = MOONS.read_text(encoding="utf-8").replace("epochs = 20000", f"epochs = {epochs}")
    text = text.replace("test_size = 0.2,", "test_size = 0.2, validation_size = 0.2,")
    spec = folder / "moons.toml"
    spec.write_text(text + SPACE.replace(f"trials = {TRIALS}", f"trials = {trials}"), encoding="utf-8")
    return spec


def least_seconds(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, float]:
    """The least seconds of each command, which take turns in a random order."""
    least = dict.fromkeys(commands, float("inf"))
    for _ in range(rounds):
        for name in random.sample(list(commands), len(commands)):
            start = time.perf_counter()
            run_process(list(commands[name]))
            least[name] = min(least[name], time.perf_counter() - start)
    return least


def cost_of_sweep(folder: Path, rounds: int = ROUNDS, trials: int = TRIALS, epochs: int = EPOCHS) -> Pair:
    """A sweep of the reference network in one process, and a script that runs its trials' specs."""
    spec, out = swept_moons(folder, trials, epochs), folder / "sweep"
    sweep = [specnet_command(), "sweep", str(spec), "--out", str(out), "--force", "--quiet", "--jobs", "1"]
    run_process(sweep)
    runs = [sys.executable, "-c", RUNS, str(out)]
    found = least_seconds({"sweep": [*sweep, "--no-report"], "runs": runs}, rounds)
    return Pair(found["sweep"], found["runs"])


def gain_of_jobs(folder: Path, rounds: int = ROUNDS, options: Sequence[str] = FOLDED) -> Pair:
    """Folds of digits in two processes, and in one."""
    spec, out = ROOT / "specs" / "digits.toml", str(folder / "folds")
    command = [specnet_command(), "run", str(spec), "--out", out, "--force", "--quiet", *options]
    found = least_seconds({"two": [*command, "--jobs", "2"], "one": command}, rounds)
    return Pair(found["two"], found["one"])


def many(report: Report, rounds: int = ROUNDS) -> None:
    """All figures that have a bound."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report.table("what", "s", "compared with", "s", "ratio", "at most")
        for title, peer, pair, bound in (
            (f"sweep, {TRIALS} trials of moons", "its runs in a script", cost_of_sweep(folder, rounds), SWEEP_AT_MOST),
            ("10 folds × 4 seeds of digits, 2 jobs", "1 job", gain_of_jobs(folder, rounds), FOLDS_AT_MOST),
        ):
            report.row(title, f"{pair.ours:.2f}", peer, f"{pair.theirs:.2f}", plain(pair.ratio), f"{bound:g}")
            report.judge(title, pair.ratio <= bound)
        report.table("what", "s", "at most")
        validate = [specnet_command(), "validate", str(ROOT / "specs" / "sweep_digits.toml")]
        seconds = least_seconds({"validate": validate}, rounds)["validate"]
        report.limited("`specnet validate specs/sweep_digits.toml`", seconds, VALIDATE_AT_MOST)


def main() -> int:
    report = Report()
    many(report)
    return report.exit_status()


if __name__ == "__main__":
    sys.exit(main())
