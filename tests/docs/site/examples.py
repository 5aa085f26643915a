"""Pages of real runs, which the site has beside its own, and the pictures of tutorials that come from them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path

from tests.docs.site import pictures

ROOT = Path(__file__).parents[3]
MOONS = "moons"
COMMANDS = (
    f"specnet run specs/moons.toml -o {MOONS} --quiet",
    "specnet new penguins.toml --data specs/data/penguins.csv --target species --quiet",
    "specnet run penguins.toml -o penguins --quiet",
    "specnet sweep specs/sweep_digits.toml -o sweep --trials 8 --quiet",
    "specnet runs . --html --quiet",
)


def write(folder: Path) -> None:
    """Write pages and pictures into the folder of the documentation's source.

    The pages stand in `_examples/examples`, which the site has as `examples`.
    """
    with tempfile.TemporaryDirectory() as name:
        runs = Path(name)
        shutil.copytree(ROOT / "specs", runs / "specs")
        for command in COMMANDS:
            _run(command, runs)
        pictures.write(runs / MOONS, folder / "_pictures")
        shutil.rmtree(runs / "specs")
        shutil.rmtree(folder / "_examples", ignore_errors=True)
        shutil.copytree(runs, folder / "_examples" / "examples", ignore=_all_but_pages)


def write_missing(folder: Path) -> None:
    """Write pages and pictures unless they are there."""
    if not (folder / "_examples").is_dir():
        write(folder)


def _all_but_pages(folder: str, names: list[str]) -> list[str]:
    """Return which names are neither pages nor folders that may have some."""
    return [name for name in names if not (name.endswith(".html") or (Path(folder) / name).is_dir())]


def _run(command: str, folder: Path) -> None:
    path = sysconfig.get_path("scripts") + os.pathsep + os.environ["PATH"]
    subprocess.run(shlex.split(command), cwd=folder, env=os.environ | {"PATH": path}, check=True)
