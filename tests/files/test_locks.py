"""Two runs never write into one folder, whoever they are and whenever they start."""

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import nullcontext

import pytest

import specnet
from specnet import FileError, TakenError
from specnet.files import atomic, write_file
from specnet.files.locks import LOCK_NAME, locked_folder
from specnet.run_files import RUN_FILES
from tests.cli.conftest import COMMAND, environment
from tests.running.faults import files_of_at_most
from tests.running.moons import MOONS
from tests.texts.mistakes import mistake

SPEC = MOONS.replace("epochs = 12", "epochs = 300")  # so long that two processes meet


@pytest.mark.slow
def test_a_folder_that_is_taken_away_is_made_again(tmp_path):
    folder, failures = tmp_path / "a" / "b", []

    def hold_often():
        for _ in range(200):
            try:
                with locked_folder(folder):
                    pass
                folder.rmdir()
            except TakenError:
                continue
            except OSError as error:  # the other thread was in it, or has removed it
                if isinstance(error, FileNotFoundError) or "not empty" in str(error):
                    continue
                failures.append(error)

    threads = [threading.Thread(target=hold_often) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def started(folder, seed, *options):
    command = [*COMMAND, *f"run moons.toml --out out --set seed={seed} --quiet --no-report".split(), *options]
    return subprocess.Popen(command, cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--force",)])
def test_of_two_runs_into_one_folder_none_is_lost_or_mixed(tmp_path, options):
    (tmp_path / "moons.toml").write_text(SPEC)
    runs = [started(tmp_path, seed, *options) for seed in (1, 2)]
    errors = [run.communicate(timeout=100)[1] for run in runs]
    statuses = [run.returncode for run in runs]
    assert set(statuses) <= {0, 2}
    assert 0 in statuses
    for status, error in zip(statuses, errors, strict=True):
        assert (status == 2) == ("error[taken]" in error), error
    if not options:
        assert sorted(statuses) == [0, 2]
    facts = json.loads((tmp_path / "out" / "run.json").read_text())
    assert facts["seed"] in [seed for seed, status in zip((1, 2), statuses, strict=True) if status == 0]
    expected = specnet.run(SPEC, overrides=[f"seed={facts['seed']}"])
    assert (specnet.load_model(tmp_path / "out" / "model.safetensors").theta == expected.model.theta).all()
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == expected.evaluation
    assert set(os.listdir(tmp_path / "out")) <= set(RUN_FILES)


@pytest.mark.parametrize("there", [True, False])
def test_a_lock_that_is_a_link_leads_nowhere(tmp_path, there):
    (tmp_path / "out").mkdir()
    if there:
        (tmp_path / "precious").write_text("mine")
    (tmp_path / "out" / LOCK_NAME).symlink_to(tmp_path / "precious")
    with pytest.raises(FileError):
        specnet.run(SPEC, tmp_path / "out")
    assert (tmp_path / "precious").exists() == there
    assert not there or (tmp_path / "precious").read_text() == "mine"


def test_a_folder_that_is_a_dangling_link_is_taken(tmp_path):
    (tmp_path / "out").symlink_to(tmp_path / "nowhere")
    assert mistake(TakenError, lambda: specnet.run(SPEC, tmp_path / "out")).source == str(tmp_path / "out")


def test_a_place_that_allows_no_folder_is_one_error(tmp_path, monkeypatch, refused):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for place in ("out", tmp_path / "link" / "out", *(["/proc/out"] if sys.platform == "linux" else [])):
        with refused(FileError, at="out"):
            specnet.run(SPEC, place)
    assert os.listdir(tmp_path) == ["link"]


def test_a_lock_that_cannot_be_signed_is_taken_away(tmp_path, refused):
    with files_of_at_most(0), refused(FileError, at="out"):
        specnet.run(SPEC, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("call", ["open", "unlink", "close", ""])
def test_ctrl_c_at_a_call_of_the_system_leaves_no_lock_and_no_file(tmp_path, monkeypatch, call, moment):
    owner, name = (os, call) if call else (atomic, "open")
    monkeypatch.setattr(owner, name, interrupted_once(getattr(owner, name, open), moment), raising=False)
    with pytest.raises(KeyboardInterrupt), locked_folder(tmp_path) if call else nullcontext():
        _ = call or write_file(tmp_path / "file", b"content")
    assert os.listdir(tmp_path) == []


def interrupted_once(call, moment):
    """Return a call before or after which Ctrl-C comes the first time."""
    comes = [signal.SIGINT]

    def interrupted(*arguments, **options):
        if moment == "before" and comes:
            signal.raise_signal(comes.pop())
        answer = call(*arguments, **options)
        if comes:
            signal.raise_signal(comes.pop())
        return answer

    return interrupted
