"""`specnet init` and `specnet schema`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from specnet.parts.registry import built_in_registry
from specnet.spec import parse_spec
from specnet.spec.schema import schema_text
from tests.cli.conftest import Specnet


@pytest.mark.slow
def test_the_schema_is_printed_as_it_is(specnet: Specnet) -> None:
    ended = specnet("schema")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == schema_text(built_in_registry())
    for option in (["--quiet"], ["--format", "json"]):
        assert specnet("schema", *option).out == ended.out


@pytest.mark.slow
def test_a_starter_is_valid_and_runs(specnet: Specnet, folder: Path) -> None:
    ended = specnet("init")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == "spec.toml, specnet.schema.json\n"
    assert specnet("validate", "spec.toml").status == 0
    ended = specnet("run", "spec.toml")
    assert ended.status == 0
    accuracy = json.loads((folder / "runs/spec/1/metrics.json").read_text())["test"]["accuracy"]
    assert accuracy > 0.9
    assert (folder / "specnet.schema.json").read_text(encoding="utf-8") == schema_text(built_in_registry())


def test_a_starter_points_at_its_schema_and_takes_its_file_s_name(specnet: Specnet, folder: Path) -> None:
    (folder / "specs").mkdir()
    target = Path("specs/my flowers (1).toml")
    assert specnet("init", target).out == f"{target}, {Path('specs/specnet.schema.json')}\n"
    text = (folder / target).read_text(encoding="utf-8")
    assert text.startswith("#:schema ./specnet.schema.json\n")
    assert f"#   specnet run {target} " in text
    assert parse_spec(folder / target).name == "my_flowers__1_"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ü.toml", "_.toml", "..toml", "x" * 150 + ".toml", "a\tb.toml", "$name.toml"])
def test_a_starter_is_valid_under_every_name(specnet: Specnet, folder: Path, name: str) -> None:
    assert specnet("init", name).status == 0
    assert specnet("validate", name).status == 0


def test_the_csv_in_its_comments_is_valid_and_runs_too(specnet: Specnet, folder: Path) -> None:
    specnet("init", "flowers.toml")
    lines = (folder / "flowers.toml").read_text(encoding="utf-8").splitlines()
    first = lines.index("[data]")
    commented = lines.index("# [data]")
    end = lines.index("", commented)
    own = [*lines[:first], *(line.removeprefix("# ") for line in lines[commented:end]), *lines[end:]]
    (folder / "flowers.toml").write_text("\n".join(own), encoding="utf-8")
    rows = "".join(f"{i * 7 % 60 / 10},{i % 5},{'abc'[i % 3]}\n" for i in range(60))
    (folder / "table.csv").write_text("length,width,species\n" + rows)
    ended = specnet("run", "flowers.toml", "--set", "training.epochs=2")
    assert ended.status == 0
    assert ended.err.startswith("flowers   2 → 16 relu → 16 relu → 3 softmax   ")


def test_nothing_is_overwritten(specnet: Specnet, folder: Path) -> None:
    before = (folder / "moons.toml").read_bytes()
    ended = specnet("init", "moons.toml")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("moons.toml: error[taken]: ")
    assert (folder / "moons.toml").read_bytes() == before
    (folder / "specnet.schema.json").write_text("mine")
    ended = specnet("init", "new.toml")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("specnet.schema.json: error[taken]: ")
    assert (folder / "specnet.schema.json").read_text() == "mine"
    assert {entry.name for entry in folder.iterdir()} == {"moons.toml", "specnet.schema.json"}


@pytest.mark.slow
def test_force_overwrites_both(specnet: Specnet, folder: Path) -> None:
    (folder / "specnet.schema.json").write_text("old")
    assert specnet("init", "moons.toml", "--force").status == 0
    assert (folder / "moons.toml").read_text(encoding="utf-8").startswith("#:schema ")
    assert (folder / "specnet.schema.json").read_text(encoding="utf-8") == schema_text(built_in_registry())


@pytest.mark.slow
def test_the_schema_can_be_written_to_a_file(specnet: Specnet, folder: Path) -> None:
    ended = specnet("schema", "-o", "s.json")
    assert (ended.status, ended.out, ended.err) == (0, "s.json\n", "")
    text = schema_text(built_in_registry())
    assert (folder / "s.json").read_text(encoding="utf-8") == text
    refused = specnet("schema", "-o", "s.json")
    assert (refused.status, refused.out) == (2, "")
    assert refused.err.startswith("s.json: error[taken]: ")
    (folder / "s.json").write_text("old")
    assert specnet("schema", "-o", "s.json", "--force", "--format", "json").document == {"errors": [], "file": "s.json"}
    assert (folder / "s.json").read_text(encoding="utf-8") == text
    assert specnet("schema", "-o", "s.toml").status == 2


def test_a_link_that_leads_nowhere_is_in_the_way_too(specnet: Specnet, folder: Path) -> None:
    (folder / "new.toml").symlink_to(folder / "elsewhere.toml")
    assert specnet("init", "new.toml").status == 2
    assert not (folder / "elsewhere.toml").exists()


def test_a_second_starter_shares_the_schema(specnet: Specnet) -> None:
    specnet("init", "one.toml")
    ended = specnet("init", "two.toml", "--format", "json")
    assert ended.document == {"errors": [], "written": ["two.toml"]}


def test_a_starter_is_toml(specnet: Specnet, folder: Path) -> None:
    ended = specnet("init", "spec.json")
    assert (ended.status, ended.out) == (2, "")
    assert ".toml" in ended.err
    assert not (folder / "spec.json").exists()


def test_a_folder_that_is_missing_is_a_mistake(specnet: Specnet, folder: Path) -> None:
    ended = specnet("init", "nowhere/spec.toml")
    assert (ended.status, ended.out) == (1, "")
    assert "error[file]" in ended.err


def test_quiet_writes_and_says_nothing(specnet: Specnet, folder: Path) -> None:
    ended = specnet("init", "-q")
    assert (ended.status, ended.out, ended.err) == (0, "", "")
    assert (folder / "spec.toml").is_file()
