"""What looks suspicious about a run's rows is printed as mistakes are, and is in the document of ``--format json``."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

from tests.cli.conftest import TABLE, Specnet

DIABETES = """\
name = "sugar"
[data]
type = "diabetes"
[network]
hidden_layer_sizes = [3]
[training]
loss = "mse"
epochs = 2
"""


def test_warnings_are_printed_before_the_run_and_are_data_of_json(specnet: Specnet, folder: Path) -> None:
    (folder / "sugar.toml").write_text(DIABETES)
    ended = specnet("run", "sugar.toml")
    assert ended.status == 0
    warned, training = ended.err.split("sugar   ", 1)
    message, line, marks = warned.splitlines()
    assert message.startswith("sugar.toml:7:8: warning[unscaled-target]: ")
    assert "152" in message
    assert "79.1" in message
    assert line == '   7 | loss = "mse"'
    assert marks.startswith("     |        ^^^^^ ")
    assert 'network.target_preprocessing = ["standardize"]' in marks
    assert "epochs" in training
    assert specnet("run", "sugar.toml", "--quiet").err == ""
    as_json = specnet("run", "sugar.toml", "--format", "json")
    assert as_json.err == ""
    assert [warning["code"] for warning in as_json.document["warnings"]] == ["unscaled-target"]
    failed = specnet(
        "run", "sugar.toml", "--format", "json", "--set", "training.optimizer={type='sgd',learning_rate=1e9}"
    )
    assert failed.document["errors"]
    assert failed.document["warnings"] == as_json.document["warnings"]


TABLE_HEADER = "number,one,two,note,remark,day,due,kind"


def test_what_several_columns_have_is_one_line(specnet: Specnet, folder: Path) -> None:
    def line(row: int) -> str:
        days = ",".join(f"{1 + row * step % 12:02}/{1 + row % 5:02}/2021" for step in (1, 5))
        return f"{row * 17 % 61}.5,1,2,note {row},{'x' * row}y,{days},{'ab'[row % 2]}"

    (folder / "table.csv").write_text("\n".join([TABLE_HEADER, *map(line, range(60)), ""]))
    made = specnet("new", "table.toml", "--data", "table.csv", "--target", "kind", "--quick")
    (folder / "table.toml").write_text(TABLE)
    ran = specnet("run", "table.toml", "-o", "out", "--no-report")
    told = [each.partition("warning")[2] for each in (made.err + ran.err).splitlines() if "warning[" in each]
    columns = ["ignored, text that no 5 rows share", "constant in all rows"]
    texts, notations, *again, constants = told
    assert texts == f'[ignored-column]: 2 columns are {columns[0]}: "note", "remark"'
    assert re.fullmatch(r'\[other-notation\]: 2 columns are ignored: "day" \(.* or .*\), "due" \(.* or .*\)', notations)
    assert again == [texts, notations]
    assert constants == f'[constant]: 2 columns are {columns[1]}: "one", "two"'
    assert "use --set data.columns.note=ignore, --set data.columns.remark=ignore" in made.err
    assert 'set data.columns.note = "ignore", data.columns.remark = "ignore"' in ran.err
    written = json.loads((folder / "out/run.json").read_text())["warnings"]
    assert Counter(each["code"] for each in written) == {"ignored-column": 2, "other-notation": 2, "constant": 2}


def test_gaps_and_categories_of_several_columns_are_one_line_each(specnet: Specnet, gappy: Path, folder: Path) -> None:
    lines = ["size,age,city,town,width,price"]
    lines += [
        f"{row % 7},{row % 5}.5,{'rome' if row % 2 else 'oslo'},{'ab'[row % 2]},{row},{row % 9}" for row in range(60)
    ]
    (folder / "gappy.csv").write_text("\n".join(lines) + "\n")
    assert specnet("run", "gappy.toml", "--out", "whole", "-q", "--no-report").status == 0
    (folder / "new.csv").write_text("size,age,city,town,width\n1,,bonn,c,\n,,rome,c,3\n")
    gaps = '"size" (1 cell), "age" (2 cells), "width" (1 cell)'
    categories = '"city" (1 cell, such as "bonn"), "town" (2 cells, such as "c")'
    told = [
        f"untrained-gap]: 3 columns have missing cells, and had no gaps in the training set: {gaps}",
        f"unknown-category]: 2 columns have rare or unseen categories: {categories}",
    ]
    for options, first in (([], told[0]), (["--strict"], "not-predicted]: 2 of 2 rows have no prediction: missing ")):
        found = [each.partition("[")[2] for each in specnet("predict", "whole", "new.csv", *options).err.splitlines()]
        assert found[0].startswith(first)
        assert [each for each in found if each] == [found[0], told[1]]
