"""Whole processes: what a person waits for at the prompt."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from tests.benchmarks.steps.peers import missing_peers
from tests.benchmarks.timing import medians

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "tests/reference/tutorial.py"
MOONS = ROOT / "specs" / "moons.toml"
ILLUSTRATED = "tests.benchmarks.whole.illustrated_tutorial"
BARE_RUN, BARE_TUTORIAL = "`specnet run specs/moons.toml --no-report`", "tutorial's script"
RUN, TUTORIAL_WITH_PICTURES = "`specnet run specs/moons.toml`", "tutorial's script with its pictures"
WINE_RUN = "specnet run specs/wine_csv.toml --no-report"
ROUNDS = 9


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


def process_seconds(commands: dict[str, list[str]], rounds: int = ROUNDS) -> dict[str, float]:
    """The median time of each command from start to exit, run in turns."""
    runs = {name: (lambda _, command=command: run_process(command)) for name, command in commands.items()}
    return medians(runs, rounds, seconds=0)


def start_up_seconds() -> dict[str, float]:
    """The light commands, each as a whole process, the interpreter's own start included."""
    python, specnet = sys.executable, specnet_command()
    with tempfile.TemporaryDirectory() as folder:
        return process_seconds(
            {
                "import specnet": [python, "-c", "import specnet"],
                "specnet --help": [specnet, "--help"],
                "specnet validate specs/moons.toml": [specnet, "validate", str(MOONS)],
                WINE_RUN: [specnet, *WINE_RUN.split()[1:], "--out", str(Path(folder) / "run"), "--force"],
            }
        )


def reference_run_seconds() -> dict[str, float]:
    """The reference run and the tutorial's script, both from start to exit: bare, and with pictures.

    The pictures of a run are its report; those of the script need matplotlib, without which both are left out.
    """
    with tempfile.TemporaryDirectory() as folder:
        run = [specnet_command(), "run", str(MOONS), "--out", str(Path(folder) / "run"), "--force"]
        commands = {BARE_RUN: [*run, "--no-report"], BARE_TUTORIAL: [sys.executable, str(TUTORIAL)]}
        if "matplotlib" not in missing_peers():
            commands |= {RUN: run, TUTORIAL_WITH_PICTURES: [sys.executable, "-m", ILLUSTRATED, folder]}
        return process_seconds(commands)
