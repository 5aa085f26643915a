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
from tests.compiler.native.toolchain.conftest import CHILD, OTHER, REPORTING, TEXT, Fifo, Workbench, library

pytestmark = pytest.mark.slow

HANGING = f"{REPORTING}sleep 300 & sleep 300"


def printed_by(code: str, *arguments: str) -> str:
    """Return what a process prints that forks beside threads, and that fails nowhere."""
    quiet = 'import os, signal, sys, threading, time, warnings\nwarnings.simplefilter("ignore")\n'
    command = [sys.executable, "-c", quiet + code, *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.stderr == ""
    return run.stdout


@pytest.mark.parametrize("script", [HANGING, f"{REPORTING}sh -c 'while :; do :; done'; exit 1"])
def test_a_compiler_that_takes_too_long_is_ended_with_all_its_processes(
    script: str, compiling: Workbench, fifo: Fifo, monkeypatch
):
    compiling.install(script.format(fifo=fifo))
    with monkeypatch.context() as limited, ThreadPoolExecutor(1) as thread:
        failure = thread.submit(compiling.expect_failure, "^cc did not end within 0 s$")
        fifo.wait_for_start()
        limited.setattr(compilers, "TIME_LIMIT", 0)
        failure.result()
        fifo.wait_for_end()
    compiling.install('exec real "$@"')
    assert library(TEXT).answer() == 42


def test_an_interrupted_process_leaves_nothing(bench: Workbench, fifo: Fifo):
    bench.install(HANGING.format(fifo=fifo))
    with bench.start() as process:
        fifo.wait_for_start()
        assert not bench.is_clean()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert errors.endswith("KeyboardInterrupt\n")
    fifo.wait_for_end()
    assert bench.is_clean()
    assert not bench.entries


@pytest.mark.parametrize("while_it", ["compiles", "writes an entry"])
def test_what_a_killed_process_leaves_is_removed_later(while_it: str, compiling: Workbench, fifo: Fifo):
    if while_it == "compiles":
        compiling.install(f'{REPORTING.format(fifo=fifo)}sleep 0.3; exec real "$@"')
        with compiling.start() as process:
            fifo.wait_for_start()
            process.kill()
        fifo.wait_for_end()
        assert not compiling.entries
        (left,) = compiling.temporary.iterdir()
    else:
        killing = "import os, signal\nos.replace = lambda *names: os.kill(os.getpid(), signal.SIGKILL)\n"
        run = subprocess.run([sys.executable, "-c", killing + CHILD, TEXT], capture_output=True)
        assert run.returncode == -signal.SIGKILL
        (left,) = compiling.cache.iterdir()
    assert compiling.answer() == 42
    assert left.exists()  # it could be that of a living process
    old = time.time() - 3700
    os.utime(left, (old, old))
    assert compiling.answer(OTHER) == 17
    assert len(compiling.entries) == 2
    assert compiling.is_clean()


def test_two_processes_at_once(compiling: Workbench):
    compiling.install_meeting(2)
    with compiling.start() as first, compiling.start() as second:
        for process in (first, second):
            assert process.communicate(timeout=60) == ("42\n", "")
    assert compiling.entries
    assert compiling.is_clean()
    assert compiling.answer() == 42
    assert compiling.runs == 2


def test_threads_compile_one_text_once_and_two_texts_at_the_same_time(compiling: Workbench):
    compiling.install_meeting(2)
    start = threading.Barrier(4)

    def found(text: str):
        start.wait()
        return library(text)

    with ThreadPoolExecutor(4) as threads:
        libraries = list(threads.map(found, [TEXT, OTHER, TEXT, OTHER]))
    assert [made.answer() for made in libraries] == [42, 17, 42, 17]
    assert libraries[0] is libraries[2]
    assert libraries[1] is libraries[3]
    assert compiling.runs == 2


def test_processes_forked_while_a_thread_compiles(compiling: Workbench):
    compiling.install(f'touch {compiling.programs}/started; sleep 0.2; exec real "$@"')
    code = """
from tests.compiler.native.toolchain.conftest import OTHER, TEXT, library
library(OTHER)
os.unlink(sys.argv[1])
thread = threading.Thread(target=library, args=(TEXT,))
thread.start()
while not os.path.exists(sys.argv[1]):
    time.sleep(0.005)
ends = [lambda: 0, lambda: library(TEXT).answer(), lambda: library(OTHER).answer()]
children = []
for end in ends:
    children.append(os.fork())
    if not children[-1]:
        sys.exit(end())
print(*(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
thread.join()
print(library(TEXT).answer())
"""
    assert printed_by(code, f"{compiling.programs}/started").split() == ["0", "42", "17", "42"]
    assert compiling.is_clean()


def test_trainings_compile_at_the_same_time_in_threads_and_in_forked_processes(compiling: Workbench):
    """A property of the class that is locked while it is computed would have them wait, in the new process forever."""
    folder = compiling.install_meeting(3, "-O0")
    code = """
import numpy as np
from tests.training.steps.engines import steppers

def begin(units):
    spec = {"network": {"layer_sizes": [2, units, 1]}, "training": {"loss": "mean_squared_error"}}
    steppers(spec, np.zeros((4, 2)), np.zeros(4), None)

threads = [threading.Thread(target=begin, args=(units,)) for units in (3, 4)]
for thread in threads:
    thread.start()
while not os.listdir(sys.argv[1]):
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
    assert printed_by(code, str(folder)).strip() == "0"
