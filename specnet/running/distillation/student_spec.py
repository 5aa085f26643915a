"""The spec of a student: the spec of its teacher with fewer and narrower layers, and without an ensemble.

Layers for columns, such as embeddings, remain. Measurements led to the other settings (docs/explanation/defaults.md,
"A compact model"): two hidden layers of at most 64 units; no dropout, because the teacher's predictions already
regularize; and fewer epochs, because each has many times the rows.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specnet.errors import FileError, SpecError
from specnet.model import Model
from specnet.network import Network
from specnet.parts.fields import spec_name
from specnet.run_files import BEST, MODEL, RUN, SWEEP, TEAM, TEAM_OF_SWEEP, kind_of, spec_file
from specnet.spec import Spec, parse_spec, resolve
from specnet.spec.parsing import document_saying
from specnet.spec.reading.reader import document_of
from specnet.spec.reading.source_document import Document, key_name, key_nodes, parser
from specnet.spec.spec_writing import Change, SpecWriter

if TYPE_CHECKING:
    from tree_sitter import Node

SHARE = 20
"""Minimum ratio of the teacher's to the student's parameters, unless even the smallest width has more."""
WIDTHS = (64, 56, 48, 40, 32, 24, 16, 12, 8)
"""Numbers of units of hidden layers; the first with few enough parameters is used."""
DEPTH = 2
"""Maximum number of hidden layers."""
EPOCHS, BATCH_SIZE = 50, 128
MIXTURES, MAX_ROWS = 39, 100_000
"""Mixed rows for each training row; fewer, but at least one, if there were more than `MAX_ROWS` rows of both kinds."""
_ALONE = ("ensemble", "calibration", "early_stopping", "class_weight")
"""Keys of training that are removed: a student is one network, whose targets are probabilities already."""


def teacher_files(path: Path) -> tuple[Path, Path]:
    """Return the model and the spec of a teacher, given the folder of a run, of a sweep or of its team.

    Raises
    ------
    FileError
        If it is another folder, or a sweep without a team.
    """
    if kind_of(path) is SWEEP:
        path = path / TEAM
        if kind_of(path) is not TEAM_OF_SWEEP:
            hint = f"use {path.parent / BEST} if its spec has an ensemble"
            raise FileError("the sweep has no team", hint=hint, source=str(path.parent))
    if kind_of(path) is TEAM_OF_SWEEP:
        return path / MODEL, Path(spec_file(path.parent / BEST))
    if path.name == MODEL:
        path = path.parent
    spec = Path(spec_file(path))
    if kind_of(path) is not RUN:
        message = "expected the folder of a run, of a sweep or of its team"
        raise FileError(message, source=str(path))
    return path / MODEL, spec


def student_document(model: Model, model_path: Path, spec: Spec, rows: int, folder: Path) -> Document:
    """Return the spec of a student as a document for a folder; only comments about its data remain.

    Parameters
    ----------
    model : Model
        The teacher.
    model_path : Path
        Its file.
    spec : Spec
        The spec of the teacher; of a team's teacher, that of the best trial.
    rows : int
        The number of training rows.
    folder : Path
        The folder of the spec to write.
    """
    written = document_saying(spec)
    units = width_of(model, spec, sum(each.theta.size for each in model.networks) // SHARE)
    mixtures = max(1, min(MIXTURES, MAX_ROWS // max(1, rows) - 1))
    changes = [Change(("name",), spec_name(f"{spec.name or 'unnamed'}_small"))]
    changes += student_changes(written.data, spec, units, EPOCHS, mixtures)
    teacher = Path(os.path.relpath(model_path.resolve(), spec.folder.resolve())).as_posix()
    changes.append(Change(("training", "teacher"), teacher))
    writer = SpecWriter(written, spec.registry)
    text = writer.text(changes, folder)
    if writer.format == "toml":
        text = _without_comments(text)
    return replace(document_of(text.encode(), str(folder / f"spec.{writer.format}")), folder=folder)


def _without_comments(text: str) -> str:
    """Return a TOML text without comments, except those within tables of ``data``: the others describe the teacher."""
    source, result, end = text.encode(), b"", 0
    for comment in _comments(parser("toml").parse(source).root_node, source):
        result += source[end : comment.start_byte].rstrip(b" \t")
        end = comment.end_byte
        if not result or result.endswith(b"\n"):  # the comment has a line of its own
            end += len(source[end : end + 2]) - len(source[end : end + 2].lstrip(b"\r\n"))
    return re.sub(r"\n{3,}", "\n\n", (result + source[end:]).decode()).strip() + "\n"


def _comments(node: Node, source: bytes) -> Iterator[Node]:
    """Yield the comments within a node of a syntax tree, except those between the pairs of tables of ``data``."""
    begin = node.start_byte
    if node.type in ("table", "table_array_element"):
        header, *pairs = (child for child in node.named_children if child.type != "comment")
        if pairs and key_name(key_nodes(header)[0], source) == "data":
            line = source.find(b"\n", pairs[-1].end_byte)
            begin = node.end_byte if line < 0 else line
    for child in node.named_children:
        if child.type != "comment":
            yield from _comments(child, source) if begin == node.start_byte else ()
        elif child.start_byte >= begin:
            yield child


def student_changes(
    data: Mapping[str, Any], spec: Spec, units: int, epochs: int, mixtures: int, *, widens: bool = False
) -> Iterator[Change]:
    """Yield the changes from the spec of a teacher to that of a student, except its name and its teacher.

    Parameters
    ----------
    data : mapping
        The spec as a document; its network may have any form of a spec.
    spec : Spec
        The spec of the teacher.
    units : int
        The maximum number of units of a hidden layer.
    epochs, mixtures : int
        The numbers of epochs, and of mixed rows for each training row.
    widens : bool
        Whether narrower hidden layers become as wide, if the network is written as layers.
    """
    training = data["training"]
    for key in _ALONE:
        if key in training:
            yield Change(("training", key), removed=True)
    loss = training["loss"]
    if isinstance(loss, Mapping) and "label_smoothing" in loss:
        yield Change(("training", "loss", "label_smoothing"), removed=True)
    yield Change(("training", "epochs"), epochs)
    if not spec.training.optimizer.full_batch_only:
        yield Change(("training", "batch_size"), BATCH_SIZE)
    yield Change(("training", "mixtures"), mixtures)
    yield from _network_changes(data["network"], units, widens=widens)


def width_of(model: Model, spec: Spec, most: int, widths: Sequence[int] = WIDTHS, *, widens: bool = False) -> int:
    """Return the number of units of a student's hidden layers: the first of `widths` with at most `most` parameters.

    If all have more, it is the last.
    """
    found = (units for units in widths if parameters_of(model, spec, units, widens=widens) <= most)
    return next(found, widths[-1])


def parameters_of(model: Model, spec: Spec, units: int, *, widens: bool = False) -> int:
    """Return the number of parameters of a student, computed from the sizes of the teacher's first network."""
    first = model.networks[0].network
    layers = first.spec.model_dump(mode="json", exclude_none=True)["network"]["layers"]
    network = {"input_size": first.inputs, "layers": smaller_layers(layers, units, widens=widens)}
    loss = first.spec.training.loss.model_dump(mode="json")
    try:
        alone = parse_spec(
            {"network": network, "training": {"loss": loss}}, parts=spec.registry, limits=spec.origin.limits
        )
        return Network(resolve(alone, outputs=first.outputs)).parameter_count
    except SpecError:  # the layers cannot be made smaller in this way: the run of the student says why
        return 0


