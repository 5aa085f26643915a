"""Members that are trained side by side: the same bytes, errors and events as one after the other."""

import json
import os
import signal
from collections.abc import Iterator
from multiprocessing import active_children
from pathlib import Path
from typing import Any, Literal

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import specnet
from specnet import DataError, Observer, PartError, TrainingError
from specnet.training.observer import Relay
from tests.running.ensembles.test_ensembles import MOONS
from tests.running.moons import Watching, contents, interrupt
from tests.running.passed_parts import SECONDS_OF_A_STEP, Exiting, Halved, Killing, Limited, Raising, Slowed
from tests.texts.pinned import Refused

pytestmark = pytest.mark.usefixtures("born_loaded")

FOLDS = ("training.early_stopping={patience=1}", "network.layers.0.activation=halved")
SPLIT = (
    "data.split.validation_size=0.3",
    "training.ensemble={members=3, validation='split'}",
    "training.average_weights=exponential",
    "training.class_weight=balanced",
    "network.dtype=float32",
)
NONE = (
    "training.ensemble={members=3, validation='none'}",
    "training.optimizer=lbfgs",
    "training.batch_size=full",
    "network.layers=",
    "network.hidden_layer_sizes=[4]",
)
LONG = (
    "training.epochs=80",
    "training.log_every=10",
    "training.early_stopping={patience=80}",
    "training.optimizer={type='adam', schedule='slowed'}",
)


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    others = set(active_children())  # of joblib, which keeps them for other tests
    yield
    assert set(active_children()) <= others


def listener(told: list[Any]) -> Observer:
    """Writes down what it is told of members, but for the seconds."""
    events = ("member_started", "resumed", "logged", "ended")

    def tell(event: str, arguments: tuple[Any, ...]) -> None:
        if event in events:
            told.append([argument for argument in arguments if not isinstance(argument, float)])

    return Relay(tell)


def without_seconds(content: bytes) -> dict[str, Any]:
    facts = json.loads(content)
    for each in (facts, *facts["members"]):
        assert each.pop("training_seconds") > 0
    assert facts.pop("seconds") > 0
    return facts


def assert_same(folder: Path, other: Path) -> None:
    one, two = contents(folder), contents(other)
    assert without_seconds(one.pop("run.json")) == without_seconds(two.pop("run.json"))
    assert one == two


@pytest.mark.slow
@pytest.mark.parametrize(("jobs", "settings"), [(2, FOLDS), (9, SPLIT), (2, NONE)], ids=["folds", "split", "none"])
def test_any_number_of_jobs_writes_the_same_bytes(tmp_path: Path, jobs: int, settings: tuple[str, ...]):
    told: dict[int, list[Any]] = {1: [], jobs: []}
    for number, heard in told.items():
        observer = listener(heard)
        specnet.run(MOONS, tmp_path / str(number), jobs=number, overrides=settings, parts=[Halved], observer=observer)
    assert_same(tmp_path / "1", tmp_path / str(jobs))
    assert told[1] == told[jobs] != []


