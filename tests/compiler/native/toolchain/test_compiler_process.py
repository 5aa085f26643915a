"""Compilers that hang, processes that are killed, and several at once."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from specnet.compiler.native.toolchain import compilers
from tests.compiler.native.toolchain.conftest import CHILD, OTHER, TEXT, Fifo, Workplace, library
from tests.exporting.tools import needs_compiler

pytestmark = pytest.mark.slow

HANGING = "exec 9>{fifo}; echo started >&9; sleep 300 & sleep 300"


def test_a_hanging_compiler_is_ended_with_all_its_processes(
    place: Workplace, fifo: Fifo, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(compilers, "WAITING_LIMIT", 0.5)
    place.install(HANGING.format(fifo=fifo.path))
    place.expect_failure(r"^cc did not end within 0\.5 s$")
    fifo.wait_for_start()
    fifo.wait_for_end()
    place.install('exec real "$@"')
    assert library(TEXT).answer() == 42


def test_a_compiler_that_computes_too_long_is_ended(place: Workplace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compilers, "CPU_LIMIT", 1)
    place.install("sh -c 'while :; do :; done'; exit 1")
    place.expect_failure(r"^cc was ended after 1 s of CPU time$")


@needs_compiler
def test_a_busy_machine_does_not_make_a_compiler_fail(place: Workplace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compilers, "CPU_LIMIT", 1)
    place.install('sleep 1.1; exec real "$@"')
    assert library(TEXT).answer() == 42


@pytest.mark.parametrize("ends_in", ["main thread", "thread", "host of a forked process"])
def test_a_hanging_compiler_dies_with_its_killed_caller(place: Workplace, fifo: Fifo, ends_in: str):
    place.install(HANGING.format(fifo=fifo.path))
    work = f"library({TEXT!r}, ())"
    code = f"""
import os, threading, time, warnings
warnings.simplefilter("ignore")  # about forks beside threads
from specnet.compiler.native.toolchain.libraries import library
if {ends_in != "main thread"}:
    threading.Thread(target=lambda: {work}).start()
    while not os.path.exists({str(place.log)!r}):
        time.sleep(0.005)
    if {ends_in != "thread"} and not os.fork():
        time.sleep(5)  # it lives on, and holds what the other one held
        os._exit(0)
    time.sleep(300)
{work}
"""
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        fifo.wait_for_start()
        process.kill()
    fifo.wait_for_end()


def test_an_interrupted_process_leaves_nothing(place: Workplace, fifo: Fifo):
    place.install(HANGING.format(fifo=fifo.path))
    with place.start() as process:
        fifo.wait_for_start()
        assert not place.is_clean()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert errors.endswith("KeyboardInterrupt\n")
    fifo.wait_for_end()
    assert place.is_clean()
    assert not place.entries


@needs_compiler
def test_a_process_killed_while_the_compiler_runs(place: Workplace, fifo: Fifo):
    place.install(f'exec 9>{fifo.path}; echo started >&9; sleep 0.3; real "$@"')
    with place.start() as process:
        fifo.wait_for_start()
        process.kill()
    fifo.wait_for_end()
    assert not place.entries
    (left,) = place.temporary.iterdir()
    assert place.answer() == 42
    assert len(place.entries) == 1
    assert [*place.temporary.iterdir()] == [left]  # it could be that of a living process
    old = time.time() - 3700
    os.utime(left, (old, old))
    assert place.answer(OTHER) == 17
    assert place.is_clean()


@needs_compiler
def test_a_process_killed_while_it_writes_an_entry(place: Workplace):
    killing = "import os, signal\nos.replace = lambda *names: os.kill(os.getpid(), signal.SIGKILL)\n"
    run = subprocess.run([sys.executable, "-c", killing + CHILD, TEXT], capture_output=True)
    assert run.returncode == -signal.SIGKILL
    (left,) = place.cache.iterdir()
    assert place.answer() == 42
    assert left.exists()
    old = time.time() - 3700
    os.utime(left, (old, old))
    assert place.answer(OTHER) == 17
    assert len(place.entries) == 2


@needs_compiler
def test_two_processes_at_once(place: Workplace):
    place.install_meeting(2)
    with place.start() as first, place.start() as second:
        for process in (first, second):
            printed, errors = process.communicate(timeout=60)
            assert (printed, errors) == ("42\n", "")
    assert place.entries
    assert place.is_clean()
    assert place.answer() == 42
    assert place.runs == 2


@needs_compiler
def test_threads_compile_one_text_once_and_two_texts_side_by_side(place: Workplace):
    place.install_meeting(2)
    start = threading.Barrier(4)

    def found(text: str):
        start.wait()
        return library(text)

    with ThreadPoolExecutor(4) as threads:
        libraries = list(threads.map(found, [TEXT, OTHER, TEXT, OTHER]))
    assert [made.answer() for made in libraries] == [42, 17, 42, 17]
    assert libraries[0] is libraries[2]
    assert libraries[1] is libraries[3]
    assert place.runs == 2


@needs_compiler
def test_processes_forked_while_a_thread_compiles(place: Workplace):
    place.install(f'touch {place.programs}/started; sleep 0.2; exec real "$@"')
    code = f"""
import os, sys, threading, time, warnings
warnings.simplefilter("ignore")  # about forks beside threads
from tests.compiler.native.toolchain.conftest import library
library({OTHER!r})
os.unlink("{place.programs}/started")
thread = threading.Thread(target=library, args=({TEXT!r},))
thread.start()
while not os.path.exists("{place.programs}/started"):
    time.sleep(0.005)
ends = [lambda: 0, lambda: library({TEXT!r}).answer(), lambda: library({OTHER!r}).answer()]
children = []
for end in ends:
    children.append(os.fork())
    if not children[-1]:
        sys.exit(end())
print(*(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
thread.join()
print(library({TEXT!r}).answer())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stderr == ""
    assert run.stdout.split() == ["0", "42", "17", "42"]
    assert place.is_clean()


@needs_compiler
def test_trainings_compile_side_by_side_in_threads_and_in_forked_processes(place: Workplace):
    """A property of the class that is locked while it is computed would have them wait, in the new process forever."""
    folder = place.install_meeting(3, "-O0")
    code = f"""
import os, signal, threading, time, warnings
warnings.simplefilter("ignore")  # about forks beside threads
import numpy as np
from tests.training.steps.engines import steppers

def begin(units):
    spec = {{"network": {{"layer_sizes": [2, units, 1]}}, "training": {{"loss": "mean_squared_error"}}}}
    steppers(spec, np.zeros((4, 2)), np.zeros(4), None)

threads = [threading.Thread(target=begin, args=(units,)) for units in (3, 4)]
for thread in threads:
    thread.start()
while not os.listdir({str(folder)!r}):
    time.sleep(0.005)
child = os.fork()
if not child:
    signal.alarm(30)
    begin(5)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
for thread in threads:
    thread.join()
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (run.stdout.strip(), run.stderr) == ("0", "")
