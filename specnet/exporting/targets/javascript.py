"""Export to an ES module without dependencies, and a file with its types."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from specnet.compiler import operations
from specnet.compiler.expressions import COMPARISON, NAME, OPERATORS, UNARY, Form, Forms, Text, number_text
from specnet.compiler.value import CAST
from specnet.data import Preparation, RawColumns, StepGroup
from specnet.errors import ExportError, UnsupportedError
from specnet.exporting.export_columns import texts_of
from specnet.exporting.export_plan import GROUPED, LINEAR, Constants
from specnet.exporting.expression_text import function_forms
from specnet.exporting.file_templates import rendered
from specnet.exporting.learning.learning_loops import LEARNING_NAMES, LearnedRoutine, TrainingRoutine
from specnet.exporting.learning.learning_plan import LearningPlan
from specnet.exporting.learning.learning_proof import TrainingSteps
from specnet.exporting.loops.gradient_loops import GradientRoutine
from specnet.exporting.loops.language import Language
from specnet.exporting.loops.row_loops import Loops
from specnet.exporting.model_program import Program
from specnet.exporting.target import CannotRunError, ExportAnswers, Target
from specnet.exporting.text_tables import TokenVectors
from specnet.model import Model, TrainedNetwork
from specnet.parts.arrays import Array
from specnet.parts.preprocessing import TextVectors
from specnet.parts.preprocessing.folding import folding_lines

LARGEST_INTEGER = 2**53
"""The largest integer up to which JavaScript represents all integers exactly."""
MAX_BITS = 24
"""The number of bits of a float32's fraction: smaller integers times a power of two are exact."""
STEP_BITS = 4
"""The number of binary digits of a step."""
FEW_BITS = 10
"""The minimum number of bits of rounded arrays that are small, such as biases."""

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
DIGITS = bytes(code for code in range(ord("#"), ord("~") + 1) if code != ord("\\"))
"""The 91 characters of packed numbers, none of which has another meaning in a string of a script."""
CHARACTER_BITS = 6.5
"""The number of bits in a character: 2^13 < 91^2."""

_RESERVED = """
abstract arguments await boolean break byte case catch char class const continue debugger default delete do double else
enum eval export extends false final finally float for function goto if implements import in instanceof int interface
let long native new null package private protected public return short static super switch synchronized this throw
throws transient true try typeof undefined var void volatile while with yield Math Number Infinity NaN Float64Array
Float32Array RangeError Array inputs outputs features labels forward predict dense grouped erf x y i j g row sum weight
bias groups best gradient k codes numbered cells cell missing interval reach numbers packed pauseAt
pause unpack decode fill ready answered performance setTimeout Uint8Array Blob Response DecompressionStream Promise
"""
_WORD_NAMES = """
folding tables texts encoder hashOf countToken vectorOf remembered isMissing numberOf TextEncoder Map String parseInt
"""
"""The names that the code of texts adds."""
_LEARNING_NAMES = f"{LEARNING_NAMES} hasBias bias answers weights targets learner numbered"
"""The names that the code of training adds."""


class _JavaScript(Language):
    name = "javascript"
    indent = "  "
    nothing = "null"
    smallest = "-Infinity"
    constant = "const {} = {};"
    variable = "let {} = {};"
    loop_head = "for (let {0} = 0; {0} < {1}; {0}++)"
    part = "{0}.subarray({1}, {2})"
    lookup = "Number.isInteger({category}) ? {table}[{index}] : NaN"  # beyond the table: undefined, stored as NaN
    quotient = "Math.floor({} / {})"
    definition = "{remark}\nfunction {name}({parameters}) {{\n{inside}}}\n"
    forms = FORMS

    def number(self, number: float) -> Text:
        text = number_text(number).replace("inf", "Infinity").replace("nan", "NaN")
        return Text(text, UNARY if text[0] == "-" else NAME)

    def remark(self, text: str) -> str:
        return f"// {text}"


