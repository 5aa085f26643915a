"""`specnet show --explain`: where each value comes from, and the equations in force."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from specnet import parse_spec, resolve
from specnet.files.plain_data import leaves
from tests.cli.conftest import MOONS, TABLE, Ended, Ran, Specnet

HIDDEN = TABLE + "ensemble = 3\nearly_stopping = true\n"


def origins(ended: Ended) -> dict[str, tuple[str, str]]:
    """Return value and origin by key, from the lines of text."""
    ended.went()
    rows = [re.split(r"\s{3,}", line) for line in ended.out.split("\n\n")[0].splitlines()]
    assert all(len(row) == 3 for row in rows)
    return {key: (value, origin) for key, value, origin in rows}


def test_every_value_of_the_resolved_spec_is_there_once(specnet: Specnet, folder: Path) -> None:
    found = specnet("show", "moons.toml", "--explain", "--format", "json").document["values"]
    resolved = resolve(parse_spec(folder / "moons.toml")).spec.model_dump(mode="json", exclude_none=True)
    assert [(item["key"], item["value"]) for item in found] == [
        (".".join(map(str, path)), value) for path, value in leaves(resolved, whole_lists=True)
    ]


def test_what_the_file_says_stands_at_its_line(specnet: Specnet) -> None:
    found = origins(specnet("show", "moons.toml", "--explain"))
    lines = MOONS.splitlines()
    for key, text in (("name", "name ="), ("data.noise", "noise"), ("training.metrics.0.type", "metrics")):
        line = 1 + next(number for number, each in enumerate(lines) if each.startswith(text))
        assert found[key][1] == f"file line {line}"
    assert found["training.epochs"] == ("20", "file line 10")
    assert found["network.layers.0.units"] == ("5", "file line 7")
    assert found["network.input_size"] == ("2", "file line 7")
    assert found["network.layers.1.trainable"] == ("true", "default")  # 1 is its number of units, and not this
    assert found["network.layers.0.activation.type"] == ("relu", "default")
    assert found["training.optimizer.type"] == ("adam", "default")
    # All else is not in the file.
    written = [key for key, (_, origin) in found.items() if origin.startswith("file")]
    assert len(written) == 11
    assert {origin for key, (_, origin) in found.items() if key not in written} == {"default"}


def test_a_run_is_explained_by_the_file_and_the_settings_of_its_command(specnet: Specnet, folder: Path) -> None:
    assert specnet("run", "moons.toml", "-o", "run", "-q", "--set", "training.epochs=3").status == 0
    (folder / "moons.toml").unlink()
    found = origins(specnet("show", "run", "--explain"))
    assert found["training.epochs"] == ("3", "--set #1 (file line 10: 20)")
    assert found["data.noise"] == ("0.2", "file line 5")
    again = origins(specnet("show", "run", "--explain", "--set", "seed=4"))
    assert again["seed"] == ("4", "--set #2")
    # Without the file as it was given, the resolved one is what there is.
    (folder / "run/spec.toml").unlink()
    found = origins(specnet("show", "run", "--explain"))
    assert re.fullmatch(r"file line \d+", found["training.optimizer.type"][1])


def test_the_data_of_a_run_need_not_be_there(specnet: Specnet, folder: Path) -> None:
    (folder / "table.csv").write_text("a,b,kind\n" + "".join(f"{i},{i * 2 % 7},k{i % 3}\n" for i in range(30)))
    text = HIDDEN.partition("ensemble")[0]
    (folder / "table.toml").write_text(text)
    assert specnet("run", "table.toml", "-o", "run", "-q").status == 0
    (folder / "table.csv").unlink()
    assert origins(specnet("show", "run", "--explain"))["network.output_size"] == ("3", "from data")


def test_a_model_has_no_file(specnet: Specnet, ran: Ran) -> None:
    ran("run")
    found = origins(specnet("show", "run/model.safetensors", "--explain"))
    assert found["training.epochs"] == ("20", "model")
    assert found["training.l2"] == ("0.0", "default")
    assert {origin for _, origin in found.values()} == {"model", "default"}
    specnet("show", "run/model.safetensors", "--explain", "--set", "seed=1").failed(2)


def test_json_and_standard_input_have_lines_too(specnet: Specnet, folder: Path, monkeypatch: Any) -> None:
    document = {"data": {"type": "make_moons"}, "network": {"layer_sizes": [2, 1]}, "training": {"loss": "bce"}}
    (folder / "moons.json").write_text(json.dumps(document, indent=1))
    assert origins(specnet("show", "moons.json", "--explain"))["data.type"] == ("make_moons", "file line 3")
    stdin = io.TextIOWrapper(io.BytesIO(MOONS.encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert origins(specnet("show", "-", "--explain"))["training.epochs"] == ("20", "stdin line 10")


def test_a_long_or_wild_value_takes_one_line(specnet: Specnet, folder: Path) -> None:
    names = [f'"a\\n\\u001b[31m{"x" * 90}{number}"' for number in range(2)]
    (folder / "wild.toml").write_text(MOONS.replace("[network]", f"[network]\nfeature_names = [{', '.join(names)}]"))
    found = origins(specnet("show", "wild.toml", "--explain"))
    value, origin = found["network.feature_names"]
    assert (len(value), value[-1], origin) == (48, "…", "file line 7")
    assert "\x1b" not in specnet("show", "wild.toml", "--explain").out


@pytest.mark.parametrize(
    "facts", ["{", "[]", '{"finished": true, "overrides": 3}', '{"finished": true, "overrides": [1]}']
)
def test_a_broken_record_is_an_error(specnet: Specnet, ran: Ran, folder: Path, facts: str) -> None:
    ran("run")
    (folder / "run/run.json").write_text(facts)
    specnet("show", "run", "--explain").failed(1, "run/run.json: error[file]: ")
    shutil.rmtree(folder / "run")
    assert specnet("show", "run", "--explain").status == 1