def _network_changes(network: Mapping[str, Any], units: int, *, widens: bool) -> Iterator[Change]:
    """Yield the changes of the network's layers, which may have any form of a spec."""
    if "layers" in network:
        yield Change(("network", "layers"), smaller_layers(network["layers"], units, widens=widens))
        return
    key = "hidden_layer_sizes" if "hidden_layer_sizes" in network else "layer_sizes"
    sizes = list(network[key])
    first, last = (sizes[:1], sizes[-1:]) if key == "layer_sizes" else ([], [])
    hidden = [min(size, units) for size in sizes[len(first) : len(sizes) - len(last)]][:DEPTH]
    yield Change(("network", key), [*first, *hidden, *last])
    activations = network.get("activations")
    if isinstance(activations, list | tuple):
        ends = len(activations) - (len(sizes) - len(first) - len(last))
        shortened = list(activations[: len(hidden)]) + list(activations[len(activations) - ends :] if ends > 0 else [])
        yield Change(("network", "activations"), shortened)


def smaller_layers(layers: Any, units: int, *, widens: bool = False) -> list[dict[str, Any]]:
    """Return layers with fewer and narrower hidden layers, without dropout and without the linear part beside them.

    Of networks that the last layer averages, these are the layers of the first. If it `widens`, all have as many units.
    """
    made = [copy.deepcopy(dict(layer)) for layer in layers]
    found = _first_network(_without_linear_part(made))
    last = max((k for k, layer in enumerate(found) if layer.get("type") == "dense"), default=-1)
    small, depth = [], 0
    for number, layer in enumerate(found):
        kind = layer.get("type")
        if kind in ("dropout", "gaussian_noise", "gaussian_dropout", "alpha_dropout") and "name" not in layer:
            continue
        if kind == "block":
            repeats = layer.get("repeat", 1)
            if depth >= DEPTH:
                continue
            layer["repeat"] = min(repeats, DEPTH - depth)
            layer["layers"] = [
                _with_units(each, units, widens=widens) for each in layer["layers"] if each.get("type") != "dropout"
            ]
            depth += layer["repeat"]
        elif kind == "dense" and number != last:
            layer, depth = _with_units(layer, units, widens=widens), depth + 1
        small.append(layer)
    return small


def _first_network(layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the layers that the first input of a last layer `average` needs; all layers if there is no such layer.

    The activation that a resolved spec has after it remains.
    """
    last = layers[-2:] if layers[-1].get("type") == "activation" else layers[-1:]
    if last[0].get("type") != "average":
        return layers
    numbers = {layer["name"]: number for number, layer in enumerate(layers) if "name" in layer}
    needed, waiting = set[int](), [numbers[last[0]["inputs"][0]]]
    while waiting:
        number = waiting.pop()
        needed.add(number)
        before = [number - 1] if number else []
        inputs = layers[number].get("inputs")
        waiting += before if inputs is None else [numbers[name] for name in inputs if name != "input"]
    return [layer for number, layer in enumerate(layers) if number in needed] + last[1:]


def _with_units(layer: Mapping[str, Any], units: int, *, widens: bool) -> dict[str, Any]:
    """Return a layer with at most this many units, or exactly as many if it `widens`, if it is dense."""
    found = dict(layer)
    if found.get("type") == "dense" and isinstance(found.get("units"), int):
        found["units"] = units if widens else min(found["units"], units)
    return found


def _without_linear_part(layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return layers without a frozen linear layer and the sum with it, which only calibration uses."""
    frozen = {
        layer["name"]
        for layer in layers
        if layer.get("type") == "dense" and layer.get("trainable") is False and "name" in layer
    }
    sums = [layer for layer in layers if layer.get("type") == "add" and not frozen.isdisjoint(layer.get("inputs", ()))]
    named = {name for layer in sums for name in layer["inputs"]} & frozen
    return [layer for layer in layers if layer not in sums and layer.get("name") not in named]
