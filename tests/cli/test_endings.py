"""How a command ends that nobody reads any more, or that Ctrl-C stops: without a word of Python, at whatever moment."""

import os
import random
import signal
import subprocess
import sys
import warnings
from io import StringIO
from itertools import product
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, MOONS, Ended, called, environment, own_signals, started
from tests.cli.test_application import DOING, ENDING, PRINTING, forced
from tests.waiting import wait_until

pytestmark = pytest.mark.slow  # processes that are stopped in many ways

LINES = {line.split()[0]: forced(line) for line in (*reversed(DOING), *reversed(PRINTING))}
"""A command line of each verb that prints on standard output."""
INTERRUPTED = """\
import os, sys
from specnet.cli import main, startup
left = [{moment}]
def count(event, arguments):
    if event == "import":
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), {signal})
sys.addaudithook(count)
startup.take_interrupts()
main()
"""
"""Sends itself Ctrl-C at an import, the first one being 1."""

FORKS = """\
import os, signal, sys, time
import specnet.model, specnet.spec
from specnet.cli import main, startup
def count(event, arguments):
    if event == "import":
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGINT)
install = startup.take_interrupts
def install_and_tell():
    install()
    os.close(writing)
startup.take_interrupts = install_and_tell
for line in sys.stdin:
    moment, seconds, *sys.argv[1:] = line.split()
    left, (reading, writing) = [int(moment)], os.pipe()
    child = os.fork()
    if not child:
        for name, descriptor in {"out": 1, "err": 2}.items():
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
        sys.addaudithook(count)
        main()
    os.close(writing)
    os.read(reading, 1)  # its end is seen when the child has closed it too
    os.close(reading)
    time.sleep(float(seconds))
    if not left[0]:
        os.kill(child, signal.SIGINT)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Gives each line's arguments to a process of its own, which has imported what takes long and nearly all verbs need.

Sends it Ctrl-C at an import from then on, as INTERRUPTED does, or if that is 0, seconds after it is ready for it.
"""


UNREAD = """\
import os, sys
import specnet.model, specnet.spec
from specnet.cli import main
for line in sys.stdin:
    child = os.fork()
    if not child:
        reading, writing = os.pipe()
        os.close(reading)
        os.dup2(writing, 1)
        main(line.split())
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Gives each line's arguments to a process of its own, whose standard output nobody reads."""


def unread(*arguments, stream="stdout"):
    """Run a command with one stream that nobody reads; return its status and what it said on the other."""
    heard, (reading, writing) = StringIO(), os.pipe()
    os.close(reading)
    with open(writing, "w", 1) as gone:
        streams = {"stdout": heard, "stderr": heard, stream: gone}
        return called(*arguments, **streams).status, heard.getvalue()


HELP = ["--help", "--version", "run --help", "--completion bash", "schema --format json"]


@pytest.mark.parametrize("line", [*LINES.values(), *HELP])
def test_a_reader_that_has_gone_is_no_error(ready, line):
    status, err = unread(*line.split())
    assert status == 141
    check_course(line.split()[0], err)


def check_course(verb, err):
    """Check that nothing but the course of runs is on standard error."""
    course = {"run": ("epoch", "→"), "verify": ("epoch", "→"), "sweep": ("trial",), "distill": ("epoch", "→")}.get(
        verb, ()
    )
    assert not any(line for line in err.splitlines() if not any(word in line for word in course))


def test_nor_is_one_of_a_process_without_buffers(ready):
    """Each of them is one, born with specnet loaded."""
    ended = subprocess.run(
        [sys.executable, "-c", UNREAD],
        input="".join(f"{LINES[verb]}\n" for verb in ("run", "show", "schema")),
        env=environment(PYTHONUNBUFFERED="1"),
        text=True,
        check=True,
        capture_output=True,
    )
    assert ended.stdout.split() == ["141"] * 3
    check_course("run", ended.stderr)


@pytest.mark.parametrize(
    "arguments", ["validate missing.toml", "run", "fly", "run moons.toml --epochs 3", "parts adem"]
)
def test_mistakes_that_nobody_reads_end_in_silence(ready, arguments):
    assert unread(*arguments.split(), stream="stderr") == (141, "")


def test_a_run_goes_on_where_its_progress_cannot_be_seen(folder):
    assert unread("run", "moons.toml", "--out", "here", stream="stderr")[0] == 141
    assert (folder / "here/report.html").exists()


def test_a_warning_that_nobody_reads_ends_nothing(folder, while_reading):
    while_reading(lambda: warnings.warn("no part", stacklevel=1))
    assert unread("validate", "moons.toml", stream="stderr") == (141, "1 spec, no mistakes\n")


