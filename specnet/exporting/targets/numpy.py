"""A Python file that needs NumPy alone: one function for each activation, one line for each layer."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from specnet.compiler import operations
from specnet.compiler.expressions import CALL, PRODUCT, Form, Text, number_text
from specnet.compiler.expressions import SUM as SUM_LEVEL
from specnet.data import RawColumns
from specnet.errors import ExportError
from specnet.exporting.array_functions import (
    GROUPED_HELPER,
    LOOKUP_HELPER,
    PYTHON_WORDS,
    RowWriter,
    filled,
    in_lines,
    library_forms,
    quoted,
)
from specnet.exporting.export_columns import texts_of
from specnet.exporting.export_plan import GROUPED, LINEAR, LOOKUP, NetworkPlan, Step
from specnet.exporting.expression_text import FreeNames
from specnet.exporting.model_program import ExportInterval, Program
from specnet.exporting.numpy_rows import CELL_NAMES, CSV_NAMES, Cells, csv_text
from specnet.exporting.target import CannotRunError, ExportAnswers, Target, refuse_module_name
from specnet.parts.arrays import Array

MOST_LITERALS = 2000
"""Numbers that are written into the file itself; more of them go into an .npz beside it."""

_HELPERS = {
    operations.ERF: '''
def erf(x):
    """The error function."""
    return np.vectorize(math.erf, otypes=[x.dtype])(x)
''',
    GROUPED: GROUPED_HELPER.format("np"),
    LOOKUP: LOOKUP_HELPER.format(whole="astype(np.intp)", found="table[number]"),
}
"""What NumPy does not have."""
_WORDS = PYTHON_WORDS | {"np", "math", "csv", "re", "sys", "erf"}
_RESERVED = _WORDS | {
    "X",
    "FEATURES",
    "LABELS",
    "REACH",
    "KNOTS",
    "GAPS",
    "SLOPES",
    "stored",
    "outputs",
    "predict",
    "predict_proba",
    "interval",
}
_RESERVED |= CELL_NAMES | CSV_NAMES


class NumpyTarget(Target):
    suffix = ".py"
    is_program = True
    gives_intervals = True
    takes_teams = True

    def render(self, program: Program, path: Path) -> dict[Path, bytes]:
        refuse_module_name(path, "numpy")
        writer = _NumpyWriter(program)
        stored = sum(table.numbers.size for table in program.tables) > MOST_LITERALS
        text = writer.module(path.with_suffix(".npz").name if stored else None)
        archive = {path.with_suffix(".npz"): writer.archive()} if stored else {}
        return {**archive, path: text.encode()}

    def run(self, program: Program, path: Path, rows: RawColumns) -> ExportAnswers:
        if not sys.executable:
            raise CannotRunError("no Python interpreter")
        with tempfile.TemporaryDirectory() as folder:
            np.save(f"{folder}/X.npy", rows.X)
            Path(folder, "texts.json").write_text(json.dumps(texts_of(program.columns, rows)))
            arguments = [sys.executable, "-I", "-c", _RUN, str(path), folder]  # which sees installed packages only
            ended = subprocess.run(arguments, capture_output=True, text=True, check=False)
            if ended.returncode:
                raise ExportError(f"the file fails: {ended.stderr.strip()}")
            outputs, *intervals = (np.load(path) for path in sorted(Path(folder).glob("outputs*.npy")))
            if program.task == "values":
                return ExportAnswers(outputs, None, *(each.reshape(*outputs.shape, 2) for each in intervals))
            return ExportAnswers(outputs, np.load(f"{folder}/predictions.npy"))


TARGET = NumpyTarget()

_RUN = """
import json, runpy, sys
import numpy as np
path, folder = sys.argv[1:]
module = runpy.run_path(path)
X = np.load(folder + "/X.npy")
with open(folder + "/texts.json") as file:
    texts = json.load(file)
X = X.astype(object) if texts else X
for index, column in texts.items():
    X[:, int(index)] = column
np.save(folder + "/outputs.npy", module["outputs"](X))
np.save(folder + "/predictions.npy", module["predict"](X))
if "interval" in module:
    np.save(folder + "/outputs_interval.npy", module["interval"](X))
