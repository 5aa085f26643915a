"""Several models that answer together; and models of either kind from their files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from specnet.data import RawColumns
from specnet.errors import DataError, FileError
from specnet.files import PathLike, open_file
from specnet.files.run_files import model_file
from specnet.model.decoder import Decoder, mean_of_members
from specnet.model.error_quantiles import ErrorQuantiles
from specnet.model.file import TeamContents, check_content, decode_models, encode_models
from specnet.model.model import Model
from specnet.model.unfamiliar import refuse_gaps
from specnet.parts.arrays import Array
from specnet.parts.data import Kind, kind_of
from specnet.parts.part import Part
from specnet.spec import Limits


class Team(Model):
    """Several models of the same columns and target, each with its own network, which answer as an ensemble does.

    Each has a share in the mean. What is said of the model's network, such as its spec, is said of the first one's.

    Parameters
    ----------
    models : sequence of Model
        Two or more.
    shares : sequence of int
        How much each of them counts.
    error_quantiles : ErrorQuantiles, optional
        Of what they answer together for rows that they were not trained on.

    Raises
    ------
    DataError
        If their answers cannot be averaged.
    """

    def __init__(
        self, models: Sequence[Model], shares: Sequence[int], error_quantiles: ErrorQuantiles | None = None
    ) -> None:
        first = models[0]
        for model in models:
            if model.decoder.kind != first.decoder.kind or not _same(model.labels, first.labels):
                raise DataError("models whose outputs are of different kinds cannot be a team")
            if _columns(model) != _columns(first):
                raise DataError("models of different columns cannot be a team")
        super().__init__(*first.contents)
        self.error_quantiles = error_quantiles or ErrorQuantiles()  # those of the first are not the team's
        self.models, self.shares = tuple(models), tuple(shares)
        weights = [
            share / sum(shares) / len(model.members)
            for model, share in zip(models, shares, strict=True)
            for _ in model.members
        ]
        known = {field.name: getattr(first.decoder, field.name) for field in fields(Decoder)}
        self.decoder = _TeamDecoder(**{**known, "weights": tuple(weights)})

    def __repr__(self) -> str:
        name = f"{self.spec.name}, " if self.spec.name else ""
        parameters = sum(model.theta.size for model in self.models)
        return f"<Team {name}{len(self.models)} models, {self.network.inputs} inputs, {parameters} parameters>"

    def astype(self, dtype: str) -> Team:
        return Team([model.astype(dtype) for model in self.models], self.shares, self.error_quantiles)

    @property
    def is_ensemble(self) -> bool:
        return True

    def member_outputs(self, X: Any, *, raw: bool = False) -> list[Array]:
        """Return the outputs of each member of each model for raw columns, (rows, outputs), as `Decoder.kind` says.

        Where they are asked for as the network gives them, and predict values, they are these, in the target's units.
        """
        found, gives_values = [], self.decoder.gives_values
        for model in self.models:
            outputs = model.member_outputs(model.read(X), raw=raw or gives_values)
            if gives_values or (self.network.task == "values" and not raw):
                outputs = [model.decoder.averaged(each.astype(np.float64)) for each in outputs]
            found += outputs
        return found

    def read(self, raw: RawColumns) -> RawColumns:
        """Return raw columns as they are: each model reads them in its own way."""
        return raw

    def to_bytes(self) -> bytes:
        told = TeamContents([model.contents for model in self.models], list(self.shares), self.error_quantiles)
        content = encode_models(told)
        check_content(content, [model.network for model in self.models])
        return content

    def inputs_of(self, X: ArrayLike | RawColumns) -> RawColumns:
        raw = self._raw_columns(X, stacklevel=4)
        for model in self.models if raw.kinds else ():
            refuse_gaps(model.preprocessing, raw, "X")
        return raw


def _columns(model: Model) -> tuple[int, tuple[str, ...] | None, list[Kind]]:
    """Return the number of a model's raw columns, their names, and their kinds where they have some."""
    kinds = model.spec.feature_kinds or {}
    return model.network.resolved.columns, model.spec.feature_names, list(map(kind_of, kinds.values()))


class _TeamDecoder(Decoder):
    """Reads what the members of a team answer: values in the target's units, where they predict such."""

    def averaged(self, outputs: Array) -> Array:
        return outputs if self.network.task == "values" else super().averaged(outputs)

    def together(self, raw: Sequence[Array]) -> Array:
        if not self.gives_values:
            return Decoder(self.network, self.target_preprocessing, self.labels, self.weights).together(raw)
        together: Array = self.target_preprocessing.apply(mean_of_members(raw, self.weights))
        return together


def load_model(path: PathLike, *, parts: Iterable[type[Part]] = (), limits: Limits | None = None) -> Model:
    """Read a model from a file that `Model.save` wrote; nothing in it is executed.

    Parameters
    ----------
    path : str or path-like
        The file, or the folder of a run.
    parts : iterable of part classes
        Custom parts that its spec uses in addition to built-in and installed ones.
    limits : Limits, optional
        Limits on the size of its network.

    Returns
    -------
    Model
        As it was saved, with its preprocessing and labels.

    Raises
    ------
    FileError
        If the file is missing, damaged or not a model.
    """
    with open_file(model_file(path)) as (stream, size):
        contents = decode_models(stream, size, parts, limits)
        models = [Model(*each) for each in contents.models]
        if len(models) == 1:
            return models[0]
        try:
            return Team(models, contents.shares, contents.error_quantiles)
        except DataError as error:
            raise FileError(str(error)) from error


def models_of(model: Model) -> list[tuple[Model, int]]:
    """Return the models of a team with their shares; a model alone is one such."""
    return list(zip(model.models, model.shares, strict=True)) if isinstance(model, Team) else [(model, 1)]


def _same(labels: Array | None, others: Array | None) -> bool:
    return labels is others is None or (
        labels is not None and others is not None and labels.tolist() == others.tolist()
    )
