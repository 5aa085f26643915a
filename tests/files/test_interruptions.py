"""Ctrl-C, SIGTERM and SIGHUP at any step leave a whole state, and what goes on from it ends in the same bytes."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from importlib import import_module
from typing import ClassVar, Literal

import numpy as np
import pytest
from pydantic import field_serializer

import specnet
from specnet import Observer, parts
from specnet.errors import Terminated
from specnet.files.interruptions import Interruptions
from specnet.parts.part import Section
from specnet.running.runner import RunInterrupted
from specnet.training import Checkpoint, RunIdentity, Stepper, TrainingRows, train
from specnet.training.steps.compiled_steps import CompiledStepper
from tests.compiling import compiles
from tests.networks import rows_of
from tests.running.moons import MOONS, contents
from tests.running.specs import spec_on
from tests.training.test_resume import EPOCHS, spec_of


def during_step(monkeypatch, number, sent=signal.SIGINT):
    """Send this process a signal in the middle of a step, counted from 0."""
    made = [0]
    update, run = Stepper._update, CompiledStepper._run

    def arrive():
        if made[0] == number:
            os.kill(os.getpid(), sent)
        made[0] += 1

    def interrupted(stepper):
        arrive()
        update(stepper)

    def interrupted_run(stepper, places, *arguments):
        assert len(arguments[0]) == 1
        arrive()
        return run(stepper, places, *arguments)

    monkeypatch.setattr(Stepper, "_update", interrupted)
    monkeypatch.setattr(CompiledStepper, "_run", interrupted_run)
    monkeypatch.setattr(CompiledStepper, "max_steps_per_call", 1)


@pytest.mark.parametrize("step", [0, 1, 2, 7, 3 * EPOCHS - 2])
def test_every_step_is_a_place_to_go_on_from(step, monkeypatch):
    average, stopping = {"type": "exponential", "decay": 0.9}, {"monitor": "loss", "patience": 50}
    spec = spec_of(batch_size=4, average_weights=average, early_stopping=stopping, l2=0.01, log_every=2)
    network, rows = specnet.build(spec), rows_of(10)
    whole = train(network, network.initial_parameters(), rows, records=True)
    with monkeypatch.context() as patch:
        during_step(patch, step)
        broken = train(network, network.initial_parameters(), rows, records=True)
    assert isinstance(broken.interruption, KeyboardInterrupt)
    assert broken.steps == step + 1
    checkpoint = Checkpoint.from_bytes(replace(broken.reached, run=RunIdentity("{}", "0")).to_bytes())
    again = train(network, network.initial_parameters(), rows, checkpoint=checkpoint, records=True)
    for name in ("layer_records", "history", "epochs", "steps"):
        assert getattr(again, name) == getattr(whole, name)
    assert again.interruption is None
    np.testing.assert_equal((again.theta, again.state), (whole.theta, whole.state))


class CtrlC(Observer):
    """Sends a signal in the midst of training, and knows the processor's seconds then."""

    def engine_chosen(self, engine, reason):
        threading.Timer(0.2, self._send).start()

    def _send(self):
        self.sent = time.process_time()
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.slow
@compiles
@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize(("units", "batch"), [(5, "full"), (5, 32), (256, 32), (256, "full")])
def test_ctrl_c_is_answered_within_a_tenth_of_a_second(engine, units, batch):
    dense = {"type": "dense", "units": units, "activation": "tanh"}
    layers = [dense, {"type": "dropout", "rate": 0.1}, dense, {"type": "dense", "units": 1}]
    training = {"loss": "mse", "epochs": 10**9, "log_every": 10**6, "batch_size": batch, "engine": engine}
    network = specnet.build({"seed": 0, "network": {"input_size": 2, "layers": layers}, "training": training})
    X, observer = np.random.default_rng(0).normal(size=(250, 2)).astype(network.dtype), CtrlC()
    result = train(network, network.initial_parameters(), TrainingRows(X, X[:, :1].copy()), observer=observer)
    assert time.process_time() - observer.sent < 0.1
    assert result.interruption is not None
    assert result.steps > 0


