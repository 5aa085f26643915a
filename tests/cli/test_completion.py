"""Completion in bash, zsh and fish."""

import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from io import StringIO
from pathlib import Path

import pytest

from specnet import SpecError, parse_spec
from specnet.cli import COMPLETION_VARIABLE as VARIABLE
from specnet.cli.completion import SCRIPTS
from specnet.editor.schema_keys import Keys, Settings, shipped_schema
from specnet.exporting import TARGETS
from specnet.spec.json_schema import json_schema
from tests.cases.reading import cases
from tests.cli.conftest import MOONS, called, environment
from tests.cli.test_application import VERBS
from tests.registry import REGISTRY

BIN = str(Path(sys.executable).parent)
LAYERS = """\
[network]
input_size = 2
layers = [{ type = "dense", units = 4 }, { type = "dropout", rate = 0.25 }, { type = "dense", units = 1 }]
[training]
loss = "mse"
optimizer = { type = "sgd", schedule = "cosine_decay" }
"""


def asked(line, folder, shell="zsh", **changes):
    """Return what a shell would get for a line."""
    printed = StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in {VARIABLE: shell, **changes}.items():
            patch.setenv(name, value)
        called(line, stdout=printed).ok()
    return printed.getvalue()


def offered(line, folder, shell="zsh", **changes):
    """Return the same, without what it means."""
    return [text.split("\t")[0] for text in asked(line, folder, shell, **changes).splitlines()]


OFFERED = {"specnet ": VERBS, "specnet export model.safetensors --to ": [*TARGETS], "specnet --completion ": [*SCRIPTS]}
OFFERED |= cases("completions")["offered"]


@pytest.mark.parametrize("line", OFFERED)
def test_what_is_offered(folder, line):
    assert offered(line, folder) == OFFERED[line]


def test_every_option_and_name_of_a_part_is_offered(folder):
    assert {"--set", "--out", "-o", "--limit", "--help"} <= set(offered("specnet run -", folder))
    names = set(offered("specnet parts ", folder))
    assert {name for part in REGISTRY for name in (part.part_name(), *part.aliases)} <= names
    assert {part.kind for part in REGISTRY} | {"training", "network", "data.split"} <= names


RUN_ARGUMENTS = [
    *("run", "sweep", "validate", "show", "check", "report", "diff", "diff moons.toml", "compare", "compare mine"),
    *("distill", "verify", "predict", "explain", "evaluate", "export"),
]
"""Command lines that the folder of a run can go on."""


