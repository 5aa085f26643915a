"""Whether exports of a part answer as the part does."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from specnet.errors import ExportError, MissingPackageError, UnsupportedError
from specnet.exporting import find_target
from specnet.exporting.export_proof import prove
from specnet.model import Model
from specnet.network import build
from specnet.parts.part import Part
from specnet.testing.common import unregistered
from specnet.testing.numbers import fail

TARGETS = ("numpy", "c", "javascript", "onnx")
"""Those that say any part, as long as they have its operations.

Where a compiler, Node or onnxruntime is missing the export is written and not run; without onnx that one is left out.
"""


def check_exports(subject: str, part: type[Part], layer: Mapping[str, Any], inputs: int) -> None:
    """Check that the exports of a network with this layer, of a part, agree with it.

    What a target cannot say it refuses by name, and that is no fault of the part.
    """
    layers = [dict(layer), {"type": "dense", "units": 2}]
    spec = {"network": {"dtype": "float64", "input_size": inputs, "layers": layers}, "training": {"loss": "mse"}}
    network = build(spec, parts=unregistered(part))
    model = Model(network, network.initial_parameters())
    with tempfile.TemporaryDirectory() as folder:
        for name in TARGETS:
            target = find_target(name)
            main = Path(folder) / f"part{target.suffix}"
            try:
                program = target.program(model, network.dtype)
                files = target.render(program, main)
            except (UnsupportedError, MissingPackageError):
                continue
            try:
                prove(target, program, files, main.name)
            except ExportError as error:
                fail(subject, f"its export to {name}: {error.diagnostics[0].message}")
