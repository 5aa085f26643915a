"""`specnet run --log`."""

from __future__ import annotations

import shlex
import signal
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import CSV_SPEC, Specnet, started
from tests.cli.test_completion import offered
from tests.waiting import wait_until


def test_json_lines_are_the_history(specnet: Specnet, folder: Path) -> None:
    ended = specnet(
        "run", "moons.toml", "--out", "done", "--log", "jsonl:logs/a:b.jsonl", "--log", "jsonl:second.jsonl"
    )
    assert (ended.status, "loss" in ended.out) == (0, True)
    history = (folder / "done" / "history.jsonl").read_bytes()
    assert (folder / "logs" / "a:b.jsonl").read_bytes() == history
    assert (folder / "second.jsonl").read_bytes() == history


def test_files_are_overwritten_with_force_alone(specnet: Specnet, folder: Path) -> None:
    (folder / "log").write_text("mine")
    ended = specnet("run", "moons.toml", "--out", "done", "--log", "jsonl:log")
    assert ended.status == 2
    assert "log: error[taken]: file already exists" in ended.err
    assert not (folder / "done").exists()
    assert (folder / "log").read_text() == "mine"
    assert specnet("run", "moons.toml", "--out", "done", "--log", "jsonl:log", "--force").status == 0
    assert (folder / "log").read_bytes() == (folder / "done" / "history.jsonl").read_bytes()


@pytest.mark.parametrize("log", ["table.csv", "./more/../test.csv", "linked.csv", "table.toml", "old/spec.toml"])
def test_no_log_overwrites_what_the_run_reads(specnet: Specnet, folder: Path, log: str) -> None:
    """Its table, a file of its split, a hard link to one, and its spec, by its path or in the folder of a run."""
    rows = "x,kind\n" + "".join(f"{n},{'ab'[n % 2]}\n" for n in range(40))
    for name in ("table.csv", "test.csv"):
        (folder / name).write_text(rows)
    (folder / "linked.csv").hardlink_to(folder / "test.csv")
    (folder / "more").mkdir()
    (folder / "table.toml").write_text(CSV_SPEC.replace("[network]", '[data.split]\ntest = "test.csv"\n[network]'))
    specnet("run", "table.toml", "-o", "old", "-q", "--no-report").went()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    spec = "old" if "old" in log else "table.toml"
    failed = specnet("run", spec, "-o", "out", "--log", f"jsonl:{log}", "--force", "-q").failed(1)
    assert failed.startswith(f"{Path(log)}: error[file]: the output would overwrite a file that is read")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_missing_package_is_named(specnet: Specnet, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    ended = specnet("run", "moons.toml", "--out", "done", "--log", "mlflow")
    assert ended.status == 1
    assert ended.err.startswith("error[logger]: mlflow is required and cannot be imported: ")
    assert "run pip install '.[mlflow]' in a clone of the repository" in ended.err
    assert not (folder / "done").exists()


def test_tensorboard_and_mlflow(specnet: Specnet, folder: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs pip install '.[tensorboard]'")
    mlflow = pytest.importorskip("mlflow", reason="needs pip install '.[mlflow]'")
    pytest.importorskip("sqlalchemy", reason="needs pip install '.[mlflow]'")
    logs = ["--log", "tensorboard:logs", "--log", "mlflow:sqlite:///mlflow.db"]
    ended = specnet("run", "moons.toml", *logs)
    assert (ended.status, ended.err.count("\n\n")) == (0, 1)
    assert len(list((folder / "logs" / "moons" / "1").iterdir())) == 1
    client = mlflow.MlflowClient("sqlite:///mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("moons").experiment_id])
    assert (run.info.run_name, run.info.status) == ("1", "FINISHED")
    quiet = specnet("run", "moons.toml", *logs, "--quiet")
    assert (quiet.status, quiet.out, quiet.err) == (0, "", "")


@pytest.mark.slow
def test_an_interrupted_run_says_how_to_resume_its_log(folder: Path) -> None:
    """Ctrl-C ends it, and SIGTERM what goes on, for it would last too long."""
    again = ["run", "moons.toml", "-o", "out", "--set", "training.epochs=10000000", "--log", "jsonl:a log"]
    log = folder / "a log"
    for kill in (signal.SIGINT, signal.SIGTERM):
        before = log.stat().st_size if log.exists() else 0
        with started(*again, folder=folder) as command:
            wait_until(lambda before=before: log.exists() and log.stat().st_size > before)
            command.send_signal(kill)
            _, err = command.communicate(timeout=60)
        again = shlex.split(err.partition("to resume: specnet ")[2].splitlines()[0])
        assert again[-3:] == ["--log", "jsonl:a log", "--resume"]
        assert log.read_bytes() == (folder / "out" / "history.jsonl").read_bytes()


def test_completion_knows_the_loggers(folder: Path) -> None:
    assert offered("specnet run moons.toml --log ", folder) == ["jsonl:", "mlflow:", "tensorboard:"]
    assert offered("specnet run moons.toml --log t", folder) == ["tensorboard:"]
