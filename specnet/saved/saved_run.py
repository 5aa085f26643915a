"""The folder of a run: each file is read once, when needed; of a history, only the epochs to draw are parsed."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from pydantic import ValidationError

from specnet.errors import FileError
from specnet.files import file_errors, read_file
from specnet.files.plain_data import records_of
from specnet.files.tensors import decode, parse_object
from specnet.findings import Finding, Judgement
from specnet.findings.finding import read_finding
from specnet.model import Model, load_model
from specnet.parts.arrays import spaced_indices
from specnet.parts.data.base import Split
from specnet.run_files import (
    FACTS,
    FINDINGS,
    HISTORY,
    LARGEST_RECORD,
    LAYERS,
    METRICS,
    MODEL,
    RESOLVED,
    RUN,
    SNAPSHOTS,
    TRAINING_ROWS,
    kind_of,
    paths_start,
    written_spec,
)
from specnet.saved.expectations_file import JudgedExpectation, read_expectations
from specnet.saved.metrics_file import Evaluation
from specnet.saved.saved_folder import FINISHED, INTERRUPTED, SavedFolder, loss_in_words
from specnet.spec import Spec, parse_spec
from specnet.training.checkpoint import MEMBER, LayerRecord, Snapshots, is_finite, snapshots_of

_NO_FIGURES = {"epoch", MEMBER, "seed", "fold"}
_BEGINNING = re.compile(rb'^\{(?:"member": (\d{1,15}), )?"epoch": (\d{1,15})\b', re.MULTILINE)


class Curve(NamedTuple):
    """A metric or loss of a run over its epochs."""

    epochs: Sequence[int]
    values: Sequence[float]


Curves = Mapping[str, Curve]
"""The curves of a run by their names in ``history.jsonl``."""


def read_curves(path: Path, most: int) -> Curves:
    """Return the curves in a ``history.jsonl``, at `most` evenly spaced epochs or fewer.

    If the history has several networks (ensemble members, or the folds and seeds of a trial), a curve is the mean over
    the networks that reached an epoch.

    Raises
    ------
    FileError
        If the file cannot be read.
    """
    with file_errors(path):
        content = read_file(path, LARGEST_RECORD)
        lines = content.splitlines()
        beginnings = [(member, int(epoch)) for member, epoch in _BEGINNING.findall(content)]
        if len(beginnings) != len(lines):
            raise FileError("not a valid history: a line does not begin with its epoch")
        if not lines:
            return {}
        epochs = [epoch for _, epoch in beginnings]
        goes_on = (one == other and before < epoch for (one, before), (other, epoch) in pairwise(beginnings))
        starts = [0, *(index for index, same in enumerate(goes_on, 1) if not same), len(lines)]
        networks = [range(*ends) for ends in pairwise(starts)]
        longest = max(networks, key=len)
        drawn = [epochs[longest[index]] for index in spaced_indices(len(longest), most)]
        found: dict[str, dict[int, list[float]]] = {}
        for network in networks:
            indices = {epochs[index]: index for index in network}
            for epoch in drawn:
                if epoch in indices:
                    for name, value in parse_object(lines[indices[epoch]], f"line {indices[epoch] + 1}").items():
                        if name not in _NO_FIGURES and is_finite(value):
                            found.setdefault(name, {}).setdefault(epoch, []).append(value)
    return {
        name: Curve(sorted(values), [fmean(values[epoch]) for epoch in sorted(values)])
        for name, values in found.items()
    }


RECORD = "the record of the run"


class SavedRun(SavedFolder):
    """The folder of a run, or of a team, which has fewer files.

    For a run that was just computed, attributes can be set, so that they are not read again.
    Parameters and attributes are those of `SavedFolder`. Each may raise a FileError if a file is damaged or missing.

    Attributes
    ----------
    facts : dict
        The contents of ``run.json``.
    evaluation : Evaluation
        The contents of ``metrics.json``.
    history, layer_records : list of dict
        The lines of ``history.jsonl`` and ``layers.jsonl``; folders of earlier versions have no layer records.
    snapshots : dict
        The parameters in ``snapshots.safetensors``, by epoch and name; empty if the file is missing.
    judgement : Judgement
        The contents of ``findings.json``; folders of earlier versions have no findings, or no number of tests.
    document : dict
        The resolved spec as plain data; empty if the file is missing.
    spec : Spec
        The resolved spec.
    model : Model
    """

    @cached_property
    def facts(self) -> dict[str, Any]:
        facts = self.read(FACTS, lambda content: parse_object(content, RECORD))
        return self._checked(facts, finished=bool)

    def checked_facts(self, **kinds: Any) -> dict[str, Any]:
        """Return `facts` after checking that each entry named in `kinds` has the given type.

        Raises
        ------
        FileError
            If an entry is missing or has another type.
        """
        return self._checked(self.facts, **kinds)

    def checked_members(self, **kinds: Any) -> list[dict[str, Any]]:
        """Return the entries of `facts` about each network whose training has begun, checked as in `checked_facts`.

        Raises
        ------
        FileError
            If an entry is missing or has another type.
        """
        members = self.facts.get("members", [self.facts])
        if not isinstance(members, list) or not members or not all(isinstance(each, dict) for each in members):
            members = [{}]
        return [self._checked(each, **kinds) for each in members]

    def _checked(self, facts: dict[str, Any], **kinds: Any) -> dict[str, Any]:
        for name, kind in kinds.items():
            if not isinstance(facts.get(name, ...), kind):
                source = str(self.path / FACTS)
                raise FileError(f'not a valid record of a run: "{name}" is missing', source=source)
        return facts

    @cached_property
    def evaluation(self) -> Evaluation:
        return self.read(METRICS, lambda content: Evaluation.from_record(parse_object(content, RECORD)))

    @cached_property
    def history(self) -> Sequence[Mapping[str, Any]]:
        from specnet.training.checked_records import checked_history

        return self.read(HISTORY, lambda content: checked_history(records_of(content)))

    @cached_property
    def layer_records(self) -> Sequence[LayerRecord]:
        from specnet.training.checked_records import checked_layer_records

        return self.read(LAYERS, lambda content: checked_layer_records(records_of(content)), [])

    @cached_property
    def snapshots(self) -> Snapshots:
        return self.read(SNAPSHOTS, lambda content: snapshots_of(decode(content)[1]), {})

    @cached_property
    def judgement(self) -> Judgement:
        def found(content: bytes) -> Judgement:
            record = parse_object(content, RECORD)
            records, tests = record.get("findings"), record.get("tests")
            if not isinstance(records, list):
                raise FileError("the findings must be a list of records")
            if tests is not None and (not isinstance(tests, int) or isinstance(tests, bool)):
                raise FileError("the number of tests must be an integer")
            return Judgement(tuple(map(read_finding, records)), tests)

        return self.read(FINDINGS, found, Judgement((), None))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings about the run, causes before consequences."""
        return self.judgement.findings

    @cached_property
    def document(self) -> dict[str, Any]:
        return self.read(RESOLVED, lambda content: parse_object(content, "the spec"), {})

    @cached_property
    def spec(self) -> Spec:
        return parse_spec(self.path / RESOLVED, parts=self.parts, limits=self.limits)

    @cached_property
    def model(self) -> Model:
        return load_model(self.path / MODEL, parts=self.parts, limits=self.limits)

    @property
    def overrides(self) -> tuple[str, ...]:
        """The settings ``KEY=VALUE`` that were given to the run in addition to its spec."""
        settings = self.facts.get("overrides", [])
        if not isinstance(settings, list) or not all(
            isinstance(setting, str) and "=" in setting for setting in settings
        ):
            message = 'not a valid record of a run: "overrides" must be a list of texts KEY=VALUE'
            raise FileError(message, source=str(self.path / FACTS))
        return tuple(settings)

    @property
    def written(self) -> Path:
        """The path of the spec as given, or of the resolved spec if the former is missing."""
        return written_spec(self.path) or self.path / RESOLVED

    @cached_property
    def written_text(self) -> str:
        """The text of the file `written`."""
        with file_errors(self.written):
            try:
                return read_file(self.written, LARGEST_RECORD).decode()
            except UnicodeDecodeError:
                raise FileError("not valid UTF-8") from None

    @cached_property
    def given(self) -> Spec | None:
        """The given spec of the run, with the settings of its command line; None if the folder has no such file."""
        return self.given_with(())

    def given_with(self, overrides: Sequence[str]) -> Spec | None:
        """Return the given spec of the run with its settings and `overrides`, or None if the folder has no such file.

        Raises
        ------
        SpecError, FileError
            If the spec is invalid or cannot be read.
        """
        path = written_spec(self.path)
        if path is None or kind_of(self.path) is not RUN:
            return None
        settings = [*self.overrides, *overrides]
        return parse_spec(path, overrides=settings, parts=self.parts, limits=self.limits)

    @property
    def stores_rows(self) -> bool:
        """Whether the run was allowed to store rows."""
        return self.facts.get(TRAINING_ROWS, ...) is not None

    @property
    def data_sha256(self) -> str | None:
        """The hash of the run's data, or None if it is not recorded."""
        sha256 = self.facts.get("data_sha256")
        return sha256 if isinstance(sha256, str) else None

    def check(self) -> None:
        """Check the files that a comparison of runs needs.

        Raises
        ------
        SpecError, FileError
            If one of them is damaged or missing.
        """
        _ = self.spec, self.row()

    def curves(self, most: int) -> Curves:
        """Return the curves of the run's history at `most` epochs or fewer: see `read_curves`."""
        return read_curves(self.path / HISTORY, most)

    @cached_property
    def state(self) -> str:
        return FINISHED if self.facts["finished"] else INTERRUPTED

    @cached_property
    def metrics(self) -> Mapping[str, Mapping[str, float | None]]:
        return self.evaluation.metrics

    @cached_property
    def seconds(self) -> float | None:
        return _number(self.facts.get("training_seconds"))

    @cached_property
    def epochs(self) -> int | None:
        epochs = self.facts.get("epochs")
        return epochs if isinstance(epochs, int) and not isinstance(epochs, bool) else None

    @cached_property
    def codes(self) -> tuple[str, ...]:
        return tuple(finding.code for finding in self.findings)

    @cached_property
    def expectations(self) -> Sequence[JudgedExpectation]:
        return read_expectations(self.path)

    @cached_property
    def tested_on(self) -> Mapping[str, Any]:
        data = self.document.get("data")
        if not isinstance(data, Mapping):
            return {}
        try:
            rule = Split.model_validate(data.get("split", {})).test_rule
        except ValidationError:  # of a later version
            return {}
        path, target = data.get("path"), data.get("target")
        name, source = data.get("type"), self.data_sha256
        if isinstance(path, str):  # other columns of a table leave its rows as they are, and change the hash
            name, source = Path(path).name, os.path.abspath(paths_start(str(self.path / RESOLVED)) / path)
        return {
            "target": ", ".join(target) if isinstance(target, list) else target,
            "data": name,
            "source": source,
            "rows": None if "fold" in rule else self.evaluation.rows.get(self.split),
            **rule,
        }

    @cached_property
    def loss(self) -> str:
        return loss_in_words(self.document)


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return float(value) if is_number and math.isfinite(value) else None
    except OverflowError:  # an integer with hundreds of digits
        return None
