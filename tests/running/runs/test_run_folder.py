"""A run's folder: nothing half-written, nothing removed too early, damage reported; and what may be resumed."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

import specnet
from specnet import FileError, TakenError
from specnet.run_files import RUN_FILES
from specnet.running.folder_pages import page_again
from specnet.training import Checkpoint
from specnet.training.observer import Relay
from tests.running.moons import MOONS, Interrupting, contents, interrupt
from tests.texts.pinned import Pinned, Refused

SPEC = MOONS + "checkpoint_every = 4\n"


def reached_in(folder: Path) -> int:
    return Checkpoint.from_bytes((folder / "checkpoint.safetensors").read_bytes()).facts["epochs"]


def test_force_leaves_the_earlier_checkpoint_until_there_is_something_to_write(tmp_path: Path):
    interrupt(SPEC, tmp_path, 6)
    before = contents(tmp_path)
    with pytest.raises(specnet.TrainingError):
        specnet.run(SPEC, tmp_path, force=True, overrides=["training.optimizer={type='sgd', learning_rate=1e300}"])
    assert contents(tmp_path) == before
    assert reached_in(tmp_path) == 6
    interrupt(SPEC, tmp_path, 2, force=True)  # before its first checkpoint that was asked for
    assert reached_in(tmp_path) == 2
    heard: list[str] = []
    specnet.run(SPEC, tmp_path, force=True, observer=Relay(lambda event, _: heard.append(event)))
    assert "logged" in heard
    assert "resumed" not in heard
    assert not (tmp_path / "checkpoint.safetensors").exists()


@pytest.mark.parametrize("name", RUN_FILES)
@pytest.mark.parametrize("option", ["force", "resume"])
def test_a_name_that_is_taken_or_a_link_is_found_before_training(tmp_path: Path, name: str, option: str):
    out, mine = tmp_path / "out", tmp_path / "mine"
    (out / name).mkdir(parents=True)
    with pytest.raises(TakenError) as caught:
        specnet.run(SPEC, out, **{option: True}, observer=Interrupting(1))
    assert caught.value.diagnostics[0].source == str(out / name)
    (out / name).rmdir()
    mine.write_text("mine")
    (out / name).symlink_to(mine)
    with pytest.raises(FileError, match="symbolic link"):
        specnet.run(SPEC, out, **{option: True}, observer=Interrupting(1))
    assert (mine.read_text(), [path.name for path in out.iterdir()]) == ("mine", [name])


DAMAGED: dict[str, list[Any]] = {
    "run.json": [
        *(b"", b"[1]", b"[" * 10**5, b"{}", b'{"finished": "yes"}'),
        *((b'"steps"', b'"stops"'), (b'"overrides": []', b'"overrides": 3')),
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
    interrupt(SPEC, folder, 6)
    return folder


MEMORY = {"best": None, "waited": 0, "rate_factor": 1.0, "ends": False}
WRONG_MEMORIES = [{"best": "low"}, {"best": 10**400}, {"waited": 1.5}, {"rate_factor": -1}, {"ends": 0}, {"more": 1}]


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
    ],
)
def test_a_checkpoint_of_wrong_facts_is_refused(stopped: Path, tmp_path: Path, changes: Any, refused: Refused):
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)
    checkpoint = Checkpoint.from_bytes((tmp_path / "checkpoint.safetensors").read_bytes())
    content = replace(checkpoint, facts={**checkpoint.facts, **changes}).to_bytes()
    (tmp_path / "checkpoint.safetensors").write_bytes(content)
    with refused(FileError, at="checkpoint.safetensors") as caught:
        specnet.run(SPEC, tmp_path, resume=True)
    assert caught.value.diagnostics[0].source == str(tmp_path / "checkpoint.safetensors")


def resumed(out: Path, *overrides: str) -> Any:
    return specnet.run(MOONS, out, resume=True, overrides=overrides)


def refusal(out: Path, *overrides: str) -> str:
    before = contents(out)
    with pytest.raises(FileError) as caught:
        resumed(out, *overrides)
    assert contents(out) == before
    (problem,) = caught.value.diagnostics
    assert problem.hint
    return problem.message


def test_results_without_a_checkpoint_are_not_overwritten(tmp_path: Path, pinned: Pinned):
    interrupt(MOONS, tmp_path, 6)
    (tmp_path / "checkpoint.safetensors").unlink()
    pinned(refusal(tmp_path))
    (tmp_path / "run.json").unlink()
    pinned(refusal(tmp_path))


def test_what_differs_is_named(tmp_path: Path, pinned: Pinned):
    interrupt(MOONS, tmp_path, 6)
    for settings in (
        ("network.hidden_layer_sizes=[5]", "training.l2=0.1", "data.noise=0.3"),
        ("seed=1",),
        ("training.clip_norm=1.0",),
        ("network.hidden_layer_sizes=[4, 4, 4]",),  # many differences
        ("training.epochs=1200",),  # other epochs are logged
        ("training.epochs=8",),
    ):
        # The sum of rows that are computed may differ from one CPU to another.
        pinned(re.sub("[0-9a-f]{8}…", "…", refusal(tmp_path, *settings)))


def test_what_differs_from_a_finished_run_is_named(tmp_path: Path, pinned: Pinned):
    specnet.run(MOONS, tmp_path)
    for setting in ("training.l2=0.5", "training.epochs=20", "training.epochs=1200"):
        pinned(refusal(tmp_path, setting))


@pytest.mark.parametrize(
    ("damage", "missing"),
    [({"training_seconds": None}, "training_seconds"), ({"members": []}, "end"), ({"members": "all"}, "end")],
)
def test_a_finished_run_without_what_its_result_has_is_a_damaged_one(
    tmp_path: Path, damage: dict[str, Any], missing: str
):
    specnet.run(MOONS, tmp_path)
    facts = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps(facts | damage))
    with pytest.raises(FileError, match=f'"{missing}" is missing'):
        resumed(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("training.optimizer={type='sgd', momentum=0.9, schedule={type='step_decay', factor=0.5, every=3}}",),
        ("training.average_weights='exponential'", "training.early_stopping={monitor='loss', patience=50}"),
    ],
)
def test_a_longer_run_goes_on_as_if_it_had_been_so_long_from_the_start(tmp_path: Path, settings: tuple[str, ...]):
    whole = specnet.run(MOONS, overrides=[*settings, "training.epochs=20"])
    interrupt(MOONS, tmp_path, 6, overrides=settings)
    longer = resumed(tmp_path, *settings, "training.epochs=20")
    np.testing.assert_array_equal(longer.model.theta, whole.model.theta)
    assert longer.history == whole.history
    assert json.loads((tmp_path / "run.json").read_text())["epochs"] == 20


@pytest.mark.parametrize(
    "setting",
    [
        "training.optimizer={type='adam', schedule='cosine_decay'}",
        "training.optimizer={type='adam', schedule={type='warmup', length=2, then='one_cycle'}}",
        "training.average_weights='stochastic'",
    ],
)
def test_a_longer_run_that_would_have_begun_differently_is_refused(tmp_path: Path, setting: str, pinned: Pinned):
    interrupt(MOONS, tmp_path, 6, overrides=[setting])
    pinned(refusal(tmp_path, setting, "training.epochs=20"))


def test_the_time_before_an_interruption_counts(tmp_path: Path):
    heard: dict[str, tuple[Any, ...]] = {}
    interrupt(MOONS, tmp_path, 6)
    first = json.loads((tmp_path / "run.json").read_text())
    kept = Checkpoint.from_bytes((tmp_path / "checkpoint.safetensors").read_bytes()).seconds
    specnet.run(MOONS, tmp_path, resume=True, observer=Relay(heard.__setitem__))
    second = json.loads((tmp_path / "run.json").read_text())
    (epochs, before), (_, steps, after, _) = heard["resumed"], heard["ended"]
    assert epochs == 6
    assert steps == second["steps"] == 12 * 2
    assert 0 < kept <= first["training_seconds"]
    assert kept <= before < after
    assert second["training_seconds"] == after
    assert second["seconds"] > before


def test_an_early_stop_is_not_forgotten(tmp_path: Path):
    stopping = "training.early_stopping={monitor='loss', patience=2, min_delta=1e9}"
    whole = specnet.run(MOONS, overrides=[stopping])
    interrupt(MOONS, tmp_path, 3, overrides=[stopping])  # at the very epoch that ends it
    again = resumed(tmp_path, stopping)
    assert again.history == whole.history
    np.testing.assert_array_equal(again.model.theta, whole.model.theta)


def test_the_model_of_another_run_is_not_taken_for_this_ones(tmp_path: Path, pinned: Pinned):
    for seed in (0, 1):
        specnet.run(MOONS, tmp_path / str(seed), overrides=[f"seed={seed}"])
    (tmp_path / "0" / "model.safetensors").write_bytes((tmp_path / "1" / "model.safetensors").read_bytes())
    pinned(refusal(tmp_path / "0"))
