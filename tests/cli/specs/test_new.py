"""`specnet new` and `specnet schema`."""

from __future__ import annotations

import csv
import json
import os
import resource
import shlex
from pathlib import Path

import numpy as np
import pandas
import pytest

from specnet import parse_spec
from specnet.parts.data import Csv
from specnet.parts.registry import built_in_registry
from specnet.spec.json_schema import schema_text
from tests.cli.conftest import Specnet
from tests.texts.pinned import Pinned


@pytest.mark.slow
def test_the_schema_is_printed_as_it_is(specnet: Specnet) -> None:
    ended = specnet("schema")
    ended.went()
    assert ended.out == schema_text(built_in_registry())
    for option in (["--quiet"], ["--format", "json"]):
        assert specnet("schema", *option).out == ended.out


@pytest.mark.slow
def test_a_starter_is_valid_and_runs(specnet: Specnet, folder: Path) -> None:
    ended = specnet("new")
    ended.went()
    assert ended.out == "spec.toml, specnet.schema.json\n"
    assert specnet("validate", "spec.toml").status == 0
    assert specnet("run", "spec.toml").status == 0
    accuracy = json.loads((folder / "runs/spec/1/metrics.json").read_text())["test"]["accuracy"]
    assert accuracy > 0.9
    assert (folder / "specnet.schema.json").read_text(encoding="utf-8") == schema_text(built_in_registry())


def test_a_spec_and_its_schema_are_both_written_or_neither(specnet: Specnet, folder: Path) -> None:
    """Nothing larger than the spec can be written, as on a disk that is nearly full."""
    before = os.listdir(folder)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        ended = specnet("new", "spec.toml")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert ended.status == 1
    assert "specnet.schema.json: error[file]: exceeds the maximum file size" in ended.err
    assert os.listdir(folder) == before


def test_a_starter_points_at_its_schema_and_takes_its_file_s_name(specnet: Specnet, folder: Path) -> None:
    (folder / "specs").mkdir()
    target = Path("specs/my flowers (1).toml")
    assert specnet("new", target).out == f"{target}, {Path('specs/specnet.schema.json')}\n"
    text = (folder / target).read_text(encoding="utf-8")
    assert text.startswith("#:schema ./specnet.schema.json\n")
    assert f"#   specnet run {target} " in text
    assert parse_spec(folder / target).name == "my_flowers__1_"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ü.toml", "_.toml", "..toml", "x" * 150 + ".toml", "a\tb.toml", "$name.toml"])
def test_a_starter_is_valid_under_every_name(specnet: Specnet, folder: Path, name: str) -> None:
    assert specnet("new", name).status == 0
    assert specnet("validate", name).status == 0


@pytest.mark.slow
@pytest.mark.parametrize("template", ["moons", "classification", "regression", "residual"])
def test_a_template_is_valid_and_runs(specnet: Specnet, folder: Path, template: str) -> None:
    assert specnet("new", "start.toml", "--template", template).status == 0
    assert specnet("validate", "start.toml").status == 0
    assert specnet("run", "start.toml", "--set", "training.epochs=2").status == 0


def test_a_template_without_a_name_is_classification(specnet: Specnet, folder: Path) -> None:
    specnet("new", "same.toml")
    text = (folder / "same.toml").read_text(encoding="utf-8")
    specnet("new", "same.toml", "--template", "classification", "--force")
    assert (folder / "same.toml").read_text(encoding="utf-8") == text


def _flowers(folder: Path) -> None:
    rows = "".join(f"{i * 7 % 60 / 10},{i % 5},{'abc'[i % 3]}\n" for i in range(60))
    (folder / "flowers.csv").write_text("length,width,species\n" + rows)


@pytest.mark.slow
def test_a_spec_for_a_table_runs_where_it_is(specnet: Specnet, folder: Path) -> None:
    _flowers(folder)
    (folder / "specs").mkdir()
    specnet("new", "specs/flowers.toml", "--data", "flowers.csv", "--target", "species").went()
    assert 'path = "../flowers.csv"' in (folder / "specs/flowers.toml").read_text(encoding="utf-8")
    ended = specnet("run", "specs/flowers.toml", "--set", "training.epochs=2")
    assert ended.status == 0
    assert ended.err.startswith("flowers   2 → scale → 128 linear → selu → ")
    assert "   8 members of " in ended.err


