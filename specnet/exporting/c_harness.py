"""A program around a C export that answers rows, with which the export is proved."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from specnet.errors import ExportError
from specnet.exporting.program import Program
from specnet.exporting.target import Answers
from specnet.parts.arrays import Array

AnswerKind = Literal["value", "values", "multilabel", "integer", "text"]

_PREDICTIONS = {
    "value": "(void){stem}_predict(x);",
    "values": "",
    "multilabel": "int z[{macro}_OUTPUTS];\n        {stem}_predict(x, z);\n"
    '        for (int i = 0; i < {macro}_OUTPUTS; i++) fprintf(stderr, "%d%c", z[i], 0);',
    "integer": 'fprintf(stderr, "%lld%c", (long long){stem}_predict(x), 0);',
    "text": "const char *z = {stem}_predict(x);\n        fwrite(z, 1, strlen(z) + 1, stderr);",
}
_HARNESS = """
#include <stdio.h>
#include <string.h>
#include "{header}"

int main(void)
{{
    real x[{macro}_INPUTS], y[{macro}_OUTPUTS];
    while (fread(x, sizeof(real), {macro}_INPUTS, stdin) == {macro}_INPUTS) {{
        {stem}_forward(x, y);
        fwrite(y, sizeof(real), {macro}_OUTPUTS, stdout);
        {predict}
    }}
    return 0;
}}
"""


def identifier(path: Path) -> str:
    """Return how names begin that a file defines: as the file's does, but with no sign that C keeps for itself."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", path.stem).lstrip("_")
    return name if name[:1].isalpha() else f"network_{name}".rstrip("_")


def answer_kind(program: Program) -> AnswerKind:
    """Return what `predict` gives: an integer or text label, a value, or several."""
    if program.task == "values":
        return "value" if program.outputs == 1 else "values"
    if program.task == "multilabel":
        return "multilabel"
    assert program.labels is not None
    return "text" if isinstance(program.labels[0], str) else "integer"


def compile_harness(program: Program, path: Path, folder: Path, compiler: str, flags: Sequence[str]) -> None:
    """Compile an export with a program around it, ``run``, that answers rows from standard input.

    Raises
    ------
    ExportError
        If it does not compile.
    """
    stem = identifier(path)
    predict = _PREDICTIONS[answer_kind(program)].format(stem=stem, macro=stem.upper())
    main = _HARNESS.format(header=path.with_suffix(".h").name, stem=stem, macro=stem.upper(), predict=predict)
    (folder / "main.c").write_text(main)
    sources = [str(folder / "main.c"), str(path)]
    command = [compiler, *flags, "-iquote", str(path.parent), *sources, "-o", str(folder / "run"), "-lm"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise ExportError(f"the file does not compile: {ended.stderr.strip()}")


def run_harness(program: Program, executable: str, X: Array) -> Answers:
    """Return what a compiled export answers."""
    ended = subprocess.run([executable], input=X.astype(program.dtype).tobytes(), capture_output=True, check=False)
    if ended.returncode:
        raise ExportError(f"the program fails with status {ended.returncode}: {ended.stderr[-2000:].decode()}")
    outputs = np.frombuffer(ended.stdout, program.dtype).reshape(len(X), program.outputs)
    kind = answer_kind(program)
    if kind in ("value", "values"):
        return Answers(outputs, None)
    predictions = np.array(ended.stderr.decode().split("\0")[:-1])
    if kind == "text":
        return Answers(outputs, predictions)
    shape = (len(X), program.outputs) if kind == "multilabel" else (len(X),)
    return Answers(outputs, predictions.astype(np.int64).reshape(shape))