"""


_ANSWERS = {
    "value": "outputs(X)[:, 0]",
    "values": "outputs(X)",
    "multilabel": "(outputs(X) > {boundary}).astype(np.int64)",
    "binary": "LABELS[(outputs(X)[:, 0] > {boundary}).astype(np.intp)]",
    "classes": "LABELS[outputs(X).argmax(axis=1)]",
}


class _NumpyWriter(RowWriter):
    """Writes one program."""

    name, words, forms = "numpy", _WORDS, library_forms("np", erf="erf")
    shapes = MappingProxyType(
        {
            "sum": "{{}}.sum(axis=1, keepdims=True)",
            "max": "{{}}.max(axis=1, keepdims=True)",
            "rows": "{{}}[:, {at[0]}:{at[1]}]",
            "concatenate": "np.concatenate([{all}], axis=1)",
            "repeat": "np.tile({{}}, (1, {at[0]}))",
            "each": "np.repeat({{}}, {at[0]}, axis=1)",
            "expand": "np.broadcast_to({{}}, (len({array}), {features}))",
            "cast": "{{}}.astype(np.{dtype})",
        }
    )

    def __init__(self, program: Program) -> None:
        self.cells, names = Cells(program), FreeNames(_RESERVED)
        self.stored = {table: names.new(name) for table, name in program.tables.items()}
        averaged = [model for model in program.models if model.is_averaged]
        self.networks = {model: names.new("network") for model in averaged}
        self.member = names.new("member") if averaged else ""
        self.models = [names.new(f"model_{number}") for number in range(len(program.models)) if program.is_team]
        tables = {table: f"{name}[{self.member}]" if table.has_members else name for table, name in self.stored.items()}
        super().__init__(program, names, tables)

    def form(self, step: Step, operands: Sequence[Text], array: str, dtype: np.dtype[Any]) -> Form:
        if step.operation is LINEAR and len(operands) == 2:
            return Form("{} @ {}.T", PRODUCT, (PRODUCT, CALL))
        if step.operation is LINEAR:
            return Form("{} @ {}.T + {}", SUM_LEVEL, (PRODUCT, CALL, PRODUCT))
        return super().form(step, operands, array, dtype)

    def each_member(self, model: NetworkPlan) -> tuple[str, Text]:
        head = f"for {self.member} in range({len(model.members)}):"
        return head, Text(f"{self.networks[model]}(x, {self.member})", CALL)

    def called_model(self, number: int) -> Text:
        return Text(f"{self.models[number]}(x)", CALL)

    def archive(self) -> bytes:
        """Return the tables as an .npz file."""
        content = io.BytesIO()
        named = ((name, table.numbers) for table, name in self.stored.items())
        arrays: dict[str, Any] = {name: np.ascontiguousarray(array) for name, array in named}
        np.savez(content, **arrays)
        return content.getvalue()

    def module(self, stored: str | None) -> str:
        """Return the file's text, with the tables in it unless they are `stored` in a file of that name."""
        program, cells, names = self.program, self.cells, self.program.model.feature_names
        imports = {
            "import csv": True,
            "import math": operations.ERF in program.operations,
            "import re": cells.use_patterns,
            "import sys": True,
            "from datetime import datetime, timedelta, timezone": cells.dates,
            "from pathlib import Path": stored,
        }
        about = ["The columns are those of `FEATURES`, in that order."] if names else []
        head = _HEAD.format(
            title=quoted(f"{program.name}: from {program.summary}, with NumPy alone."),
            probabilities=", `predict_proba(X)` with probabilities" * program.model.gives_probabilities,
            interval=", `interval(X)` with intervals" * (program.interval is not None),
            about="".join(f"{line}\n" for line in [*about, *cells.about]),
            origin=program.origin,
            imports="\n".join(line for line, is_used in imports.items() if is_used),
        )
        lines = [in_lines(list(map(repr, names)), "FEATURES = [", "]")] if names else []
        if program.labels is not None:
            lines.append(in_lines(list(map(repr, program.labels)), "LABELS = np.array([", "])"))
        lines += cells.constants
        if stored:
            lines += ["", f"with np.load(Path(__file__).with_name({stored!r})) as stored:"]
            lines += [f"    {name} = stored[{name!r}]" for name in self.stored.values()]
        else:
            lines += [_array_text(name, table.numbers) for table, name in self.stored.items()]
        outputs = _OUTPUTS.format(
            inputs=program.inputs,
            outputs=program.outputs,
            before=_CELLS if cells.are_taken else _NUMBERS.format(inputs=program.inputs).strip("\n"),
            inside="\n".join(f"        {line}" for line in self.lines),
        )
        pieces = [
            head.lstrip("\n") + "\n".join(lines),
            *cells.functions,
            *(text for operation, text in _HELPERS.items() if operation in program.operations),
            *self.definitions,
            *(text for number in range(len(program.models)) for text in self._model(number)),
            *(outputs, *self._answers()),
        ]
        return "\n\n\n".join(piece.strip("\n") for piece in pieces) + "\n"

    def _model(self, number: int) -> list[str]:
        """Return the function of a member of an ensemble, and that of a model of a team."""
        model, (lines, member), found = self.program.models[number], self.bodies[number], []
        if model.is_averaged:
            inside = "\n".join(f"    {line}" for line in member)
            found.append(_NETWORK.format(network=self.networks[model], member=self.member, inside=inside))
        if self.program.is_team:
            found.append(_MODEL.format(name=self.models[number], inside="\n".join(f"    {line}" for line in lines)))
        return found

    def _answers(self) -> list[str]:
        """Return the functions that answer, and what reads CSV rows."""
        program, names = self.program, repr(self.program.model.target_names or range(self.program.outputs))
        columns = ['columns = {"prediction": predict(X)}']
        if program.answer in ("values", "multilabel"):
            columns = [f'columns = {{f"prediction_{{name}}": column for name, column in zip({names}, predict(X).T)}}']
        about = f"{program.prediction} for each row of raw columns"
        pieces = [_FUNCTION.format(name="predict", about=about, before="", result=program.answered(_ANSWERS))]
        if program.interval is not None:
            pieces.append(
                _interval(program.interval).format(
                    about=f"{program.interval.meaning}, for each row",
                    shape="(rows, 2)" if program.outputs == 1 else "(rows, outputs, 2)",
                    first="[:, 0]" * (program.outputs == 1),
                )
            )
            columns.append(_ENDS[program.answer].replace("NAMES", names))
        if program.model.gives_probabilities:
            about, before, result = "the probability of each class, (rows, classes)", "", "outputs(X)"
            if program.task == "binary":
                before, result = (
                    "probability = outputs(X)\n    ",
                    "np.concatenate([1 - probability, probability], axis=1)",
                )
            pieces.append(_FUNCTION.format(name="predict_proba", about=about, before=before, result=result))
            classes = names if program.task == "multilabel" else "LABELS"
            pairs = f"zip({classes}, predict_proba(X).T)"
            columns.append(f'columns |= {{f"probability_{{name}}": column for name, column in {pairs}}}')
        return [*pieces, csv_text(self.cells, columns)]