class JavaScriptTarget(Target):
    adds_in_order = True
    title = "JavaScript"
    suffix = ".js"
    is_program = True
    gives_intervals = True
    gives_derivatives = gives_training = True
    takes_teams = True
    takes_words = True
    other_suffixes = (".mjs",)

    def render(self, program: Program, path: Path) -> dict[Path, bytes]:
        for label in program.labels or ():
            if isinstance(label, int) and abs(label) > LARGEST_INTEGER:
                raise UnsupportedError(f"JavaScript does not support the label {label}: integers end at 2^53")
        types = path.with_suffix(".d.mts" if path.suffix == ".mjs" else ".d.ts")
        types_text = rendered("types.d.ts", **_facts(program))
        return {types: types_text.encode(), path: _module(program).encode()}

    def run(self, program: Program, path: Path, rows: RawColumns) -> ExportAnswers:
        texts = texts_of(program.columns, rows)
        ended = _output_of_node(_RUN, path, texts, program.inputs, rows.X.astype("<f8").tobytes())
        shape, count = (len(rows), program.outputs), len(rows) * program.outputs
        stops = np.cumsum([count, 2 * count * (program.interval is not None)]).tolist()
        outputs, ends, found = np.split(np.frombuffer(ended.stdout, "<f8"), stops)
        outputs, derivatives = outputs.reshape(shape), found.reshape(*shape, -1) if program.has_derivatives else None
        if program.task == "values":
            intervals = ends.reshape(*shape, 2) if program.interval else None
            return ExportAnswers(outputs, None, intervals, derivatives)
        nothing = [0] * program.outputs if program.labels is None else program.labels[0]
        predictions = [nothing if prediction is None else prediction for prediction in json.loads(ended.stderr)]
        return ExportAnswers(outputs, np.array(predictions), derivatives=derivatives)

    def run_training(
        self, program: Program, path: Path, rows: RawColumns, targets: Array, batches: Sequence[slice]
    ) -> TrainingSteps:
        assert program.learning is not None, "the program has a training step"
        texts = texts_of(program.columns, rows)
        given = {"targets": targets.tolist(), "batches": [[each.start or 0, each.stop] for each in batches]}
        given["texts"] = {index: list(column) for index, column in texts.items()}
        written = _output_of_node(_TRAIN, path, given, program.inputs, rows.X.astype("<f8").tobytes()).stdout
        sizes = np.cumsum([1, program.learning.size]).tolist()
        losses, weights, gradients = np.split(np.frombuffer(written, "<f8").reshape(len(batches), -1), sizes, axis=1)
        return TrainingSteps(losses[:, 0], weights, gradients)


TARGET = JavaScriptTarget()


def _output_of_node(
    script: str, path: Path, facts: Any, columns: int, numbers: bytes
) -> subprocess.CompletedProcess[bytes]:
    """Run a script on a module, given facts in JSON, the number of columns and the numbers of all rows."""
    node = shutil.which("node")
    if node is None:
        raise CannotRunError("no node")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "export.mjs").write_bytes(path.read_bytes())
        (Path(folder) / "facts.json").write_text(json.dumps(facts))
        (Path(folder) / "run.mjs").write_text(script)
        command = [node, f"{folder}/run.mjs", f"{folder}/facts.json", str(columns)]
        ended = subprocess.run(command, input=numbers, capture_output=True, check=False)
    if ended.returncode:
        raise ExportError(f"the module fails: {ended.stderr.decode().strip()}")
    return ended


_RUN = """
import { readFileSync, writeFileSync } from "node:fs";
import * as network from "./export.mjs";
const { forward, predict } = network;
const texts = Object.entries(JSON.parse(readFileSync(process.argv[2])));
const columns = Number(process.argv[3]);
const bytes = readFileSync(0);
const numbers = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
const outputs = [], predictions = [], ends = [], derivatives = [];
for (let start = 0; start < numbers.length; start += columns) {
  let x = numbers.subarray(start, start + columns);
  if (texts.length) x = Array.from(x);
  for (const [index, column] of texts) x[index] = column[start / columns];
  outputs.push(...forward(x));
  predictions.push(forward(x).some(Number.isNaN) ? null : predict(x));
  if (network.interval) ends.push(...network.interval(x).flat());
  if (network.gradient) for (const each of network.gradient(x)) derivatives.push(...each);
}
writeFileSync(1, Buffer.from(Float64Array.from([...outputs, ...ends, ...derivatives]).buffer));
writeFileSync(2, JSON.stringify(predictions));
"""

