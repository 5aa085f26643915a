"""Derivatives of a model's predictions by its raw columns.

A prediction is one symbolic value: the preprocessing of columns of numbers and dates, the network, and the inverse of
the target's preprocessing. For each output, one reverse pass gives the derivatives by all columns. Derivatives of an
ensemble or a team are the weighted mean of those of its members, as its predictions are.

Columns of texts have no derivatives: their prepared columns are inputs of the program.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from specnet.compiler import (
    BATCH,
    BoundPlan,
    UnavailableError,
    Value,
    concatenate,
    gradients,
    input_value,
    plan,
    sum_over,
)
from specnet.data import Preparation, RawColumns, StepGroup
from specnet.model.decoder import Decoder
from specnet.model.symbolic import answer_of, symbolic
from specnet.model.trained_network import TrainedNetwork
from specnet.network.bound import not_available
from specnet.parts.arrays import FLOAT64, Array
from specnet.parts.data import Kind, kind_of

COLUMNS, WEIGHTS = "columns", "weights of the answers"
NUMBERS_AT_ONCE, ROWS_AT_ONCE, ROW_MULTIPLE = 2**19, 2**12, 16
"""The largest number of elements of an array and of rows that are computed together; rows are a multiple of the last
number, so that few programs are bound."""
FEW_ROWS, PROGRAMS = 256, 4
"""The largest number of rows, and the number, of bound programs that a thread uses again."""
_HAVE_DERIVATIVES: frozenset[Kind] = frozenset({"numeric", "datetime"})


class NetworkGradient:
    """The program of the derivatives of a network's predictions by raw columns, in float64.

    Parameters
    ----------
    trained : TrainedNetwork

    Attributes
    ----------
    answer : Value (answers, "batch")
        What is averaged over the members of an ensemble; see `answer_of`.
    arrays : list of mapping
        For each member the numbers of the program's states by name.
    """

    def __init__(self, trained: TrainedNetwork) -> None:
        count = trained.network.resolved.columns
        columns, pieces, arrays = input_value(COLUMNS, (count, BATCH)), list[Value](), dict[str, Array]()
        self._prepared: dict[str, slice] = {}  # the prepared columns that are inputs of the program
        stop = 0
        for number, group in enumerate(trained.preprocessing.groups):
            start, stop = stop, stop + group.output_size(count)
            if start == stop:
                continue
            if _reads_texts(group):
                name = f"prepared.{number}"
                self._prepared[name] = slice(start, stop)
                pieces.append(input_value(name, (stop - start, BATCH)))
            else:
                own, learned = symbolic(Preparation((group,)), count, f"preprocessing.{number}")
                pieces.append(own.apply(columns))
                arrays |= learned
        self.answer, learned_by_member, fitted = answer_of(trained, concatenate(*pieces) if pieces else columns)
        self.arrays = [arrays | each | fitted for each in learned_by_member]
        weights = input_value(WEIGHTS, self.answer.shape)
        gradient = gradients(sum_over(self.answer * weights, "all"), [columns])[columns]
        backend = trained.network.blueprint.backend
        self._plan, self._bind = plan([gradient], expansions=backend.expansions), backend.bind
        widest = max(call.shape[0] for call in self._plan.calls if BATCH in call.shape and len(call.shape) == 2)
        self._local = threading.local()
        self._rows = max(ROW_MULTIPLE, min(ROWS_AT_ONCE, NUMBERS_AT_ONCE // int(widest) // ROW_MULTIPLE * ROW_MULTIPLE))

    def inputs(self, trained: TrainedNetwork, raw: RawColumns) -> dict[str, Array]:
        """Return the numbers of the program's inputs by name, (features, rows), for raw columns.

        Raises
        ------
        DataError
            As `Model.predict` does.
        """
        prepared = trained.preprocessing.prepare(raw.X, texts=raw.texts)
        trained.network.read_inputs(prepared)
        found = {name: prepared[:, part].T for name, part in self._prepared.items()}
        return found | {COLUMNS: raw.X.astype(FLOAT64, copy=False).T}

    def add(
        self, total: NDArray[np.float64], trained: TrainedNetwork, raw: RawColumns, weights: Sequence[float]
    ) -> None:
        """Add the derivatives of each member times its weight to an array (rows, answers, columns)."""
        inputs, count = self.inputs(trained, raw), len(raw)
        rows = min(self._rows, -(-count // ROW_MULTIPLE) * ROW_MULTIPLE)
        try:
            bound, arrays = self._bound(rows)
        except UnavailableError as error:
            raise not_available(trained.spec, error) from error
        for own, weight in zip(self.arrays, weights, strict=True):
            for name, array in own.items():
                arrays[name][...] = array
            for start in range(0, count, rows):
                stop = min(start + rows, count)
                for name, array in bound.inputs.items():
                    if name != WEIGHTS:
                        array[:, : stop - start] = inputs[name][:, start:stop]
                for answer in range(total.shape[1]):
                    bound.inputs[WEIGHTS][...] = 0
                    bound.inputs[WEIGHTS][answer] = 1
                    with np.errstate(all="ignore"):  # missing cells, and branches of `where` that are not taken
                        bound.run()
                    total[start:stop, answer] += weight * bound.outputs[0].T[: stop - start]

    def _bound(self, rows: int) -> tuple[BoundPlan, dict[str, Array]]:
        """Return the program of this thread for a number of rows, and the arrays from which it reads its states."""
        if not hasattr(self._local, "bind"):
            arrays = {name: np.array(array, FLOAT64, order="C") for name, array in self.arrays[0].items()}
            bind, program = self._bind, self._plan  # a function that refers to this object would be freed later
            self._local.bind, self._local.arrays = lambda rows: bind(program, FLOAT64, {BATCH: rows}, arrays), arrays
            self._local.few = lru_cache(PROGRAMS)(self._local.bind)
        return (self._local.few if rows <= FEW_ROWS else self._local.bind)(rows), self._local.arrays


_gradients: WeakKeyDictionary[TrainedNetwork, NetworkGradient] = WeakKeyDictionary()
"""The programs of networks that still exist: a program must not refer to its network."""


def column_gradients(networks: Sequence[TrainedNetwork], decoder: Decoder, raw: RawColumns) -> NDArray[np.float64]:
    """Return the derivatives of what `Decoder.numbers` returns by raw columns, (rows, outputs, columns).

    Parameters
    ----------
    networks : sequence of TrainedNetwork
    decoder : Decoder
        Has the weights of all members in their mean.
    raw : RawColumns

    Raises
    ------
    DataError
        As `Model.predict` does.
    """
    counts = [len(each.members) for each in networks]
    shares = list(decoder.weights or [1 / sum(counts)] * sum(counts))
    network = networks[0].network
    answers = network.target_size if network.task == "values" else network.outputs
    total = np.zeros((len(raw), answers, network.resolved.columns))
    for each, count in zip(networks, counts, strict=True):
        program = _gradients.get(each) or _gradients.setdefault(each, NetworkGradient(each))
        program.add(total, each, raw, shares[:count])
        shares = shares[count:]
    total[:, :, ~has_derivatives(networks[0])] = np.nan
    total.swapaxes(1, 2)[raw.gaps()] = np.nan
    return np.concatenate([-total, total], axis=1) if decoder.gives_both_classes else total


def has_derivatives(trained: TrainedNetwork) -> NDArray[np.bool_]:
    """Return a mask of the raw columns that have derivatives: their cells are numbers or dates, and no codes.

    Columns without kinds are numbers.
    """
    count = trained.network.resolved.columns
    kinds = {name: kind_of(kind) for name, kind in (trained.spec.feature_kinds or {}).items()}
    names = trained.spec.feature_names or ("",) * count
    found = np.array([kinds.get(name, "numeric") in _HAVE_DERIVATIVES for name in names], np.bool_)
    embedded, start = trained.network.resolved.category_counts, 0
    for group in trained.preprocessing.groups or (StepGroup(None, ()),):
        indices = group.among(count)
        if not group.steps:  # these columns are the network's own
            found[[index for prepared, index in enumerate(indices, start) if prepared in embedded]] = False
        start += group.output_size(count)
    return found


def _reads_texts(group: StepGroup) -> bool:
    return any(step.reads_texts for step in group.steps)
