"""The teacher of a network: a trained ensemble, with its out-of-fold predictions.

The rows that a network was trained on follow from the split and the seed in its own spec, on the same table. So the
model file is enough, both for the ensemble of a run and for the team of a sweep, whose trials may have different folds.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from specnet.data import RawColumns, split_rows
from specnet.errors import DataError, FileError
from specnet.files import open_file, read_file
from specnet.files.tensors import parse_object
from specnet.model import Model, read_model
from specnet.number_texts import counted
from specnet.parts.arrays import Array
from specnet.parts.data import Table
from specnet.parts.splits import TRAIN, adjective
from specnet.run_files import FACTS, LARGEST_RECORD, SWEEP_FACTS, TEAM_FACTS
from specnet.running.run_folder import LARGEST_CHECKPOINT
from specnet.spec import Spec

PATH = ("training", "teacher")
"""The path of the teacher in a spec."""


@dataclass(frozen=True, eq=False)
class Teacher:
    """A trained ensemble, and the rows of a table that each of its networks was trained on; or a model to imitate.

    Attributes
    ----------
    model : Model
    sha256 : str
        The hash of its file; empty without a file.
    size : int
        The bytes of its file.
    trained_on : ndarray of bool (networks, rows) or None
        Whether each member of each of its networks was trained on each row of the table; None if the student imitates
        the model on these rows too.
    """

    model: Model = field(repr=False)
    sha256: str = ""
    size: int = 0
    trained_on: NDArray[np.bool_] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, spec: Spec, table: Table, sha256: str) -> Self:
        """Read the teacher of a spec, given the spec's table and the hash of it.

        Raises
        ------
        DataError
            If there is no such model, if it was trained on other data, or if its training rows are unknown.
        """
        assert spec.training.teacher is not None, "the spec has a teacher"
        path = spec.folder / spec.training.teacher
        try:
            with open_file(path) as (stream, size):
                model = read_model(stream, size, spec.registry.added, spec.origin.limits)
            content = read_file(path, LARGEST_CHECKPOINT)
            of_teacher = _data_sha256(path.parent)
        except FileError as error:
            message = f"the teacher cannot be read: {error.diagnostics[0].message}"
            hint = "use the model.safetensors of a run or of a sweep's team"
            raise DataError(spec.diagnostic("teacher", message, PATH, hint=hint)) from error
        _check_answers(spec, model)
        if of_teacher is None:
            message = f"the folder of the teacher has no {FACTS} or {TEAM_FACTS}, so its training rows are unknown"
            hint = "use the model.safetensors in the folder of its run or team"
            raise DataError(spec.diagnostic("teacher", message, PATH, hint=hint))
        if of_teacher != sha256:
            message = "the teacher was trained on other data"
            hint = "use the [data] of its spec: the same rows, columns, kinds and target"
            raise DataError(spec.diagnostic("teacher", message, PATH, hint=hint))
        found = np.concatenate([_trained_on(each.spec, len(each.members), table) for each in model.networks])
        return cls(model, hashlib.sha256(content).hexdigest(), len(content), found)

    def checked(self, spec: Spec, splits: dict[str, NDArray[np.intp]]) -> Self:
        """Return this teacher, after checking that it fits the rows of a student.

        Parameters
        ----------
        spec : Spec
            The student's spec.
        splits : dict of str to ndarray
            The indices of the student's rows in the table, by split.

        Raises
        ------
        DataError
            If all networks were trained on a training row, so that it has no out-of-fold prediction; or if any was
            trained on a validation or test row, so that the metrics of these rows would be too good.
        """
        assert self.trained_on is not None, "it was read from a file"
        without = int(self.trained_on[:, splits[TRAIN]].all(axis=0).sum())
        if without:
            message, hint = "all networks of the teacher were", "use a teacher with an ensemble on folds"
            hint += ", such as training.ensemble = 5, and its data.split"
            if len(self.trained_on) == 1:
                message, hint = "the teacher is a single network, which was", self._how_to_train_on_folds(spec)
            message += f" trained on {counted(without, 'training row')} of this spec"
            message += ", so it has no out-of-fold predictions for them"
            raise DataError(spec.diagnostic("teacher", message, PATH, hint=hint))
        for name in splits.keys() - {TRAIN}:
            if known := int(self.trained_on[:, splits[name]].any(axis=0).sum()):
                message = f"the teacher was trained on {counted(known, f'{adjective(name)} row')} of this spec"
                hint = "use the data.split and the seed of the teacher's spec"
                raise DataError(spec.diagnostic("teacher", message, PATH, hint=hint))
        return self

    def _how_to_train_on_folds(self, spec: Spec) -> str:
        """Return the hint with the command that trains this teacher, a single network, again as an ensemble."""
        assert spec.training.teacher is not None, "the spec has a teacher"
        folder = shlex.quote(os.path.normpath((spec.folder / spec.training.teacher).parent))
        data = self.model.spec.data
        settings = ["training.ensemble=5"]
        if data is not None and data.split.validation_size:  # folds validate the members instead
            settings.append("data.split.validation_size=0")
        options = " ".join(f"--set {each}" for each in settings)
        return f"train five on folds with `specnet run {folder} -o FOLDER {options}`, and distill FOLDER"

    def out_of_fold(self, columns: RawColumns, rows: NDArray[np.intp]) -> Array:
        """Return out-of-fold predictions: for each row the mean of the networks that were not trained on it.

        Parameters
        ----------
        columns : RawColumns (rows, columns)
        rows : ndarray (rows,)
            The index of each row in the table.

        Returns
        -------
        ndarray
            As `answers` returns it.
        """
        assert self.trained_on is not None, "it was read from a file"
        outputs = np.stack([each.astype(np.float64) for each in self.model.member_outputs(columns)])
        shares = np.ones(len(outputs)) if self.model.decoder.weights is None else np.array(self.model.decoder.weights)
        weights = shares[:, np.newaxis] * ~self.trained_on[:, rows]
        weights /= weights.sum(axis=0)
        return self._in_form(np.einsum("mr,mro->ro", weights, outputs))

    def answers(self, columns: RawColumns | Array) -> Array:
        """Return the mean predictions of all networks for rows, given raw columns or the inputs of all networks.

        Returns
        -------
        ndarray
            Probabilities of classes (rows, classes), two for one binary output; probabilities of 1 for several binary
            outputs, (rows, outputs); or values in the target's units, (rows, targets).
        """
        outputs, weights = self.model.member_outputs(columns), self.model.decoder.weights
        return self._in_form(np.average([each.astype(np.float64) for each in outputs], axis=0, weights=weights))

    def _in_form(self, outputs: Array) -> Array:
        return np.concatenate([1 - outputs, outputs], axis=1) if self.model.network.task == "binary" else outputs


def _data_sha256(folder: Path) -> str | None:
    """Return the hash of the data of the run or sweep that wrote a folder; None if unknown."""
    if (folder / TEAM_FACTS).is_file():
        facts: Any = parse_object(read_file(folder.parent / SWEEP_FACTS, LARGEST_RECORD), "the record of a sweep")
        facts = facts.get("identity")
    elif (folder / FACTS).is_file():
        facts = parse_object(read_file(folder / FACTS, LARGEST_RECORD), "the record of a run")
    else:
        return None
    found = facts.get("data_sha256") if isinstance(facts, dict) else None
    return found if isinstance(found, str) else None


def _check_answers(spec: Spec, model: Model) -> None:
    """Raise DataError if the predictions of a model cannot be targets of the loss of a spec."""
    target, task = spec.training.loss.target, model.network.task
    if (target == "values") != (task == "values"):
        message = f"the teacher predicts {'values' if task == 'values' else 'classes'}, unlike this spec's loss"
    elif task != "values" and not model.gives_probabilities:
        message = f"the teacher does not predict probabilities: its loss is {model.spec.training.loss.part_name()}"
    elif model.feature_names != spec.feature_names and None not in (model.feature_names, spec.feature_names):
        message = "the teacher has other columns, or another order of columns"
    else:
        return
    raise DataError(spec.diagnostic("teacher", message, PATH, hint="use the [data] and the loss of its spec"))


def _trained_on(spec: Spec, members: int, table: Table) -> NDArray[np.bool_]:
    """Return whether each member of a network was trained on each row of a table, (members, rows)."""
    found = np.zeros((members, len(table.X)), bool)
    assert spec.data is not None, "the run had data"
    split = split_rows(table, spec.data.split, spec.seed, spec.training.ensemble)
    found[:, split.train] = True
    if split.folds is not None:
        found[split.folds, split.train] = False
    return found
