"""What is seen on a terminal, by a pseudo-terminal."""

import json
import os
import re
import signal
import subprocess
from fcntl import ioctl
from termios import TIOCSCTTY

import pytest

from specnet import Observer, run
from tests.cli.conftest import COMMAND, environment, spec_of_rows, take_interrupts
from tests.cli.on_terminal import CODES, Seen, on_terminal, opened, read_all, read_until

pytestmark = pytest.mark.slow  # runs that last until they are seen, and processes on a terminal

CODES_BUT_CLEARING = re.compile(r"\x1b\[(?!2K)[0-9;?]*[A-Za-z]")
BLOCKS = "[▁-▇]"
LONG = ["--set", "training.epochs=100000000", "--set", "training.log_every=100"]


def on_screen(seen):
    """Return the lines that stay on a terminal: a line that is drawn anew takes the place of what it was."""
    lines = CODES_BUT_CLEARING.sub("", seen.text).replace("\r", "").splitlines()
    return [line.rpartition("\x1b[2K")[2] for line in lines]


def with_terminal():
    """In a child before its program starts: let the terminal be its own, which tells it when it is closed."""
    take_interrupts()
    ioctl(0, TIOCSCTTY, 0)


def started(folder, *arguments):
    """Start a command as a process on a terminal, and return it with the terminal's other end."""
    master, slave = opened(100)
    running = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(),
        **dict.fromkeys(("stdin", "stdout", "stderr"), slave),
        start_new_session=True,
        preexec_fn=with_terminal,
    )
    os.close(slave)
    return running, master


def test_a_closed_terminal_stops_a_run_whose_state_is_saved(specnet, folder):
    line = "run moons.toml --no-report --set training.epochs=20000 --set training.optimizer=sgd"
    running, master = started(folder, *line.split(), "-o", "out")
    read_until(master, b"/20 000   loss")
    os.close(master)
    running.wait(timeout=60)
    assert json.loads((folder / "out/run.json").read_text())["end"].startswith("interrupted ")
    specnet(f"{line} -o out --resume -q").ok()
    specnet(f"{line} -o whole -q").ok()
    for name in ("model.safetensors", "history.jsonl", "metrics.json"):
        assert (folder / "out" / name).read_bytes() == (folder / "whole" / name).read_bytes()


def test_a_terminal_sees_a_bar_that_moves(folder):
    line = "run moons.toml --set training.epochs=40000 --set training.optimizer=sgd"
    seen = on_terminal(line.split(), folder, columns=80)
    assert seen.status == 0
    assert "\x1b[" in seen.text
    left = r"\d+(?:\.\d)? s|\d+ min \d\d s"
    drawn = re.findall(
        rf"\r(━*)(─*)   ([\d ]+)/40 000   loss 0\.\d{{4}} {BLOCKS}{{1,12}}   (?:{left}) left", seen.plain
    )
    assert len(drawn) >= 3, "the bar was drawn while the run went on"
    numbers = [int(number.replace(" ", "")) for *_, number in drawn]
    assert numbers == sorted(numbers)
    assert 0 < numbers[0] < numbers[-1] <= 40_000
    for done, rest, number in drawn:
        width = len(done) + len(rest)
        assert 8 <= width <= 20
        assert len(done) == pytest.approx(width * int(number.replace(" ", "")) / 40_000, abs=0.51)
    lines = on_screen(seen)
    assert lines[:2] == ["moons   2 → 5 relu → 1 sigmoid   21 parameters   45 + 15 rows", ""]
    assert re.fullmatch(rf"40 000 epochs in .*   loss 0\.\d{{4}} {BLOCKS}{{12}} 0\.\d{{4}}", lines[2])
    assert [line.split()[0] for line in lines[3:6]] == ["loss", "train", "test"]
    assert re.match("(Better|Worse) than |No ", lines[6])
    assert lines[-2:] == ["runs/moons/1   model.safetensors, metrics.json, …", "runs/moons/1/report.html"]
    assert seen.text.count("\x1b[?25l") == seen.text.count("\x1b[?25h"), "the cursor is shown again"


@pytest.mark.parametrize("verb", ["run", "evaluate", "predict"])
def test_reading_a_large_file_is_seen_on_a_terminal(verb, folder, monkeypatch):
    """As large as it takes to be seen, and no larger: short work shows no bar."""
    (folder / "rows.json").write_text(json.dumps(spec_of_rows(epochs=1)))
    (folder / "rows.csv").write_text("a,y\n" + "1,0\n2,1\n" * 100)
    run(folder / "rows.json", folder / "done", report=False, observer=Observer())
    monkeypatch.setattr("specnet.report.terminal.bars.SECONDS_UNSEEN", 0.0)
    said = ("run", "rows.json") if verb == "run" else (verb, "done/model.safetensors", "rows.csv")
    assert "/804 bytes read" in on_terminal(said, folder).plain
    assert "bytes read" not in on_terminal([*said, "--quiet"], folder).plain
    assert "bytes read" not in on_terminal(said, folder, NO_COLOR="1").plain


MANY = ["accuracy", "balanced_accuracy", "roc_auc"]
SHAPES = {
    "one metric": [],
    "no metric": ["training.metrics="],
    "several metrics": [f"training.metrics={json.dumps(MANY)}"],
    "validation": ["data.split.validation_size=0.2", "training.early_stopping.patience=3", "training.epochs=300"],
    "ensemble": ["training.ensemble=3", "training.epochs=200"],
    "values": ["training.loss=mse", 'training.metrics=["r2", "mean_absolute_error"]'],
    "deep": [f"network.layer_sizes={[2, *[16] * 12, 1]}"],
}
"""Settings of runs whose lines and tables have different shapes."""


