"""What an editor says of a spec: tombi, the language server of TOML, with the schema that is shipped."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from specnet import parse_spec

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TOMBI = shutil.which("tombi", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
SPECS = sorted(path.name for path in (ROOT / "specs").glob("*.toml"))
BASE = """\
#:schema ./schema.json
name = "base"
[data]
type = "make_moons"
[network]
layers = [{ type = "dense", units = 4 }, { type = "dense", units = 1, activation = "sigmoid" }]
[training]
loss = "binary_crossentropy"
optimizer = { type = "sgd", learning_rate = 0.01 }
"""
BAD = [
    ("name = ", "nmae = ", ["nmae"]),
    ('type = "make_moons"', 'type = "make_moons"\nn_sample = 300', ["n_sample"]),
    ("units = 4 ", "unit = 4, units = 4 ", ["unit"]),
    ("learning_rate = 0.01", "lr = 0.01", ["lr"]),
    ("[training]", "[training]\nepohcs = 20\nearly_stopping = { patiense = 3 }", ["epohcs", "patiense"]),
]


def lint(folder, *names):
    """Return what tombi has to say of files; offline, with a home of its own where no schema is stored."""
    assert TOMBI is not None, "the extra `test` brings tombi"
    options = ["--offline", "--quiet", "--diagnostics-format", "json-lines", "--diagnostics-file", "said.jsonl"]
    home = folder / "home"
    home.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "TOMBI_"))}
    shutil.copy(ROOT / "schemas" / "specnet.schema.json", folder / "schema.json")
    env, captured = {**kept, "HOME": str(home)}, {"capture_output": True, "text": True}
    ended = subprocess.run([TOMBI, "lint", *options, *names], cwd=folder, env=env, timeout=60, check=False, **captured)
    said = [json.loads(line) for line in (folder / "said.jsonl").read_text().splitlines()]
    assert ended.returncode == bool(said), ended.stderr
    return said


def test_the_specs_that_are_shipped_are_right(tmp_path):
    for name in SPECS:
        text = (ROOT / "specs" / name).read_text(encoding="utf-8")
        assert "#:schema ../schemas/specnet.schema.json\n" in text
        (tmp_path / name).write_text(text.replace("../schemas/specnet.schema.json", "./schema.json"), encoding="utf-8")
    assert len(SPECS) >= 5
    assert lint(tmp_path, *SPECS) == []


@pytest.mark.parametrize(("right", "wrong", "keys"), BAD)
def test_the_wrong_key_is_named_at_its_place(tmp_path, right, wrong, keys):
    parse_spec(BASE)
    text = BASE.replace(right, wrong, 1)
    assert text != BASE
    (tmp_path / "bad.toml").write_text(text, encoding="utf-8")
    said = lint(tmp_path, "bad.toml")
    assert [(item["code"], item["message"]) for item in said] == [
        ("key-not-allowed", f'"{key}" is not allowed') for key in keys
    ]
    for item, key in zip(said, keys, strict=True):
        assert item["level"] == "error"
        start = item["range"]["start"]
        line = text.splitlines()[start["line"] - 1]
        assert re.match(rf"{key}\b", line[start["column"] - 1 :])


def test_a_wrong_value_is_shown_with_those_that_can_stand_there(tmp_path):
    (tmp_path / "bad.toml").write_text(BASE.replace('"sigmoid"', '"sigmiod"'), encoding="utf-8")
    (item,) = lint(tmp_path, "bad.toml")
    assert (item["code"], item["range"]["start"]["line"]) == ("enum", 6)
    assert '"sigmoid"' in item["message"]
    assert 'but found "sigmiod"' in item["message"]


def test_a_schema_that_is_not_named_finds_nothing(tmp_path):
    """The keys are found by our schema alone, and not by one that tombi has or fetches."""
    text = BASE.replace("#:schema ./schema.json\n", "").replace("name = ", "nmae = ")
    (tmp_path / "bad.toml").write_text(text, encoding="utf-8")
    assert lint(tmp_path, "bad.toml") == []
