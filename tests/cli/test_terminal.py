"""What is seen on a terminal, by a pseudo-terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import struct
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

import pytest

from tests.cli.conftest import COMMAND, environment, process, take_interrupts

pytestmark = pytest.mark.slow  # processes on a terminal

CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
BAR = "━" * 30
LONG = ["--set", "training.epochs=100000000", "--set", "training.log_every=100"]


@dataclass(frozen=True)
class Seen:
    """What a terminal got from a command, codes and all, and the command's exit status."""

    status: int
    text: str

    @property
    def plain(self) -> str:
        return CODES.sub("", self.text).replace("\r\n", "\n")


def on_terminal(
    *arguments: str,
    folder: Path,
    columns: int = 100,
    then: Callable[[subprocess.Popen[bytes], str], bool] | None = None,
    **changes: str,
) -> Seen:
    """Run a command on a terminal; `then` sees what was printed so far, until it returns True."""
    master, slave = pty.openpty()
    ioctl(slave, TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    running = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(**changes),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=take_interrupts,
    )
    os.close(slave)
    printed = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # the last process that had the terminal ended
            break
        if not piece:
            break
        printed += piece
        if then is not None and then(running, printed.decode(errors="replace")):
            then = None
    os.close(master)
    return Seen(running.wait(timeout=60), printed.decode())


def test_a_terminal_sees_a_bar_that_moves(folder: Path) -> None:
    settings = ["--set", "training.epochs=200000", "--set", "training.optimizer=sgd"]
    # On a slow machine the times are longer words, and a narrower terminal would have less room for the bar.
    seen = on_terminal("run", "moons.toml", *settings, folder=folder, columns=140)
    assert seen.status == 0
    assert "\x1b[" in seen.text
    drawn = re.findall(r"([\d ]+)/200 000 epochs   loss 0\.\d{4}   ", seen.plain)
    assert len(drawn) >= 3, "the bar was drawn while the run went on"
    numbers = [int(number.replace(" ", "")) for number in drawn]
    assert numbers == sorted(numbers)
    assert numbers[0] < 200_000
    assert numbers[-1] == 200_000
    assert f"{BAR} 200 000/200 000 epochs   loss 0." in seen.plain
    assert re.search(r"epochs   loss 0\.\d{4}   [\d.]+ m?s, [\d.]+ [µm]s a step", seen.plain)
    lines = seen.plain.splitlines()
    assert lines[0].rstrip() == "moons   2 → 5 relu → 1 sigmoid   21 parameters   float32   45 train, 15 test rows"
    assert lines[-1].startswith("runs/moons/1   model.safetensors")
    assert seen.text.count("\x1b[?25l") == seen.text.count("\x1b[?25h"), "the cursor is shown again"


@pytest.mark.parametrize("verb", ["run", "evaluate", "predict"])
def test_reading_a_large_file_is_seen_on_a_terminal(verb: str, folder: Path) -> None:
    """As large as it takes to be seen, and no larger: short work shows no bar."""
    loss = {"loss": "binary_crossentropy", "epochs": 1}
    spec = {"data": {"type": "csv", "path": "rows.csv", "target": "y"}, "training": loss}
    (folder / "rows.json").write_text(json.dumps({**spec, "network": {"hidden_layer_sizes": [2]}}))
    (folder / "rows.csv").write_text("a,y\n" + "1,0\n2,1\n" * 100)
    assert process("run", "rows.json", "--out", "done", folder=folder).status == 0
    unhurried = "import specnet.report.counting as counting; counting.SECONDS_UNSEEN = 0.0"
    (folder / "sitecustomize.py").write_text(unhurried)
    said = ("run", "rows.json") if verb == "run" else (verb, "done/model.safetensors", "rows.csv")
    assert "/804 bytes read" in on_terminal(*said, folder=folder, PYTHONPATH=str(folder)).plain
    assert "bytes read" not in on_terminal(*said, "--quiet", folder=folder, PYTHONPATH=str(folder)).plain
    assert "bytes read" not in on_terminal(*said, folder=folder, PYTHONPATH=str(folder), NO_COLOR="1").plain


def test_no_color_means_no_codes_and_no_live_progress(folder: Path) -> None:
    seen = on_terminal("run", "moons.toml", folder=folder, NO_COLOR="1")
    assert seen.status == 0
    assert "\x1b" not in seen.text
    assert "━" not in seen.text
    assert seen.plain.count("20/20 epochs") == 1


def test_mistakes_are_coloured_and_say_the_same(folder: Path) -> None:
    (folder / "bad.toml").write_text((folder / "moons.toml").read_text().replace("make_moons", "make_moon"))
    seen = on_terminal("validate", "bad.toml", folder=folder)
    assert seen.status == 1
    assert "\x1b[1;31m" in seen.text
    assert seen.plain == process("validate", "bad.toml", folder=folder).err
    assert "\x1b" not in on_terminal("validate", "bad.toml", folder=folder, NO_COLOR="1").text
    assert "\x1b" not in on_terminal("validate", "bad.toml", folder=folder, TERM="dumb").text


def test_a_file_or_a_pipe_gets_no_codes(folder: Path) -> None:
    for arguments in (["run", "moons.toml"], ["show", "moons.toml"], ["parts"], ["validate", "no.toml"]):
        ended = process(*arguments, folder=folder, FORCE_COLOR="1")
        assert "\x1b" not in ended.out + ended.err
        assert "━" not in ended.err


def test_a_table_is_folded_at_the_edge_of_a_narrow_terminal(folder: Path) -> None:
    seen = on_terminal("parts", "loss", folder=folder, columns=70)
    assert seen.status == 0
    assert all(len(line) <= 70 for line in seen.plain.splitlines())
    assert "binary_crossentropy" in seen.plain
    words = set(process("parts", "loss", folder=folder).out.split())
    assert {word for word in words if len(word) < 10} <= set(seen.plain.split())


def test_ctrl_c_leaves_the_terminal_in_order(folder: Path) -> None:
    def interrupt(running: subprocess.Popen[bytes], printed: str) -> bool:
        drawn = "epochs   loss" in printed
        if drawn:
            time.sleep(0.2)
            running.send_signal(signal.SIGINT)
        return drawn

    seen = on_terminal("run", "moons.toml", "--out", "here", *LONG, folder=folder, then=interrupt)
    assert seen.status == 130
    assert seen.text.count("\x1b[?25l") == seen.text.count("\x1b[?25h"), "the cursor is shown again"
    message, hint = seen.plain.splitlines()[-2:]
    assert re.fullmatch(r"error\[interrupted\]: .*Ctrl-C; .* here", message)
    assert ": specnet run moons.toml --out here --set" in hint
    assert (folder / "here/model.safetensors").is_file()


def test_a_mistake_in_training_stands_below_the_bar(folder: Path) -> None:
    settings = ["network.activations=linear", "training.loss=mse", "training.metrics=", "training.epochs=100000"]
    settings += ["training.optimizer.type=sgd", "training.optimizer.learning_rate=1.5"]
    arguments = [part for setting in settings for part in ("--set", setting)]
    seen = on_terminal("run", "moons.toml", *arguments, folder=folder)
    assert seen.status == 1
    assert seen.text.count("\x1b[?25l") == seen.text.count("\x1b[?25h"), "the cursor is shown again"
    assert any(line.startswith("error[training]: ") for line in seen.plain.splitlines())