_TRAIN = """
import { readFileSync, writeFileSync } from "node:fs";
import { learner, targets } from "./export.mjs";
const { batches, targets: answers, texts } = JSON.parse(readFileSync(process.argv[2]));
const columns = Number(process.argv[3]);
const bytes = readFileSync(0);
const numbers = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
const rows = answers.map((_, row) => {
  const x = Array.from(numbers.subarray(row * columns, (row + 1) * columns));
  for (const [index, column] of Object.entries(texts)) x[index] = column[row];
  return x;
});
const y = targets === 1 ? answers.flat() : answers;
const learns = learner(), found = [];
for (const [low, high] of batches) {
  found.push(learns.train(rows.slice(low, high), y.slice(low, high)), ...learns.weights, ...learns.gradient);
}
writeFileSync(1, Buffer.from(Float64Array.from(found).buffer));
"""


def _facts(program: Program) -> dict[str, Any]:
    """Return the variables that both templates use."""
    return {
        "program": program,
        "interval": program.interval,
        "features": list(map(_literal, program.model.feature_names or ())),
        "labels": list(map(_literal, program.labels or ())),
        "capital": _capital,
        "printable": _printable,
    }


class _JavaScriptOfPage(_JavaScript):
    after_member = "answered.push(Array.from(y));"
    single = "Math.fround({})"


def inlined(model: Model, level: float | None = None) -> str:
    """Return the statements of a model's module for use within a page: without exports, and with compressed numbers.

    Functions can be called when the promise ``ready`` is fulfilled. If the model has several networks, ``forward``
    appends the answer of each to the array ``answered``. Arrays of multiples of a step, as those of a model
    by `shortened`, take about as many bits as their entropy.

    Parameters
    ----------
    model : Model
    level : float, optional
        Level of intervals, as for `specnet.exporting.export`.

    Raises
    ------
    ExportError
        As `specnet.exporting.export` does.
    """
    program, packed = TARGET.program(model, model.network.dtype).with_interval(level), _Packed()
    module = _module(program, _JavaScriptOfPage(), packed.written).replace("\nexport ", "\n")
    return f"{rendered('packed.js')}{module}{packed.unpacking()}"


def shortened(model: Model, bits: float, vector_bits: int) -> Model:
    """Return a copy of a model whose parameters, and tables of texts, are rounded, for shorter code by `inlined`.

    Each array is rounded to multiples of a step of few binary digits, so that they are exact, and no number is cut off.
    A number takes about ``bits + 2`` bits if the array is normally distributed: its entropy is log2(√(2πe) · deviation
    / step).

    Parameters
    ----------
    model : Model
    bits : float
        The root mean square of a matrix is about 2^bits steps. Other arrays, which are small, have at least `FEW_BITS`.
    vector_bits : int
        The same for vectors of words.
    """

    def rounded(array: Array, bits: float) -> Array:
        size = float(np.sqrt(np.square(array, dtype=np.float64).mean())) if array.size else 0.0
        fraction, power = math.frexp(size / 2**bits or 1.0)
        step = math.ldexp(round(fraction * 2**STEP_BITS), power - STEP_BITS)
        return np.asarray(np.rint(array / step) * step, array.dtype)

    def with_vectors(group: StepGroup) -> StepGroup:
        step = group.steps[0] if group.steps else None
        if not isinstance(step, TextVectors):
            return group
        first, *others = group.fitted
        vectors = rounded(np.asarray(first["vectors"]), vector_bits)
        idf = rounded(np.asarray(first["idf"]), max(bits, FEW_BITS))
        return replace(group, fitted=({**first, "vectors": vectors, "idf": idf}, *others))

    def with_parameters(each: TrainedNetwork) -> Array:
        theta = each.theta.copy()
        for member in theta.reshape(-1, each.network.parameter_count):
            for array in each.network.parameters(member).values():
                array[...] = rounded(array, bits if array.ndim > 1 else max(bits, FEW_BITS))
        return theta

    networks = [
        TrainedNetwork(
            each.network,
            with_parameters(each),
            each.state,
            Preparation(tuple(map(with_vectors, each.preprocessing.groups))),
            each.target_preprocessing,
            each.labels,
            each.error_quantiles,
        )
        for each in model.networks
    ]
    return Model.of(networks, model.shares, model.error_quantiles)


