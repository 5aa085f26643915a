"""`specnet validate`: mistakes in the formats of code hosts, and mended in the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.texts.calling import called

SPECS = Path(__file__).parents[3] / "specs"
RIGHT = (SPECS / "moons.toml").read_text(encoding="utf-8")
WRONG = RIGHT.replace('"relu"', '"rleu"').replace("learning_rate", "lr").replace("20000", '"20000"')


@pytest.fixture
def wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = Path("wrong.toml")
    file.write_text(WRONG, encoding="utf-8")
    return file


def test_a_file_is_mended_and_its_comments_and_layout_stay(wrong: Path):
    report = called("validate", wrong, "--fix").went()
    assert report.endswith("1 spec, 3 mistakes fixed, no mistakes left\n")
    assert report.count("\n") == 4
    assert wrong.read_text(encoding="utf-8") == RIGHT
    assert called("validate", wrong, "--fix").went() == "1 spec, no mistakes\n"


@pytest.mark.parametrize("around", [("\N{BYTE ORDER MARK}", "\n"), ("", "\r\n")])
def test_the_mark_and_the_ends_of_lines_of_a_file_stay(wrong: Path, around: tuple[str, str]):
    mark, end = around
    wrong.write_bytes((mark + WRONG.replace("\n", end)).encode())
    called("validate", wrong, "--fix").went()
    assert wrong.read_bytes().decode() == mark + RIGHT.replace("\n", end)


def test_a_diff_is_printed_and_nothing_is_written(wrong: Path):
    ended = called("validate", wrong, "--diff")
    assert ended.status == 1
    for sign, text, other in (("-", WRONG, RIGHT), ("+", RIGHT, WRONG)):
        changed = [line for line in text.splitlines() if line not in other.splitlines()]
        assert [line[1:] for line in ended.out.splitlines() if line[0] == sign] == [f"{sign * 2} wrong.toml", *changed]
    assert wrong.read_text(encoding="utf-8") == WRONG


def test_what_is_not_certain_is_left_unless_it_is_requested(wrong: Path):
    wrong.write_text(RIGHT.replace('"float64"', '"float16"'), encoding="utf-8")
    ended = called("validate", wrong, "--fix")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.endswith("--unsafe-fixes follows 1 further hint, which may be wrong\n")
    assert "float16" in wrong.read_text(encoding="utf-8")
    called("validate", wrong, "--fix", "--unsafe-fixes").went()
    assert wrong.read_text(encoding="utf-8") == RIGHT


def test_the_status_is_that_of_the_mistakes_that_are_left(wrong: Path):
    wrong.write_text(WRONG.replace("noise = ", "noise = -"), encoding="utf-8")
    ended = called("validate", wrong, "--fix", "--format", "json")
    assert ended.status == 1
    assert [mistake["code"] for mistake in ended.document["errors"]] == ["out-of-bounds"]
    assert [mistake["code"] for mistake in ended.document["fixed"]] == ["unknown-part", "unknown-key", "wrong-type"]


def an(required: str, **properties: Any) -> dict[str, Any]:
    """Return the schema of an object with no other properties."""
    closed = {"type": "object", "properties": properties, "additionalProperties": False}
    return closed | {"required": required.split()}


TEXT, COUNT = {"type": "string"}, {"type": "integer", "minimum": 1}
MESSAGE = an("text", text=TEXT)
REGION = an("startLine", startLine=COUNT, startColumn=COUNT, endLine=COUNT, endColumn=COUNT)
ARTIFACT = an("uri", uri={"type": "string", "pattern": r"^[A-Za-z0-9._~%/:-]+$"})
PHYSICAL = an("artifactLocation", artifactLocation=ARTIFACT, region=REGION)
LOCATION = {"physicalLocation": PHYSICAL}
REPLACEMENT = an("deletedRegion", deletedRegion=REGION, insertedContent=MESSAGE)
CHANGE = an(
    "artifactLocation replacements",
    artifactLocation=ARTIFACT,
    replacements={"type": "array", "minItems": 1, "items": REPLACEMENT},
)
FIX = an("artifactChanges", description=MESSAGE, artifactChanges={"type": "array", "minItems": 1, "items": CHANGE})
RESULT = an(
    "message",
    ruleId=TEXT,
    ruleIndex={"type": "integer", "minimum": -1},
    level={"enum": ["none", "note", "warning", "error"]},
    message=MESSAGE,
    locations={"type": "array", "items": an("", **LOCATION)},
    relatedLocations={"type": "array", "items": an("", id={"type": "integer"}, message=MESSAGE, **LOCATION)},
    fixes={"type": "array", "items": FIX},
)
DRIVER = an("name", name=TEXT, version=TEXT, rules={"type": "array", "uniqueItems": True, "items": an("id", id=TEXT)})
RUN = an(
    "tool",
    tool=an("driver", driver=DRIVER),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results={"type": "array", "items": RESULT},
)
LOG = an("version runs", **{"$schema": TEXT, "version": {"const": "2.1.0"}, "runs": {"type": "array", "items": RUN}})
"""The definitions of the schema of SARIF 2.1.0 that a log of specnet uses."""


def spliced(text: str, region: dict[str, int], content: str) -> str:
    """Return a text with a region, in UTF-16 code units, replaced."""
    lines = [line.encode("utf-16-le") for line in text.split("\n")]
    first, last = region["startLine"] - 1, region["endLine"] - 1
    start, end = 2 * (region["startColumn"] - 1), 2 * (region["endColumn"] - 1)
    middle = lines[first][:start] + content.encode("utf-16-le") + lines[last][end:]
    return "\n".join(line.decode("utf-16-le") for line in [*lines[:first], middle, *lines[last + 1 :]])


def test_sarif_has_positions_in_utf_16_and_the_edits(wrong: Path):
    text = WRONG.replace('"rleu", "sigmoid"', '"🦆🦆", "rleu"')
    wrong.write_text(text, encoding="utf-8")
    ended = called("validate", wrong, "missing.toml", "--format", "sarif")
    assert (ended.status, ended.err) == (1, "2 specs, 5 mistakes\n")
    log = ended.document
    jsonschema.Draft7Validator(LOG).validate(log)
    _, second, key, _, missing = log["runs"][0]["results"]
    line = next(number for number, line in enumerate(text.splitlines(), 1) if "rleu" in line)
    column = len('activations = ["🦆🦆", '.encode("utf-16-le")) // 2 + 1
    region = {"startLine": line, "startColumn": column, "endLine": line, "endColumn": column + len('"rleu"')}
    assert second["locations"][0]["physicalLocation"]["region"] == region
    (replacement,) = key["fixes"][0]["artifactChanges"][0]["replacements"]
    after = spliced(text, replacement["deletedRegion"], replacement["insertedContent"]["text"])
    assert after == text.replace("lr =", "learning_rate =")
    assert "region" not in missing["locations"][0]["physicalLocation"]


def test_github_gets_a_command_for_each_mistake(wrong: Path):
    ended = called("validate", wrong, "--format", "github")
    assert (ended.status, ended.err) == (1, "1 spec, 3 mistakes\n")
    assert ended.out.splitlines()[0] == (
        "::error title=unknown-part,file=wrong.toml,line=21,endLine=21,col=16,endColumn=22::"
        'unknown activation "rleu": did you mean "relu"?'
    )
    assert ended.out.count("\n") == 3
    assert called("validate", SPECS / "moons.toml", "--format", "github").ok().out == ""


def test_only_with_data_are_the_data_read(tmp_path: Path):
    spec = tmp_path / "spec.toml"
    spec.write_text(
        '[data]\ntype = "csv"\npath = "rows.csv"\ntarget = "y"\n[network]\nhidden_layer_sizes = [2]\n'
        '[training]\nloss = "mse"\n',
        encoding="utf-8",
    )
    called("validate", spec).went()
    assert "rows.csv" in called("validate", spec, "--data").failed(1)
    (tmp_path / "rows.csv").write_text("a,b,z\n" + "1,2,3\n2,3,5\n" * 20, encoding="utf-8")
    assert f"{spec}:4:10: error[" in called("validate", spec, "--data").failed(1)
    spec.write_text(spec.read_text(encoding="utf-8").replace('"y"', '"z"'), encoding="utf-8")
    called("validate", spec, "--data").ok()