def test_a_quick_spec_has_one_network_and_takes_a_tenth_of_the_time(specnet: Specnet, folder: Path) -> None:
    rng = np.random.default_rng(0)
    rows = "".join(f"{x:.3f},{'ab'[int(x + noise > 0)]}\n" for x, noise in rng.normal(size=(2_000, 2)))
    (folder / "rows.csv").write_text("x,y\n" + rows)
    seconds = {}
    for option in ("--force", "--quick"):
        arguments = ("new", "rows.toml", "--data", "rows.csv", "--target", "y", "--force", option, "--format", "json")
        seconds[option] = json.loads(specnet(*arguments).went())["expected_seconds"]
    text = (folder / "rows.toml").read_text(encoding="utf-8")
    assert "ensemble" not in text
    assert "validation_size = 0.1" in text
    assert 0.08 < seconds["--quick"] / seconds["--force"] < 0.2
    ended = specnet("run", "rows.toml", "--set", "training.epochs=1", "--no-report")
    assert ended.status == 0
    assert "members" not in ended.err


@pytest.mark.slow
def test_a_spec_for_a_table_is_searched_as_it_is(specnet: Specnet, folder: Path) -> None:
    _flowers(folder)
    arguments = ("--data", "flowers.csv", "--target", "species", "--sweep")
    assert specnet("new", "flowers.toml", *arguments).out.startswith("flowers.toml, specnet.schema.json\n")
    assert "#   specnet sweep flowers.toml " in (folder / "flowers.toml").read_text(encoding="utf-8")
    assert specnet("validate", "flowers.toml").status == 0
    settings = ("--set", "training.epochs=2", "--set", "training.ensemble=3", "--no-report", "--jobs", "1")
    assert specnet("sweep", "flowers.toml", "-o", "found", "--trials", "2", *settings).status == 0
    with (folder / "found" / "trials.csv").open(encoding="utf-8", newline="") as file:
        trials = list(csv.DictReader(file))
    assert [trial["state"] for trial in trials] == ["finished"] * 2
    assert trials[0]["training.optimizer.learning_rate"] == "0.04"  # as written; a candidate follows
    assert "[[sweep.candidates]]" in (folder / "flowers.toml").read_text(encoding="utf-8")


@pytest.mark.slow
def test_force_overwrites_both(specnet: Specnet, folder: Path) -> None:
    (folder / "specnet.schema.json").write_text("old")
    assert specnet("new", "moons.toml", "--force").status == 0
    assert (folder / "moons.toml").read_text(encoding="utf-8").startswith("#:schema ")
    assert (folder / "specnet.schema.json").read_text(encoding="utf-8") == schema_text(built_in_registry())


@pytest.mark.slow
def test_the_schema_can_be_written_to_a_file(specnet: Specnet, folder: Path) -> None:
    ended = specnet("schema", "-o", "s.json")
    assert (ended.status, ended.out, ended.err) == (0, "s.json\n", "")
    text = schema_text(built_in_registry())
    assert (folder / "s.json").read_text(encoding="utf-8") == text
    specnet("schema", "-o", "s.json").failed(2, "s.json: error[taken]: ")
    (folder / "s.json").write_text("old")
    assert specnet("schema", "-o", "s.json", "--force", "--format", "json").document == {"errors": [], "file": "s.json"}
    assert (folder / "s.json").read_text(encoding="utf-8") == text
    assert specnet("schema", "-o", "s.toml").status == 2


def test_a_link_that_leads_nowhere_is_in_the_way_too(specnet: Specnet, folder: Path) -> None:
    (folder / "new.toml").symlink_to(folder / "elsewhere.toml")
    assert specnet("new", "new.toml").status == 2
    assert not (folder / "elsewhere.toml").exists()


