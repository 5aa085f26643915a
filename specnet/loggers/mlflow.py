"""MLflow: the spec as parameters, metrics by epoch, final metrics, and the model as an artifact."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from specnet.loggers.logger import LoggedRun, Logger, Metrics, Outcome, Status, metrics_in, required
from specnet.run_files import MODEL, REPORT
from specnet.training.checkpoint import MEMBER
from specnet.version import __version__

EXTRA = "mlflow"
SECONDS_BETWEEN_WRITES = 1.0
MAX_KEY_LENGTH = 250
MAX_VALUE_LENGTH = 6000
MAX_METRICS = 1000
MAX_PARAMETERS = 100
"""MLflow's limits on the length of names and values, and on the size of one request."""
ARTIFACTS = (MODEL, REPORT)
RUN_TAG = "specnet.run"
"""The tag with a hash of the path of a run's folder, which finds the MLflow run of a resumed run."""
STATUSES: dict[Status, str] = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
_KEY = re.compile("[A-Za-z_][A-Za-z0-9_]*")


class MLflowLogger(Logger):
    """Logs to MLflow: the resolved spec as parameters, the metrics of each logged epoch, and the final metrics.

    A complete run uploads its model, and its report if it has one. An interrupted run gets the status ``KILLED``; when
    it resumes, its MLflow run continues. MLflow sends usage statistics unless ``MLFLOW_DISABLE_TELEMETRY=true`` is set.

    Parameters
    ----------
    uri : str, optional
        Tracking URI, such as ``sqlite:///mlflow.db`` or the address of a server; default: MLflow's own setting.
    experiment : str, optional
        Name of the experiment; default: the name of the spec.

    Raises
    ------
    LoggerError
        If MLflow is not installed.
    """

    def __init__(self, uri: str | None = None, *, experiment: str | None = None) -> None:
        self._uri, self._experiment = uri, experiment
        self._mlflow = required("mlflow", EXTRA)
        self._entities = required("mlflow.entities", EXTRA)

    def start(self, run: LoggedRun) -> None:
        self._run = run
        with _without_remarks():
            self._client = self._mlflow.MlflowClient(tracking_uri=self._uri)
            found = self._found() if run.history is not None else None
            entry = self._begun() if found is None else found
        self._id = entry.info.run_id
        self._last = {key: self._last_step(key) for key in entry.data.metrics}
        self._waiting: list[Any] = []
        self._epoch, self._sent = 0, time.monotonic()
        if found is not None:
            self._client.update_run(self._id, status="RUNNING")
        self._log_parameters(entry.data.params)
        for record in run.history or ():
            self.log(record)

    def log(self, record: Mapping[str, Any]) -> None:
        self._epoch = record["epoch"]
        prefix = f"{MEMBER}_{record[MEMBER]}/" if MEMBER in record else ""
        self._add({f"{prefix}{name}": value for name, value in metrics_in(record).items()})
        if time.monotonic() - self._sent >= SECONDS_BETWEEN_WRITES:
            self._send()

    def finish(self, outcome: Outcome) -> None:
        if outcome.status == "finished":
            self._add(dict(_by_split(outcome.metrics)))
        self._send()
        if outcome.status == "finished" and self._run.folder is not None:
            for name in ARTIFACTS:
                if (self._run.folder / name).exists():
                    self._client.log_artifact(self._id, str(self._run.folder / name))
        self._client.set_terminated(self._id, STATUSES[outcome.status])

    def _found(self) -> Any | None:
        """Return the MLflow run that the run began before it was resumed, or None."""
        experiment = self._client.get_experiment_by_name(self._experiment_name)
        if experiment is None or self._run.folder is None:
            return None
        query = f"tags.`{RUN_TAG}` = '{_hash(self._run.folder)}'"
        runs = self._client.search_runs([experiment.experiment_id], query, max_results=1)  # the latest one
        return runs[0] if runs else None

    def _begun(self) -> Any:
        """Create and return a new MLflow run."""
        folder, experiment = self._run.folder, self._client.get_experiment_by_name(self._experiment_name)
        number = (
            self._client.create_experiment(self._experiment_name) if experiment is None else experiment.experiment_id
        )
        tags = {"specnet.version": __version__}
        if folder is None:
            return self._client.create_run(number, tags=tags)
        tags[RUN_TAG] = _hash(folder)
        return self._client.create_run(number, tags=tags, run_name=folder.resolve().name)

    @property
    def _experiment_name(self) -> str:
        return self._experiment or self._run.name

    def _last_step(self, key: str) -> int:
        return max(int(metric.step) for metric in self._client.get_metric_history(self._id, key))

    def _log_parameters(self, there: Mapping[str, str]) -> None:
        """Log the resolved spec; values that a resumed run changed become tags, since parameters cannot change."""
        values = flattened(json.loads(self._run.spec.to_json()))
        values |= {f"rows.{split}": str(count) for split, count in self._run.rows.items()}
        new = [self._entities.Param(key, value) for key, value in values.items() if key not in there]
        for part in _parts(new, MAX_PARAMETERS):
            self._client.log_batch(self._id, params=part)
        for key, value in values.items():
            if there.get(key, value) != value:
                self._client.set_tag(self._id, key, value)

    def _add(self, values: Mapping[str, float]) -> None:
        """Queue values of this epoch for the next request, except those that MLflow already has."""
        now = round(1000 * time.time())
        self._waiting += [
            self._entities.Metric(name, value, now, self._epoch)
            for name, value in values.items()
            if self._epoch > self._last.get(name, 0)
        ]

    def _send(self) -> None:
        for part in _parts(self._waiting, MAX_METRICS):
            self._client.log_batch(self._id, metrics=part)
        self._waiting, self._sent = [], time.monotonic()


def flattened(data: Any, path: str = "") -> dict[str, str]:
    """Return the values of a document as texts, by path such as ``network.layers.0.units``.

    Lists of values become one JSON text, and so do tables whose keys are column names or other free texts.
    """
    items: dict[str, Any] | None = None
    if isinstance(data, dict) and all(map(_KEY.fullmatch, data)):
        items = data
    elif isinstance(data, list) and data and all(isinstance(item, dict) for item in data):
        items = {str(number): item for number, item in enumerate(data)}
    paths = {f"{path}.{key}".lstrip("."): value for key, value in (items or {}).items()}
    if items and all(len(each) <= MAX_KEY_LENGTH for each in paths):
        return {key: text for each, value in paths.items() for key, text in flattened(value, each).items()}
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return {path: text if len(text) <= MAX_VALUE_LENGTH else text[: MAX_VALUE_LENGTH - 1] + "…"}


def _by_split(metrics: Metrics) -> Iterator[tuple[str, float]]:
    for split, figures in metrics.items():
        for name, value in figures.items():
            if value is not None:
                yield f"{split}/{name}", value


def _parts(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _hash(folder: Path) -> str:
    return hashlib.sha256(str(folder.resolve()).encode(errors="surrogateescape")).hexdigest()


@contextmanager
def _without_remarks() -> Iterator[None]:
    """Suppress the messages of MLflow and its libraries when they create a database."""
    logger = logging.getLogger("mlflow")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
