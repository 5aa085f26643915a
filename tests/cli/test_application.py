"""What holds for all verbs: help, versions, exit status, streams, imports, limits, and too little memory."""

import errno
import os
import re
import shlex
import subprocess
import sys
import warnings
from importlib.metadata import version
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from specnet import FileError, PartError, SpecnetError
from specnet.cli.application import specnet_command
from specnet.errors import is_memory_shortage
from tests.cli.conftest import COMMAND, called, environment, in_ascii, process

VERBS = [
    *("new", "validate", "parts", "schema", "lsp", "run", "sweep", "distill", "show", "report", "runs", "compare"),
    *("diff", "check", "evaluate", "verify", "predict", "explain", "export", "import"),
]

ENDING = [verb for verb in VERBS if verb != "lsp"]
"""Verbs that end by themselves, and not when an editor ends."""


def test_help_lists_every_verb(specnet):
    uses = [each.splitlines() for each in specnet("--help").went().split("\n\n")[3:-1]]
    assert [use[0] for use in uses] == ["Start:", "Train:", "Look:", "Prove:", "Use:"]
    listed = [line for use in uses for line in use[1:]]
    assert [line.split()[0] for line in listed] == VERBS
    assert not any(line.endswith("...") for line in listed), "each summary fits its line"
    assert set(specnet_command().commands) == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_what_a_user_types_with_an_example_and_no_codes(specnet, verb):
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


LINES = (Path(__file__).parents[1] / "cases/commands/lines.txt").read_text(encoding="utf-8").split("\n\n")
PRINTING, DOING = (part.splitlines()[1:] for part in LINES)
"""Command lines of all verbs, in the folder `ready`."""


def forced(line):
    """Return a command line as it replaces what it has written before."""
    writes = line in DOING and line.split()[0] not in ("validate", "report", "check", "verify")
    return f"{line} --force" if writes else line


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize(
    "line", [pytest.param(each, marks=[pytest.mark.slow] * each.startswith("sweep")) for each in (*PRINTING, *DOING)]
)
def test_quiet_silences_remarks_and_never_what_was_asked_for(specnet, line):
    ended = specnet(f"{line} -q").ok()
    assert ended.err == ""
    loud = specnet(forced(line))
    assert loud.out + loud.err
    assert ended.out == (loud.out if line in PRINTING else "")


def test_all_verbs_are_asked_quietly():
    assert {line.split()[0] for line in (*PRINTING, *DOING)} == set(ENDING)


@pytest.mark.slow
def test_the_version_is_the_distribution_s_and_the_installed_command_is_main(specnet):
    script = Path(sys.executable).parent / ("specnet.exe" if os.name == "nt" else "specnet")
    ended = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert ended.stdout == specnet("--version").out == f"specnet {version('specnet')}\n"


SLOW = [pytest.mark.slow]
OF_READING = "rich sklearn scipy duckdb jsonschema safetensors matplotlib"
VARIABLE = "_SPECNET_COMPLETE"
OF_COMPLETION = "numpy pydantic rich sklearn tree_sitter specnet.spec specnet.parts"


@pytest.mark.parametrize(
    ("arguments", "needed", "avoided", "variables"),
    [
        (["--help"], "typer", f"socket numpy pydantic tree_sitter {OF_READING}", {}),
        pytest.param(["validate", "moons.toml"], "pydantic", OF_READING, {}, marks=SLOW),
        pytest.param(["specnet parts ad"], "typer", OF_COMPLETION, {VARIABLE: "bash"}, marks=SLOW),
        pytest.param(["specnet show x --set network.dt"], "typer", OF_COMPLETION, {VARIABLE: "bash"}, marks=SLOW),
    ],
    ids=["help", "validate", "completion of a part", "completion of a setting"],
)
def test_nothing_expensive_is_imported(folder, arguments, needed, avoided, variables):
    command, env = [sys.executable, "-X", "importtime", *COMMAND[1:], *arguments], environment(**variables)
    ended = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True)
    imported = {line.split("|")[2].strip() for line in ended.stderr.splitlines() if line.count("|") == 2}
    assert needed in imported
    assert not imported & {*avoided.split()}