def _module(
    program: Program, language: _JavaScript | None = None, written: Callable[[Array], str] | None = None
) -> str:
    """Return the module; `written` converts arrays to code, by default to lists of numbers."""
    language, operators = language or _JavaScript(), program.operations
    names = _RESERVED.split() + (_WORD_NAMES.split() if program.words else [])
    names += _LEARNING_NAMES.split() if program.learning else []
    loops = Loops(program, language, language, names)
    derivatives = [GradientRoutine(loops, language)] if program.has_derivatives else []
    learning = _learning(loops, program.learning) if program.learning else None
    codes = {
        index: ", ".join(f"[{_literal(text)}, {code}]" for text, code in column.codes.items())
        for index, column in enumerate(program.columns)
        if column.codes is not None
    }
    return rendered(
        "module.js",
        **_facts(program),
        codes=codes,
        **_texts(program, written or _listed),
        folding=folding_lines() if program.words else (),
        tables={name: _table(loops, table, written or _listed) for table, name in loops.tables.items()},
        arrays=[
            array
            for body in (*loops.models, loops.body, *derivatives, *(learning["routines"] if learning else ()))
            for array in body.sizes.items()
        ],
        learning=learning,
        helpers=set(re.findall(r"^ *(\w+)\(", "\n".join(learning["lines"] if learning else ()), re.MULTILINE)),
        has_dense=LINEAR in operators,
        has_grouped=GROUPED in operators,
        has_erf=operations.ERF in operators,
        functions=[function.rstrip("\n") for function in loops.functions],
        models=loops.models,
        lines=loops.body.lines,
        of_gradient=[line for each in derivatives for line in each.lines],
        prediction=program.answered(_ANSWERS, lambda number: repr(float(number))),
        ends=_ends(program),
    )


def _learning(loops: Loops, learning: LearningPlan) -> dict[str, Any]:
    """Return the variables of the template for training."""
    training = TrainingRoutine(loops, learning, "{} ** {}", "{}")
    learned = LearnedRoutine(loops, learning)
    return {
        "plan": learning,
        "routines": (training, learned),
        "tables": {name: _listed(array) for name, array in training.tables.items()},
        "states": training.states,
        "initial": _listed(learning.initial),
        "trained": _listed(learning.trained.theta),
        "row": training.lines,
        "after": training.after,
        "answer": learned.lines,
        "lines": [*training.lines, *training.after, *learned.lines],
    }


def _texts(program: Program, written: Callable[[Array], str]) -> dict[str, Any]:
    """Return the different tables of texts as code, and the names of those of each column by its index.

    Networks of a team often have equal ones.
    """
    distinct: list[TokenVectors] = []
    found: dict[int, list[str]] = {}
    for index in program.words:
        for table in program.columns[index].tables:
            if table not in distinct:
                distinct.append(table)
            found.setdefault(index, []).append(f"tables[{distinct.index(table)}]")

    def coded(table: TokenVectors) -> dict[str, Any]:
        shortest, longest = table.lengths
        arrays = {key: [written(array)] for key, array in table.arrays().items()}
        sizes = {"words": table.words, "shortest": shortest, "longest": longest}
        return {**sizes, "has_pairs": str(table.pairs).lower(), **arrays}

    return {"text_tables": [*map(coded, distinct)], "text_columns": found}


def _ends(program: Program) -> str:
    """Return the expression of the ends of intervals; empty if there are no intervals."""
    interval, ends = program.interval, []
    for i in range(program.outputs if interval else 0):
        assert interval is not None
        reach = number_text(interval.reach[i, 0])
        if interval.follows:
            reach = f"reach(y[{i}], {_numbers(interval.reach[i])}, {_numbers(interval.knots[i])})"
        pair = [f"y[{i}] - {reach}", f"y[{i}] + {reach}"]
        ends.append(f"[{', '.join(f'Math.max({end}, 0)' if i in interval.not_negative else end for end in pair)}]")
    return ends[0] if len(ends) == 1 else f"[{', '.join(ends)}]"


def _numbers(array: Array) -> str:
    return f"[{', '.join(map(number_text, array))}]"


_ANSWERS = {
    "value": "forward(x)[0]",
    "values": "forward(x)",
    "multilabel": "Array.from(y, (p) => Number(p {above}))",
    "binary": "labels[Number(y[{last}] {above})]",
    "classes": "labels[y.reduce((best, p, i) => (p > y[best] ? i : best), 0)]",
}


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _literal(value: int | str) -> str:
    """Return a number or a text as a literal, with escapes for unprintable characters."""
    return _printable(json.dumps(value, ensure_ascii=False))


