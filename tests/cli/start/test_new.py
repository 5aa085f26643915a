"""`specnet new` and `specnet schema`."""

import json
import os
import re
import shlex
from pathlib import Path

import numpy as np
import pandas
import pytest

from specnet import parse_spec
from specnet.running.expected_time import START_AND_REPORT_SECONDS
from tests.cli.conftest import write_rows
from tests.running.faults import files_of_at_most

SCHEMA = (Path(__file__).parents[3] / "schemas/specnet.schema.json").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_schema_is_printed_or_written_as_it_is(specnet, folder):
    for options in ("", "--quiet", "--format json"):
        assert specnet(f"schema {options}").went() == SCHEMA
    assert specnet("schema -o s.json").went() == "s.json\n"
    assert (folder / "s.json").read_text(encoding="utf-8") == SCHEMA
    assert specnet("schema -o s.json --force --format json").document == {"errors": [], "file": "s.json"}


def test_monotone_columns_are_part_of_the_recipe(specnet, folder):
    rng = np.random.default_rng(0)
    size, weight, other = rng.random((3, 80))
    cells = {"size": size, "weight": weight, "other": other, "price": np.exp(size) - weight + np.sin(9 * other)}
    pandas.DataFrame(cells).to_csv(folder / "cars.csv", index=False)
    options = "new cars.toml --data cars.csv --target price --quick"
    specnet(f"{options} --increasing size --decreasing weight").ok()
    specnet("validate cars.toml").ok()
    directions = parse_spec(folder / "cars.toml").network.monotone
    assert {name: each.direction for name, each in directions.items()} == {"size": "increasing", "weight": "decreasing"}
    specnet(f"{options} --force --sweep --increasing size --increasing weight --increasing other").ok()
    specnet("validate cars.toml").ok()
    assert "one direction" in specnet(f"{options} --force --increasing size --decreasing size").failed(2)
    assert "no feature" in specnet(f"{options} --force --increasing colour").failed(1)


@pytest.mark.slow
def test_a_starter_is_valid_and_runs(specnet, folder):
    assert specnet("new").went() == "spec.toml, specnet.schema.json\n"
    specnet("validate spec.toml").ok()
    specnet("run spec.toml").ok()
    assert json.loads((folder / "runs/spec/1/metrics.json").read_text())["test"]["accuracy"] > 0.9
    assert (folder / "specnet.schema.json").read_text(encoding="utf-8") == SCHEMA
    text = (folder / "spec.toml").read_text(encoding="utf-8")
    specnet("new spec.toml --template classification --force").ok()
    assert (folder / "spec.toml").read_text(encoding="utf-8") == text


def test_a_spec_and_its_schema_are_both_written_or_neither(specnet, folder):
    """Nothing larger than the spec can be written, as on a disk that is nearly full."""
    before = os.listdir(folder)
    with files_of_at_most(20_000):
        reported = specnet("new spec.toml").failed(1)
    assert "specnet.schema.json: error[file]: exceeds the maximum file size" in reported
    assert os.listdir(folder) == before


def test_a_starter_points_at_its_schema_and_takes_its_file_s_name(specnet, folder):
    (folder / "specs").mkdir()
    target = Path("specs/my flowers (1).toml")
    assert specnet("new", target).out == f"{target}, {Path('specs/specnet.schema.json')}\n"
    text = (folder / target).read_text(encoding="utf-8")
    assert text.startswith("#:schema ./specnet.schema.json\n")
    assert f"#   specnet run {target} " in text
    assert parse_spec(folder / target).name == "my_flowers__1_"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ü.toml", "_.toml", "..toml", "x" * 150 + ".toml", "a\tb.toml", "$name.toml"])
def test_a_starter_is_valid_under_every_name(specnet, folder, name):
    specnet("new", name).ok()
    specnet("validate", name).ok()


@pytest.mark.slow
@pytest.mark.parametrize("template", ["moons", "classification", "regression", "residual"])
def test_a_template_is_valid_and_runs(specnet, folder, template):
    specnet("new", "start.toml", "--template", template).ok()
    specnet("validate start.toml").ok()
    specnet("run start.toml --set training.epochs=2").ok()


@pytest.mark.slow
def test_a_spec_for_a_table_reads_it_where_it_is(specnet, folder):
    write_rows("flowers.csv", "length,width,species", [[i * 7 % 60 / 10, i % 5, "abc"[i % 3]] for i in range(60)])
    (folder / "specs").mkdir()
    specnet("new specs/flowers.toml --data flowers.csv --target species").went()
    assert 'path = "../flowers.csv"' in (folder / "specs/flowers.toml").read_text(encoding="utf-8")
    assert specnet("show specs/flowers.toml").ok().out.startswith("flowers   2 → scale → 128 linear → selu → ")


def test_a_quick_spec_has_one_network_and_takes_a_tenth_of_the_time(specnet, folder):
    rows = np.random.default_rng(0).normal(size=(2_000, 2))
    write_rows("rows.csv", "x,y", [[f"{x:.3f}", "ab"[int(x + noise > 0)]] for x, noise in rows])
    command = "new rows.toml --data rows.csv --target y --force --format json"
    epochs = []
    for option in ("", "--quick"):
        assert json.loads(specnet(f"{command} {option}").went())["expected_seconds"] > START_AND_REPORT_SECONDS
        training = parse_spec(folder / "rows.toml").training
        epochs.append(training.members * training.epochs)
    text = (folder / "rows.toml").read_text(encoding="utf-8")
    assert "ensemble" not in text
    assert "validation_size = 0.1" in text
    assert epochs[1] == epochs[0] / 10
    assert "members" not in specnet("run rows.toml --set training.epochs=1 --no-report").ok().err