_ENDS = {
    "value": 'columns |= zip(("lower", "upper"), interval(X).T)',
    "values": "for name, ends in zip(NAMES, interval(X).swapaxes(0, 1)):\n"
    '        columns |= zip((f"lower_{name}", f"upper_{name}"), ends.T)',
}
_HEAD = '''
"""{title}

`predict(X)` answers for raw columns (rows, columns){probabilities}{interval}; run as a program it reads
CSV rows from the file that is named, or from standard input, and prints CSV.
{about}
{origin}
"""

{imports}

import numpy as np

'''
_CELLS = "    x = numbered(X)"
_NUMBERS = """
    x = np.asarray(X, np.float64)
    if x.ndim != 2 or x.shape[1] != {inputs}:
        raise ValueError(f"X has shape {{x.shape}}; expected (rows, {inputs})")
    if not np.isfinite(x).all():
        raise ValueError("X has a number that is missing or not finite")
"""
_NETWORK = '''
def {network}(x, {member}):
    """Return the outputs of a member of the ensemble, by its number, for prepared columns."""
{inside}
'''
_MODEL = '''
def {name}(x):
    """Return what a model of the team answers for raw columns."""
{inside}
'''
_OUTPUTS = '''
def outputs(X):
    """Return the network's outputs for raw columns (rows, {inputs}): (rows, {outputs})."""
{before}
    with np.errstate(all="ignore"):
{inside}
'''
_INTERVAL = '''
{arrays}


def interval(X):
    """Return the {{about}}, {{shape}}."""
    values = outputs(X).astype(np.float64)
    reach = {reach}
    ends = np.stack([values - reach, values + reach], axis=2)
{limited}    return ends{{first}}
'''
_LIMITED = """\
    ends[:, {outputs}] = np.maximum(ends[:, {outputs}], 0)
"""
_FUNCTION = '''

def {name}(X):
    """Return {about}."""
    {before}return {result}
'''


def _interval(interval: ExportInterval) -> str:
    """Return the function that gives intervals, and its arrays."""
    arrays, reach = {"REACH": interval.reach[:, 0]}, "REACH"
    if interval.follows:
        arrays |= {"KNOTS": interval.knots[:, :-1], "GAPS": interval.gaps, "SLOPES": interval.slopes}
        reach = "REACH + (np.clip(values[:, :, np.newaxis] - KNOTS, 0, GAPS) * SLOPES).sum(axis=2)"
    return _INTERVAL.format(
        arrays="\n".join(_array_text(*each) for each in arrays.items()),
        reach=reach,
        limited=_LIMITED.format(outputs=interval.not_negative) if interval.not_negative else "",
    )


def _array_text(name: str, array: Array) -> str:
    """Return what sets a name to an array with each number exactly."""
    dtype = f"np.{array.dtype.name}"
    if array.ndim == 1:
        return in_lines(list(map(number_text, array)), f"{name} = np.array([", f"], {dtype})")
    lines = []
    for row in array.reshape(-1, array.shape[-1]):
        first, *others = filled(list(map(number_text, row)), "     ")
        lines += [f"    [{first.lstrip()}", *others]
        lines[-1] = f"{lines[-1].removesuffix(',')}],"
    shape = f".reshape{array.shape}" if array.ndim > 2 else ""
    return "\n".join([f"{name} = np.array([", *lines, f"], {dtype}){shape}"])
