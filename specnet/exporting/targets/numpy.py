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

from specnet.compiler.expressions import CALL, PRODUCT, Form, Text
from specnet.compiler.expressions import SUM as SUM_LEVEL
from specnet.compiler.literals import number_text
from specnet.compiler.operations import functions, pieces, reductions
from specnet.compiler.value import CAST, EXPAND, SUM
from specnet.data import RawColumns
from specnet.errors import ExportError
from specnet.exporting.export_columns import texts_of
from specnet.exporting.formula import GROUPED, LINEAR, LOOKUP, Step
from specnet.exporting.formula_text import Names, python_number
from specnet.exporting.libraries.array_functions import Library, RowWriter, filled, in_lines, quoted
from specnet.exporting.libraries.numpy_cells import (
    CELL_NAMES,
    about_cells,
    cells_constants,
    cells_imports,
    cells_texts,
    takes_cells,
)
from specnet.exporting.libraries.numpy_csv import CSV_NAMES, csv_text, uses_patterns
from specnet.exporting.model_program import Program
from specnet.exporting.libraries.array_functions import (
    EACH,
    GROUPED_HELPER,
    LOOKUP_HELPER,
    PYTHON_WORDS,
    Library,
    RowWriter,
    filled,
    in_lines,
    library_forms,
    quoted,
)
from specnet.exporting.target import Answers, CannotRunError, Target, refuse_module_name
from specnet.exporting.formula_text import Names
from specnet.parts.arrays import Array

MOST_LITERALS = 2000
"""Numbers that are written into the file itself; more of them go into an .npz beside it."""

_HELPERS = {
    functions.ERF: '''
def erf(x):
    """The error function."""
    return np.vectorize(math.erf, otypes=[x.dtype])(x)
''',
    GROUPED: GROUPED_HELPER.format("np"),
    LOOKUP: LOOKUP_HELPER.format(whole="astype(np.intp)", found="table[number]"),
}
"""What NumPy does not have."""
_WORDS = PYTHON_WORDS | {"np", "math", "csv", "re", "sys", "erf"}
_RESERVED = _WORDS | {"X", "FEATURES", "LABELS", "stored", "outputs", "predict", "predict_proba"}
_RESERVED |= CELL_NAMES | CSV_NAMES


class NumpyTarget(Target):
    suffix = ".py"
    is_program = True

    def render(self, program: Program, path: Path) -> dict[Path, bytes]:
        refuse_module_name(path, "numpy")
        writer = _Writer(program)
        stored = sum(program.numbers(table).size for table in program.tables) > MOST_LITERALS
        text = writer.module(path.with_suffix(".npz").name if stored else None)
        archive = {path.with_suffix(".npz"): writer.archive()} if stored else {}
        return {**archive, path: text.encode()}

    def run(self, program: Program, path: Path, rows: RawColumns) -> Answers:
        if not sys.executable:
            raise CannotRunError("no Python interpreter")
        with tempfile.TemporaryDirectory() as folder:
            np.save(f"{folder}/X.npy", rows.X)
            Path(folder, "texts.json").write_text(json.dumps(texts_of(program.columns, rows)))
            arguments = [sys.executable, "-I", "-c", _RUN, str(path), folder]  # which sees installed packages only
            ended = subprocess.run(arguments, capture_output=True, text=True, check=False)
            if ended.returncode:
                raise ExportError(f"the file fails: {ended.stderr.strip()}")
            outputs = np.load(f"{folder}/outputs.npy")
            return Answers(outputs, None if program.task == "values" else np.load(f"{folder}/predictions.npy"))


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
for place, column in texts.items():
    X[:, int(place)] = column
