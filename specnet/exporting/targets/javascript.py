"""An ES module without dependencies, and its types."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from specnet.compiler import Operation, operations
from specnet.compiler.expressions import COMPARISON, NAME, OPERATORS, SIGN, Form, Forms, Text, number_text
from specnet.compiler.value import CAST
from specnet.data import RawColumns
from specnet.errors import ExportError, UnsupportedError
from specnet.exporting.export_columns import texts_of
from specnet.exporting.export_plan import GROUPED, LINEAR, Constants
from specnet.exporting.expression_text import function_forms
from specnet.exporting.language import Language
from specnet.exporting.model_program import Program
from specnet.exporting.row_loops import Loops, Routine
from specnet.exporting.target import CannotRunError, ExportAnswers, Target
from specnet.model import Model
from specnet.parts.arrays import Array

LARGEST_INTEGER = 2**53
"""Up to here a JavaScript number tells each integer from the next."""

FORMS: Forms = (
    OPERATORS
    | function_forms("Math.{}", erf="erf")
    | {
        CAST: Form("Number({})"),
        operations.MAXIMUM: Form("Math.max({}, {})"),
        operations.MINIMUM: Form("Math.min({}, {})"),
        operations.EQUAL: Form("{} === {}", COMPARISON, (COMPARISON + 1, COMPARISON + 1)),
    }
)
_RESERVED = """
abstract arguments await boolean break byte case catch char class const continue debugger default delete do double else
enum eval export extends false final finally float for function goto if implements import in instanceof int interface
let long native new null package private protected public return short static super switch synchronized this throw
throws transient true try typeof undefined var void volatile while with yield Math Number Infinity NaN Float64Array
Float32Array RangeError Array inputs outputs features labels forward predict dense grouped erf x y i j g row sum weight
bias groups best codes numbered cells cell missing interval reach decoded
"""


class _JavaScript(Language):
    name = "javascript"
    indent = "  "
    nothing = "null"
    smallest = "-Infinity"
    constant = "const {} = {};"
    variable = "let {} = {};"
    loop_head = "for (let {0} = 0; {0} < {1}; {0}++)"
    part = "{0}.subarray({1}, {2})"
    lookup = "Number.isInteger({category}) ? {table}[{index}] : NaN"  # beyond it undefined, which in arrays is NaN too
    quotient = "Math.floor({} / {})"
    definition = "{remark}\nfunction {name}({parameters}) {{\n{inside}}}\n"
    forms = FORMS

    def number(self, number: float) -> Text:
        text = number_text(number).replace("inf", "Infinity").replace("nan", "NaN")
        return Text(text, SIGN if text[0] == "-" else NAME)

    def remark(self, text: str) -> str:
        return f"// {text}"


class JavaScriptTarget(Target):
    suffix = ".js"
    is_program = True
    gives_intervals = True
    takes_teams = True
    other_suffixes = (".mjs",)

    def render(self, program: Program, path: Path) -> dict[Path, bytes]:
        for label in program.labels or ():
            if isinstance(label, int) and abs(label) > LARGEST_INTEGER:
                raise UnsupportedError(f"JavaScript does not support the label {label}: integers end at 2^53")
        types = path.with_suffix(".d.mts" if path.suffix == ".mjs" else ".d.ts")
        return {types: _types(program).encode(), path: _module(program).encode()}

    def run(self, program: Program, path: Path, rows: RawColumns) -> ExportAnswers:
        node = shutil.which("node")
        if node is None:
            raise CannotRunError("no node")
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "export.mjs").write_bytes(path.read_bytes())
            (Path(folder) / "texts.json").write_text(json.dumps(texts_of(program.columns, rows)))
            (Path(folder) / "run.mjs").write_text(_RUN)
            command = [node, f"{folder}/run.mjs", f"{folder}/texts.json", str(program.inputs)]
            ended = subprocess.run(command, input=rows.X.astype("<f8").tobytes(), capture_output=True, check=False)
        if ended.returncode:
            raise ExportError(f"the module fails: {ended.stderr.decode().strip()}")
        outputs, *ends = np.split(np.frombuffer(ended.stdout, "<f8"), [len(rows) * program.outputs])
        outputs = outputs.reshape(len(rows), program.outputs)
        if program.task == "values":
            return ExportAnswers(outputs, None, ends[0].reshape(*outputs.shape, 2) if program.interval else None)
        nothing = [0] * program.outputs if program.labels is None else program.labels[0]
        predictions = [nothing if prediction is None else prediction for prediction in json.loads(ended.stderr)]
        return ExportAnswers(outputs, np.array(predictions))


TARGET = JavaScriptTarget()

_RUN = """
import { readFileSync, writeFileSync } from "node:fs";
import * as network from "./export.mjs";
const { forward, predict } = network;
const texts = Object.entries(JSON.parse(readFileSync(process.argv[2])));
const columns = Number(process.argv[3]);
const bytes = readFileSync(0);
const numbers = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
const outputs = [], predictions = [], ends = [];
for (let start = 0; start < numbers.length; start += columns) {
  let x = numbers.subarray(start, start + columns);
  if (texts.length) x = Array.from(x);
  for (const [index, column] of texts) x[index] = column[start / columns];
  outputs.push(...forward(x));
  predictions.push(forward(x).some(Number.isNaN) ? null : predict(x));
  if (network.interval) ends.push(...network.interval(x).flat());
}
writeFileSync(1, Buffer.from(Float64Array.from([...outputs, ...ends]).buffer));
writeFileSync(2, JSON.stringify(predictions));
"""


def _types(program: Program) -> str:
    kinds = [_literal(label) for label in program.labels or ()]
    match program.task:
        case "values":
            predict, about = "number" if program.outputs == 1 else "Float64Array", _capital(program.meaning)
        case "multilabel":
            predict, about = "(0 | 1)[]", "0 or 1 for each output"
        case _:
            predict, about = " | ".join(kinds), "The most probable label"
    refusal = "" if program.task == "values" else "; a RangeError if forward returns NaN"
    constants = [
        ("The number of raw columns", "inputs", str(program.inputs)),
        ("The number of outputs", "outputs", str(program.outputs)),
    ]
    if program.model.feature_names:
        names = ", ".join(map(_literal, program.model.feature_names))
        constants.append(("The name of each raw column", "features", f"readonly [{names}]"))
    if kinds:
        constants.append(("The label of each class", "labels", f"readonly [{', '.join(kinds)}]"))
    cells = "number" + " | string" * bool(program.texts) + " | null | undefined" * program.has_cells
    declarations = "".join(f"/** {about}. */\nexport const {name}: {kind};\n" for about, name, kind in constants)
    return f"""\
{_head(program)}
{declarations}/** {_capital(program.meaning)}, for raw columns. */
export function forward(x: ArrayLike<{cells}>): Float64Array;
/** {about}, for raw columns{refusal}. */
export function predict(x: ArrayLike<{cells}>): {predict};
{_interval_type(program, cells)}"""


def _interval_type(program: Program, cells: str) -> str:
    if program.interval is None:
        return ""
    kind = "[number, number]" + "[]" * (program.outputs > 1)
    about = f"{_capital(program.interval.meaning)}, for raw columns"
    return f"/** {about}. */\nexport function interval(x: ArrayLike<{cells}>): {kind};\n"


def _head(program: Program) -> str:
    return f"""\
