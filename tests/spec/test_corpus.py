"""Every wrong spec gets its errors at their places; every good one is read, resolved and written again."""

import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from specnet import SpecError, parse_spec, resolve
from specnet.parts.data import DataSizes
from specnet.parts.registry import installed_registry
from specnet.spec import parse_sweep
from specnet.spec.json_schema import json_schema
from tests.spec.cases import CODES, DOCUMENTS, GOOD, NETWORKS, SEARCHES, TEXTS, Mistake, files, marked
from tests.texts.pinned import Pinned

WRONG = TEXTS | DOCUMENTS | NETWORKS

UNSAYABLE = CODES["network"] | CODES["unsayable"]
"""What a JSON Schema cannot say: how sizes, names and choices at different places go together; numbers beyond JSON."""


@cache
def validator() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json_schema(installed_registry()))


def mistakes(error: SpecError) -> list[Mistake]:
    found = []
    for diagnostic in error.diagnostics:
        assert diagnostic.position is not None
        found.append(Mistake(diagnostic.code, diagnostic.position.line, diagnostic.position.column))
    return found


def data_of(text: str) -> Any:
    text = text.removeprefix("\N{BYTE ORDER MARK}")
    return json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_spec_gets_its_errors_at_their_places(name: str, tmp_path: Path, pinned: Pinned):
    case = marked(WRONG[name])
    source: str | Path = case.text
    if name == "list-alone":
        source = tmp_path / "list.json"
        source.write_text(case.text)
    with pytest.raises(SpecError) as caught:
        parse_spec(source)
    assert sorted(mistakes(caught.value)) == sorted(case.mistakes)
    assert mistakes(caught.value) == sorted(mistakes(caught.value), key=lambda mistake: mistake[1:])
    pinned(caught.value)
    assert {note.code for diagnostic in caught.value.diagnostics for note in diagnostic.notes} <= {"note"}
    json.dumps([diagnostic.as_dict() for diagnostic in caught.value.diagnostics]).encode()


@pytest.mark.parametrize(("stage", "cases"), [("text", TEXTS), ("document", DOCUMENTS), ("network", NETWORKS)])
def test_the_corpus_has_every_code(stage: str, cases: dict[str, str]):
    assert {mistake.code for text in cases.values() for mistake in marked(text).mistakes} == CODES[stage]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*DOCUMENTS, *NETWORKS])
def test_the_schema_refuses_what_the_engine_refuses(name: str):
    case = marked(WRONG[name])
    sayable = {mistake.code for mistake in case.mistakes} - UNSAYABLE
    accepted = validator().is_valid(data_of(case.text))
    # To the schema, TOML and JSON are the same data, 1e300 is an integer, and keys have nothing to do with each other.
    assert accepted == (not sayable or name in ("schema-in-toml", "too-large-for-an-integer", "key-inside-another"))


@pytest.mark.slow
@pytest.mark.parametrize("name", SEARCHES)
def test_a_wrong_search_gets_its_errors_at_their_places(name: str, pinned: Pinned):
    case = marked(SEARCHES[name])
    with pytest.raises(SpecError) as caught:
        parse_sweep(case.text)
    assert mistakes(caught.value) == sorted(case.mistakes, key=lambda mistake: mistake[1:])
    pinned(caught.value)
    assert {note.code for diagnostic in caught.value.diagnostics for note in diagnostic.notes} <= {"note"}
    json.dumps([diagnostic.as_dict() for diagnostic in caught.value.diagnostics]).encode()


MISSHAPEN = ("spec-itself", "shape-and-values", "space-is-no-table", "sweep-is-no-table")


@pytest.mark.parametrize("name", [name for name in SEARCHES if name not in MISSHAPEN])
def test_what_the_values_of_a_search_mean_is_left_to_the_engine(name: str):
    text = marked(SEARCHES[name]).text
    validator().validate(data_of(text))
    parse_spec(text)


@pytest.mark.slow
@pytest.mark.parametrize("source", [*GOOD.values(), *files()], ids=[*GOOD, *(path.name for path in files())])
def test_a_good_spec_is_read_resolved_and_written_again(source: str | Path):
    spec = parse_spec(source)
    data = data_of(source.read_text() if isinstance(source, Path) else source)
    validator().validate(data)
    sizes = spec.data.sizes() if spec.data else DataSizes()
    known = spec.network.input_size or spec.network.layer_sizes or sizes.inputs
    resolved = resolve(spec) if known else resolve(spec, inputs=13, outputs=3)
    assert resolve(resolved.spec) == resolved
    written = resolved.spec.to_json()
    assert ": null" not in written
    assert written == json.dumps(json.loads(written), indent=2, ensure_ascii=False) + "\n"
    validator().validate(json.loads(written))
    assert parse_spec(written) == resolved.spec
    assert parse_spec(json.loads(written)) == resolved.spec
    assert resolve(parse_spec(written)) == resolved
    assert parse_spec(written).to_json() == written
