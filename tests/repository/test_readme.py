"""What the README shows is what its commands print and its snippets compute, times and versions apart."""

import re
import shutil
import subprocess
import warnings
from contextlib import chdir, redirect_stdout
from importlib.util import find_spec
from io import StringIO
from typing import Any

import pytest

from specnet.cli.application import application
from tests.exporting.tools import PLAIN, needs_node
from tests.repository.readme import (
    PEERS,
    README,
    ROOT,
    SESSION,
    blocks,
    commands,
    commands_and_output,
    shell,
    without_times,
)

STATED = re.compile(r"^ *print\(.*\)  # (.*)$", re.MULTILINE)
INSTALLED = {"distributed": ".[dask]", "dask.dataframe": "dask[dataframe]", "pyarrow": "pyarrow"}
"""What is installed for snippets that import a module which the tests' own environment does not have."""


def each(codes: list[Any]) -> list[Any]:
    """Parameters of a test, those that need Keras or PyTorch marked."""
    found = [code if isinstance(code, tuple) else (code,) for code in codes]
    return [pytest.param(*code, marks=marks(code[0])) for code in found]


def marks(code: str) -> list[pytest.MarkDecorator]:
    """What a block needs that may be missing."""
    compiles = "cc -std" in code or "compiled" in code
    needs_compiler = pytest.mark.skipif(compiles and shutil.which("cc") is None, reason="there is no cc")
    needs_modules = [
        pytest.mark.skipif(not is_installed(module), reason=f"needs pip install '{name}'")
        for module, name in INSTALLED.items()
        if re.search(rf"^(import|from) {re.escape(module)}\b", code, re.MULTILINE)
    ]
    return [needs_compiler, *needs_modules, *([pytest.mark.peers] if PEERS.search(code) else [])]


def is_installed(module: str) -> bool:
    """Whether a module is there, with what it needs: dask itself is, without pyarrow, where its data frames are not."""
    needed = ("dask", "pyarrow") if module == "dask.dataframe" else (module,)
    return all(find_spec(name) is not None for name in needed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the repository's specs and nothing else."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "specs", folder / "specs")
    return folder


@pytest.fixture(scope="module")
def ended(folder):
    """How each command ended: all run, in the README's order, whichever tests were chosen."""
    return {code: shell(code, folder) for code in commands() if "pytest" not in code and not PEERS.search(code)}


@pytest.fixture(scope="module")
def ended_with_peers(ended, folder):
    """How each command ended, those included that need Keras or PyTorch."""
    return ended | {code: shell(code, folder) for code in commands() if PEERS.search(code)}


def commands_before(code, request):
    """How the commands ended that a block needs, itself included."""
    return request.getfixturevalue("ended_with_peers" if PEERS.search(code) else "ended")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "shown"), each([(code, shown) for code, shown in commands_and_output() if "pytest" not in code])
)
def test_a_command_prints_what_is_shown(code, shown, request):
    command = commands_before(code, request)[code]
    if shown is None:
        assert command.status == 0, command.text
    else:
        assert without_times(command.text) == without_times(shown)
        assert "\x1b" not in command.text


@pytest.mark.slow
@pytest.mark.parametrize("code", SESSION.findall(README))
def test_a_command_of_a_session_can_follow_those_before_it(code, ended):
    assert ended[code].status == 0, ended[code].text


def test_each_command_is_shown_with_its_output():
    shown = " ".join(code for code, text in commands_and_output() if text is not None)
    verbs = {(verb.name or verb.callback.__name__).rstrip("_") for verb in application.registered_commands}
    assert {verb for verb in verbs if not re.search(rf"\bspecnet {verb}\b", shown)} == set()


@pytest.mark.slow
@pytest.mark.parametrize("code", each(blocks("python")))
def test_a_snippet_prints_what_its_comments_say(code, folder, request, monkeypatch):
    commands_before(code, request)
    monkeypatch.syspath_prepend(folder)
    with chdir(folder), redirect_stdout(StringIO()) as printed, warnings.catch_warnings():
        warnings.simplefilter("default")
        exec(code, {"__name__": "__main__"})
    assert STATED.findall(code)
    assert printed.getvalue().splitlines() == STATED.findall(code)


@pytest.mark.slow
@needs_node
@pytest.mark.usefixtures("ended")
@pytest.mark.parametrize("code", blocks("js"))
def test_a_script_prints_what_its_comments_say(code, folder):
    (folder / "script.mjs").write_text(code, encoding="utf-8")
    script = subprocess.run(["node", "script.mjs"], cwd=folder, env=PLAIN, capture_output=True, text=True, check=True)
    assert script.stdout.splitlines() == re.findall(r"^console\.log\(.*\); // (.*)$", code, re.MULTILINE)


def test_the_two_commands_stand_as_they_must():
    commands = [code.strip() for code in blocks("sh")]
    assert commands[:2] == ["pip install . && specnet run specs/moons.toml", "pip install '.[test]' && pytest"]


def settings(text: str) -> str:
    """A spec's lines without comments."""
    return "\n".join(re.sub(r"\s*#.*", "", line) for line in text.splitlines())


@pytest.mark.parametrize(
    ("shown", "name"), [*zip(blocks("toml"), ["wine_csv", "breast_cancer", "sweep_digits"], strict=True)]
)
def test_a_spec_that_is_shown_is_the_one_there_is(shown, name):
    assert settings(shown) in settings((ROOT / "specs" / f"{name}.toml").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_the_mistaken_gradient_ends_where_is_said():
    from tests.reference import tutorial
    from tests.reference.wrong_gradient import loss_after, mistaken_backward

    said = re.search(r"to (0\.\d+), where the right gradient reaches\s+(0\.\d+)", README)
    found = [f"{loss_after(backward, data_seed=0):.3f}" for backward in (mistaken_backward, tutorial.backward)]
    assert found == list(said.groups())


def test_every_path_that_is_named_is_there():
    named = re.findall(r"`((?:specnet|specs|schemas|tests|\.ci)/[\w./]*)`", README)
    assert len(named) > 8
    for path in named:
        assert (ROOT / path).exists(), path