// {_printable(program.name)}: from {program.summary}.
//
{_about_cells(program)}// {program.origin}
"""


def _about_cells(program: Program) -> str:
    """Return the lines that say what each cell of a row is, where these are more than numbers."""
    if not program.has_cells:
        return ""
    columns = [f"{_printable(column.name)}: {column.meaning}".removeprefix(": ") for column in program.columns]
    lines = ["The cells of a row:", *(f"  {index}  {text}" for index, text in enumerate(columns))]
    lines += ["null, undefined, NaN and an empty text say that a cell is missing."]
    if program.texts:
        lines += ["Texts are compared as they are, space around them included; those without a code are all alike."]
    return "".join(f"// {line}\n" for line in [*lines, ""]).replace("// \n", "//\n")


def inlined(model: Model, level: float | None = None) -> str:
    """Return the statements of a model's module, as a page has them: nothing is exported, and numbers are base64.

    They are those of little-endian machines, which all browsers are made for.

    Parameters
    ----------
    model : Model
    level : float, optional
        Of intervals, as for `specnet.exporting.export`.

    Raises
    ------
    ExportError
        As `specnet.exporting.export` does.
    """
    program = TARGET.program(model, model.network.dtype).with_interval(level)
    return _DECODED + _module(program, _base64).replace("\nexport ", "\n")


def _module(program: Program, written: Callable[[Array], str] | None = None) -> str:
    """Return the module, with arrays as `written` writes them; by default as lists of numbers."""
    language = _JavaScript()
    loops = Loops(program, language, language, _RESERVED.split())
    tables = "".join(
        f"const {name} = {_table(loops, table, written or _listed)};\n" for table, name in loops.tables.items()
    )
    arrays = [array for body in (*loops.models, loops.body) for array in body.sizes.items()]
    scratch = "".join(f"const {name} = new Float64Array({size});\n" for name, size in arrays)
    scratch = f"\n// What layers leave for the next ones; every call writes it anew.\n{scratch}" if scratch else ""
    helpers = "".join(text for operation, text in HELPERS.items() if operation in program.operations)
    functions = "".join(f"\n{function}" for function in [*loops.functions, *map(_model, loops.models)])
    features, labels = (
        f"export const {name} = [{', '.join(map(_literal, values))}];\n" if values else ""
        for name, values in (("features", program.model.feature_names), ("labels", program.labels))
    )
    row, cells = ("cells", "  const x = numbered(cells);\n") if program.has_cells else ("x", "")
    return f"""\
{_head(program)}
export const inputs = {program.inputs};
export const outputs = {program.outputs};
{features}{labels}
{_codes(program)}{tables}{scratch}{helpers}{functions}
/** {_capital(program.meaning)}, for raw columns. */
export function forward({row}) {{
  if ({row}.length !== inputs) throw new RangeError(`x has ${{{row}.length}} columns; expected ${{inputs}}`);
  const y = new Float64Array(outputs);
{cells}{_inside(loops.body)}  return y;
}}
{_predict(program)}{_interval(program)}"""


def _model(body: Routine) -> str:
    """Return the function of one model of a team."""
    return f"function {body.name}(x, y) {{\n{_inside(body)}}}\n"


def _inside(body: Routine) -> str:
    return "".join(f"  {line}\n" for line in body.lines)


def _codes(program: Program) -> str:
    """Return the table of codes and the function that makes numbers of cells, where these are more than that."""
    if not program.has_cells:
        return ""
    lines = []
    for index, column in enumerate(program.columns):
        if column.codes is not None:
            pairs = ", ".join(f"[{_literal(text)}, {code}]" for text, code in column.codes.items())
            lines.append(f"  {index}: new Map([{pairs}]),\n")
    return _CELLS.format(codes="".join(["\n", *lines]) if lines else "")


def _predict(program: Program) -> str:
    before = "" if program.task == "values" else _REFUSAL
    return _FUNCTION.format(about=_capital(program.prediction), before=before, result=program.answered(_ANSWERS))


def _interval(program: Program) -> str:
    interval = program.interval
    if interval is None:
        return ""
    ends = []
    for i in range(program.outputs):
        reach = number_text(interval.reach[i, 0])
        if interval.follows:
            reach = f"reach(y[{i}], {_numbers(interval.reach[i])}, {_numbers(interval.knots[i])})"
        pair = [f"y[{i}] - {reach}", f"y[{i}] + {reach}"]
        ends.append(f"[{', '.join(f'Math.max({end}, 0)' if i in interval.not_negative else end for end in pair)}]")
    result = ends[0] if program.outputs == 1 else f"[{', '.join(ends)}]"
    about = _capital(interval.meaning)
    return _REACH * interval.follows + _INTERVAL.format(about=about, result=result)


def _numbers(array: Array) -> str:
    return f"[{', '.join(map(number_text, array))}]"


_REACH = """
function reach(y, at, knots) {
  let k = 1;
  while (k < knots.length - 1 && y > knots[k]) k++;
  const part = Math.min(Math.max((y - knots[k - 1]) / (knots[k] - knots[k - 1]), 0), 1);
  return at[k - 1] + part * (at[k] - at[k - 1]);
}
"""
_INTERVAL = """
/** {about}, for raw columns. */
export function interval(x) {{
  const y = forward(x);
  return {result};
}}
"""
_ANSWERS = {
    "value": "forward(x)[0]",
    "values": "forward(x)",
    "multilabel": "Array.from(y, (p) => Number(p > {boundary}))",
    "binary": "labels[Number(y[0] > {boundary})]",
    "classes": "labels[y.reduce((best, p, i) => (p > y[best] ? i : best), 0)]",
}
_FUNCTION = """
/** {about}, for raw columns. */
export function predict(x) {{
{before}  return {result};
}}
"""
_REFUSAL = """\
  const y = forward(x);
  if (y.some(Number.isNaN)) throw new RangeError("x has a column that is not finite or not a category");
