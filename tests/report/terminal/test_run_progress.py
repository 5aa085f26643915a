"""What is seen of a run where nothing can be drawn, and who else is told of it."""

import inspect
import io
import time

import numpy as np
import pytest

import specnet
from specnet import Observer
from specnet.report.terminal import run_progress
from specnet.training import Observers
from tests.texts.pinned import Pinned

SPEC = {"network": {"hidden_layer_sizes": [4]}, "training": {"loss": "mse", "epochs": 40}}
X = np.random.default_rng(0).normal(size=(30, 2))
Y = X[:, 0]


class Clock:
    """Stands in for time.monotonic: a second goes by between two looks."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", Clock())


def lines_of(before: float = 0.0) -> list[str]:
    stream = io.StringIO()
    with run_progress.RunProgress(stream) as shown:
        shown.started(specnet.build({**SPEC, "network": {"layer_sizes": [2, 4, 1]}}), {"train": 30}, 40)
        if before:
            shown.resumed(20, before)
        for epoch in range(1, 41):
            shown.logged(epoch, {"epoch": epoch, "loss": 1 / epoch})
        shown.ended(40, 40, 40.0, "all epochs")
    return stream.getvalue().splitlines()


def test_lines_come_ever_more_rarely_where_nothing_is_drawn(clock: None):
    header, *lines, nothing, summary = lines_of()
    assert header == "2 → 4 relu → 1 linear   17 parameters   30 rows"
    assert lines == [f"epoch {epoch}/40 loss {1 / epoch:.4f}" for epoch in (1, 2, 4, 8, 16, 32, 40)]
    assert nothing == ""
    assert summary == "40 epochs in 40.0 s   loss 1.0000 ▇▂▂▁▁▁▁▁▁▁▁▁ 0.0250"


def test_each_member_of_an_ensemble_has_lines_of_its_own(clock: None):
    stream = io.StringIO()
    network = specnet.build({"network": {"layer_sizes": [2, 1]}, "training": {"loss": "mse", "ensemble": 2}})
    with run_progress.RunProgress(stream) as shown:
        shown.started(network, {"train": 30}, 9)
        for member in range(2):
            shown.member_started(member, 2)
            for epoch in range(1, 10):
                shown.logged(epoch, {"member": member, "epoch": epoch, "loss": 1 / epoch})
            shown.ended(9, 9, 9.0, "all epochs")
    header, *lines = stream.getvalue().splitlines()
    assert "   2 members of 3 parameters   " in header
    told = [f"member {member} epoch {epoch}/9 loss {1 / epoch:.4f}" for member in (0, 1) for epoch in (1, 2, 4, 8, 9)]
    summaries = [f"member {member}   9 epochs in 9.0 s   loss 1.0000 ▇▄▃▂▂▁▁▁▁ 0.1111" for member in (0, 1)]
    assert lines == [*told, "", *summaries]


def test_a_resumed_run_counts_from_its_start(clock: None, pinned: Pinned):
    _, resumed, first, *_, summary = lines_of(before=100.0)
    pinned(resumed)
    assert first == "epoch 1/40 loss 1.0000"
    assert summary == "40 epochs in 40.0 s   loss 0.0250", "the first losses are in the history alone"


def test_a_verbose_fit_shows_what_the_command_line_shows(capsys: pytest.CaptureFixture[str], pinned: Pinned):
    specnet.fit(SPEC, X, Y, verbose=True)
    out, err = capsys.readouterr()
    header, line, _, summary = err.splitlines()
    assert out == ""
    pinned(header)
    assert line.startswith("epoch 40/40 loss ")
    assert summary.startswith("40 epochs in ")
    specnet.fit(SPEC, X, Y)
    assert capsys.readouterr() == ("", "")


def test_a_verbose_run_tells_its_observer_too(capsys: pytest.CaptureFixture[str]):
    heard: list[str] = []

    class Listening(Observer):
        def ended(self, epochs: int, steps: int, seconds: float, end: str) -> None:
            heard.append(end)

    stopping = {"monitor": "loss", "patience": 1, "min_delta": 1e9}
    spec = {**SPEC, "data": {"type": "make_moons"}, "training": {"loss": "bce", "early_stopping": stopping}}
    specnet.run(spec, observer=Listening(), verbose=True)
    assert heard == ["early stopping after epoch 2, weights of epoch 1 restored"]
    assert capsys.readouterr().err.splitlines()[-1] == heard[0]


def test_all_observers_hear_of_everything():
    names = [name for name, _ in inspect.getmembers(Observer, inspect.isfunction) if not name.startswith("_")]
    names.remove("next_epoch")  # which is asked, and told nothing

    class Recording(Observer):
        def __init__(self) -> None:
            self.heard: list[tuple] = []

        def next_epoch(self, epoch: int) -> int:
            return epoch + 1

        def __getattribute__(self, name: str):
            if name not in names:
                return super().__getattribute__(name)
            return lambda *told: self.heard.append((name, told))

    first, second = Recording(), Recording()
    both = Observers(first, second)
    for name in names:
        told = tuple(range(len(inspect.signature(getattr(both, name)).parameters)))
        getattr(both, name)(*told)
        assert first.heard[-1] == second.heard[-1] == (name, told)
