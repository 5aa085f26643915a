"""What README and documentation show is what commands print and snippets compute, times and versions apart."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.cli.on_terminal import Seen, on_terminal
from tests.docs import picture
from tests.docs.documents import (
    PEERS,
    ROOT,
    RUN,
    STATED,
    Document,
    built_documents,
    documents,
    shell,
    snippet,
    without_times,
)
from tests.docs.reference.command_pages import verbs
from tests.exporting.tools import needs_node

DOCUMENTS = documents()
README = DOCUMENTS[0]
PATHS = r"`((?:specnet|specs|schemas|tests|docs|\.ci)/[\w./]*)`"
INSTALLED = {"distributed": ".[dask]", "dask.dataframe": "dask[dataframe]", "pyarrow": "pyarrow"}
"""What is installed for snippets that import a module which the tests' own environment does not have."""

Ended = Callable[[Document], tuple[Path, dict[str, Seen]]]


def blocks() -> Iterator[object]:
    """Yield each block that is run, document by document, so that one process has all of a document."""
    for document in DOCUMENTS:
        for place, (language, code) in enumerate(document.runnable()):
            name = f"{document.name}-{RUN[language]}{place}"
            yield pytest.param(document, language, code, marks=marks(language, code), id=name)


def marks(language: str, code: str) -> list[pytest.MarkDecorator]:
    """What a block needs that may be missing; Keras and PyTorch have a mark of their own."""
    compiles = "cc -std" in code or "compiled" in code
    needs_compiler = pytest.mark.skipif(compiles and shutil.which("cc") is None, reason="there is no cc")
    needs_modules = [
        pytest.mark.skipif(not is_installed(module), reason=f"needs pip install '{name}'")
        for module, name in INSTALLED.items()
        if re.search(rf"^(import|from) {re.escape(module)}\b", code, re.MULTILINE)
    ]
    peers = [pytest.mark.peers] if PEERS.search(code) else []
    return [needs_compiler, *needs_modules, *peers, *([needs_node] if language == "js" else [])]


def is_installed(module: str) -> bool:
    """Whether a module is there, with what it needs: dask itself is, without pyarrow, where its data frames are not."""
    needed = ("dask", "pyarrow") if module == "dask.dataframe" else (module,)
    return all(find_spec(name) is not None for name in needed)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Return the folder of a document, and how each of its commands ended: all run, in their order."""

    @cache
    def begun(code: str) -> tuple[Path, Seen]:
        folder = tmp_path_factory.mktemp("begun")
        shutil.copytree(ROOT / "specs", folder / "specs")
        return folder, shell(code, folder)

    @cache
    def run(document: Document, *, with_peers: bool) -> tuple[Path, dict[str, Seen]]:
        first, *others = [code for code in document.commands() if with_peers or not PEERS.search(code)] or [":"]
        folder, seen = begun(first)  # many documents begin with the same command
        folder = shutil.copytree(folder, tmp_path_factory.mktemp("document"), dirs_exist_ok=True)
        return folder, {first: seen} | {code: shell(code, folder) for code in others}

    return run


@pytest.mark.slow
@pytest.mark.parametrize(("document", "language", "code"), [*blocks()])
def test_a_block_does_what_is_shown(document: Document, language: str, code: str, ended: Ended) -> None:
    folder, commands = ended(document, with_peers=bool(PEERS.search(code)))
    if language == "sh":
        command, shown = commands[code], dict(document.commands_and_output()).get(code)
        if shown is None:
            assert command.status == 0, command.text
        else:
            assert without_times(command.text) == without_times(shown)
            assert "\x1b" not in command.text
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            printed = snippet(language, code, folder, document.name)
        assert printed == STATED[language].findall(code)
        assert printed or language == "js"


@pytest.mark.slow
def test_the_picture_begins_as_the_report_of_the_commands_above_it(ended: Ended) -> None:
    folder, _ = ended(README, with_peers=False)
    words = picture.first_words(folder / picture.REPORT)
    assert picture.words_of(picture.PICTURE.read_bytes()) == words, "python -m tests.docs.picture"
    assert picture.TEXT.findall(README.text) == [words]
    assert README.text.index("specnet new penguins.toml") < README.text.index("](docs/report.png)")


def test_each_command_is_shown_with_its_output() -> None:
    """All but `lsp`, which talks to an editor and prints nothing."""
    pages = [*DOCUMENTS, *built_documents()]
    found = [code for document in pages for code, text in document.commands_and_output() if text is not None]
    assert {verb for verb in verbs() if not re.search(rf"\bspecnet {verb}\b", " ".join(found))} == {"lsp"}


def test_no_line_is_left_out_of_the_site() -> None:
    """MyST takes a line that begins with a percent sign for a comment."""
    pages = [*DOCUMENTS, *built_documents()]
    assert [page.path.name for page in pages if re.search(r"^ *%", page.text, re.MULTILINE)] == []


def test_the_two_commands_stand_as_they_must() -> None:
    commands = [code.strip() for code in README.blocks("sh")]
    assert commands[:2] == ["pip install . && specnet run specs/moons.toml", "pip install '.[test]' && pytest"]


FORMS = {"layers", "layer_sizes", "hidden_layer_sizes"}
"""Keys of `network`, one of which a spec needs."""


def completed(part: dict[str, Any]) -> dict[str, Any]:
    """Return a spec of a part of one: what it doesn't say are the least that a spec needs."""
    data, network, training = (part.get(section, {}) for section in ("data", "network", "training"))
    return part | {
        "data": ({} if "type" in data else {"type": "csv", "path": "table.csv", "target": "answer"}) | data,
        "network": ({} if FORMS & set(network) else {"hidden_layer_sizes": [4]}) | network,
        "training": {"loss": "categorical_crossentropy"} | training,
    }


SHOWN = {f"{document.name}-{k}": code for document in DOCUMENTS for k, code in enumerate(document.blocks("toml"))}


@pytest.mark.parametrize("name", SHOWN)
def test_a_spec_or_a_part_of_one_that_is_shown_is_valid(name: str, tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(completed(tomllib.loads(SHOWN[name]))), encoding="utf-8")
    seen = on_terminal(["validate", "spec.json"], tmp_path)
    assert seen.status == 0, seen.plain


def test_every_path_that_is_named_is_there() -> None:
    named = {path for document in DOCUMENTS for path in re.findall(PATHS, document.text)}
    assert len(named) > 8
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_link_of_the_readme_leads_somewhere() -> None:
    """Those of the other documents are checked in the site that is built of them."""
    links = set(re.findall(r"\]\(([^):#]+)\)", README.text))
    assert "docs/report.png" in links
    assert [link for link in links if not (ROOT / link).exists()] == []
    assert len(README.text.splitlines()) <= 200