"""
_CELLS = """\
// For each column of texts, by its place, their codes; a missing cell has that of an empty text, all others 0.
const codes = {{{codes}}};

// Cells as numbers: codes in place of texts, and NaN where a number is missing.
function numbered(cells) {{
  return Float64Array.from(cells, (cell, i) => {{
    const missing = cell === null || cell === undefined || cell === "" || Number.isNaN(cell);
    if (codes[i]) return codes[i].get(missing ? "" : String(cell)) ?? 0;
    if (missing) return NaN;
    if (!Number.isFinite(typeof cell === "boolean" ? Number(cell) : cell)) {{
      throw new RangeError(`x[${{i}}] is not a finite number`);
    }}
    return cell;
  }});
}}

"""
_DECODED = """\
const decoded = (Kind, text) => new Kind(Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)).buffer);
"""


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _literal(value: int | str) -> str:
    """Return a number, or a text with escapes for characters that cannot be seen."""
    return _printable(json.dumps(value, ensure_ascii=False))


def _printable(text: str) -> str:
    """Return a text with escapes for what cannot be seen, such as other ends of lines than a line feed."""
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def _table(loops: Loops, table: Constants, written: Callable[[Array], str]) -> str:
    """Return a table, or a list of the tables of an ensemble's members."""
    numbers = loops.numbers(table)
    if not table.has_members:
        return written(numbers)
    members = "".join(f"  {written(member)},\n" for member in numbers)
    return f"[\n{members}]"


