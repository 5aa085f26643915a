"""A folder in which a table became a spec and a run, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import folder, specnet
from tests.journeys.people import NEW, write_people
from tests.texts.calling import called

__all__ = ["folder", "specnet"]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``people.csv``, what `new --sweep` writes for it, ``new.csv``, and the run ``people``."""
    place = tmp_path_factory.mktemp("journey")
    write_people(place / "people.csv")
    (place / "new.csv").write_text(NEW, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        called(*["new", "people.toml", "--data", "people.csv", "--target", "plan", "--sweep", "--quiet"]).ok()
        called(*["run", "people.toml", "-o", "people", "--quiet"]).ok()
    return place


@pytest.fixture
def people(trained: Path, folder: Path) -> Path:
    """The working folder, with a copy of it."""
    shutil.copytree(trained, folder, dirs_exist_ok=True)
    return folder