def test_a_link_that_leads_nowhere_is_in_the_way_too(specnet, folder):
    (folder / "new.toml").symlink_to(folder / "elsewhere.toml")
    assert specnet("new new.toml").status == 2
    assert not (folder / "elsewhere.toml").exists()


ROWS = range(10, 40)
CLUMSY = {
    "no-header": ("column_3", "5.1,3,0\n", "{0}.5,{1},{2}\n", ""),
    "no-header-but-words": ("column_3", "5.1,3,red\n", "{0}.5,{1},red\n{0},1,blue\n", ""),
    "two-bad-cells": ("y", "a,b,y\n", "{0},{0}.5,{2}\n", "?,1,0\nn/k,-,1\n"),
    "duplicate": ("column_3", "a,a,y\n", "{0},{1},{2}\n", ""),
    "thousands": ("y", "a,y\n", '"{0},076",{2}\n', ""),
    "target": ("y", "a,y\n", '{1},"{0},076"\n', ""),
    "title": ("y", "a report\na,b,y\n", "{0},{1},{2}\n", ""),
    "encoding": ("y", "a,y\n", "{3},{2}\n", ""),
}
"""Tables that cannot be read as they are: targets that they have when read as the error says, first lines, rows."""


@pytest.mark.parametrize("name", CLUMSY)
def test_an_error_names_the_settings_that_mend_it(specnet, folder, name):
    """What the error says to pass is passed, and the spec is written."""
    target, before, row, after = CLUMSY[name]
    rows = "".join(row.format(number, number % 7, number % 2, "éü"[number % 2]) for number in ROWS)
    (folder / "rows.csv").write_text(f"{before}{rows}{after}", encoding="latin-1")
    reported = specnet("new new.toml --data rows.csv --target y").failed(1)
    hints = reported.split(", or use ")
    hint = hints[-1 if name in ("no-header-but-words", "duplicate", "title") else 0].split(" or --set")[0]
    words = shlex.split(hint.partition("--set")[2].split(";")[0].replace("and use", ""))
    options = [option for setting in words if "=" in setting for option in ("--set", setting)]
    assert options, reported
    specnet("new", "new.toml", "--data", "rows.csv", "--target", target, *options).went()
    specnet("validate new.toml").ok()
    spec = parse_spec(folder / "new.toml")
    assert spec.data.load(folder, spec.target_kind).X.shape[0] >= 30


def test_an_index_of_the_rows_is_ignored_with_its_reason(specnet, folder):
    def written(name, numbers, targets=range(40)):
        write_rows("rows.csv", f"{name},a,y", [[n, k % 7, k // 20] for n, k in zip(numbers, targets, strict=True)])
        specnet("new new.toml --data rows.csv --target y --force").ok()
        return (folder / "new.toml").read_text()

    # The rows of a sorted table in another order: the index says what the target is.
    shuffled = [7 * row % 40 for row in range(40)]
    for name, key in (("", "column_1"), ("Unnamed: 0", '"Unnamed: 0"'), ("__index_level_0__", "__index_level_0__")):
        line = rf'^{key} = "ignore".*# 0 to 39: an index of the rows, no feature$'
        assert re.search(line, written(name, shuffled, shuffled), re.MULTILINE)
    # A column that has a name of its own may count its rows, and one without a name may be a feature.
    assert 'day = "numeric"' in written("day", range(40))
    assert 'column_1 = "numeric"' in written("", [row % 5 for row in range(40)])


RATINGS = [3 + row % 6 for row in range(60)]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_whole_numbers_are_classes_which_is_told_of_and_decimals_are_values(specnet, folder, suffix, pinned):
    command = f"new rows.toml --data rows{suffix} --target rating --force"

    def written(form, numbers=RATINGS, options=""):
        """Return the warnings of the spec that is written for such a column, and what its target is."""
        cells = [(row * 7 % 60 / 10, form.format(number)) for row, number in enumerate(numbers)]
        record = '{{"x": {}, "rating": {}}}' if suffix == ".jsonl" else "{},{}"
        lines = [*(["x,rating"] if suffix == ".csv" else []), *(record.format(*each) for each in cells)]
        (folder / f"rows{suffix}").write_text("\n".join(lines) + "\n")
        document = json.loads(specnet(f"{command} --format json {options}").went())
        return document["warnings"], parse_spec("rows.toml").target_kind

    (warning,), kind = written("{}")
    assert (warning["code"], kind) == ("whole-classes", "classes")
    pinned(specnet(command).err)
    assert written("{}", options=warning["hint"].partition("use ")[2]) == ([], "values")
    assert written("{}.0") == ([], "values")
    assert written("{}", [row % 2 for row in range(60)]) == ([], "classes")


def test_whole_floats_of_a_frame_are_whole_numbers(specnet, folder):
    floats = [float(number) for number in RATINGS]
    pandas.DataFrame({"x": np.arange(60) / 7, "rating": floats}).to_parquet("rows.parquet")
    document = json.loads(specnet("new rows.toml --data rows.parquet --target rating --format json").went())
    assert [each["code"] for each in document["warnings"]] == ["whole-classes"]
