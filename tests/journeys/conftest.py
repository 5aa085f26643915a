"""A folder in which a table became a spec and a run, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from specnet.cli import main
from tests.cli.conftest import folder, own_signals, specnet
from tests.journeys.people import NEW, write_people

__all__ = ["folder", "specnet"]


def _call(*arguments: str) -> None:
    with own_signals(), pytest.raises(SystemExit) as ending:
        main(list(arguments))
    assert ending.value.code == 0, arguments


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``people.csv``, what `new --sweep` writes for it, ``new.csv``, and the run ``people``."""
    place = tmp_path_factory.mktemp("journey")
    write_people(place / "people.csv")
    (place / "new.csv").write_text(NEW, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        _call("new", "people.toml", "--data", "people.csv", "--target", "plan", "--sweep", "--quiet")
        _call("run", "people.toml", "-o", "people", "--quiet")
    return place


@pytest.fixture
def people(trained: Path, folder: Path) -> Path:
    """The working folder, with a copy of it."""
    shutil.copytree(trained, folder, dirs_exist_ok=True)
    return folder