@pytest.mark.parametrize("arguments", ["schema", "parts --format markdown", "validate moons.toml"])
def test_a_reader_may_go_after_the_first_line(ready, arguments):
    running = subprocess.Popen(
        [*COMMAND, *arguments.split()], cwd=ready, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout.readline()
    running.stdout.close()
    err = running.stderr.read()
    running.stderr.close()
    # What fits into the pipe has been written before the reader goes.
    assert (running.wait(), err) in [(0, b""), (141, b"")]


def _check(ended, complete):
    """Check that Ctrl-C ended a command, or that it had done all before."""
    assert "Traceback" not in ended.err
    assert "Exception ignored" not in ended.err
    if ended.status == 0:
        assert complete or ended.out
        assert "error" not in ended.err
    else:
        assert ended.status == 130
        said = [line for line in ended.err.splitlines() if "error[" in line]
        assert all(line.startswith("error[interrupted]: ") for line in said)
        assert len(said) <= 1


@pytest.mark.parametrize("moment", [1, 30, 300])
def test_ctrl_c_in_an_import_ends_with_130(ready, moment):
    code = INTERRUPTED.format(moment=moment, signal=int(signal.SIGINT))
    with started(*LINES["run"].split(), folder=ready, code=code) as running:
        out, err = running.communicate(timeout=120)
        _check(Ended(running.returncode, out, err), complete=moment > 30)


def test_ctrl_c_at_any_moment_ends_with_130_or_comes_too_late(ready):
    """Of each verb, in an import of its own and some time after it has begun."""
    with started(folder=ready, code=FORKS, stdin=subprocess.PIPE) as running:
        for verb, moment in product(ENDING, ("20 0", "0 {:.3f}")):
            print(moment.format(random.Random(verb).uniform(0, 0.3)), LINES[verb], file=running.stdin, flush=True)
            status = int(running.stdout.readline())
            _check(Ended(status, *((ready / name).read_text("utf-8") for name in ("out", "err"))), complete=True)
            assert not list(ready.rglob(".specnet-*"))


def test_what_a_library_makes_of_ctrl_c_is_still_ctrl_c(specnet, while_reading):
    def interrupt():
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise RuntimeError("query interrupted") from None

    while_reading(interrupt)
    specnet("validate moons.toml").failed(130, "error[interrupted]: ")


def test_ctrl_c_that_is_ignored_from_outside_stays_ignored(specnet, while_reading):
    while_reading(lambda: signal.raise_signal(signal.SIGINT))
    with own_signals():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        ended = specnet("validate moons.toml")
    assert (ended.status, ended.out, ended.err) == (0, "1 spec, no mistakes\n", "")


def test_ctrl_c_where_nothing_can_be_raised_is_not_lost(folder):
    (folder / "long.toml").write_text(MOONS.replace("epochs = 20", "epochs = 100000000"))
    code = (
        "import os, signal, sys\n"
        "from specnet.cli import main\n"
        "import specnet.running.data_rows\n"
        "class Dies:\n"
        "    def __del__(self): os.kill(os.getpid(), signal.SIGINT); [None for _ in range(1000)]\n"
        "load_table = specnet.running.data_rows.load_table\n"
        "def read(spec):\n"
        "    Dies()\n"
        "    return load_table(spec)\n"
        "specnet.running.data_rows.load_table = read\n"
        "main(['run', 'long.toml', '-q'])"
    )
    with started(folder=folder, code=code) as running:
        _, err = running.communicate(timeout=120)
    assert running.returncode == 130
    assert "Exception ignored" not in err
    assert err.startswith("error[interrupted]: ")


# ------------------------------------------------------------------------------------------- a run with its workers

SETTINGS = "--set training.ensemble=3 --set training.epochs=1000000 --set training.engine=numpy"
WORKERS = 2
RUN = f"run moons.toml --out here {SETTINGS} --jobs {WORKERS}"


def workers(process):
    """Return the folders of the processes that train members for another."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    folders = [Path("/proc", child) for child in children]
    return [folder for folder in folders if b"spawn_main" in (folder / "cmdline").read_bytes()]


def is_alive(process):
    try:
        return "\nState:\tZ" not in (process / "status").read_text()
    except OSError:
        return False


def test_ctrl_c_in_a_terminal_reaches_all_processes_and_saves_the_run(folder):
    """Even while they start: only the first one handles it."""
    with started(*RUN.split(), folder=folder, start_new_session=True) as running:
        wait_until(lambda: len(workers(running.pid)) == WORKERS)
        os.killpg(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=120)
    assert (running.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert f"specnet {RUN} --resume" in err
    assert "member 0" in err
    assert (folder / "here/checkpoint.safetensors").exists()


def test_workers_end_when_the_run_is_killed(folder):
    with started(*RUN.split(), folder=folder, start_new_session=True) as running:
        wait_until(lambda: len(workers(running.pid)) == WORKERS)
        found = workers(running.pid)
        wait_until(lambda: all("\nThreads:\t1\n" not in (each / "status").read_text() for each in found))
        running.kill()
        running.communicate(timeout=120)
    wait_until(lambda: not any(map(is_alive, found)), 10)
