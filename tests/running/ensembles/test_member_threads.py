"""Members that threads of one process train side by side: the same bytes, events and errors as one after the other."""

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import Observer, StopTraining, TrainingError
from specnet.compiler.thread_limits import available_threads, limited_threads
from specnet.training import TrainingRows, members
from specnet.training.members import Pool, in_threads, train_members, trained_in_parallel
from specnet.training.observer import EVENTS, Relay
from specnet.training.steps.engine_choice import MAX_ROWS_BYTES, MEMBERS_PAY, members_worth
from tests.compiling import compiles
from tests.running.ensembles.test_ensembles import MOONS
from tests.running.ensembles.test_jobs import Signalling, assert_same
from tests.running.moons import Interrupting, Watching, contents

pytestmark = compiles
COMPILED = ("training.engine=compiled", "training.early_stopping={monitor='validation_loss', patience=3}")
SINGLE = ("training.engine=compiled", "network.dtype=float32", "training.average_weights=exponential")
LONG = (*COMPILED[:1], "training.epochs=3000", "training.log_every=20")


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of jobs for which threads are made."""
    found: list[int] = []
    made = members.in_threads

    def watched(ensemble: Any, first: int, jobs: int, *others: Any, **more: Any) -> Any:
        found.append(jobs)
        return made(ensemble, first, jobs, *others, **more)

    monkeypatch.setattr(members, "in_threads", watched)
    return found


class Listener(Relay):
    """Writes down all that it is told but the seconds, and which thread tells it."""

    def __init__(self, *, follows_log: bool = True) -> None:
        super().__init__(self._heard, follows_log=follows_log)
        self.told: list[Any] = []

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        assert threading.current_thread() is threading.main_thread()
        kept = [each for each in arguments if isinstance(each, int | str | dict)] if event in EVENTS[2:-2] else []
        self.told.append((event, kept))


@pytest.mark.parametrize("settings", [COMPILED, SINGLE], ids=["float64", "float32"])
def test_any_number_of_threads_writes_the_same_bytes(tmp_path: Path, threads: list[int], settings: tuple[str, ...]):
    settings = (*settings, "training.ensemble=5")
    heard = {jobs: Listener() for jobs in (1, 2, 5)}
    for jobs, listener in heard.items():
        specnet.run(MOONS, tmp_path / str(jobs), jobs=jobs, overrides=settings, observer=listener, report=False)
        assert_same(tmp_path / "1", tmp_path / str(jobs))
        assert listener.told == heard[1].told
    assert threads == [2, 5]
    assert [kept[0] for event, kept in heard[1].told if event == "member_started"] == [*range(5)]
    unseen = specnet.run(MOONS, jobs=2, overrides=settings, observer=Listener(follows_log=False))
    assert unseen.model.to_bytes() == (tmp_path / "1" / "model.safetensors").read_bytes()


@pytest.mark.parametrize(("member", "number"), [(0, signal.SIGINT), (1, signal.SIGTERM)])
def test_an_interrupted_run_resumes(tmp_path: Path, member: int, number: int):
    specnet.run(MOONS, tmp_path / "whole", overrides=LONG, observer=Observer(), report=False)
    observer = Signalling(member, 101, number)
    with pytest.raises(KeyboardInterrupt):
        specnet.run(MOONS, tmp_path / "parts", jobs=2, overrides=LONG, observer=observer, report=False)
    specnet.run(MOONS, tmp_path / "parts", jobs=3, resume=True, overrides=LONG, observer=Observer(), report=False)
    assert_same(tmp_path / "whole", tmp_path / "parts")


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path):
    observer = Signalling(0, 101, signal.SIGINT, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt) as caught:
        specnet.run(MOONS, tmp_path, jobs=2, overrides=LONG, observer=observer)
    assert type(caught.value) is KeyboardInterrupt
    assert contents(tmp_path) == {}


def test_an_observer_stops_all_members():
    with pytest.raises(StopTraining) as caught:
        specnet.run(MOONS, jobs=2, overrides=LONG, observer=Interrupting(41, 1, StopTraining(41)))
    assert caught.value.epoch == 41


def trained(jobs: int, damaged: int | None = None, seen: Callable[[], object] = lambda: None, **given: Any) -> list:
    """Train three members of a small ensemble, of which one may begin where its loss is not finite."""
    spec = {
        "network": {"layer_sizes": [2, 3, 1], "dtype": "float64"},
        "training": {"loss": "mean_squared_error", "epochs": 3, "ensemble": 3, "engine": "compiled"},
    }
    network, rng = specnet.build(spec), np.random.default_rng(0)
    rows = TrainingRows(rng.normal(size=(20, 2)), rng.normal(size=(20, 1)))
    starts = [(network.initial_parameters(member), None) for member in range(3)]
    if damaged is not None:
        starts[damaged][0][0] = np.nan

    def rows_of(_: int) -> tuple[TrainingRows, dict[str, Any]]:
        seen()
        return rows, {}

    return train_members(network, starts, rows_of, jobs=jobs, observer=given.pop("observer", Observer()), **given)


@pytest.mark.parametrize("damaged", [0, 1, 2])
def test_an_error_in_a_member_is_the_same(damaged: int):
    errors, heard = [], []
    for jobs in (1, 2):
        heard.append(Listener())
        with pytest.raises(TrainingError) as caught:
            trained(jobs, damaged, observer=heard[-1])
        errors.append(caught.value)
    assert errors[0].diagnostics == errors[1].diagnostics
    assert errors[0].history == errors[1].history
    assert heard[0].told == heard[1].told


def test_a_member_that_has_not_begun_when_a_later_one_fails_is_trained():
    def begin(future: Future[Any], tell: Callable[[Any], None]) -> None:
        if future.set_running_or_notify_cancel():
            future.set_result("trained")
        tell(None)

    def train(member: int, checkpoint: Any, tell: Callable[[Any], None]) -> Future[Any]:
        future: Future[Any] = Future()
        if member == 1:
            future.set_exception(ValueError("it failed"))
            tell(None)
        else:
            threading.Timer(0.1, begin, (future, tell)).start()
        return future

    pool = nullcontext(Pool(train, lambda: None))
    found = trained_in_parallel(pool, range(2), None, observer=Observer(), interruptions=None)
    assert next(found) == "trained"
    with pytest.raises(ValueError, match="it failed"):
        next(found)


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_at_the_very_end_is_not_lost(jobs: int):
    class Pressing(Observer):
        def member_started(self, member: int, members: int) -> None:
            self.is_last = member + 1 == members

        def ended(self, *_: Any) -> None:
            if self.is_last:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(jobs, observer=Pressing())


def test_what_is_set_for_the_thread_holds_in_the_others():
    name, seen = ContextVar("name", default="default"), []
    name.set("set")
    with np.errstate(over="raise"):
        trained(2, seen=lambda: seen.append((name.get(), np.geterr()["over"], threading.current_thread())))
    assert {(value, over) for value, over, _ in seen} == {("set", "raise")}
    assert len({thread for *_, thread in seen}) >= 2


class Fake:
    """Members of which only the order counts in which they begin."""

    def __init__(self, members: int, begun: Callable[[int], object]) -> None:
        self.members, self.begun = members, begun

    def __len__(self) -> int:
        return self.members

    def train(self, member: int, observer: Any, checkpoint: Any, stop: Any, keep: Any) -> Any:
        self.begun(member)
        return SimpleNamespace(member=member, interruption=stop.pending)


@contextmanager
def under_way(members: int, jobs: int, begun: Callable[[int], object]) -> Iterator[tuple[Pool, list[Future]]]:
    ensemble: Any = Fake(members, begun)
    with in_threads(ensemble, 0, jobs, lambda *_: None, follows_log=False) as pool:
        yield pool, [pool.train(member, None, lambda _: None) for member in range(members)]


def results(members: int, jobs: int, begun: Callable[[int], object]) -> list[int]:
    with under_way(members, jobs, begun) as (_, futures):
        return [future.result(timeout=60).member for future in futures]


@pytest.fixture
def cpus(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let there be so many processors."""

    def let(number: int) -> None:
        for module in ("cpus", "training.members"):
            monkeypatch.setattr(f"specnet.{module}.usable_cpus", lambda: number)

    return let


@pytest.mark.parametrize(("jobs", "share"), [(1, 5), (2, 2), (3, 1)])
def test_members_share_the_threads_of_compiled_functions(jobs: int, share: int):
    """Otherwise each would let others help that have a member of their own."""
    seen: list[int] = []
    with limited_threads(5):
        trained(jobs, seen=lambda: seen.append(available_threads()))
        assert available_threads() == 5
    assert seen == [5, *[share] * 3]  # the first look chooses the engine


def test_no_more_members_are_under_way_than_there_are_jobs(cpus: Callable[[int], None]):
    cpus(4)
    lock, running, most = threading.Lock(), 0, []

    def begun(member: int) -> None:
        nonlocal running
        with lock:
            running += 1
            most.append(running)
        threading.Event().wait(0.002)
        with lock:
            running -= 1

    assert results(9, 3, begun) == [*range(9)]
    assert max(most) <= 3


@pytest.mark.parametrize("members", [2, 3, 4, 5, 9])
def test_the_last_members_are_under_way_together(cpus: Callable[[int], None], members: int):
    """Of five members on two processors, three share them at the end: none waits for a whole member."""
    cpus(2)
    last = threading.Barrier(min(members, 3))

    def begun(member: int) -> None:
        if member >= members - 3:
            last.wait(timeout=60)

    assert results(members, 2, begun) == [*range(members)]


@pytest.mark.parametrize("interrupted", [True, False])
def test_no_member_begins_after_one_that_was_interrupted(cpus: Callable[[int], None], interrupted: bool):
    cpus(2)
    begun, go_on = [], threading.Event()

    def wait(member: int) -> None:
        begun.append(member)
        go_on.wait(timeout=60)

    with under_way(6, 2, wait) as (pool, futures):
        if interrupted:
            pool.stop()
        go_on.set()
        for future in futures[:2] if interrupted else futures:
            future.result(timeout=60)
    assert sorted(begun) == ([0, 1] if interrupted else [*range(6)])


def test_members_are_worth_threads_where_an_epoch_takes_long(
    monkeypatch: pytest.MonkeyPatch, cpus: Callable[[int], None]
):
    spec = {"network": {"layer_sizes": [4, 8, 1]}, "training": {"loss": "mean_squared_error", "batch_size": 32}}
    network = specnet.build(spec)
    enough = -(-MEMBERS_PAY // network.parameter_count)
    few, many = (TrainingRows(np.zeros((rows, 4), np.float32), np.zeros((rows, 1))) for rows in (enough - 1, enough))
    assert (members_worth(network, few, 4), members_worth(network, many, 4)) == (1, 4)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    cpus(7)
    assert members_worth(network, many) == 7
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert members_worth(network, many) == 1
    with limited_threads(3):
        assert members_worth(network, many) == 3
    whole = specnet.build(spec, overrides=["training.batch_size=full"])
    wide = TrainingRows(np.zeros((2**20, 4), np.float32), np.zeros((2**20, 1)))
    assert members_worth(whole, wide, 4) == 1  # a step has threads itself
    huge = replace(wide, X=np.broadcast_to(np.float32(0), (MAX_ROWS_BYTES // 40, 4)))
    assert members_worth(network, huge, 4) == 2


@pytest.fixture
def worth(monkeypatch: pytest.MonkeyPatch) -> None:
    """However short an epoch is."""
    monkeypatch.setattr("specnet.training.steps.engine_choice.MEMBERS_PAY", 0)


@pytest.mark.usefixtures("worth")
def test_the_default_is_as_many_as_there_may_be_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: list[int], cpus: Callable[[int], None]
):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    cpus(3)
    ways: tuple[tuple[dict[str, Any], list[int]], ...] = (
        ({}, [2]),
        ({"threads": 1}, []),
        ({"threads": 3}, [3]),
        ({"jobs": 1}, []),
        ({"jobs": 3, "threads": 1}, [3]),
        ({"observer": Watching()}, []),
        ({"overrides": ["training.engine=numpy"]}, []),
        ({"overrides": ["training.engine=compiled", "training.early_stopping={monitor='validation_roc_auc'}"]}, []),
    )
    for given, expected in ways:
        specnet.run(MOONS, **{"overrides": COMPILED[:1], "observer": Observer(), **given})
        assert threads == expected
        threads.clear()
    specnet.fit(MOONS, np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2, overrides=COMPILED[:1])
    specnet.run(MOONS, tmp_path, overrides=COMPILED[:1], observer=Observer(), report=False)
    assert specnet.verify(tmp_path, observer=Observer()).holds
    assert threads == [2, 2, 2]


@pytest.mark.usefixtures("worth")
def test_one_of_many_runs_trains_its_members_one_after_the_other(threads: list[int]):
    """Wherever it is computed: the others have the other processors."""
    (run,) = specnet.run_many(MOONS, seeds=1, overrides=COMPILED, observer=Observer()).runs
    assert (run.state, threads) == ("finished", [])