def test_a_spec_says_how_its_table_is_read(specnet: Specnet, folder: Path) -> None:
    rows = "".join(f"{row},5;{row % 3};{'?' if row == 4 else row % 7};{row % 2}\n" for row in range(40))
    (folder / "rows.csv").write_text("a report\na;b;c;y\n" + rows)
    settings = ("--set", "data.decimal=,", "--set", 'data.missing_values=["?"]', "--set", "data.skip=1")
    assert specnet("new", "new.toml", "--data", "rows.csv", "--target", "y", *settings).status == 0
    spec = parse_spec(folder / "new.toml")
    assert isinstance(spec.data, Csv)
    assert (spec.data.decimal, spec.data.missing_values, spec.data.skip) == (",", ("?",), 1)
    assert set(spec.data.columns.values()) == {"numeric", "category"}
    assert spec.data.columns["a"] == "numeric"
    assert spec.data.load(folder, "classes").X.shape == (40, 3)


ROWS = range(10, 40)
CLUMSY = {
    "no-header": ("5.1,3,0\n" + "".join(f"{row}.5,{row % 7},{row % 2}\n" for row in ROWS), "column_3"),
    "no-header-but-words": (
        "5.1,3,red\n" + "".join(f"{row}.5,{row % 7},red\n{row},1,blue\n" for row in ROWS),
        "column_3",
    ),
    "two-bad-cells": ("a,b,y\n" + "".join(f"{row},{row}.5,{row % 2}\n" for row in ROWS) + "?,1,0\nn/k,-,1\n", "y"),
    "duplicate": ("a,a,y\n" + "".join(f"{row},{row % 7},{row % 2}\n" for row in ROWS), "column_3"),
    "thousands": ("a,y\n" + "".join(f'"{row},076",{row % 2}\n' for row in ROWS), "y"),
    "target": ("a,y\n" + "".join(f'{row % 7},"{row},076"\n' for row in ROWS), "y"),
    "title": ("a report\na,b,y\n" + "".join(f"{row},{row % 7},{row % 2}\n" for row in ROWS), "y"),
    "encoding": ("a,y\n" + "".join(f"{'éü'[row % 2]},{row % 2}\n" for row in ROWS), "y"),
}
"""Tables that cannot be read as they are, and the targets that they have when they are read as the error says."""


@pytest.mark.parametrize("name", CLUMSY)
def test_an_error_names_the_settings_that_mend_it(specnet: Specnet, folder: Path, name: str) -> None:
    """What the error says to pass is passed, and the spec is written."""
    text, target = CLUMSY[name]
    (folder / "rows.csv").write_text(text, encoding="latin-1")
    said = specnet("new", "new.toml", "--data", "rows.csv", "--target", "y").failed(1)
    first = said.split(", or use ")[-1 if name in ("no-header-but-words", "duplicate", "title") else 0].split(
        " or --set"
    )[0]
    settings = [
        word for word in shlex.split(first.partition("--set")[2].split(";")[0].replace("and use", "")) if "=" in word
    ]
    options = [option for setting in settings for option in ("--set", setting)]
    assert options, said
    specnet("new", "new.toml", "--data", "rows.csv", "--target", target, *options).went()
    assert specnet("validate", "new.toml").status == 0
    spec = parse_spec(folder / "new.toml")
    assert isinstance(spec.data, Csv)
    assert spec.data.load(folder, spec.target_kind).X.shape[0] >= 30


