"""The interface of loggers: what they are told, and that a broken one ends no training."""

import sys
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import LoggerError, Observer, SpecnetWarning, TakenError, TrainingError
from specnet.loggers import LoggedRun, Outcome
from specnet.training import Observers
from tests.loggers.runs import ENSEMBLE, MOONS, broken_off, resumed
from tests.running.moons import Interrupting
from tests.texts.mistakes import mistake


class Recording(specnet.Logger):
    """Keeps all that it is told, and raises an error in an epoch or at the start."""

    def __init__(self, breaks_in=None):
        self.runs: list[LoggedRun] = []
        self.records: list[dict[str, Any]] = []
        self.outcomes: list[Outcome] = []
        self._breaks_in = breaks_in

    def start(self, run):
        if self._breaks_in == 0:
            raise OSError("no space left")
        self.runs.append(run)

    def log(self, record):
        if record["epoch"] == self._breaks_in:
            raise OSError("no space left")
        self.records.append(dict(record))

    def finish(self, outcome):
        self.outcomes.append(outcome)
        folder = self.runs[-1].folder
        self.written = {path.name for path in folder.iterdir()} if folder and folder.exists() else set()


@pytest.fixture
def logger():
    return Recording()


def test_a_run_is_logged_as_its_history_and_metrics_say(tmp_path, logger):
    result = specnet.run(MOONS, tmp_path / "out", observer=logger)
    (run,) = logger.runs
    assert (run.name, run.folder, run.history) == ("moons", tmp_path / "out", None)
    assert run.spec == result.model.spec
    assert run.rows == {"train": 36, "validation": 12, "test": 12}
    assert logger.records == result.history
    assert logger.outcomes == [Outcome("finished", result.metrics)]
    assert {"model.safetensors", "metrics.json", "run.json"} <= logger.written, "files are written when a log ends"


def test_fits_are_logged_one_after_the_other(logger):
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    spec = specnet.parse_spec(MOONS, overrides=["data="])
    models = [specnet.fit(spec, X, y, observer=logger) for _ in range(2)]
    assert logger.records == [record for model in models for record in model.history]
    assert [run.folder for run in logger.runs] == [None, None]
    assert logger.outcomes == 2 * [Outcome("finished", {})]


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError(), "failed"), (KeyboardInterrupt(), "interrupted"), (SystemExit(), "failed")]
)
def test_how_a_run_ends_is_told(tmp_path, error, status, logger):
    with pytest.raises(type(error)):
        specnet.run(MOONS, tmp_path, observer=Observers(logger, Interrupting(6, error=error)))
    assert [outcome.status for outcome in logger.outcomes] == [status]
    assert [record["epoch"] for record in logger.records] == [1, 2, 3, 4, 5, 6]


def test_a_loss_that_is_not_finite_fails(logger):
    settings = ["training.optimizer={type='sgd', learning_rate=1e300}", "training.loss=mse", "training.metrics="]
    with pytest.raises(TrainingError):
        specnet.run(MOONS, observer=logger, overrides=settings)
    assert logger.outcomes == [Outcome("failed", {})]


def test_a_resumed_run_tells_what_was_logged_before_its_checkpoint(tmp_path, logger):
    broken_off(Recording(), tmp_path, Interrupting(7, error=RuntimeError()))
    result = resumed(logger, tmp_path)
    (run,) = logger.runs
    assert run.history == result.history[:4]
    assert (run.reached(None), run.reached(0)) == (4, 4)
    assert logger.records == result.history[4:]
    again = Recording()
    resumed(again, tmp_path)  # a finished run is not logged again
    assert (again.runs, again.outcomes) == ([], [])


def test_what_a_resumed_ensemble_has_reached_is_told_by_member(tmp_path, logger):
    broken_off(Recording(), tmp_path, Interrupting(7, 1, RuntimeError()), ENSEMBLE)
    result = resumed(logger, tmp_path, ENSEMBLE)
    (run,) = logger.runs
    assert [run.reached(member) for member in (0, 1)] == [12, 4]
    assert [*(run.history or ()), *logger.records] == result.history


def test_a_logger_that_cannot_start_ends_the_run_before_it_trains(tmp_path):
    class Trained(Observer):
        def trained(self, epoch, snapshot):
            raise AssertionError("nothing is to be trained")

    first, last = Recording(), Recording()
    with pytest.raises(LoggerError, match=r"^error\[logger\]: Recording cannot start: no space left$"):
        specnet.run(MOONS, tmp_path / "out", observer=Observers(Trained(), first, Recording(breaks_in=0), last))
    assert not (tmp_path / "out").exists()
    assert [outcome.status for outcome in first.outcomes] == ["failed"]
    assert (last.runs, last.outcomes) == ([], [])


