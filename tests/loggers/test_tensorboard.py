"""TensorBoard's own reader of event files finds what was logged."""

import json
import socket
import subprocess
import sys
import time
from itertools import count

import numpy as np
import pytest

import specnet
from specnet import Observer
from tests.loggers.runs import ENSEMBLE, MOONS, broken_off, resumed
from tests.running.moons import Interrupting

pytest.importorskip("tensorboard", reason="needs pip install '.[tensorboard]'")


def reader(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0}).Reload()


def points(folder):
    """Return each scalar by tag and step; a step that is there twice is an error."""
    read, found = reader(folder), {}
    for tag in read.Tags()["scalars"]:
        events = read.Scalars(tag)
        found[tag] = {event.step: event.value for event in events}
        assert len(found[tag]) == len(events)
    return found


def columns(records):
    """Return records as `points` gives them: event files hold float32."""
    names = [name for name in records[0] if name not in ("epoch", "member")]
    return {name: {record["epoch"]: float(np.float32(record[name])) for record in records} for name in names}


@pytest.fixture(autouse=True)
def _hosts_in_order(monkeypatch):
    """Let the files of one second and process be read in the order in which they were made."""
    numbers = count()
    monkeypatch.setattr(socket, "gethostname", lambda: f"host-{next(numbers):04}")


def spec_in(folder, runs=1):
    """Return the spec of the last run: this reader keeps the texts of those before, but not their points."""
    *before, text = reader(folder).Tensors("spec")
    assert len(before) == runs - 1
    lines = text.tensor_proto.string_val[0].decode().splitlines()
    assert all(line.startswith("    ") for line in lines)
    return json.loads("\n".join(lines))


def test_a_run_is_logged_whole(tmp_path):
    logger = specnet.TensorBoardLogger(tmp_path / "logs")
    result = specnet.run(MOONS, tmp_path / "out", observer=logger)
    folder = tmp_path / "logs" / "moons" / "out"
    assert points(folder) == columns(result.history)
    assert set(points(folder)) == {"loss", "validation_loss"}
    assert spec_in(folder) == json.loads(result.model.spec.to_json())


def test_the_text_is_one_for_the_text_dashboard(tmp_path):
    specnet.run(MOONS, tmp_path / "out", observer=specnet.TensorBoardLogger(tmp_path))
    assert reader(tmp_path / "moons" / "out").PluginTagToContent("text").keys() == {"spec"}


def test_points_can_be_read_before_the_run_ends(tmp_path, monkeypatch):
    monkeypatch.setattr("specnet.loggers.tensorboard.SECONDS_BETWEEN_WRITES", 0)
    seen: list[int] = []

    class Looking(Observer):
        def logged(self, epoch, record):
            end = time.monotonic() + 20  # a thread of the writer's own writes them
            while epoch == 12 and len(seen) < 11 and time.monotonic() < end:
                seen[:] = points(tmp_path / "moons" / "1").get("loss", {})

    specnet.run(MOONS, observer=specnet.training.Observers(specnet.TensorBoardLogger(tmp_path), Looking()))
    assert seen[:11] == list(range(1, 12))


def test_runs_without_a_folder_are_numbered(tmp_path):
    logger = specnet.TensorBoardLogger(tmp_path)
    results = [specnet.run(MOONS, observer=logger, overrides=[f"seed={seed}"]) for seed in range(2)]
    specnet.run(MOONS, observer=logger, overrides=["name="])
    for number, result in enumerate(results, 1):
        assert points(tmp_path / "moons" / str(number)) == columns(result.history)
    assert sorted(path.parent.name for path in tmp_path.glob("*/1")) == ["moons", "unnamed"]


def test_each_member_has_a_folder(tmp_path):
    logger = specnet.TensorBoardLogger(tmp_path / "logs")
    history = specnet.run(MOONS, tmp_path / "out", observer=logger, overrides=[ENSEMBLE]).history
    folder = tmp_path / "logs" / "moons" / "out"
    for member in range(2):
        records = [record for record in history if record["member"] == member]
        assert points(folder / f"member_{member}") == columns(records)
    assert spec_in(folder)["training"]["ensemble"]["members"] == 2


@pytest.mark.parametrize("error", [RuntimeError(), KeyboardInterrupt()])
@pytest.mark.parametrize("settings", [(), (ENSEMBLE,)])
def test_a_resumed_run_has_each_point_once(tmp_path, error, settings):
    logger = specnet.TensorBoardLogger(tmp_path / "logs")
    broken_off(logger, tmp_path / "out", Interrupting(7, len(settings), error), *settings)
    folder = tmp_path / "logs" / "moons" / "out"
    last = folder / "member_1" if settings else folder
    assert list(points(last)["loss"]) == [1, 2, 3, 4, 5, 6, 7]
    history = resumed(specnet.TensorBoardLogger(tmp_path / "logs"), tmp_path / "out", *settings).history
    for member in range(1 + len(settings)):
        records = [record for record in history if record.get("member", 0) == member]
        assert points(folder / f"member_{member}" if settings else folder) == columns(records)
    spec_in(folder)


def test_a_run_that_overwrites_another_hides_its_points(tmp_path):
    logger = specnet.TensorBoardLogger(tmp_path / "logs")
    specnet.run(MOONS, tmp_path / "out", observer=logger, overrides=["seed=1"])
    result = specnet.run(MOONS, tmp_path / "out", observer=logger, force=True, overrides=["training.epochs=5"])
    folder = tmp_path / "logs" / "moons" / "out"
    assert points(folder) == columns(result.history)
    assert spec_in(folder, runs=2)["training"]["epochs"] == 5


def test_a_run_that_fails_closes_its_file(tmp_path):
    broken_off(specnet.TensorBoardLogger(tmp_path / "logs"), tmp_path / "out", Interrupting(3, error=RuntimeError()))
    assert list(points(tmp_path / "logs" / "moons" / "out")["loss"]) == [1, 2, 3]


@pytest.mark.slow
def test_neither_tensorflow_nor_torch_is_imported(tmp_path):
    code = "import sys, specnet; specnet.run(sys.argv[1], observer=specnet.TensorBoardLogger(sys.argv[2])); "
    code += "print(*{'tensorflow', 'torch'} & set(sys.modules))"
    command = [sys.executable, "-c", code, MOONS, str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == []
