"""A run's folder: nothing half-written, nothing taken away too early, and damage told as damage."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

import specnet
import specnet.files
from specnet import FileError, Observer, TakenError
from specnet.files.run_files import RUN_FILES
from specnet.running.reports.folder_pages import page_again
from specnet.training import Checkpoint
from specnet.training.checkpoint import FORMAT
from tests.running.moons import MOONS, Interrupting, contents
from tests.texts.pinned import Refused

SPEC = MOONS + "checkpoint_every = 4\n"


def interrupted(out: Path, epoch: int = 6, **options: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        specnet.run(SPEC, out, observer=Interrupting(epoch), **options)


def first_epoch(folder: Path, **options: Any) -> int:
    """Return the epoch with which a run into a folder begins."""
    heard: list[int] = []

    class Listening(Observer):
        def logged(self, epoch: int, record: dict[str, Any]) -> None:
            heard.append(epoch)

    specnet.run(SPEC, folder, observer=Listening(), **options)
    return heard[0]


def reached_in(folder: Path) -> int:
    return Checkpoint.from_bytes((folder / "checkpoint.safetensors").read_bytes()).facts["epochs"]


def test_force_leaves_the_earlier_checkpoint_until_there_is_something_to_write(tmp_path: Path):
    interrupted(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(specnet.TrainingError):
        specnet.run(SPEC, tmp_path, force=True, overrides=["training.optimizer={type='sgd', learning_rate=1e300}"])
    assert contents(tmp_path) == before
    assert reached_in(tmp_path) == 6
    interrupted(tmp_path, epoch=2, force=True)  # before its first checkpoint that was asked for
    assert reached_in(tmp_path) == 2
    specnet.run(SPEC, tmp_path, force=True)
    assert not (tmp_path / "checkpoint.safetensors").exists()


def test_force_does_not_go_on_from_what_it_replaces(tmp_path: Path):
    interrupted(tmp_path)
    assert first_epoch(tmp_path, force=True) == 1


@pytest.mark.parametrize("name", RUN_FILES)
@pytest.mark.parametrize("option", ["force", "resume"])
def test_a_name_that_a_folder_has_taken_is_found_before_training(tmp_path: Path, name: str, option: str):
    (tmp_path / name).mkdir()
    with pytest.raises(TakenError) as caught:
        specnet.run(SPEC, tmp_path, **{option: True}, observer=Interrupting(1))
    assert caught.value.diagnostics[0].source == str(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", RUN_FILES)
@pytest.mark.parametrize("option", ["force", "resume"])
def test_nothing_is_written_through_a_link_in_the_folder(tmp_path: Path, name: str, option: str):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(tmp_path / "precious")
    with pytest.raises(FileError, match="symbolic link"):
        specnet.run(SPEC, tmp_path / "out", **{option: True}, observer=Interrupting(1))
    assert (tmp_path / "precious").read_text() == "mine"
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


DAMAGED: dict[str, list[Any]] = {
    "run.json": [
        b"",
        b"[1]",
        b"[" * 10**5,
        b"{}",
        b'{"finished": "yes"}',
        (b'"steps"', b'"stops"'),
        (b'"overrides": []', b'"overrides": 3'),
    ],
    "metrics.json": [
        *(b"\xff", b"{}", b'{"train": 3}', b'{"train": {"loss": "low"}}', b'{"train": {"loss": NaN}}'),
        b'{"train": {}, "rows": {"train": "many"}}',
        b'{"train": {}, "baselines": {"linear": {"test": 3}}}',
        b'{"train": {}, "baselines": {"linear": {"test": {"loss": "low"}}}}',
        b'{"train": {}, "gains": {"linear": [1]}}',
        b'{"train": {}, "intervals": {"test": {"loss": {"low": 0}}}}',
        b'{"train": {}, "tables": {"test": {"confusion": [[1, 2], [3]]}}}',
        b'{"train": {}, "tables": {"test": {"confusion": {"0": 1}}}}',
        b'{"train": {}, "tables": {"test": {"coverage": [{"level": 0.9, "covered": 1, "size": [1]}]}}}',
    ],
    "history.jsonl": [
        *(b"3\n", b'{"epoch": 1}\n{"epoch": 1}\n', b'{"epoch": 1, "loss": "low"}\n', b'{"epoch": true}\n'),
        *(b'{"epoch": 1, "loss": 1' + b"0" * 400 + b"}\n", b'\xff\xfe{"epoch": 1}'),
    ],
    "spec.toml": [b"\xff"],
    "findings.json": [
        *(b"[]", b"{}", b'{"findings": {}}', b'{"findings": [{"code": "a"}]}', b'{"findings": [], "tests": true}')
    ],
    "layers.jsonl": [
        *(b"[]\n", b"{}\n", b'{"epoch": 0}\n', b'{"epoch": true, "layers": []}\n', b'{"epoch": 0, "layers": [3]}\n'),
        *(b'{"epoch": 0, "layers":\n', (b'"dead"', b'"deaf"'), (b'"epoch": 1', b'"epoch": 0')),
        (b'"epoch": 1,', b'"epoch": 1, "more": 1,'),
    ],
    "snapshots.safetensors": [
        b"no tensors",
        *(save({name: np.zeros(3)}, {"specnet": ""}) for name in ("weight", "/weight", "x/weight", "0/", "-1/weight")),
        *(save({name: np.zeros(3)}, {"specnet": ""}) for name in ("²/weight", "9" * 40 + "/weight")),
    ],
}
"""What is in a file, or what in it becomes something else."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    specnet.run(SPEC, folder)
    return folder