def _printable(text: str) -> str:
    """Return a text with escapes for unprintable characters, such as Unicode line separators."""
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def _table(loops: Loops, table: Constants, written: Callable[[Array], str]) -> str:
    """Return the code of a table, or of a list with the tables of all ensemble members."""
    numbers = loops.numbers(table)
    if not table.has_members:
        return written(numbers)
    members = "".join(f"  {written(member)},\n" for member in numbers)
    return f"[\n{members}]"


class _Packed:
    """The numbers of a page: little-endian, as on all machines that run browsers, in few characters of its script.

    A number has as many bytes as the largest of its array needs: a multiple of a step, as those of a model by
    `shortened`, often one. The first bytes of all numbers of an array are followed by all second ones, and so on, since
    Huffman's code for bytes of one kind is shorter: about the entropy of rounded weights, and a seventh less than 32
    bits for others.
    """

    def __init__(self) -> None:
        self._bytes: list[bytes] = []
        self._size = 0

    def written(self, array: Array) -> str:
        """Return the code of a typed array whose numbers are packed with all others."""
        kind, found, start = _kind(array), _multiples(array), self._size
        codes, step = found or (array.reshape(-1).astype(array.dtype.newbyteorder("<")), None)
        width = codes.itemsize if step is None else max(1, -(-int(codes.max()).bit_length() // 8))
        places = codes.view(np.uint8).reshape(len(codes), codes.itemsize)[:, :width]
        self._bytes.append(places.T.tobytes())
        self._size += places.size
        if step is None:
            return f"numbers({kind}, {len(codes)}, {start}, {width})"
        return f"numbers(Float32Array, {len(codes)}, {start}, {width}, {step!r})"

    def unpacking(self) -> str:
        """Return the statement that fills in the numbers of all arrays."""
        # Of repetitions only those of one byte: others are chance in weights, and take longer to find than to write.
        deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
        content = deflate.compress(b"".join(self._bytes)) + deflate.flush()
        bits, size = np.unpackbits(np.frombuffer(content, np.uint8)), round(2 * CHARACTER_BITS)
        groups = np.pad(bits, (0, -len(bits) % size)).reshape(-1, size)
        pairs = divmod(np.packbits(np.pad(groups, ((0, 0), (16 - size, 0)))).view(">u2"), len(DIGITS))
        text = np.frombuffer(DIGITS, np.uint8)[np.stack(pairs, axis=1)].tobytes().decode()
        return f'\nconst ready = unpack("{text}", {len(content)});\n'


def _multiples(array: Array) -> tuple[Array, float] | None:
    """Return codes of an array of multiples of a step, and the largest step; None if they would not be smaller.

    The code of a number n is 2n or -2n - 1, as it is positive or negative.
    """
    if array.dtype.kind != "f" or not array.size:
        return None
    with np.errstate(over="ignore"):
        single = array.reshape(-1).astype(np.float32)
    if not (np.isfinite(single).all() and single.any() and (single == array.reshape(-1)).all()):
        return None
    fractions, powers = np.frexp(single.astype(np.float64))
    whole = np.ldexp(fractions, MAX_BITS).astype(np.int64)
    # The lowest bit of a number is the step of which it is a multiple.
    steps = powers - MAX_BITS + np.frexp((whole & -whole).astype(np.float64))[1] - 1
    power = int(steps[whole != 0].min())
    if np.max(powers[whole != 0]) - power > MAX_BITS:
        return None
    numbers = np.ldexp(fractions, powers - power).astype(np.int64)
    common = int(np.gcd.reduce(numbers))
    numbers //= common
    return np.where(numbers < 0, -2 * numbers - 1, 2 * numbers).astype("<u4"), math.ldexp(common, power)


def _kind(array: Array) -> str:
    return {"float32": "Float32Array", "uint32": "Uint32Array"}.get(array.dtype.name, "Float64Array")


def _listed(array: Array) -> str:
    """Return the code of a typed array of the array's precision; reading it as a double changes no value."""
    rows = array.reshape(-1, max(1, array.shape[-1]))
    write = str if array.dtype.kind == "u" else number_text
    numbers = ",\n  ".join(", ".join(map(write, row)) for row in rows)
    text = numbers.replace("inf", "Infinity").replace("nan", "NaN")
    return f"new {_kind(array)}([\n  {text},\n])"
