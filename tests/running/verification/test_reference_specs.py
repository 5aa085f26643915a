"""Each reference spec, run and made again: the same bytes."""

from pathlib import Path

import pytest

import specnet
from tests.running.verification.folders import made

SPECS = sorted(path for path in Path("specs").iterdir() if path.suffix in (".toml", ".json"))
LONG = ("realmlp", "digits", "sweep_digits")


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.stem, marks=pytest.mark.slow if path.stem in LONG else ()) for path in SPECS],
)
def test_a_short_run_of_it_is_the_same(path: Path, tmp_path: Path):
    made(tmp_path / "run", str(path), overrides=["training.epochs=1" if path.stem in LONG else "training.epochs=4"])
    (found,) = specnet.verify(tmp_path / "run").runs
    assert found.is_same
    assert found.machine == found.inputs == ()
