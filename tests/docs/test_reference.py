"""The generated reference: each part, key, verb and code is there, and what is shown is what specnet has and does."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import specnet
from specnet import SpecError, parse_spec
from specnet.editor.catalogue import Catalogue
from specnet.editor.schema_keys import ENTRY, Keys, shipped_schema
from tests.docs.reference.causes import CAUSES, MEANINGS
from tests.docs.reference.command_pages import VARIABLES
from tests.docs.reference.diagnostic_codes import all_codes, caused_examples, other_examples, spec_examples
from tests.docs.reference.error_pages import error_pages
from tests.docs.reference.mathml import assignments, expression
from tests.docs.reference.part_formulas import SYMBOL, formula
from tests.docs.reference.part_pictures import picture
from tests.docs.reference.searching import names, unfound
from tests.docs.reference.section_pages import section_pages
from tests.registry import REGISTRY

PARTS = tuple(REGISTRY)
WITHOUT_PICTURE = {"softmax", "log_softmax", "glu", "cosine_similarity"}
WITHOUT_PICTURE |= {"constant", "zeros", "ones", "identity", "he_plus"}
"""Functions of several numbers, and what draws no more than two different ones."""
ENDS = {"mean_squared_error": (1,), "categorical_crossentropy": (3,), "binary_crossentropy": (1, 2)}
"""Losses and numbers of outputs, one of which suits each part."""
OF_OTHERS = {"COMP_WORDBREAKS", "LC_ALL", "TMPDIR"}
"""Variables of shells and compilers, which specnet passes on."""


FORMULAS = tomllib.loads(Path(__file__).with_name("formulas.toml").read_text("utf-8"))


def named(part: type[Any]) -> str:
    return f"{part.kind}-{part.part_name()}"


ENTRIES = {f"{entry.kind}-{entry.name}": entry for entry in Catalogue(REGISTRY).entries(None)}


@pytest.mark.parametrize("part", PARTS, ids=named)
def test_each_example_is_a_spec(part: type[Any]) -> None:
    """With a loss that suits the data or the metric, where the example says none."""
    text = ENTRIES[named(part)].example
    assert any(is_spec(part, tomllib.loads(text), loss, outputs) for loss, few in ENDS.items() for outputs in few)


def is_spec(part: type[Any], example: dict[str, Any], loss: str, outputs: int) -> bool:
    """Return whether an example is a spec together with layers, a loss and, where it has no data, so many outputs."""
    network: dict[str, Any] = {"hidden_layer_sizes": [2]}
    if "data" not in example:
        network |= {"input_size": 2, "output_size": outputs}
    if part.kind == "layer":
        before = [] if part.reads_columns else [{"type": "dense", "units": 2, "name": "branch"}]
        network = {"input_size": 2, "layers": [*before, *example["network"].pop("layers")]}
    spec: dict[str, Any] = {"network": network, "training": {"loss": loss}}
    if "sweep" in example:
        spec["sweep"] = {"space": {"training.epochs": [1, 2]}}
    tables = {name: {**spec.get(name, {}), **fields} for name, fields in example.items() if isinstance(fields, dict)}
    try:
        parse_spec(spec | example | tables)
    except SpecError:
        return False
    return True


@pytest.mark.parametrize("part", [part for part in PARTS if part.kind in ("activation", "loss")], ids=named)
def test_a_formula_has_the_numbers_that_fields_hold_by_their_signs(part: type[Any]) -> None:
    shown = formula(part)
    text = "".join(ElementTree.fromstring(shown.replace("&#40;", "(").replace("&#41;", ")")).itertext())
    for name, field in part.model_fields.items():
        if type(field.default) is float:
            found = SYMBOL.match(field.description or "")
            assert (found[1] if found else name) in text
    assert text.count("(") == text.count(")")


def plain(html: str) -> str:
    """Return what a formula shows, without the signs that nobody sees."""
    return re.sub(r"<[^>]*>|⁡", "", html)


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_is_the_part_s_own_expression(name: str) -> None:
    (part,) = (each for each in PARTS if named(each) == name)
    assert plain(formula(part)).replace("&#40;", "(").replace("&#41;", ")") == FORMULAS[name]


def test_a_formula_of_a_docstring_is_written_as_mathematics() -> None:
    assert expression("The half of it: ½·x^(n/2), where 2 is (n + 1)²") == expression("½·x^(n/2)") != ""
    assert plain(expression("−√v̂ + ⌊n/every⌋·log₂(2ᶜ − 1)")) == "−v^+⌊nevery⌋·log2(2c−1)"
    assert expression("Nothing here (or there) is a formula") == ""
    rows = [*map(plain, assignments("m̂ = m/(1 − β₁ᵗ), ε = 1e-7; θ ← θ − max(lr, abs g)·m̂, as in step t"))]
    assert rows == ["m^=m1−β1t", "θ←θ−max(lr,|g|)·m^"]


@pytest.mark.parametrize("kind", ["activation", "loss", "optimizer", "schedule"])
def test_each_part_that_is_a_function_has_a_formula(kind: str) -> None:
    for part in REGISTRY.of_kind(kind):
        shown = ElementTree.fromstring(formula(part))
        assert "".join(shown.find("math").itertext()), part.part_name()
        assert shown.findall(".//mi") or part.part_name() == "constant"


@pytest.mark.parametrize("kind", ["activation", "loss", "schedule", "initializer"])
def test_each_function_has_a_picture(kind: str) -> None:
    for part in REGISTRY.of_kind(kind):
        drawn = picture(part)
        if part.part_name() in WITHOUT_PICTURE and kind != "schedule":
            assert drawn == ""
        else:
            (svg,) = ElementTree.fromstring(drawn)
            assert svg.findall(".//*[@class='bar']") or svg.findall(".//*[@d]")


def test_each_key_has_a_heading_on_the_page_of_its_section() -> None:
    headings = {name: set(re.findall(r"^## `(\S+)`$", text, re.MULTILINE)) for name, text in section_pages()}
    of_sections = [
        key for key in Keys(shipped_schema()) if key.kind == "section" and not key.owner.startswith("data.c")
    ]
    assert len(of_sections) > 60
    for key in of_sections:
        page = key.owner.removesuffix(f".{ENTRY}").replace(".", "_")
        names = headings.get(f"sections/{page}") or headings["sections/network"] | headings["sections/sweep"]
        assert key.name in {name.rpartition(".")[2] for name in names}, key.path


def test_every_code_has_an_example_on_its_page() -> None:
    examples = spec_examples().keys() | other_examples().keys()
    assert all_codes() - examples == CAUSES.keys() == MEANINGS.keys()
    text = "\n".join(text for name, text in error_pages() if name in ("errors/specs", "errors/others"))
    told = dict(re.findall(r"^## `(\S+)`\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))
    assert told.keys() == all_codes()
    assert not [code for code, block in told.items() if not re.search(rf"(error|warning)\[{code}\]", block)]


def test_examples_of_errors_do_not_depend_on_where_they_are_made() -> None:
    for example in caused_examples().values():
        assert "/tmp" not in example.message
        assert str(Path.home()) not in example.message


def test_every_variable_of_the_environment_is_told() -> None:
    sources = "".join(path.read_text("utf-8") for path in Path(specnet.__file__).parent.rglob("*.py"))
    read = set(re.findall(r'environ(?:\.get\(|\[|\s*\|\s*\{)"([A-Z_]+)"', sources)) | {"KERAS_BACKEND"}
    assert read | {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"} == VARIABLES.keys() | (OF_OTHERS & read)


def test_a_name_that_search_does_not_find_is_told(tmp_path: Path) -> None:
    """The build looks for all of them in the site's own index."""
    wanted = {*names()}
    assert {"patience", "relu", "swish", "negative_slope", "unknown-part", "--folds", "specnet run", "fit"} <= wanted
    index = {"alltitles": dict.fromkeys(wanted - {"patience", "--folds"}), "indexentries": {"--folds": []}}
    (tmp_path / "searchindex.js").write_text(f"Search.setIndex({json.dumps(index)})", encoding="utf-8")
    assert unfound(tmp_path) == ["patience"]
