"""Mutants of a room: one operator, constant, comparison or argument is changed in each, and tests notice or do not.

    python -m tests.mutants ROOM [--count 200] [--seed 0] [--jobs 2]

mutmut makes the mutants in a copy of the checkout, finds which tests call a function, and runs those for its mutants.
One that survives shows a line without a test, or without a use. This needs ``pip install '.[test,mutants]'``.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from argparse import ArgumentParser
from contextlib import chdir
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

CHECKOUT = Path(__file__).parents[2]
COPIED = ("specnet", "tests", "specs", "schemas", "pyproject.toml", "README.md", "CHANGELOG.md", ".ci")
NOT_SLOW = ("-m", "not slow and not peers")
ROOMS: dict[str, tuple[str, ...]] = {
    "compiler": ("tests/compiler", "tests/network", "tests/training/steps", "-m", "not peers"),
    "parts": ("tests/parts", "tests/testing", "-k", "not at_most_12_lines", *NOT_SLOW),  # a mutated source is long
    "parts/data": ("tests/parts/data", "tests/cases/test_tables.py", "tests/cases/test_specs.py", *NOT_SLOW),
    "spec": ("tests/spec", "tests/cases/test_specs.py", "-m", "not peers"),
    "data": ("tests/data", "tests/parts/data", "tests/cases/test_tables.py", *NOT_SLOW),
    "training": (
        *("tests/training", "tests/running/ensembles", "tests/running/runs/test_engines.py"),
        *("tests/network/test_extremes.py", "tests/files/test_interruptions.py"),
        *("-m", "not peers", "-k", "not killed and not random_networks and not reference_specs"),
    ),
    "files": ("tests/files", *NOT_SLOW),
    "findings": ("tests/findings", "tests/running/runs/test_findings.py", *NOT_SLOW),
    "model": ("tests/model", "tests/running/ensembles/test_ensembles.py", *NOT_SLOW),
    "report": ("tests/report", "tests/running/reports", *NOT_SLOW),
    "running": (
        *("tests/running", "tests/cli/train", "tests/cli/look", "tests/cli/prove/test_verify.py"),
        "tests/cases/test_commands.py",
        *("tests/training/test_monitors.py", "tests/training/test_resume.py"),
        # What is recorded of a call stands between a warning and its caller.
        "--deselect=tests/running/reports/test_reports.py::test_report_that_fails_costs_no_run",
        *("-m", "(not slow or trains) and not peers"),
        # Those start processes, to which the changed functions are not passed on.
        *("-k", "not (signal_ends or scheduler or in_processes or workers or at_once or compiler)"),
    ),
}
"""The tests of each room, as arguments of pytest. Slow ones decide where fast ones see too little."""
KILLED = ("killed", "timeout", "segfault", "suspicious")
"""What mutmut says of mutants that a test has seen; suspicious is one whose process ended in another way."""


def mutants_of(room: str) -> list[str]:
    """Return the names of all mutants of a room of the checkout in the present folder."""
    from mutmut.mutation.file_mutation import mutate_file_contents
    from mutmut.utils.format_utils import get_mutant_name

    return [
        get_mutant_name(path, name)
        for path in sorted(Path().glob(f"specnet/{room}/**/*.py"))
        for name in mutate_file_contents(str(path), path.read_text(encoding="utf-8")).mutant_names
    ]


def configure(folder: Path, room: str) -> None:
    """Write mutmut's settings: which files it changes, and which tests decide."""
    tests = ROOMS[room]
    paths = [argument for argument in tests if (folder / argument).exists()]
    settings = {
        "source_paths": ["specnet"],
        "only_mutate": [f"specnet/{room}/*"],
        "also_copy": COPIED[2:],
        "pytest_add_cli_args_test_selection": paths,
        "pytest_add_cli_args": ["-n0", "-p", "no:cacheprovider", *(each for each in tests if each not in paths)],
    }
    lines = ["[mutmut]", "use_setproctitle = false", "use_git_change_detection = false"]
    lines += ["\n    ".join([f"{key} =", *values]) for key, values in settings.items()]
    (folder / "setup.cfg").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Make and test mutants, and print those that survive, each as a difference."""
    parser = ArgumentParser(prog="python -m tests.mutants", description=str(__doc__).partition("\n")[0])
    parser.add_argument("room", choices=ROOMS)
    parser.add_argument("--count", type=int, default=200, help="mutants, drawn from all of the room [default: 200]")
    parser.add_argument("--seed", type=int, default=0, help="of the draw [default: 0]")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes [default: one for each core]")
    given = parser.parse_args()
    if find_spec("mutmut") is None:
        raise SystemExit("mutmut is not installed here; in the repository: pip install '.[test,mutants]'")
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in COPIED:
            source = CHECKOUT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, folder / name)
        configure(folder, given.room)
        with chdir(folder):
            known = mutants_of(given.room)
        drawn = sorted(random.Random(given.seed).sample(known, min(given.count, len(known))))

        def mutmut(*arguments: str, output: int | None = subprocess.PIPE) -> str:
            command = [sys.executable, "-m", "mutmut", *arguments]
            # One thread each: forked processes must not wait for threads that only their parent has.
            alone = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            done = subprocess.run(command, cwd=folder, env={**os.environ, **alone}, stdout=output, encoding="utf-8")
            if done.returncode:
                sys.exit(f"mutmut {arguments[0]} ended with exit status {done.returncode}")
            return done.stdout or ""

        mutmut("run", "--max-children", str(given.jobs), *drawn, output=None)
        lines = (line.strip().partition(": ") for line in mutmut("results", "--all", "true").splitlines())
        results = {name: status for name, _, status in lines}
        survivors = [name for name in drawn if results[name] not in KILLED]
        for name in survivors:
            print(mutmut("show", name))
    share = 1 - len(survivors) / len(drawn)
    print(f"{given.room}: {len(drawn)} of {len(known)} mutants, {share:.1%} killed, {len(survivors)} survived")


if __name__ == "__main__":
    main()