def test_an_index_of_the_rows_is_ignored_with_its_reason(specnet: Specnet, folder: Path) -> None:
    for name in ("", "Unnamed: 0", "__index_level_0__"):
        # The rows of a sorted table in another order: the index says what the target is.
        order = [(7 * row) % 40 for row in range(40)]
        rows = "".join(f"{place},{place % 7},{place // 20}\n" for place in order)
        (folder / "rows.csv").write_text(f"{name},a,y\n{rows}")
        assert specnet("new", "new.toml", "--data", "rows.csv", "--target", "y", "--force").status == 0
        text = (folder / "new.toml").read_text()
        line = next(line for line in text.splitlines() if line.startswith(("column_1", '"Unnamed', "__index")))
        assert ' = "ignore"' in line
        assert line.endswith("# 0 to 39: an index of the rows, no feature")
    # A column that has a name of its own may count its rows, and one without a name may be a feature.
    (folder / "rows.csv").write_text("day,a,y\n" + "".join(f"{row},{row % 7},{row // 20}\n" for row in range(40)))
    specnet("new", "new.toml", "--data", "rows.csv", "--target", "y", "--force")
    assert 'day = "numeric"' in (folder / "new.toml").read_text()
    (folder / "rows.csv").write_text(",a,y\n" + "".join(f"{row % 5},{row % 7},{row // 20}\n" for row in range(40)))
    specnet("new", "new.toml", "--data", "rows.csv", "--target", "y", "--force")
    assert 'column_1 = "numeric"' in (folder / "new.toml").read_text()


def test_dates_that_nothing_decides_are_told_with_what_to_write(specnet: Specnet, folder: Path) -> None:
    rows = "".join(f"{1 + row % 9:02}/0{1 + row % 8}/2020,{row % 6},{row % 2}\n" for row in range(40))
    (folder / "rows.csv").write_text("day,a,y\n" + rows)
    ended = specnet("new", "new.toml", "--data", "rows.csv", "--target", "y")
    assert ended.status == 0
    assert 'warning[other-notation]: column "day" is ignored: "' in ended.err
    for form in ("%d/%m/%Y", "%m/%d/%Y"):
        assert f'data.columns.day={{ type = "datetime", format = "{form}" }}' in ended.err
    setting = 'data.columns.day={ type = "datetime", format = "%d/%m/%Y" }'
    specnet("new", "new.toml", "--data", "rows.csv", "--target", "y", "--force", "--set", setting).went()
    text = (folder / "new.toml").read_text()
    assert 'day = { type = "datetime", format = "%d/%m/%Y" } # 2020-01-01 to 2020-08-08' in text
    assert '"calendar"' in text


RATINGS = [3 + row % 6 for row in range(60)]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_whole_numbers_are_classes_which_is_told_of_and_decimals_are_values(
    specnet: Specnet, folder: Path, suffix: str, pinned: Pinned
) -> None:
    def written(form: str, numbers: list[int] = RATINGS) -> str:
        cells = [(row * 7 % 60 / 10, form.format(number)) for row, number in enumerate(numbers)]
        if suffix == ".jsonl":
            text = "".join(f'{{"x": {x}, "rating": {cell}}}\n' for x, cell in cells)
        else:
            text = "x,rating\n" + "".join(f"{x},{cell}\n" for x, cell in cells)
        (folder / f"rows{suffix}").write_text(text)
        return suffix

    command = ("new", "rows.toml", "--data", f"rows{suffix}", "--target", "rating", "--force", "--format", "json")
    written("{}")
    ended = specnet(*command)
    ended.went()
    (warning,) = json.loads(ended.out)["warnings"]
    assert warning["code"] == "whole-classes"
    pinned(specnet(*command[:-2]).err)
    assert parse_spec("rows.toml").target_kind == "classes"
    option = warning["hint"].partition("use ")[2]
    ended = specnet(*command, *shlex.split(option))
    assert json.loads(ended.went())["warnings"] == []
    assert parse_spec("rows.toml").target_kind == "values"
    for form, numbers, kind in (("{}.0", RATINGS, "values"), ("{}", [row % 2 for row in range(60)], "classes")):
        written(form, numbers)
        assert json.loads(specnet(*command).went())["warnings"] == []
        assert parse_spec("rows.toml").target_kind == kind


def test_whole_floats_of_a_frame_are_whole_numbers(specnet: Specnet, folder: Path) -> None:
    floats = [float(number) for number in RATINGS]
    pandas.DataFrame({"x": np.arange(60) / 7, "rating": floats}).to_parquet("rows.parquet")
    command = ("new", "rows.toml", "--data", "rows.parquet", "--target", "rating", "--format", "json")
    assert [each["code"] for each in json.loads(specnet(*command).went())["warnings"]] == ["whole-classes"]