class SignalAfter(Observer):
    """Sends a signal after an epoch, and knows the parameters then."""

    def __init__(self, epoch, sent):
        self.epoch, self.sent = epoch, sent

    def trained(self, epoch, snapshot):
        self.parameters = snapshot.parameters()
        if epoch == self.epoch:
            signal.raise_signal(self.sent)


def test_ctrl_c_in_a_line_search_keeps_the_last_iteration():
    """Ctrl-C is held until the next evaluation, which tries another point."""
    network, rows = specnet.build(spec_of(optimizer="lbfgs", batch_size="full")), rows_of(10)
    observer = SignalAfter(3, signal.SIGINT)
    result = train(network, network.initial_parameters(), rows, observer=observer)
    assert result.interruption is not None
    assert (result.epochs, result.end) == (3, "interrupted after epoch 3")
    np.testing.assert_equal(network.parameters(result.theta), observer.parameters)


@pytest.mark.parametrize("members", [1, 2])
def test_a_second_signal_is_not_held_by_a_member_or_the_next_one(members):
    with Interruptions() as interruptions:
        interruptions.hold()
        signal.raise_signal(signal.SIGINT)
        if members == 2:
            interruptions.hold()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert interruptions.pending == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            interruptions.deliver()
        assert interruptions.pending is None
        interruptions.deliver()


def test_a_signal_that_nobody_waits_for_is_handed_on_at_the_end():
    def trained():
        with Interruptions() as interruptions:
            interruptions.hold()
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        trained()
    assert signal.getsignal(signal.SIGINT) is before


def test_another_handler_gets_its_signal_and_training_goes_on(monkeypatch):
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        network, rows = specnet.build(spec_of(batch_size=4)), rows_of(10)
        during_step(monkeypatch, 4)
        assert train(network, network.initial_parameters(), rows).interruption is None
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [signal.SIGINT]


def test_other_threads_train_without_handlers():
    network, rows, found = specnet.build(spec_of(batch_size=4)), rows_of(10), []
    thread = threading.Thread(target=lambda: found.append(train(network, network.initial_parameters(), rows)))
    thread.start()
    thread.join()
    assert found[0].epochs == EPOCHS


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "optimizer"), [(signal.SIGINT, "adam"), (signal.SIGTERM, "lbfgs"), (signal.SIGHUP, "adam")]
)
def test_a_run_without_checkpoints_goes_on_after_a_signal(sent, optimizer, tmp_path, monkeypatch):
    options = {"overrides": [f"training.optimizer={optimizer}"], "report": False}
    if optimizer == "lbfgs":
        options["overrides"].append("training.batch_size=full")
    specnet.run(MOONS, tmp_path / "whole", **options)
    with monkeypatch.context() as patch:
        observer = SignalAfter(3, sent) if optimizer == "lbfgs" else Observer()
        if optimizer == "adam":
            during_step(patch, 7, sent)
        with pytest.raises(RunInterrupted) as caught:
            specnet.run(MOONS, tmp_path / "broken", observer=observer, **options)
    assert caught.value.signal == {signal.SIGINT: "Ctrl-C"}.get(sent, sent.name)
    assert not caught.value.finished
    assert (tmp_path / "broken" / "checkpoint.safetensors").exists()
    specnet.run(MOONS, tmp_path / "broken", resume=True, **options)
    expected, found = contents(tmp_path / "whole"), contents(tmp_path / "broken")
    assert expected.pop("run.json") != found.pop("run.json")
    assert expected == found


class Signalling(parts.Metric):
    """Sends this process signals when it is computed."""

    type: Literal["signalling"] = "signalling"
    task = frozenset({"binary", "classes"})
    sent: ClassVar[list[int]] = []

    def compute(self, target, response, keywords):
        if self.sent:
            signal.raise_signal(self.sent.pop())
        return 0.0