@pytest.mark.slow
def test_jobs_have_as_many_threads_for_matrices_as_their_parent():
    """Whose number is not the library's default here; it decides on the last bits of these products."""
    settings = ["data.n_samples=1500", "training.batch_size=256", "training.epochs=1", "network.layers="]
    settings += ["network.hidden_layer_sizes=[256, 256]", "training.ensemble={members=2, validation='none'}"]
    now = next(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")
    with threadpool_limits(2 if now == 1 else 1, "blas"):
        one, two = (specnet.run(MOONS, jobs=jobs, overrides=settings, observer=Observer()) for jobs in (1, 2))
    assert one.model.to_bytes() == two.model.to_bytes()


class Signalling(Observer):
    """Sends signals to this process in an epoch of a member."""

    def __init__(self, member: int, epoch: int, *numbers: int) -> None:
        self.place, self.numbers = (member, epoch), numbers

    def logged(self, epoch: int, record: Any) -> None:
        if (record["member"], epoch) == self.place:
            for number in self.numbers:
                os.kill(os.getpid(), number)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a long run that was never interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    specnet.run(MOONS, folder, overrides=LONG, parts=[Slowed], observer=Observer(), report=False)
    return folder


@pytest.fixture
def slowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A member takes over half a second, however little there is to compute: signals arrive before its end."""
    monkeypatch.setenv(SECONDS_OF_A_STEP, "0.003")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("member", "number", "jobs"), [(0, signal.SIGINT, 1), (1, signal.SIGHUP, 3)], ids=["SIGINT", "SIGHUP"]
)
def test_an_interrupted_run_resumes_with_any_number_of_jobs(
    tmp_path: Path, whole: Path, slowed: None, monkeypatch: pytest.MonkeyPatch, member: int, number: int, jobs: int
):
    observer = Signalling(member, 11, number)
    with pytest.raises(KeyboardInterrupt) as caught:
        specnet.run(MOONS, tmp_path, jobs=2, overrides=LONG, parts=[Slowed], observer=observer, report=False)
    monkeypatch.delenv(SECONDS_OF_A_STEP)
    assert caught.value.signal == {signal.SIGINT: "Ctrl-C", signal.SIGHUP: "SIGHUP"}[number]
    facts = json.loads((tmp_path / "run.json").read_text())
    assert member < len(facts["members"]) <= 3
    told: list[Any] = []
    again = {"overrides": LONG, "parts": [Slowed], "resume": True, "report": False}
    specnet.run(MOONS, tmp_path, jobs=jobs, observer=listener(told), **again)
    if not facts["finished"]:
        assert told[0] == [len(facts["members"]) - 1, 3]
    assert_same(whole, tmp_path)


@pytest.mark.slow
def test_an_observer_may_press_ctrl_c_too(tmp_path: Path):
    """In the last record of a member: by then the others may have ended."""
    interrupt(MOONS, tmp_path / "parts", 4, 1, jobs=2, report=True)
    specnet.run(MOONS, tmp_path / "parts", resume=True, observer=Observer())
    specnet.run(MOONS, tmp_path / "whole", observer=Observer())
    assert_same(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.slow
def test_a_second_ctrl_c_ends_at_once(tmp_path: Path, slowed: None):
    observer = Signalling(0, 11, signal.SIGINT, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt) as caught:
        specnet.run(MOONS, tmp_path, jobs=2, overrides=LONG, parts=[Slowed], observer=observer)
    assert type(caught.value) is KeyboardInterrupt
    assert contents(tmp_path) == {}


def watched(metric: str) -> list[str]:
    return [f"training.metrics=['{metric}']", f"training.early_stopping={{monitor='validation_{metric}'}}"]


@pytest.mark.slow
def test_an_error_in_a_member_is_the_same(tmp_path: Path):
    errors = []
    for jobs in (1, 2):
        with pytest.raises(PartError) as caught:
            specnet.run(MOONS, tmp_path, jobs=jobs, overrides=watched("raising"), parts=[Raising])
        errors.append(caught.value)
        assert contents(tmp_path) == {}
    assert errors[0].diagnostics == errors[1].diagnostics
    assert "no metric of 24 rows" in str(errors[1].__cause__)


@pytest.mark.slow
@pytest.mark.parametrize("part", [Killing, Exiting])
def test_a_process_that_is_killed_or_ends_by_itself(tmp_path: Path, refused: Refused, part: Any):
    with refused(TrainingError):
        specnet.run(MOONS, tmp_path, jobs=2, overrides=watched(part.part_name()), parts=[part])
    assert contents(tmp_path) == {}


@pytest.mark.slow
def test_compiled_functions_of_all_processes_have_the_threads_of_the_run(tmp_path: Path):
    result = specnet.run(MOONS, jobs=2, threads=7, overrides=watched("limited"), parts=[Limited], observer=Observer())
    assert {record["validation_limited"] for record in result.history} == {7.0}


def test_parts_that_no_other_process_can_have(refused: Refused):
    class Local(Halved):
        type: Literal["local"] = "local"

    with refused(DataError, varying=r"<function .*?>|: Can't .*"):
        specnet.run(MOONS, jobs=2, overrides=["network.layers.0.activation=local"], parts=[Local], observer=Observer())


def test_jobs_that_cannot_be(refused: Refused):
    for wrong in (0, -1, 1.5, True, "2"):
        with refused(DataError):
            specnet.run(MOONS, jobs=wrong)
    with refused(DataError):
        specnet.run(MOONS, jobs=2, overrides=["training.ensemble="])
    with refused(DataError):
        specnet.run(MOONS, jobs=2, observer=Watching())
