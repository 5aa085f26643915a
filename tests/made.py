"""Runs, series and sweeps that are made once a process, to be read or copied; and what their files and rows are."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from safetensors.numpy import load

import specnet
from specnet.running import data_rows


@cache
def made_once(make: Callable[..., Any], *arguments: Any) -> Path:
    """Return the folder that a function has filled, which has it as its last argument; nobody changes it."""
    folder = Path(tempfile.mkdtemp(prefix="specnet-made-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    make(*arguments, folder / "made")
    return folder / "made"


def run_once(spec: str, *, report: bool = True) -> Path:
    """Return the folder of a finished run of a spec, given as text."""
    return made_once(_run_with_page if report else _run, spec)


def run_copied(spec: str, out: Path, *, report: bool = True) -> Path:
    """Return a finished run of a spec in a folder of the test's own."""
    return Path(shutil.copytree(run_once(spec, report=report), out))


def _run_with_page(spec: str, out: Path) -> None:
    specnet.run(spec, out, observer=specnet.Observer())


def _run(spec: str, out: Path) -> None:
    specnet.run(spec, out, observer=specnet.Observer(), report=False)


def data_of(spec: Any, **options: Any) -> data_rows.SpecData:
    """Return the rows of a spec, in the sets of its split."""
    return data_rows.read_data(specnet.parse_spec(spec, **options))


def tensors_in(path: Path) -> dict[str, Any]:
    """Return the arrays of a file."""
    return load(path.read_bytes())
