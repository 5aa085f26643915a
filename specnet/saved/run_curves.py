"""The curves of runs for pages with many of them: read no further than they can be drawn."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from specnet.errors import FileError
from specnet.files import file_errors, read_file
from specnet.files.run_files import LARGEST_RECORD
from specnet.files.tensors import parse_object
from specnet.parts.arrays import spaced_indices
from specnet.training.checkpoint import MEMBER, is_finite

_NO_FIGURES = {"epoch", MEMBER, "seed", "fold"}
_BEGINNING = re.compile(rb'^\{(?:"member": (\d{1,15}), )?"epoch": (\d{1,15})\b', re.MULTILINE)


class Curve(NamedTuple):
    """A figure of a run over its epochs."""

    epochs: Sequence[int]
    values: Sequence[float]


Curves = Mapping[str, Curve]
"""The curves of a run by the names that ``history.jsonl`` has."""


def read_curves(path: Path, most: int) -> Curves:
    """Return the curves in a ``history.jsonl``, at so many epochs at most, evenly spaced.

    Where it holds several networks, the members of an ensemble or the folds and seeds of a trial, a curve is the mean
    of those that reached an epoch.

    Raises
    ------
    FileError
        If it cannot be read.
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
        starts = [0, *(place for place, same in enumerate(goes_on, 1) if not same), len(lines)]
        networks = [range(*ends) for ends in pairwise(starts)]
        longest = max(networks, key=len)
        drawn = [epochs[longest[place]] for place in spaced_indices(len(longest), most)]
        found: dict[str, dict[int, list[float]]] = {}
        for network in networks:
            places = {epochs[place]: place for place in network}
            for epoch in drawn:
                if epoch in places:
                    for name, value in parse_object(lines[places[epoch]], f"line {places[epoch] + 1}").items():
                        if name not in _NO_FIGURES and is_finite(value):
                            found.setdefault(name, {}).setdefault(epoch, []).append(value)
    return {
        name: Curve(sorted(values), [fmean(values[epoch]) for epoch in sorted(values)])
        for name, values in found.items()
    }