def make_runs(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("{}")


@pytest.fixture
def runs(folder):
    """Make runs, numbers by size: those that are filed, one that lies here, and one that lies elsewhere."""
    make_runs(folder, *(f"{path}/run.json" for path in ("mine", "runs/moons/2", "runs/moons/10", "elsewhere/deep/1")))
    (folder / "runs/empty").mkdir()


def test_no_verb_that_takes_a_run_is_left_out(specnet):
    takes = re.compile(r"^Arguments:.*?(?=\n\n)", re.MULTILINE | re.DOTALL)
    helps = {verb: takes.findall(specnet(verb, "--help").out) for verb in VERBS}
    taking = {verb for verb, found in helps.items() if re.search(r"\ba\s+run|of\s+runs", " ".join(found))}
    assert taking == {line.split()[0] for line in RUN_ARGUMENTS}


@pytest.mark.parametrize("command", RUN_ARGUMENTS)
def test_runs_are_offered_where_a_run_can_stand(folder, runs, command):
    found = offered(f"specnet {command} ", folder)
    assert found[:3] == ["mine", "runs/moons/2", "runs/moons/10"]
    # What a shell offers itself where nothing else is offered; no files where a run alone can stand.
    only_runs = command.split()[0] in ("distill", "report", "verify", "compare")
    assert found[3:] == ["elsewhere/", *([] if only_runs else ["moons.toml"])]


def test_runs_are_found_below_what_is_typed(folder, runs):
    assert offered("specnet show runs/m", folder) == ["runs/moons/2", "runs/moons/10"]
    assert offered("specnet show runs/moons/1", folder) == ["runs/moons/10"]
    assert offered("specnet show e", folder) == ["elsewhere/deep/1"]
    assert offered("specnet diff mine runs/moons/2 ", folder) == []
    assert offered("specnet run -o mine ", folder)[0] == "mine"
    assert offered("specnet validate mine runs/moons/", folder) == ["runs/moons/2", "runs/moons/10"]
    # Where no run is, the shell offers files.
    assert offered("specnet show moo", folder) == []
    assert offered("specnet run runs/moons/2 -o ", folder) == []


def test_trials_are_never_offered(folder):
    make_runs(folder, *(f"sweeps/moons/1/{path}" for path in ("best/run.json", "trials/0000/run.json", "sweep.json")))
    make_runs(folder, "runs/many/1/fold0/run.json", "runs/many/1/summary.json")
    runs = ["runs/many/1/fold0", "sweeps/moons/1/best"]
    assert offered("specnet show ", folder)[:2] == runs
    # What is of many runs stands where it is understood.
    assert offered("specnet report ", folder) == ["runs/many/1", runs[0], "sweeps/moons/1", runs[1]]
    for start in ("sweeps/moons/1/", "sweeps/moons/1/t", "sweeps/moons/1/trials/", "sweeps/moons/1/trials/00"):
        assert not [each for each in offered(f"specnet report {start}", folder) if "trials/0" in each]


def test_a_name_with_blanks_is_one_word(folder):
    name = "my run & <b>$HOME"
    make_runs(folder, f"{name}/run.json", "my\nrun/run.json")
    found = offered("specnet show m", folder, "bash", COMP_WORDBREAKS=" =:")
    assert shlex.split(found[0]) == [name]
    assert found[1:] == ["moons.toml"]
    assert offered("specnet show my\\ r", folder) == [name]


def test_keys_are_those_of_the_parts_that_the_spec_names(folder):
    (folder / "layers.toml").write_text(LAYERS)
    line = "specnet show layers.toml --set "
    assert "network.layers.1.rate=" in offered(f"{line}network.layers.1.", folder)
    assert "network.layers.1.units=" not in offered(f"{line}network.layers.1.", folder)
    assert "training.optimizer.nesterov=" in offered(f"{line}training.optimizer.", folder)
    assert "training.optimizer.beta_1=" not in offered(f"{line}training.optimizer.", folder)
    assert "training.optimizer.beta_1=" in offered("specnet run moons.toml --set training.optimizer.", folder)
    assert "training.optimizer.schedule.alpha=" in offered(f"{line}training.optimizer.schedule.", folder)
    for unread in ("missing.toml", "broken.toml", ""):
        (folder / "broken.toml").write_text("name = ")
        assert "training.epochs=" in offered(f"specnet run {unread} --set training.", folder)


def test_the_spec_of_a_run_is_read_too(specnet, folder):
    specnet("run moons.toml -o ended -q --set training.optimizer=rprop").ok()
    assert "training.optimizer.eta_plus=" in offered("specnet run ended --set training.optimizer.", folder)


def test_every_key_that_is_offered_can_be_set():
    """Each offered key of the sections is one that the spec knows, whatever is wrong with the value."""
    settings = Settings(Keys(shipped_schema()), tomllib.loads(MOONS))
    waiting, keys = [""], []
    while waiting:
        for key, _ in settings.candidates(waiting.pop()):
            (waiting if key.endswith(".") else keys).append(key)
    assert len(keys) > 50
    for key in keys:
        assert "unknown-key" not in _codes(f'{key}"§"'), key


def _codes(setting):
    try:
        parse_spec(MOONS, overrides=[setting])
    except SpecError as error:
        return {problem.code for problem in error.diagnostics}
    return set()


def test_the_shipped_schema_is_that_of_the_parts():
    assert shipped_schema() == json_schema(REGISTRY)


def test_shells_get_what_they_show(folder):
    """Bash what follows its own breaks, the others meanings too."""
    line = "specnet run moons.toml --set training.optimizer=adamw"
    assert offered(line, folder, "bash", COMP_WORDBREAKS=" =:") == ["adamw"]
    assert offered(line, folder, "bash", COMP_WORDBREAKS=" ") == ["training.optimizer=adamw"]
    assert offered("specnet val", folder, "bash", COMP_WORDBREAKS=" =:") == ["validate"]
    for shell in ("zsh", "fish"):
        assert re.fullmatch(r"validate\t\w.*\.\n", asked("specnet val", folder, shell))


@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_script_is_printed_which_its_shell_understands(specnet, folder, shell):
    script = specnet(f"--completion {shell}").went()
    assert script == f"{SCRIPTS[shell]}\n"
    assert f"{VARIABLE}={shell}" in script
    if shutil.which(shell):
        (folder / "script").write_text(script)
        subprocess.run([shell, "-n", "script"], cwd=folder, check=True)


@pytest.mark.slow
def test_bash_completes_what_is_typed(folder):
    """On a terminal: a line is typed, TAB, END; then it is seen as bash has it."""
    make_runs(folder, "runs/moons/1/run.json")
    master, slave = pty.openpty()
    running = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        cwd=folder,
        env=environment(PATH=f"{BIN}:{os.environ['PATH']}", PS1="prompt> ", COLUMNS="200", INPUTRC=os.devnull),
        **dict.fromkeys(("stdin", "stdout", "stderr"), slave),
        start_new_session=True,
    )
    os.close(slave)
    try:
        os.write(
            master, b"bind 'set enable-bracketed-paste off'; eval \"$(specnet --completion bash)\"; echo rea''dy\n"
        )
        # With the prompt readline has taken the terminal over.
        _read_until(master, "ready\r\nprompt> ")
        for typed, completed in cases("completions")["typed"].items():
            os.write(master, f"{typed}\tEND".encode())
            assert completed in _read_until(master, "END")
            os.write(master, b"\x15")  # the line is taken away again
    finally:
        running.kill()
        running.wait()
        os.close(master)


def _read_until(terminal, end):
    printed = b""
    while end.encode() not in printed:
        printed += os.read(terminal, 65536)
    return printed.decode()