@pytest.mark.parametrize(
    ("error", "status", "reported"),
    [
        (ZeroDivisionError("planted"), 1, "error[internal]: ZeroDivisionError: planted"),
        (MemoryError(), 1, "error[memory]: "),
        (PermissionError(13, "Permission denied", "secret.toml"), 1, "secret.toml: error[file]: Permission denied\n"),
        (KeyboardInterrupt(), 130, "error[interrupted]: "),
    ],
    ids=lambda item: type(item).__name__ if isinstance(item, BaseException) else "",
)
def test_what_happens_to_a_command_is_a_message_and_no_traceback(specnet, while_reading, error, status, reported):
    def fail():
        raise error

    while_reading(fail)
    err = specnet("validate moons.toml").failed(status, reported)
    assert "Traceback" not in err
    as_json = specnet("validate moons.toml --format json")
    assert as_json.status == status
    assert f"error[{as_json.document['errors'][0]['code']}]" in err


def test_warnings_are_one_line_without_the_source(folder, while_reading):
    while_reading(lambda: warnings.warn("no part", stacklevel=1))
    out, err = StringIO(), StringIO()
    called("validate", "moons.toml", stdout=out, stderr=err).ok()
    assert (out.getvalue(), err.getvalue()) == ("1 spec, no mistakes\n", "warning: no part\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "blocks", "variables"),
    [("validate moons.toml --format json", 0, {}), ("--help", 0, {}), ("schema", 20, {"PYTHONUNBUFFERED": "1"})],
)
def test_a_disk_that_is_full_or_fills_up_is_a_message_and_1(folder, arguments, blocks, variables):
    limited = f"ulimit -f {blocks}; exec {shlex.join(COMMAND)} {arguments} > output"
    env = environment(**variables)
    ended = subprocess.run(["sh", "-c", limited], cwd=folder, env=env, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 1
    assert re.fullmatch(r"error\[file\]: .*File too large\n", ended.stderr)


@pytest.mark.slow
def test_unbuffered_output_is_the_same(specnet, folder):
    assert process("schema", folder=folder, PYTHONUNBUFFERED="1") == specnet("schema")


@pytest.mark.slow
@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-"])
def test_neither_stream_need_be_there(folder, closed):
    command = f"{shlex.join(COMMAND)} validate moons.toml {closed}"
    assert subprocess.run(["sh", "-c", command], cwd=folder, check=False).returncode == 0


def test_streams_and_names_of_other_encodings(folder):
    """A character that cannot be written has one instead of it, or "?"; JSON is UTF-8, and a name may be no text."""
    assert "2 -> 5 relu -> 1 sigmoid" in in_ascii("show", "moons.toml").ok().out
    assert "learn a weight ? per feature" in in_ascii("parts", "softplus").out
    (folder / "größe.toml").write_bytes((folder / "moons.toml").read_bytes())
    assert in_ascii("validate", "größe.toml", "--format", "json").document == {"errors": [], "valid": ["größe.toml"]}
    name = os.fsdecode(b"\xff.toml")
    assert "error[file]" in in_ascii("validate", name).failed(1)
    assert in_ascii("validate", name, "--format", "json").document["errors"][0]["source"] == name


def options_of_verbs():
    """Return the options of each verb by name."""
    verbs = specnet_command().commands.items()
    return {verb: {name: option for option in command.params for name in option.opts} for verb, command in verbs}


def test_options_of_several_verbs_are_the_same():
    """An option that writes, opens, limits or shares the work means the same and has one default wherever it is.

    And every command can be quiet and print data.
    """
    for name in ("--jobs", "--limit", "--dask", "--no-report", "--open", "--quiet"):
        found = [options[name] for options in options_of_verbs().values() if name in options]
        ((default, _),) = {(option.default, option.help) for option in found}
        assert default in (None, False), name
    for verb, options in options_of_verbs().items():
        assert {"--quiet", "-q", "--format"} <= options.keys(), verb
        assert {"text", "json"} <= set(str(options["--format"].metavar).split("|")), verb


# ------------------------------------------------------------------------------------------------------------- limits

DEEP = """
data.type = "iris"
[network]
layers = [
    { type = "block", repeat = 1200, layers = [{ type = "activation", activation = "tanh" }] },
    { type = "dense", units = 3 },
]
[training]
loss = "categorical_crossentropy"
epochs = 1
"""
NETWORKLESS = {"new", "parts", "schema", "runs"}
"""Verbs that read no spec and no model."""


@pytest.mark.usefixtures("ready")
def test_a_cap_holds_wherever_a_network_is_read(specnet):
    lines = [line for line in (*PRINTING, *DOING) if line.split()[0] not in NETWORKLESS]
    assert {verb for verb, options in options_of_verbs().items() if "--limit" in options} == set(ENDING) - NETWORKLESS
    for target, suffix in (("onnx", "onnx"), ("sklearn", "skops")):
        specnet(f"export moons --to {target} -o moons.{suffix}").ok()
        lines.append(f"evaluate moons.{suffix} rows.npz")
    for line in lines:
        reported = specnet(f"{line} --limit parameters=10").failed(1)
        assert "parameters exceed the limit of 10" in reported, line
        assert "--limit parameters=" in reported
        assert specnet(line).status == 0, line


def test_a_cap_is_raised_as_its_error_says_for_every_command(specnet, folder):
    (folder / "deep.toml").write_text(DEEP)
    np.savez(folder / "rows.npz", X=np.ones((3, 4)), y=[0, 1, 2])
    for line in (
        "validate deep.toml",
        "run deep.toml -o deep -q --no-report",
        "evaluate deep rows.npz",
        "predict deep rows.npz",
        "export deep --to numpy -o deep_one.py",
    ):
        assert "--limit layers=1201" in specnet(line).failed(1)
        specnet(f"{line} --limit layers=1201").ok()


# ----------------------------------------------------------------------------- the system gives no more memory


def wrapped(error, cause):
    error.__cause__ = cause
    return error


UNMAPPED = ImportError("_ufuncs.so: failed to map segment from shared object")
SHORTAGES = [
    MemoryError(),
    OSError(errno.ENOMEM, "Cannot allocate memory", "pandas/core"),
    UNMAPPED,
    wrapped(ImportError("IMPORTANT: PLEASE READ THIS"), UNMAPPED),
    RuntimeError("can't start new thread"),
    wrapped(PartError("activation wave is at fault"), MemoryError()),
    wrapped(FileError("Cannot allocate memory"), OSError(errno.ENOMEM, "Cannot allocate memory")),
]


@pytest.mark.parametrize("error", SHORTAGES)
def test_too_little_memory_is_a_message_wherever_it_is_missed(specnet, monkeypatch, error):
    def fail(*_, **__):
        raise error

    for function in ("arguments._source", *([] if isinstance(error, SpecnetError) else ["application.call"])):
        monkeypatch.setattr(f"specnet.cli.{function}", fail)
        assert specnet("show moons.toml").failed(1, "error[memory]: ").count("\n") == 1


def test_a_full_table_of_threads_own_storage_is_no_want_of_memory():
    assert not is_memory_shortage(ImportError("libgomp.so: cannot allocate memory in static TLS block"))
    assert not is_memory_shortage(SystemError("error return without exception set"))
    assert not is_memory_shortage(None)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems limit no address space")
@pytest.mark.parametrize(
    ("mebibytes", "variables"), [(60, {}), (150, {}), (145, {"OMP_NUM_THREADS": "1"}), (290, {}), (400, {})]
)
def test_a_limit_that_libraries_do_not_fit_below_is_an_error(folder, mebibytes, variables):
    """OpenBLAS would never return, or would send Ctrl-C to the process."""
    spec = 'data.type = "iris"\nnetwork.hidden_layer_sizes = [4]\n'
    (folder / "iris.toml").write_text(f'{spec}training = {{ loss = "categorical_crossentropy", epochs = 2 }}\n')
    command = f"ulimit -v {mebibytes * 1024}; exec {shlex.join([*COMMAND, 'run', 'iris.toml', '-o', 'out'])}"
    env = environment(OPENBLAS_NUM_THREADS="2", **variables)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, shell=True, cwd=folder, env=env, **pipes) as running:
        try:
            out, err = running.communicate(timeout=60)
        finally:
            running.kill()
    first, hint = err.splitlines()
    assert (running.returncode, out) == (1, "")
    assert first == f"error[memory]: not enough memory: this process is limited to {mebibytes} MiB"
    assert "ulimit -v" in hint
    assert not (folder / "out").exists()
