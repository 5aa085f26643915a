"""What holds for all verbs: help, versions, exit status, streams."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from io import StringIO
from pathlib import Path

import pytest
from typer.main import get_command

from specnet.cli.application import application
from tests.cli.conftest import COMMAND, Specnet, called, environment, in_ascii, process
from tests.running.sweeps.searches import GRID

NETWORK = Path(__file__).parents[1] / "importing/files/sklearn_words.onnx"

VERBS = [
    *("new", "validate", "parts", "schema", "run", "sweep", "show", "report", "runs", "compare", "diff"),
    *("check", "evaluate", "verify", "predict", "export", "import"),
]


def test_help_lists_every_verb(specnet: Specnet) -> None:
    ended = specnet("--help")
    assert ended.status == 0
    assert ended.err == ""
    uses = [each.splitlines() for each in ended.out.split("\n\n")[3:-1]]
    assert [use[0] for use in uses] == ["Start:", "Train:", "Look:", "Prove:", "Use:"]
    listed = [line for use in uses for line in use[1:]]
    assert [line.split()[0] for line in listed] == VERBS
    assert not any(line.endswith("...") for line in listed), "each summary fits its line"
    assert {command.name for command in application().registered_commands} == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_what_a_user_types_with_an_example_and_no_codes(specnet: Specnet, verb: str) -> None:
    out = specnet(verb, "--help").went()
    usage, _, rest = out.partition("\n\n")
    assert usage.startswith(f"Usage: specnet {verb} [OPTIONS]")
    assert not set("{}<") & set(usage)
    options = rest.split("Options:\n")[1].split("\n\n")[0]
    assert "<" not in options.replace("<name>/<number>", "")
    assert "--format text|json" in options
    assert "--quiet" in options
    assert len(rest.strip().splitlines()[0].split()) <= 10
    assert all(len(line) <= 80 for line in rest.split("  Examples:")[0].splitlines())
    assert f"  Examples:\n    specnet {verb}" in out
    assert not set("\x1b\\") & set(out)
    assert specnet(verb, "-h").out == out


ASKED = [
    *("show moons.toml", "show moons.toml --code", "show moons.toml --schedule", "show moons --explain"),
    *("show moons --resolved", "show moons --code --engine compiled", "parts", "parts adam", "parts training"),
    *(
        "diff moons.toml moons",
        "diff moons moons",
        "runs .",
        "evaluate moons rows.npz",
        "predict moons rows.npz",
        "schema",
    ),
]
"""Commands that are asked for what they print."""
DONE = [
    *(
        "new new.toml",
        "validate moons.toml",
        "run moons.toml -o new",
        "run moons.toml --seeds 2 -o many",
        "report moons",
    ),
    *("sweep grid.toml --jobs 1 -o sweep", "compare moons moons", "runs . --html", "show moons --diagram moons.svg"),
    *("check moons.toml", "verify moons", "export moons --to numpy", f"import {NETWORK} -o words.toml"),
    *("schema -o schema.json", "predict moons rows.npz -o rows.csv"),
]
"""Commands that write files or prove something."""


@pytest.mark.usefixtures("moons")
@pytest.mark.parametrize(
    "arguments", [pytest.param(each, marks=[pytest.mark.slow] * each.startswith("sweep")) for each in (*ASKED, *DONE)]
)
def test_quiet_silences_remarks_and_never_what_was_asked_for(specnet: Specnet, folder: Path, arguments: str) -> None:
    (folder / "grid.toml").write_text(GRID)
    words = arguments.split()
    ended = specnet(*words, "-q")
    assert (ended.status, ended.err) == (0, "")
    force = ["--force"] if words[0] not in ("validate", "report", "check", "verify") and arguments in DONE else []
    loud = specnet(*words, *force)
    assert loud.out + loud.err
    assert ended.out == (loud.out if arguments in ASKED else "")


def test_all_verbs_are_asked_quietly() -> None:
    assert {arguments.split()[0] for arguments in (*ASKED, *DONE)} == set(VERBS)


def test_the_version_is_the_distribution_s(specnet: Specnet) -> None:
    assert specnet("--version").out == f"specnet {version('specnet')}\n"


def test_help_imports_nothing_dear(folder: Path) -> None:
    listing = subprocess.run(
        [sys.executable, "-X", "importtime", *COMMAND[1:], "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env=environment(),
    ).stderr
    imported = {line.split("|")[2].strip() for line in listing.splitlines() if line.count("|") == 2}
    assert "typer" in imported
    dear = {
        "socket",
        "numpy",
        "pydantic",
        "rich",
        "sklearn",
        "scipy",
        "duckdb",
        "tree_sitter",
        "jsonschema",
        "safetensors",
    }
    assert not dear & imported


@pytest.mark.slow
def test_validate_imports_only_what_reading_needs(folder: Path) -> None:
    listing = subprocess.run(
        [sys.executable, "-X", "importtime", *COMMAND[1:], "validate", "moons.toml"],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env=environment(),
    ).stderr
    imported = {line.split("|")[2].strip() for line in listing.splitlines() if line.count("|") == 2}
    assert "pydantic" in imported
    assert not {"rich", "sklearn", "scipy", "duckdb", "jsonschema", "safetensors", "matplotlib"} & imported


@pytest.mark.slow
def test_the_installed_command_is_main() -> None:
    script = Path(sys.executable).parent / ("specnet.exe" if os.name == "nt" else "specnet")
    ended = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert ended.stdout == f"specnet {version('specnet')}\n"


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (ZeroDivisionError("planted"), 1, "error[internal]: ZeroDivisionError: planted"),
        (MemoryError(), 1, "error[memory]: "),
        (PermissionError(13, "Permission denied", "secret.toml"), 1, "secret.toml: error[file]: Permission denied\n"),
        (KeyboardInterrupt(), 130, "error[interrupted]: "),
    ],
    ids=lambda item: type(item).__name__ if isinstance(item, BaseException) else "",
)
def test_what_happens_to_a_command_is_a_message_and_no_traceback(
    specnet: Specnet, while_reading: Callable[..., None], error: BaseException, status: int, told: str
) -> None:
    def fail() -> None:
        raise error

    while_reading(fail)
    said = specnet("validate", "moons.toml").failed(status, told)
    assert "Traceback" not in said
    as_json = specnet("validate", "moons.toml", "--format", "json")
    assert as_json.status == status
    assert f"error[{as_json.document['errors'][0]['code']}]" in said


def test_warnings_are_one_line_without_the_source(folder: Path, while_reading: Callable[..., None]) -> None:
    while_reading(lambda: warnings.warn("no part", stacklevel=1))
    out, err = StringIO(), StringIO()
    assert called("validate", "moons.toml", stdout=out, stderr=err) == 0
    assert (out.getvalue(), err.getvalue()) == ("1 spec, no mistakes\n", "warning: no part\n")


@pytest.mark.slow
@pytest.mark.parametrize("arguments", ["validate moons.toml --format json", "--help"])
def test_a_full_disk_is_a_message_and_1(folder: Path, arguments: str) -> None:
    limited = f"ulimit -f 0; exec {shlex.join(COMMAND)} {arguments} > output"
    ended = subprocess.run(["sh", "-c", limited], stderr=subprocess.PIPE, text=True, check=False, cwd=folder)
    assert ended.returncode == 1
    assert re.fullmatch(r"error\[file\]: .*File too large\n", ended.stderr)


@pytest.mark.slow
def test_a_disk_that_fills_up_is_no_success_for_unbuffered_output(folder: Path) -> None:
    limited = f"ulimit -f 20; exec {shlex.join(COMMAND)} schema > output"
    ended = subprocess.run(
        ["sh", "-c", limited],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        cwd=folder,
        env=environment(PYTHONUNBUFFERED="1"),
    )
    assert ended.returncode == 1
    assert re.fullmatch(r"error\[file\]: .*File too large\n", ended.stderr)


@pytest.mark.slow
def test_unbuffered_output_is_the_same(specnet: Specnet, folder: Path) -> None:
    assert process("schema", folder=folder, PYTHONUNBUFFERED="1") == specnet("schema")


@pytest.mark.slow
@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-"])
def test_neither_stream_need_be_there(folder: Path, closed: str) -> None:
    command = f"{shlex.join(COMMAND)} validate moons.toml {closed}"
    assert subprocess.run(["sh", "-c", command], cwd=folder, check=False).returncode == 0


def test_a_stream_that_cannot_write_a_sign_gets_what_stands_for_it_or_question_marks(folder: Path) -> None:
    ended = in_ascii("show", "moons.toml")
    assert ended.status == 0
    assert "2 -> 5 relu -> 1 sigmoid" in ended.out
    assert "learn a weight ? per feature" in in_ascii("parts", "softplus").out


def test_json_is_utf_8_whatever_the_stream(folder: Path) -> None:
    (folder / "größe.toml").write_bytes((folder / "moons.toml").read_bytes())
    ended = in_ascii("validate", "größe.toml", "--format", "json")
    assert ended.document == {"errors": [], "valid": ["größe.toml"]}


def test_a_name_that_is_no_text_can_be_told(folder: Path) -> None:
    name = os.fsdecode(b"\xff.toml")
    ended = in_ascii("validate", name)
    assert ended.status == 1
    assert "error[file]" in ended.err
    assert in_ascii("validate", name, "--format", "json").document["errors"][0]["source"] == name


def test_options_of_several_verbs_are_the_same() -> None:
    """An option that writes, opens, limits or shares the work means the same and has one default wherever it is."""
    told: dict[str, set[tuple[object, object]]] = {}
    for verb in get_command(application()).commands.values():
        for option in verb.params:
            told.setdefault(option.opts[0], set()).add((option.default, getattr(option, "help", None)))
    for name in ("--jobs", "--limit", "--dask", "--no-report", "--open", "--quiet"):
        ((default, _),) = told[name]
        assert default in (None, False), name


def test_every_command_can_be_quiet_and_print_data() -> None:
    for verb in get_command(application()).commands.values():
        options = {name: option for option in verb.params for name in option.opts}
        assert {"--quiet", "-q", "--format"} <= options.keys(), verb.name
        assert {"text", "json"} <= set(str(options["--format"].metavar).split("|")), verb.name
