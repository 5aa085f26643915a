"""`specnet validate`."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import MOONS, Specnet
from tests.texts.pinned import Pinned

BAD = MOONS.replace('type = "make_moons"', 'type = "make_moon"').replace("epochs = 20", "epochs = -1")


def test_good_files_are_counted(specnet: Specnet) -> None:
    ended = specnet("validate", "moons.toml")
    assert (ended.status, ended.out, ended.err) == (0, "1 spec, no mistakes\n", "")
    ended = specnet("validate", "moons.toml", "moons.toml")
    assert (ended.status, ended.out, ended.err) == (0, "2 specs, no mistakes\n", "")


def test_every_mistake_of_every_file_is_told_at_its_place(specnet: Specnet, folder: Path, pinned: Pinned) -> None:
    (folder / "bad.toml").write_text(BAD)
    (folder / "worse.toml").write_text("name = \n")
    ended = specnet("validate", "bad.toml", "moons.toml", "worse.toml", "missing.toml")
    assert ended.status == 1
    assert ended.out == ""
    lines = ended.err.splitlines()
    assert [line.split(": ")[0] for line in lines if "error[" in line] == [
        "bad.toml:3:8",
        "bad.toml:10:10",
        "worse.toml:1:8",
        "missing.toml",
    ]
    assert lines[1] == '   3 | type = "make_moon"'
    assert lines[2].startswith("     |        ^^^^^^^^^^^ ")
    assert lines[-1] == "4 specs, 4 mistakes"
    pinned(ended.err)


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


def test_no_data_are_read(specnet: Specnet, folder: Path) -> None:
    spec = MOONS.replace('type = "make_moons"\nn_samples = 60\nnoise = 0.2', 'type = "npz"\npath = "missing.npz"')
    (folder / "rows.toml").write_text(spec)
    assert specnet("validate", "rows.toml").status == 0
    assert specnet("run", "rows.toml").status == 1


def test_a_text_with_line_breaks_is_a_file_s_name_here(specnet: Specnet) -> None:
    assert "error[file]" in specnet("validate", MOONS).failed(1)


SWEPT = f"""{MOONS}
[sweep]
[sweep.space]
"training.l2" = [0.0, 0.1]
"training.optimizer.lr" = {{ low = 1e-4, high = 1e-1, log = true }}
"network.activations" = ["relu", "rleu"]
training.epochs = [10, 20]
"""


def test_every_value_of_a_sweep_is_tried_in_its_spec(specnet: Specnet, folder: Path, pinned: Pinned) -> None:
    (folder / "bad.toml").write_text(SWEPT)
    said = specnet("validate", "bad.toml", "--set", "data.split.validation_size=0.2").failed(1)
    places = [line.split(": ")[1] for line in said.splitlines() if "error[" in line]
    assert places == ["error[unknown-key]", "error[unknown-part]", "error[space-key]"]
    pinned(said)
    good = (
        SWEPT.replace("optimizer.lr", "optimizer.learning_rate")
        .replace("rleu", "elu")
        .replace("training.epochs", '"training.epochs"')
    )
    (folder / "good.toml").write_text(good)
    assert specnet("validate", "good.toml", "--set", "data.split.validation_size=0.2").status == 0
    ended = specnet("validate", "good.toml")
    assert (ended.status, "no-validation" in ended.err) == (1, True)


def test_other_verbs_read_past_a_sweep(specnet: Specnet, folder: Path) -> None:
    (folder / "swept.toml").write_text(f'{MOONS}[sweep.space]\n"training.optimizer.lr" = [1]\n')
    for more in ([], ["--resolved"], ["--code"], ["--explain"]):
        swept, plain = specnet("show", "swept.toml", *more), specnet("show", "moons.toml", *more)
        assert swept.status == plain.status == 0
        assert swept.out.replace("swept.toml", "moons.toml") == plain.out
    assert specnet("check", "swept.toml").out == specnet("check", "moons.toml").out


def test_kinds_that_a_run_would_refuse_are_told_without_the_rows(specnet: Specnet, folder: Path) -> None:
    """None of these needs the table, which is not there."""
    head = '[data]\ntype = "csv"\npath = "none.csv"\ntarget = "y"\n'
    tail = '[network]\nhidden_layer_sizes = [2]\n[training]\nloss = "mse"\n'
    wrong = {
        'columns.day = { type = "datetime", format = "%d/%Q" }': "unknown directive %Q",
        'columns.day = { type = "datetime", format = "%d/%m" }': "has no year",
        'columns.day = { type = "datetime", format = "%d%d%Y" }': "has %d twice",
        'columns.day = { type = "datetime", format = "day" }': "has neither a year nor an hour",
        'columns.day = { type = "date", format = "%Y" }': 'expected "datetime", "boolean", "numeric", got "date"',
        'columns.price = { type = "numeric", decimal = ";" }': 'expected "." or ",", got ";"',
        'columns.price = { type = "numeric", unti = "$" }': 'did you mean "unit"?',
        'columns.day = "category"\nsplit.time = "day"': "a split by time needs numbers or dates",
        'columns.set = "numeric"\nsplit.column = "set"': "a split by column needs texts",
        'columns.n = "category"\nsample_weight = "n"': "weights need numbers",
        'columns.y = "datetime"': "cannot be a datetime",
    }
    for lines, message in wrong.items():
        (folder / "table.toml").write_text(f"{head}{lines}\n{tail}")
        said = specnet("validate", "table.toml").failed(1)
        assert message in said
        assert said.startswith("table.toml:5:")