np.save(folder + "/outputs.npy", module["outputs"](X))
np.save(folder + "/predictions.npy", module["predict"](X))
"""


class _NumPy(Library):
    """NumPy; `network` and `member` are names in the file of an ensemble, of a function and of what it is given."""

    name, words, forms = "numpy", _WORDS, library_forms("np", erf="erf")
    shapes = MappingProxyType(
        {
            SUM: "{{}}.sum(axis=1, keepdims=True)",
            reductions.MAX: "{{}}.max(axis=1, keepdims=True)",
            pieces.ROWS: "{{}}[:, {at[0]}:{at[1]}]",
            pieces.CONCATENATE: "np.concatenate([{all}], axis=1)",
            pieces.REPEAT: "np.tile({{}}, (1, {at[0]}))",
            EACH: "np.repeat({{}}, {at[0]}, axis=1)",
            EXPAND: "np.broadcast_to({{}}, (len({array}), {features}))",
            CAST: "{{}}.astype(np.{dtype})",
        }
    )

    def __init__(self, network: str, member: str) -> None:
        self.network, self.member = network, member

    def form(self, step: Step, operands: Sequence[Text], array: str, dtype: np.dtype[Any]) -> Form:
        if step.operation is LINEAR and len(operands) == 2:
            return Form("{} @ {}.T", PRODUCT, (PRODUCT, CALL))
        if step.operation is LINEAR:
            return Form("{} @ {}.T + {}", SUM_LEVEL, (PRODUCT, CALL, PRODUCT))
        return super().form(step, operands, array, dtype)

    def each_member(self, count: int) -> tuple[str, Text]:
        return f"for {self.member} in range({count}):", Text(f"{self.network}(x, {self.member})", CALL)


class _Writer:
    """Writes one program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        names = Names(_RESERVED)
        self.tables = {table: names.new(table.name) for table in program.tables}
        network, member = (names.new(wish) if program.is_averaged else "" for wish in ("network", "member"))
        references = {
            table: f"{name}[{member}]" if program.has_members(table) else name for table, name in self.tables.items()
        }
        self.library = _NumPy(network, member)
        self.rows = RowWriter(program, self.library, names, references)

    def archive(self) -> bytes:
        """Return the tables as an .npz file."""
        content = io.BytesIO()
        arrays: dict[str, Any] = {
            name: np.ascontiguousarray(self.program.numbers(table)) for table, name in self.tables.items()
        }
        np.savez(content, **arrays)
        return content.getvalue()

    def module(self, stored: str | None) -> str:
        """Return the file's text, with the tables in it unless they are `stored` in a file of that name."""
        program = self.program
        probabilities = ", `predict_proba(X)` with probabilities" if program.model.gives_probabilities else ""
        imports = ["import csv", "import math", "import re", "import sys", "from pathlib import Path"]
        unused = {"import math": functions.ERF not in program.operations, "from pathlib import Path": not stored}
        unused["import re"] = not uses_patterns(program)
        names = program.model.feature_names
        lines = [
            '"""' + quoted(f"{program.name}: from {program.summary}, with NumPy alone."),
            "",
            f"`predict(X)` answers for raw columns (rows, columns){probabilities}; run as a program it reads",
            "CSV rows from the file that is named, or from standard input, and prints CSV.",
            *(["The columns are those of `FEATURES`, in that order."] if names else []),
            *about_cells(program),
            "",
            f"Written by specnet from the spec with SHA-256 {program.model.spec.sha256}.",
            '"""',
            "",
            *(line for line in imports[:-1] if not unused.get(line)),
            *cells_imports(program),
            *(line for line in imports[-1:] if not unused.get(line)),
            "",
            "import numpy as np",
            "",
        ]
        lines += [in_lines(list(map(repr, names)), "FEATURES = [", "]")] if names else []
        if program.labels is not None:
            lines.append(in_lines(list(map(repr, program.labels)), "LABELS = np.array([", "])"))
        lines += cells_constants(program)
        if stored:
            lines += ["", f"with np.load(Path(__file__).with_name({stored!r})) as stored:"]
            lines += [f"    {name} = stored[{name!r}]" for name in self.tables.values()]
        else:
            lines += [_array_text(name, program.numbers(table)) for table, name in self.tables.items()]
        helpers = (text for operation, text in _HELPERS.items() if operation in program.operations)
        inside = "\n".join(f"        {line}" for line in self.rows.lines)
        cells = _NUMBERS.format(inputs=program.inputs)
        before = "    x = numbered(X)" if takes_cells(program) else cells.strip("\n")
        outputs = _OUTPUTS.format(inputs=program.inputs, outputs=program.outputs, before=before, inside=inside)
        networks = [self._network()] if program.is_averaged else []
        pieces = ["\n".join(lines), *cells_texts(program), *helpers, *self.rows.definitions, *networks, outputs]
        pieces += self._answers()
        return "\n\n\n".join(piece.strip("\n") for piece in pieces) + "\n"

    def _network(self) -> str:
        """Return the function of a member of an ensemble."""
        names = self.library
        inside = "\n".join(f"    {line}" for line in self.rows.member)
        return _NETWORK.format(network=names.network, member=names.member, inside=inside)

    def _answers(self) -> list[str]:
        """Return the functions that answer, and what reads CSV rows."""
        program, above = self.program, f"> {self.program.model.boundary}"
        several = 'columns = {f"prediction_{name}": column for name, column in enumerate(predict(X).T)}'
        classes = "LABELS"
        columns = ['columns = {"prediction": predict(X)}']
        probabilities = "outputs(X)"
        match program.task:
            case "values" if program.outputs == 1:
                said, result = "the value", "outputs(X)[:, 0]"
            case "values":
                said, result, columns = "the values", "outputs(X)", [several]
            case "multilabel":
                said, result = "0 or 1 for each output", f"(outputs(X) {above}).astype(np.int64)"
                columns, classes = [several], f"range({program.outputs})"
            case "binary":
                said, result = "the more probable label", f"LABELS[(outputs(X)[:, 0] {above}).astype(np.intp)]"
                probabilities = "np.concatenate([1 - probability, probability], axis=1)"
            case "classes":
                said, result = "the most probable label", "LABELS[outputs(X).argmax(axis=1)]"
        said = f"{said} for each row of raw columns"
        pieces = [_FUNCTION.format(name="predict", said=said, before="", result=result)]
        if program.model.gives_probabilities:
            said = "the probability of each class, (rows, classes)"
            before = "probability = outputs(X)\n    " if program.task == "binary" else ""
            pieces.append(_FUNCTION.format(name="predict_proba", said=said, before=before, result=probabilities))
            pairs = f"zip({classes}, predict_proba(X).T)"
            columns.append(f'columns |= {{f"probability_{{name}}": column for name, column in {pairs}}}')
        return [*pieces, csv_text(program, columns)]


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
_OUTPUTS = '''
def outputs(X):
    """Return the network's outputs for raw columns (rows, {inputs}): (rows, {outputs})."""
{before}
    with np.errstate(all="ignore"):
{inside}
'''
_FUNCTION = '''

def {name}(X):
    """Return {said}."""
    {before}return {result}
'''


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