def test_a_logger_that_fails_later_ends_no_run():
    broken, whole = Recording(breaks_in=5), Recording()
    with pytest.warns(SpecnetWarning, match="^Recording stopped: no space left; the run continues without it$"):
        result = specnet.run(MOONS, observer=Observers(broken, whole))
    assert result.history == specnet.run(MOONS).history
    assert ([record["epoch"] for record in broken.records], broken.outcomes) == ([1, 2, 3, 4], [])
    assert whole.records == result.history


def test_a_logger_that_failed_serves_the_next_run():
    logger = Recording(breaks_in=5)
    with pytest.warns(SpecnetWarning, match="stopped"):
        specnet.run(MOONS, observer=logger)
    specnet.run(MOONS, observer=logger, overrides=["training.epochs=4"])
    assert [outcome.status for outcome in logger.outcomes] == ["finished"]


@pytest.mark.parametrize(("name", "module"), [("TensorBoardLogger", "tensorboard"), ("MLflowLogger", "mlflow")])
def test_a_missing_package_is_named_before_anything_runs(name, module, tmp_path, monkeypatch):
    for each in [module, *(each for each in sys.modules if each.startswith(f"{module}."))]:
        monkeypatch.setitem(sys.modules, each, None)
    problem = mistake(LoggerError, lambda: getattr(specnet, name)(str(tmp_path / "logs")))
    assert problem.message.startswith(module)
    assert problem.hint == f"run pip install '.[{module}]' in a clone of the repository"
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------------------------------------------ JSON lines


def assert_is_history(folder):
    assert (folder / "log").read_bytes() == (folder / "out/history.jsonl").read_bytes()


def test_json_lines_are_in_the_file_at_once(tmp_path):
    lines = []

    class Looking(Observer):
        def logged(self, epoch, record):
            lines.append(len((tmp_path / "log").read_text().splitlines()))

    specnet.run(MOONS, observer=Observers(specnet.JsonLinesLogger(tmp_path / "log"), Looking()))
    assert lines == list(range(1, 13))


@pytest.mark.slow
@pytest.mark.parametrize("error", [RuntimeError(), KeyboardInterrupt()])
@pytest.mark.parametrize("settings", [(), (ENSEMBLE,)])
def test_json_lines_of_a_resumed_run_are_the_history(tmp_path, error, settings):
    logger = specnet.JsonLinesLogger(tmp_path / "log", overwrite=False)
    broken_off(logger, tmp_path / "out", Interrupting(7, len(settings), error), *settings)
    assert len((tmp_path / "log").read_text().splitlines()) == 7 + 12 * len(settings)
    resumed(logger, tmp_path / "out", *settings)
    assert_is_history(tmp_path)


def test_json_lines_that_were_lost_are_written_again(tmp_path):
    logger = specnet.JsonLinesLogger(tmp_path / "log", overwrite=False)
    broken_off(logger, tmp_path / "out", Interrupting(7, error=RuntimeError()))
    (tmp_path / "log").write_bytes((tmp_path / "log").read_bytes()[:150])
    resumed(logger, tmp_path / "out")
    assert_is_history(tmp_path)


def test_a_file_of_something_else_is_not_overwritten(tmp_path):
    (tmp_path / "log").write_text("mine")
    logger = specnet.JsonLinesLogger(tmp_path / "log", overwrite=False)
    with pytest.raises(TakenError):
        specnet.run(MOONS, tmp_path / "out", observer=logger)
    assert not (tmp_path / "out").exists()
    broken_off(Recording(), tmp_path / "out", Interrupting(7, error=RuntimeError()))
    with pytest.raises(TakenError):
        resumed(logger, tmp_path / "out")
    assert (tmp_path / "log").read_text() == "mine"
    resumed(specnet.JsonLinesLogger(tmp_path / "log"), tmp_path / "out")
    assert_is_history(tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("born_loaded")
def test_json_lines_of_several_jobs_are_the_history(tmp_path):
    logger = specnet.JsonLinesLogger(tmp_path / "log")
    specnet.run(MOONS, tmp_path / "out", jobs=2, observer=logger, overrides=[ENSEMBLE])
    assert_is_history(tmp_path)
