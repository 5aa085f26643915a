"""Compilers that hang, processes that are killed, and several at once."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from specnet.compiler.native import running
from specnet.compiler.native.building import BuildError, compiler_name, library
from tests.compiler.native.conftest import CHILD, OTHER, TEXT, Fifo, Workplace
from tests.exporting.tools import needs_compiler

pytestmark = pytest.mark.slow

HANGING = "exec 9>{fifo}; echo started >&9; sleep 300 & sleep 300"


def test_a_hanging_compiler_is_ended_with_all_its_processes(
    place: Workplace, fifo: Fifo, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(running, "TIME_LIMIT", 0.5)
    place.install(HANGING.format(fifo=fifo.path))
    with pytest.raises(BuildError, match=r"^cc did not end within 0\.5 s$"):
        library(TEXT)
    fifo.wait_for_start()
    fifo.wait_for_end()
    assert place.is_clean()
    assert compiler_name() == "cc"
    fifo.wait_for_start()
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
    assert place.entries == []


@needs_compiler
def test_a_process_killed_while_the_compiler_runs(place: Workplace, fifo: Fifo):
    place.install(f'exec 9>{fifo.path}; echo started >&9; sleep 0.3; real "$@"')
    with place.start() as process:
        fifo.wait_for_start()
        process.kill()
    fifo.wait_for_end()
    assert place.entries == []
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
    # Each waits until both compile.
    folder = place.programs / "both"
    folder.mkdir()
    waiting = f"for i in 1 2 3 4 5 6 7 8 9; do [ $(ls {folder} | wc -l) = 2 ] || sleep 0.5; done"
    place.install(f'touch {folder}/$$; {waiting}; [ $(ls {folder} | wc -l) = 2 ] && exec real "$@"')
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
    folder = place.programs / "both"
    folder.mkdir()
    waiting = f"for i in 1 2 3 4 5 6 7 8 9; do [ $(ls {folder} | wc -l) = 2 ] || sleep 0.5; done"
    place.install(f'touch {folder}/$$; {waiting}; [ $(ls {folder} | wc -l) = 2 ] && exec real "$@"')
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
    place.install(f'touch {place.programs}/started; sleep 1; exec real "$@"')
    code = f"""
import os, sys, threading, time, warnings
warnings.simplefilter("ignore")  # about forks beside threads
from specnet.compiler.native.building import library
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
def test_a_process_forked_while_a_thread_binds(place: Workplace):
    code = """
import os, signal, warnings
warnings.simplefilter("ignore")  # about forks beside threads
import numpy as np
from specnet.compiler import input_value, plan, tanh
from specnet.compiler.native import NATIVE, binding
with binding._KEPT._lock:  # as another thread would hold it
    child = os.fork()
    if not child:
        signal.alarm(20)
        bound = NATIVE.bind(plan([tanh(input_value("x", ()))]), np.float64, {})
        bound.inputs["x"][...] = 1
        bound.run()
        os._exit(0 if abs(bound.outputs[0] - np.tanh(1)) < 1e-15 else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (run.stdout.strip(), run.stderr) == ("0", "")