def _base64(array: Array) -> str:
    """Return a typed array as the base64 of its bytes."""
    content = b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode()
    return f'decoded({_kind(array)}, "{content}")'


def _kind(array: Array) -> str:
    return "Float32Array" if array.dtype == np.float32 else "Float64Array"


def _listed(array: Array) -> str:
    """Return a typed array of an array's own precision: a double made of it has the same value."""
    rows = array.reshape(-1, array.shape[-1])
    numbers = ",\n  ".join(", ".join(map(number_text, row)) for row in rows)
    text = numbers.replace("inf", "Infinity").replace("nan", "NaN")
    return f"new {_kind(array)}([\n  {text},\n])"


_DENSE = """
// y = bias + weight times x; a weight's row belongs to an input.
function dense(inputs, outputs, weight, bias, x, y) {
  for (let j = 0; j < outputs; j++) y[j] = bias ? bias[j] : 0;
  for (let i = 0, row = 0; i < inputs; i++, row += outputs) {
    for (let j = 0; j < outputs; j++) y[j] += weight[row + j] * x[i];
  }
}
"""
_ERF = """
// The error function: a series of positive terms near 0, elsewhere the continued fraction of its complement
// (Abramowitz and Stegun 7.1.6 and 7.1.14), each to 1e-15. The square of the high part of x is exact, so that
// exp(-x * x) does not grow its rounding.
function erf(x) {
  const size = Math.abs(x), high = Math.fround(size);
  if (size > 6 || x !== x) return x !== x ? x : Math.sign(x);
  const bell = Math.exp(-high * high) * Math.exp((high - size) * (high + size));
  let rest = 0;
  if (size < 2) {
    for (let k = 44; k > 0; k--) rest = ((1 + rest) * (2 * x * x)) / (2 * k + 1);
    const slope = (2 / Math.sqrt(Math.PI)) * x * bell;
    return slope + slope * rest;
  }
  for (let k = 60; k > 0; k--) rest = k / 2 / (size + rest);
  return Math.sign(x) * (1 - bell / (Math.sqrt(Math.PI) * (size + rest)));
}
"""
_GROUPED = """
// y = weight times x for each of some groups, whose numbers take turns.
function grouped(groups, inputs, outputs, weight, x, y) {
  for (let j = 0; j < outputs; j++) {
    for (let g = 0; g < groups; g++) {
      let sum = 0;
      for (let i = 0; i < inputs; i++) sum += weight[(j * inputs + i) * groups + g] * x[i * groups + g];
      y[j * groups + g] = sum;
    }
  }
}
"""
HELPERS: Mapping[Operation, str] = {LINEAR: _DENSE, GROUPED: _GROUPED, operations.ERF: _ERF}
"""By the operation that calls for it."""
