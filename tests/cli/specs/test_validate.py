"""`specnet validate`."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import MOONS, Specnet

BAD = MOONS.replace('type = "make_moons"', 'type = "make_moon"').replace("epochs = 20", "epochs = -1")


def test_the_same_as_data(specnet: Specnet, folder: Path) -> None:
    (folder / "bad.toml").write_text(BAD)
    ended = specnet("validate", "bad.toml", "moons.toml", "--format", "json")
    assert ended.status == 1
    assert ended.err == ""
    assert ended.document["valid"] == ["moons.toml"]
    first, second = ended.document["errors"]
    assert first == {
        "code": "unknown-part",
        "message": first["message"],
        "source": "bad.toml",
        "path": ["data", "type"],
        "line": 3,
        "column": 8,
        "length": 11,
        "hint": first["hint"],
    }
    assert '"make_moon"' in first["message"]
    assert '"make_moons"' in first["hint"]
    assert (second["line"], second["column"], second["length"]) == (10, 10, 2)


def test_other_verbs_read_past_a_sweep(specnet: Specnet, folder: Path) -> None:
    (folder / "swept.toml").write_text(f'{MOONS}[sweep.space]\n"training.optimizer.lr" = [1]\n')
    for more in ([], ["--resolved"], ["--code"], ["--explain"]):
        swept, plain = specnet("show", "swept.toml", *more), specnet("show", "moons.toml", *more)
        assert swept.status == plain.status == 0
        assert swept.out.replace("swept.toml", "moons.toml") == plain.out
    assert specnet("check", "swept.toml").out == specnet("check", "moons.toml").out
