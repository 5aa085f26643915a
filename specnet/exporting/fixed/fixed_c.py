"""The files of a network in fixed point in C, and their comparison with the emulation and with the model."""

from __future__ import annotations

import math
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from specnet.compiler.expressions import number_text
from specnet.errors import ExportError
from specnet.exporting.array_functions import filled
from specnet.exporting.c_literals import comment
from specnet.exporting.export_proof import Proof
from specnet.exporting.file_templates import rendered
from specnet.exporting.fixed.fixed_network import FixedNetwork, Integers
from specnet.exporting.target import CannotRunError
from specnet.exporting.targets.c import find_compiler, identifier, refuse_header
from specnet.parts.arrays import Array

RANDOM_ROWS, RUN_ROWS = 100_000, 1_000
"""The random rows within the box that are compared with the model, and how many of them are run by the export."""


def fixed_files(network: FixedNetwork, path: Path) -> dict[Path, bytes]:
    """Return the content of the files by path, the main file last.

    Raises
    ------
    ExportError
        If the name is not one for a header.
    """
    header = path.with_suffix(".h")
    refuse_header(header.name)
    facts = _facts(network, path)
    return {header: rendered("fixed.h", **facts).encode(), path: rendered("fixed.c", **facts).encode()}


def prove_fixed(network: FixedNetwork, files: dict[Path, bytes], name: str, rows: Array) -> Proof:
    """Compare the emulation with the model on training rows and random ones, and the compiled files with it.

    Parameters
    ----------
    network : FixedNetwork
    files : mapping
        The content of the files by their final paths.
    name : str
        Name of the main file.
    rows : ndarray (rows, columns)
        Training rows.

    Raises
    ------
    ExportError
        If a difference exceeds the bound, or an integer differs.
    """
    random = np.random.default_rng(0).uniform(network.low, network.high, (RANDOM_ROWS, len(network.low)))
    compared = np.concatenate([rows, random, network.low[None], network.high[None]])
    found = np.abs(network.differences(compared)).max(axis=0)
    if not (found <= network.bound).all():
        raise ExportError("fixed point differs from the model by more than the bound; nothing was written")
    limit = network.widths.limit
    corners = limit * np.random.default_rng(1).choice([-1, 1], (RUN_ROWS, len(network.low)))
    integers = np.concatenate([network.integers(compared[: 2 * RUN_ROWS]), corners])
    worst = int(np.argmax(found))
    bound = float(network.bound[worst])
    try:
        given = _run(network, files, name, integers)
    except CannotRunError as obstacle:
        return Proof(len(compared), float(found[worst]), str(obstacle), bound=bound)
    if not np.array_equal(given, network.emulated(integers)):
        raise ExportError("the integers of the export differ from those of its emulation; nothing was written")
    return Proof(len(compared), float(found[worst]), bound=bound)


def _run(network: FixedNetwork, files: dict[Path, bytes], name: str, x: Integers) -> Integers:
    """Return the integers of outputs (rows, outputs) that the compiled files give for those of rows."""
    with tempfile.TemporaryDirectory(prefix="specnet-") as folder:
        for path, content in files.items():
            (Path(folder) / path.name).write_bytes(content)
        (Path(folder) / "main.c").write_text(rendered("fixed_harness.c", **_facts(network, Path(name))))
        sources = [f"{folder}/main.c", f"{folder}/{name}"]
        command = [find_compiler(), "-std=c99", "-O1", *sources, "-o", f"{folder}/run"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise ExportError(f"the file does not compile: {ended.stderr.strip()}")
        given = x.astype(network.kind).tobytes()
        written = subprocess.run([f"{folder}/run"], input=given, capture_output=True, check=False).stdout
    found: Integers = np.frombuffer(written, np.int32).reshape(-1, len(network.bound)).astype(np.int64)
    return found


def _facts(network: FixedNetwork, path: Path) -> dict[str, Any]:
    """Return the variables of the templates."""
    program, stem = network.program, identifier(path)
    word, total = f"{network.kind}_t", f"int{network.widths.sum_bits}_t"
    names = program.model.feature_names or ("",) * len(network.low)
    columns = [
        f"x[{number}]{' ' * bool(name)}{comment(name)}: from {number_text(low)} to {number_text(high)}"
        for number, (name, low, high) in enumerate(zip(names, network.low, network.high, strict=True))
    ]
    layers, source, start = [], "x", 0
    for number, layer in enumerate(network.layers):
        is_last = number == len(network.layers) - 1
        outputs, inputs = layer.weight.shape
        target = "y" if is_last else f"(workspace + {start})" if start else "workspace"
        layers.append(
            {
                **{key: "\n".join(filled(list(map(str, getattr(layer, key).ravel())), "    ")) for key in _TABLES},
                "outputs": outputs,
                "inputs": inputs,
                "source": source,
                "target": target,
                "cast": "" if is_last else f"({word})",
                "low": 0 if layer.is_relu else -layer.limit,
                "limit": layer.limit,
            }
        )
        source, start = target, start + outputs * (not is_last)
    return {
        "network": network,
        "name": program.name,
        "summary": program.summary,
        "origin": program.origin,
        "meaning": program.meaning if program.task == "values" else "the margin, before sigmoid or softmax",
        "stem": stem,
        "macro": stem.upper(),
        "header": path.with_suffix(".h").name,
        "word": word,
        "sum": total,
        "word_bytes": 1 if network.kind == "int8" else 2,
        "workspace": max(1, start),
        "columns": columns,
        "centers": list(map(number_text, network.centers)),
        "steps": list(map(number_text, network.steps)),
        "step": number_text(network.step),
        "bound": f"{float(network.bound.max()):.2g}",
        "layers": layers,
        "labels": list(map(str, program.labels or ())),
        "threshold": label_threshold(network) if program.task == "binary" else None,
        "comment": comment,
    }


_TABLES = "weight", "bias", "shift"


def label_threshold(network: FixedNetwork) -> int:
    """Return the smallest integer of the output for which the second label is predicted."""
    boundary, model = network.model.boundary, network.model
    margin = math.log(boundary / (1 - boundary)) if model.gives_probabilities else boundary
    least = margin / network.step
    return math.ceil(least) if model.decoder.includes_boundary else math.floor(least) + 1