@pytest.mark.parametrize(
    ("name", "content"), [(name, content) for name, contents in DAMAGED.items() for content in contents]
)
def test_a_damaged_file_of_a_finished_run_says_so(finished: Path, name: str, content: Any, refused: Refused):
    whole = (finished / name).read_bytes()
    changed = content if isinstance(content, bytes) else whole.replace(*content, 1)
    assert changed != whole
    try:
        (finished / name).write_bytes(changed)
        with refused(FileError) as caught:
            specnet.run(SPEC, finished, resume=True)
            page_again(finished)
    finally:
        (finished / name).write_bytes(whole)
    assert caught.value.diagnostics[0].source == str(finished / name)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stopped")
    interrupted(folder)
    return folder


MEMORY = {"best": None, "waited": 0, "rate_factor": 1.0, "ends": False}
WRONG_MEMORIES = [{"best": "low"}, {"best": 10**400}, {"waited": 1.5}, {"rate_factor": -1}, {"ends": 0}, {"more": 1}]


def rewritten(checkpoint: Checkpoint, facts: Any, history: Any) -> bytes:
    looks = json.dumps(checkpoint.record.looks)
    texts = {"history": json.dumps(history), "looks": looks, "spec": checkpoint.run.spec}
    tensors = {**checkpoint.tensors, **{name: np.frombuffer(text.encode(), np.uint8) for name, text in texts.items()}}
    metadata = {"checkpoint": FORMAT, "data_sha256": checkpoint.run.data_sha256, "facts": facts}
    return save(tensors, {"specnet": json.dumps(metadata)})


@pytest.mark.parametrize(
    "changes",
    [
        *({"epochs": wrong} for wrong in (None, "4", 10**30, 12, 1)),
        *({"steps": wrong} for wrong in (-1, 2**63)),
        *({"updates": wrong} for wrong in (-1, 10**9)),
        *({"so_far": wrong} for wrong in ([1, 2], [-1, 0, 0], [1, "low", 0])),
        *({"seconds": wrong} for wrong in (-1, "long")),
        {"watchers": 3},
        *({"watchers": {"early_stopping": MEMORY | wrong}} for wrong in WRONG_MEMORIES),
        {"watchers": {"optimizer.schedule": MEMORY}},
        {"more": 3},
        None,
    ],
)
def test_a_checkpoint_of_wrong_facts_is_refused(stopped: Path, tmp_path: Path, changes: Any, refused: Refused):
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)
    checkpoint = Checkpoint.from_bytes((tmp_path / "checkpoint.safetensors").read_bytes())
    facts = None if changes is None else {**checkpoint.facts, **changes}
    (tmp_path / "checkpoint.safetensors").write_bytes(rewritten(checkpoint, facts, checkpoint.history))
    with refused(FileError, at="checkpoint.safetensors") as caught:
        specnet.run(SPEC, tmp_path, resume=True)
    assert caught.value.diagnostics[0].source == str(tmp_path / "checkpoint.safetensors")