def run_signalling(out, sent):
    """Return what a run raises that is sent these signals while what it came to is computed."""
    Signalling.sent[:] = sent
    with pytest.raises(RunInterrupted) as caught:
        specnet.run(MOONS, out, overrides=["training.metrics=['signalling']"], parts=[Signalling], report=False)
    return caught.value


def test_one_hang_up_is_enough(tmp_path, monkeypatch):
    """A shell and the system both tell that a terminal was closed: the second time is no second wish."""
    during_step(monkeypatch, 7, signal.SIGHUP)
    error = run_signalling(tmp_path / "out", [signal.SIGHUP, signal.SIGHUP])
    assert (error.signal, error.finished) == ("SIGHUP", False)
    assert (tmp_path / "out" / "checkpoint.safetensors").exists()


def test_a_hang_up_that_nohup_ignores_stays_ignored(tmp_path, monkeypatch):
    during_step(monkeypatch, 7, signal.SIGHUP)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert specnet.run(MOONS, tmp_path / "out", report=False).metrics
    finally:
        signal.signal(signal.SIGHUP, before)


class EndedRows(parts.Data):
    """Rows whose reading ends with a signal."""

    type: Literal["ended_rows"] = "ended_rows"
    number: int

    def load(self, folder, target):
        os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_training_ends_the_run_and_leaves_nothing(sent, tmp_path):
    with pytest.raises(Terminated, match="training had not begun; nothing was saved"):
        specnet.run(spec_on({"type": "ended_rows", "number": int(sent)}), tmp_path / "out", parts=[EndedRows])
    assert not (tmp_path / "out").exists()


def test_ctrl_c_while_a_finished_run_is_written_lets_it_be_written(tmp_path):
    assert run_signalling(tmp_path / "out", [signal.SIGINT]).finished
    assert not (tmp_path / "out" / "checkpoint.safetensors").exists()
    assert specnet.run(
        MOONS, tmp_path / "out", resume=True, overrides=["training.metrics=['signalling']"], parts=[Signalling]
    ).metrics


def test_a_signal_while_a_spec_is_written_is_no_error_of_it():
    """Pydantic makes its own error of whatever a serializer raises."""

    class Written(Section):
        value: int = 1

        @field_serializer("value")
        def interrupted(self, value):
            raise Terminated("SIGTERM")

    class Outer(Section):
        inner: Written = Written()

    with pytest.raises(Terminated):
        Outer().model_dump(mode="json")


HANGS = """
import ctypes
print("hangs", flush=True)
process, mutex = ctypes.PyDLL(None), ctypes.create_string_buffer(256)  # whose calls let no handler of Python run
process.pthread_mutex_lock(mutex)
process.pthread_mutex_lock(mutex)
"""


@pytest.mark.slow
def test_an_import_that_never_returns_ends_with_sigterm(tmp_path):
    (tmp_path / "hangs.py").write_text(HANGS)
    program = f"""
import sys
from specnet.files.interruptions import Interruptions
sys.path.append({str(tmp_path)!r})
with Interruptions(terminates=True):
    import hangs
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout.readline() == "hangs\n"
            time.sleep(0.1)
            running.terminate()
            assert running.wait(30) == -signal.SIGTERM
        finally:
            running.kill()


def test_signals_are_the_systems_during_imports_until_training_begins(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    finders, found = [*sys.meta_path], []
    for name in ("before_training", "inner", "in_training"):
        inner = "import inner\n" if name == "before_training" else ""
        looks = f"import signal\n{inner}seen = [signal.getsignal(number) for number in (15, 1, 2)]\n"
        (tmp_path / f"{name}.py").write_text(looks)
    with Interruptions(terminates=True) as interruptions:
        handlers = [signal.getsignal(number) for number in (15, 1, 2)]
        found.append(import_module("before_training").seen)
        assert [signal.getsignal(number) for number in (15, 1, 2)] == handlers
        interruptions.hold()
        found.append(import_module("in_training").seen)
    assert found == [[signal.SIG_DFL, signal.SIG_DFL, handlers[2]], handlers]
    assert sys.modules["inner"].seen == found[0]
    assert sys.meta_path == finders
