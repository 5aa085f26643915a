"""What is seen of work: bars, curves, the line in which they stand, lines of a run, and who else hears of it."""

from __future__ import annotations

import inspect
import io
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import numpy as np
import pytest

import specnet
from specnet import Observer
from specnet.number_texts import figure
from specnet.report.terminal import bars, run_progress
from specnet.training import Observers
from tests.cases.reading import load
from tests.report.terminal.terminals import Coded, Terminal
from tests.texts.pinned import Pinned

SPEC = {"network": {"hidden_layer_sizes": [4]}, "training": {"loss": "mse", "epochs": 40}}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second goes by between two looks at the time, so that work takes more than a moment."""
    monkeypatch.setattr(time, "monotonic", count(1.0).__next__)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([], ""),
        ([3.0], "▁"),
        ([7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0], "▇▆▅▄▃▂▁"),
        ([1.0, 2.0], "▁▇"),
        ([0.0, 0.0], "▁▁"),
        ([1.0, 1.001, 0.999, 1.0], "▁▁▁▁"),
        ([0.5] * 12 + [1.0] * 12, "▁▁▁▁▁▁▇▇▇▇▇▇"),
        ([10.0, *[1.0] * 1000], "▇▁▁▁▁▁▁▁▁▁▁▁"),
        ([1e300, -1e300], "▇▁"),
    ],
)
def test_a_curve_goes_from_the_first_value_to_the_last(values: list[float], shown: str) -> None:
    assert bars.curve(io.StringIO(), values) == shown
    assert bars.curve(Coded("ascii"), values) == ""


def test_a_bar_is_full_to_a_fraction() -> None:
    stream, terminal = io.StringIO(), Terminal()
    assert [bars.bar(stream, fraction, 4) for fraction in (0.0, 0.5, 1.0, 2.0)] == ["────", "━━──", "━━━━", "━━━━"]
    terminal.write(bars.bar(terminal, 0.5))
    assert terminal.shown() == bars.bar(stream, 0.5) != terminal.getvalue()
    assert bars.bar(Coded("ascii"), 0.25, 8) == "##------"


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (80, "━━━━━━━━━━──────────   1/2   loss 0.5 ▇▁   0.1 s left"),
        (52, "━━━━━━━━━─────────   1/2   loss 0.5 ▇▁   0.1 s left"),
        (39, "━━━━────   1/2   loss 0.5   0.1 s left"),
        (28, "━━━━━─────   1/2   loss 0.5"),
        (15, "━━━━────   1/2"),
        (10, "1/2"),
    ],
)
def test_what_does_not_fit_is_left_out(monkeypatch: pytest.MonkeyPatch, columns: int, shown: str) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    stream, loss, left = Terminal(), "loss 0.5", "0.1 s left"
    bars.LiveLine(stream).draw(0.5, ["1/2", f"{loss} ▇▁", left], ["1/2", loss, left], ["1/2", loss], ["1/2"])
    assert stream.shown().lstrip("\r") == shown
    assert len(shown) < columns


def test_a_line_leaves_nothing_behind() -> None:
    stream = Terminal()
    line = bars.LiveLine(stream)
    line.close()
    assert stream.getvalue() == ""
    line.draw(0.0, ["0/1"])
    line.draw(1.0, ["1/1"])
    line.close()
    line.close()
    assert stream.getvalue().endswith("\r\x1b[2K\x1b[?25h")
    assert stream.getvalue().count("\x1b[?25l") == stream.getvalue().count("\x1b[?25h") == 1


def test_a_terminal_that_has_gone_is_no_error() -> None:
    class Gone(Terminal):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    line = bars.LiveLine(Gone())
    line.draw(0.5, ["1/2"])
    line.close()


def counted(stream: io.StringIO | None) -> str:
    """Return what is shown of work, within which the cursor is shown again when all is done."""
    with bars.CountProgress(stream, "things done") as progress:
        for done in range(1, 4):
            progress.show(done, 3)
        return "" if stream is None else stream.getvalue()


def test_work_that_takes_longer_is_seen_on_a_terminal(clock: None) -> None:
    shown = counted(Terminal())
    assert "1/3 things done" in shown
    assert "3/3 things done" in shown
    assert shown.count("\x1b[?25h") == 1, "the cursor is shown again"
    assert counted(io.StringIO()) == counted(None) == ""


def test_short_work_shows_nothing() -> None:
    assert counted(Terminal()) == ""


def test_reading_a_file_is_seen_on_a_terminal(tmp_path: Path, clock: None) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,y\n" + "1,0\n2,1\n" * 250)
    terminal, stream = Terminal(), io.StringIO()
    with bars.reading_shown(terminal):
        load(path)
    assert "/2 004 " in terminal.getvalue()
    with bars.reading_shown(stream), bars.reading_shown(None):
        load(path)
    assert stream.getvalue() == ""


def lines_of(members: int = 1, epochs: int = 40, before: float = 0.0, ends: Sequence[str] = ()) -> list[str]:
    stream, training = io.StringIO(), {"loss": "mse"} | ({"ensemble": members} if members > 1 else {})
    network = specnet.build({"network": {"layer_sizes": [2, 4, 1]}, "training": training})
    with run_progress.RunProgress(stream) as shown:
        shown.started(network, {"train": 30}, epochs)
        for member in range(members):
            if members > 1:
                shown.member_started(member, members)
            if before:
                shown.resumed(20, before)
            for epoch in range(1, epochs + 1):
                shown.logged(epoch, {"member": member, "epoch": epoch, "loss": 1 / epoch})
            shown.ended(epochs, epochs, float(epochs), ends[member] if ends else "all epochs")
    return stream.getvalue().splitlines()


def test_lines_come_ever_more_rarely_where_nothing_is_drawn(clock: None):
    header, *lines, nothing, summary = lines_of()
    assert header == "2 → 4 relu → 1 linear   17 parameters   30 rows"
    assert lines == [f"epoch {epoch}/40 loss {figure(1 / epoch)}" for epoch in (1, 2, 4, 8, 16, 32, 40)]
    assert nothing == ""
    assert summary == "40 epochs in 40.0 s   loss 1.000 ▇▂▂▁▁▁▁▁▁▁▁▁ 0.0250"


def test_each_member_of_an_ensemble_has_lines_of_its_own(clock: None):
    header, *lines = lines_of(2, 9)
    assert "   2 members of 17 parameters   " in header
    told = [
        f"member {member} epoch {epoch}/9 loss {figure(1 / epoch)}" for member in (0, 1) for epoch in (1, 2, 4, 8, 9)
    ]
    summaries = [f"member {member}   9 epochs in 9.0 s   loss 1.000 ▇▄▃▂▂▁▁▁▁ 0.1111" for member in (0, 1)]
    assert lines == [*told, "", *summaries]


def test_the_best_epochs_of_members_are_one_line(clock: None):
    best = "all epochs, weights of epoch 5 restored"
    assert lines_of(1, 9, ends=[best])[-1] == best
    early = "early stopping after epoch 9, weights of epoch 2 restored"
    *_, first, second, third, last = lines_of(3, 9, ends=[best, "all epochs", early])
    assert [each.split("   ")[0] for each in (first, second, third)] == ["member 0", "member 1", "member 2"]
    assert last == "weights of the best epochs restored: 5, 9, 2"
    assert lines_of(2, 9, ends=["early stopping after epoch 9", "all epochs"])[-2] == "early stopping after epoch 9"


def test_a_resumed_run_counts_from_its_start(clock: None, pinned: Pinned):
    _, resumed, first, *_, summary = lines_of(before=100.0)
    pinned(resumed)
    assert first == "epoch 1/40 loss 1.000"
    assert summary == "40 epochs in 40.0 s   loss 0.0250", "the first losses are in the history alone"


def test_a_verbose_fit_shows_what_the_command_line_shows(capsys: pytest.CaptureFixture[str], pinned: Pinned):
    X = np.random.default_rng(0).normal(size=(30, 2))
    specnet.fit(SPEC, X, X[:, 0], verbose=True)
    out, err = capsys.readouterr()
    header, line, _, summary = err.splitlines()
    assert out == ""
    pinned(header)
    assert line.startswith("epoch 40/40 loss ")
    assert summary.startswith("40 epochs in ")
    specnet.fit(SPEC, X, X[:, 0])
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
    names.remove("next_epoch")  # which answers, and hears of nothing

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
