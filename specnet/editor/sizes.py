"""What an editor shows behind the lines of a spec: sizes of layers, rows of a split, and the time of training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from specnet.editor.analysis import Analysis
from specnet.errors import Path, SpecError
from specnet.network import Network
from specnet.number_texts import count, counted, duration
from specnet.parts.splits import TRAIN
from specnet.spec import Resolved, resolve
from specnet.spec.reading.source_document import Document
from specnet.training.steps.engine_choice import choose, expected_seconds


def remarks(found: Analysis) -> list[tuple[int, str]]:
    """Return the remarks on the lines of a valid spec: the number of each line, from 1, and the text behind it."""
    if found.spec is None or found.document is None:
        return []
    resolved = _resolved(found)
    lines = [*_of_split(found, found.document)]
    if resolved is not None:
        lines += [*_of_layers(resolved, found.document), *_of_training(found, resolved, found.document)]
    return sorted(lines)


def _resolved(found: Analysis) -> Resolved | None:
    if found.data is not None:
        return found.data.resolved
    with suppress(SpecError):
        return None if found.spec is None else resolve(found.spec)
    return None


def _line(document: Document, *paths: Path) -> int | None:
    """Return the line of the first of the paths that is written in the text."""
    for path in paths:
        location = document.locations.get(path)
        if location is not None and location.text == document.text:
            return location.value.line
    return None


def _of_layers(resolved: Resolved, document: Document) -> Iterator[tuple[int, str]]:
    """Yield the size behind each line that has layers, and the number of their parameters."""
    sizes, parameters = dict[int, int](), dict[int, int]()
    for node in resolved.nodes:
        path = resolved.spec.origin.path_of(node.path)
        line = _line(document, *(path[:depth] for depth in range(len(path), 1, -1)))
        if line is not None:
            sizes[line] = node.size
            parameters[line] = parameters.get(line, 0) + node.layer.parameter_count(node.input_sizes)
    for line, size in sizes.items():
        numbers = f"   {counted(parameters[line], 'parameter')}" if parameters[line] else ""
        yield line, f"→ {count(size)}{numbers}"


def _of_split(found: Analysis, document: Document) -> Iterator[tuple[int, str]]:
    """Yield the rows of each part of the data."""
    line = _line(document, ("data", "split"), ("data",))
    if found.data is not None and line is not None:
        yield line, " + ".join(f"{count(len(rows.y))} {name}" for name, rows in found.data.splits.items())


def _of_training(found: Analysis, resolved: Resolved, document: Document) -> Iterator[tuple[int, str]]:
    """Yield the engine and the estimated time of training."""
    line = _line(document, ("training", "epochs"), ("training",))
    if found.data is None or line is None:
        return
    network, rows = Network(resolved), len(found.data.splits[TRAIN].y)
    with suppress(SpecError):
        engine = choose(network, rows, resolved.spec.training.epochs).engine
        yield line, f"engine {engine}, about {duration(expected_seconds(network, rows))} on one core"
