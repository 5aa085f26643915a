"""TensorBoard: event files with a scalar for each metric of an epoch, and the spec as text."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from specnet.files import PathLike
from specnet.loggers.logger import LoggedRun, Logger, Outcome, metrics_in, required
from specnet.training.checkpoint import MEMBER

EXTRA = "tensorboard"
SECONDS_BETWEEN_WRITES = 1.0
EVENT_FILES = "events.out.tfevents.*"


class TensorBoardLogger(Logger):
    """Writes event files for TensorBoard: a scalar for each metric of an epoch, and the resolved spec as text.

    The files of a run are in ``<name>/<run>`` within the folder that TensorBoard reads: the name of the spec, then the
    name of the run's folder, or the next free number for a run without a folder. Each member of an ensemble has a
    subfolder ``member_<number>``. A run that resumes, or overwrites another run, hides the points that it repeats.

    Parameters
    ----------
    folder : str or path-like
        The folder to read with ``tensorboard --logdir``.

    Raises
    ------
    LoggerError
        If TensorBoard is not installed.
    """

    def __init__(self, folder: PathLike) -> None:
        self._root = Path(folder)
        self._writers = required("tensorboard.summary.writer.event_file_writer", EXTRA)
        self._events = required("tensorboard.compat.proto.event_pb2", EXTRA)
        self._summaries = required("tensorboard.compat.proto.summary_pb2", EXTRA)
        self._text = required("tensorboard.plugins.text.metadata", EXTRA)
        self._tensors = required("tensorboard.util.tensor_util", EXTRA)
        self._writer: Any = None

    def start(self, run: LoggedRun) -> None:
        self._run, self._folder, self._member = run, self._folder_of(run), None
        has_text = run.history is not None and any(self._folder.glob(EVENT_FILES))
        self._open(self._folder)
        if not has_text:
            self._write_text("spec", run.spec.to_json())

    def log(self, record: Mapping[str, Any]) -> None:
        member = record.get(MEMBER)
        if member != self._member:
            self._member = member
            self._open(self._folder / f"member_{member}")
        values = [
            self._summaries.Summary.Value(tag=name, simple_value=value) for name, value in metrics_in(record).items()
        ]
        self._add(record["epoch"], self._summaries.Summary(value=values))

    def finish(self, outcome: Outcome) -> None:
        self._close()

    def _folder_of(self, run: LoggedRun) -> Path:
        parent = self._root / run.name
        if run.folder is not None:
            return parent / run.folder.resolve().name
        taken = [int(entry.name) for entry in parent.glob("*") if entry.name.isdecimal()]
        return parent / str(1 + max(taken, default=0))

    def _open(self, folder: Path) -> None:
        """Begin a new event file in a folder; it continues after the last epoch that the run logged there."""
        self._close()
        self._writer = self._writers.EventFileWriter(str(folder), flush_secs=SECONDS_BETWEEN_WRITES)
        # From this step on, readers ignore the values in earlier files of the folder.
        start = self._events.SessionLog(status=self._events.SessionLog.START)
        step = 0 if self._run.history is None else self._run.reached(self._member) + 1
        self._writer.add_event(self._events.Event(wall_time=time.time(), step=step, session_log=start))

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write_text(self, name: str, text: str) -> None:
        # TensorBoard renders Markdown, in which indented lines are code.
        code = "".join(f"    {line}\n" for line in text.splitlines())
        tensor = self._tensors.make_tensor_proto([code.encode()], dtype="string", shape=[1])
        metadata = self._text.create_summary_metadata(display_name=name, description="")
        value = self._summaries.Summary.Value(tag=name, metadata=metadata, tensor=tensor)
        self._add(0, self._summaries.Summary(value=[value]))

    def _add(self, step: int, summary: Any) -> None:
        self._writer.add_event(self._events.Event(wall_time=time.time(), step=step, summary=summary))