def shown(name, value, decimals):
    """A figure with as many decimals: an interval may leave fewer than four."""
    return f"{100 * value:.1f}" if name.endswith("accuracy") else f"{value:.{decimals}f}"


@pytest.mark.parametrize("columns", [80, 40])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_run_fits_into_its_terminal(shape, columns, folder):
    """Each line fits, and wraps nowhere; what a wide terminal shows is there."""
    settings = [part for setting in SHAPES[shape] for part in ("--set", setting)]
    seen = on_terminal(["run", "moons.toml", *settings], folder, columns=columns)
    lines = on_screen(seen)
    assert seen.status == 0, lines
    assert max(map(len, lines)) <= columns
    assert all(len(CODES.sub("", frame)) < columns for frame in re.findall(r"\r\x1b\[2K([^\r\n]*)", seen.text))
    assert not any(line != line.rstrip() for line in lines)
    words = set(" ".join(lines).split())
    figures = json.loads((folder / "runs/moons/1/metrics.json").read_text())
    for split in ("train", "validation", "test"):
        assert (split in words) == (split in figures) or (split, shape) == ("validation", "ensemble")
        for name, value in figures.get(split, {}).items():
            assert name in words
            assert any(word == shown(name, value, decimals) for word in words for decimals in range(1, 5))
    assert "constant" in words
    assert "95" in words


@pytest.mark.parametrize("columns", [80, 40])
@pytest.mark.parametrize("verb", ["show", "check", "validate"])
def test_other_verbs_fit_into_their_terminal(verb, columns, folder, specnet):
    words = set("".join(specnet(verb, "moons.toml").out.split()))
    for color in ({}, {"NO_COLOR": "1"}):
        seen = on_terminal([verb, "moons.toml"], folder, columns=columns, **color)
        lines = on_screen(seen)
        assert seen.status == 0, lines
        assert max(map(len, lines)) <= columns
        assert set("".join(lines)) >= words


def test_without_block_characters_the_bar_is_plain(folder):
    # With a small step, the loss of every frame has four decimals.
    settings = ["--set", "training.epochs=100000", "--set", 'training.optimizer={ type = "sgd", learning_rate = 1e-4 }']
    seen = on_terminal(["run", "moons.toml", *settings], folder, encoding="ascii")
    assert seen.status == 0
    assert re.search(r"\r#+-*   [\d ]+/100 000   loss 0\.\d{4}   [\d.]+ s left", seen.plain)
    assert seen.text.isascii()


def test_no_color_means_no_codes_and_no_live_progress(folder):
    seen = on_terminal(["run", "moons.toml"], folder, NO_COLOR="1")
    assert seen.status == 0
    assert "\x1b" not in seen.text
    assert "━" not in seen.text
    assert seen.plain.count("epoch 20/20 loss") == 1


def test_mistakes_are_coloured_and_say_the_same(folder, specnet):
    (folder / "bad.toml").write_text((folder / "moons.toml").read_text().replace("make_moons", "make_moon"))
    seen = on_terminal(["validate", "bad.toml"], folder)
    assert seen.status == 1
    assert "\x1b[1;31m" in seen.text
    assert seen.plain == specnet("validate bad.toml").err
    assert "\x1b" not in on_terminal(["validate", "bad.toml"], folder, NO_COLOR="1").text
    assert "\x1b" not in on_terminal(["validate", "bad.toml"], folder, TERM="dumb").text


def test_a_file_or_a_pipe_gets_no_codes(specnet, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    for arguments in (["run", "moons.toml"], ["show", "moons.toml"], ["parts"], ["validate", "no.toml"]):
        ended = specnet(*arguments)
        assert "\x1b" not in ended.out + ended.err
        assert "━" not in ended.err


def test_a_table_is_folded_at_the_edge_of_a_narrow_terminal(folder, specnet):
    seen = on_terminal(["parts", "huber"], folder, columns=70)
    assert seen.status == 0
    assert all(len(line) <= 70 for line in seen.plain.splitlines())
    assert "huber" in seen.plain
    words = set(specnet("parts huber").out.split())
    assert {word for word in words if len(word) < 10} <= set(seen.plain.split())


def test_ctrl_c_leaves_the_terminal_in_order(folder):
    running, master = started(folder, "run", "moons.toml", "--out", "here", *LONG)
    printed = read_until(master, b"   loss 0")
    running.send_signal(signal.SIGINT)
    seen = Seen(0, (printed + read_all(master)).decode())
    assert running.wait(timeout=60) == 130
    assert seen.text.count("\x1b[?25l") == seen.text.count("\x1b[?25h"), "the cursor is shown again"
    message, hint = seen.plain.splitlines()[-2:]
    assert re.fullmatch(r"error\[interrupted\]: .*Ctrl-C; .* here", message)
    assert ": specnet run moons.toml --out here --set" in hint
    assert (folder / "here/model.safetensors").is_file()


def test_a_mistake_in_training_stands_below_the_bar(folder):
    settings = ["network.activations=linear", "training.loss=mse", "training.metrics=", "training.epochs=100000"]
    settings += ["training.optimizer.type=sgd", "training.optimizer.learning_rate=1.5"]
    arguments = [part for setting in settings for part in ("--set", setting)]
    seen = on_terminal(["run", "moons.toml", *arguments], folder)
    assert seen.status == 1
    assert seen.text.count("\x1b[?25l") == seen.text.count("\x1b[?25h"), "the cursor is shown again"
    assert any(line.startswith("error[training]: ") for line in seen.plain.splitlines())
