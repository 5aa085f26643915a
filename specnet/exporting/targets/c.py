"""Export to C99 source and header, without heap or mutable globals; the caller provides a workspace for results.

`C` describes the language of the loops, and the templates contain the rest of the files. To compare an export with its
model, it is compiled into a program that reads rows from standard input.
"""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from specnet.compiler import Operation, operations
from specnet.compiler.expressions import (
    CALL,
    CHOICE,
    COMPARISON,
    NAME,
    OPERATORS,
    SUM,
    UNARY,
    Form,
    Text,
    c_number,
    extreme_form,
    number_literal,
)
from specnet.compiler.value import CAST
from specnet.data import RawColumns
from specnet.errors import ExportError, UnsupportedError
from specnet.exporting.array_functions import filled
from specnet.exporting.c_literals import comment, integer_literal, text_literal
from specnet.exporting.export_columns import texts_of
from specnet.exporting.export_plan import GROUPED, Step
from specnet.exporting.expression_text import ROUNDED_ONCE, TEXT_EXPANSIONS, function_forms
from specnet.exporting.file_templates import rendered
from specnet.exporting.learning.learning_loops import LEARNING_NAMES, learning_in_c
from specnet.exporting.learning.learning_proof import ROWS, TrainingSteps, steps_of_bytes
from specnet.exporting.loops.c_arrays import (
    LOCAL_NUMBERS,
    doubles_of,
    function_statements,
    interval_tables,
    table_text,
    workspace_pointer,
)
from specnet.exporting.loops.gradient_loops import GradientRoutine
from specnet.exporting.loops.language import Language, Variable
from specnet.exporting.loops.row_loops import Loops
from specnet.exporting.model_program import Program
from specnet.exporting.target import CannotRunError, ExportAnswers, Target
from specnet.exporting.text_tables import TokenVectors, folding_ranges
from specnet.parts.arrays import FLOAT64, Array

_TEXT_BUFFER = 2**16
"""The size in bytes of the buffer of texts in the program that runs an export."""
_WORD_NAMES = """
text text_table text_tables text_reader text_vector next_point folded_to with_byte with_point count_token count_tokens
read_around read_point folding expansions NOTHING SEPARATOR EXPANDED uint32_t counts reader table
"""
"""The names that the code of texts adds."""
_FUNCTION_NAMES = "forward", "predict", "interval", "gradient", "text", "start", "train", "learned"
"""The names of functions, after that of the file and an underscore."""
LONGEST_TEXT = 4095
"""The largest size in bytes of a string literal that every C99 compiler accepts."""
MAX_STACK = 16 * 1024
"""The largest size in bytes of a workspace for which there are functions that allocate it on the stack."""

_HEADERS = """
assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic stdbool
stdbit stdckdint stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype
"""
"""The names of the standard headers."""
_RESERVED = """
auto break case char const continue default do double else enum extern float for goto if inline int long register
restrict return short signed sizeof static struct switch typedef union unsigned void volatile while _Bool _Complex
_Imaginary real dense grouped x y i j k g p a b c d row sums weight bias groups inputs outputs label labels best
INFINITY NAN main acos asin atan atan2 cos sin tan acosh asinh atanh cosh sinh tanh exp exp2 expm1 frexp ilogb ldexp
log log10 log1p log2 logb modf scalbn scalbln cbrt fabs hypot pow sqrt erf erfc lgamma tgamma ceil floor nearbyint rint
lrint llrint round lround llround trunc fmod remainder remquo copysign nan nextafter nexttoward fdim fmax fmin fma j0
j1 jn y0 y1 yn gamma signgam isnan isinf isfinite isnormal signbit fpclassify abs labs llabs abort exit atexit malloc
calloc realloc free alloca printf puts putchar memcpy memset memmove memcmp strlen strcpy strcmp signal raise int32_t
int64_t INT64_C workspace gradient
"""


DENSE_VECTOR = 8
"""The number of outputs that the helper of dense layers computes in a loop of fixed length."""


class C(Language):
    """C99.

    Parameters
    ----------
    dtype : numpy.dtype
        The precision of expressions.
    kind : str
        The C type of numbers in expressions.
    real : numpy.dtype
        The precision of arrays.
    rounds_once : bool
        Whether functions such as tanh in float32 are computed in double and rounded, so that they never fall.
    """

    name = "c"
    nothing = "0"
    smallest = "-INFINITY"
    loop_head = "for (int {0} = 0; {0} < {1}; {0}++)"
    part = "{0} + {1}"
    whole = "(int){}"
    quotient = "{} / {}"
    definition = "{remark}\nstatic real {name}({parameters})\n{{\n{inside}}}\n"
    parameter = "real "
    passed_on = ", workspace"
    twice = MappingProxyType({operations.MAXIMUM: (0, 1), operations.MINIMUM: (0, 1), operations.SIGN: (0,)})

    def __init__(self, dtype: np.dtype[Any], kind: str, real: np.dtype[Any], *, rounds_once: bool = False) -> None:
        self.dtype = dtype
        self.constant, self.variable = f"const {kind} {{}} = {{}};", f"{kind} {{}} = {{}};"
        is_float = dtype == np.float32
        suffix, zero = "f" if is_float else "", self.number(0.0).code
        is_one = f"{{category}} >= 0 && {{category}} < {{categories}} && {{category}} == ({kind})(int){{category}}"
        nothing = "NAN" if is_float else f"({kind})NAN"  # NAN is a float
        self.missing = Text(nothing, NAME if is_float else UNARY)
        self.lookup = f"{is_one} ? {{table}}[{{index}}] : {nothing}"
        self.reading, self.storing = (f"({kind})", "(real)") if dtype != real else ("", "")
        forms = {
            operations.MAXIMUM: Form("{0} < {1} || {1} != {1} ? {1} : {0}", CHOICE, (SUM, SUM)),
            operations.MINIMUM: Form("{1} < {0} || {1} != {1} ? {1} : {0}", CHOICE, (SUM, SUM)),
            operations.SIGN: Form(f"({kind})(({{0}} > {zero}) - ({{0}} < {zero}))", UNARY, (NAME,)),
            CAST: Form(f"({kind}){{}}", UNARY, (CALL,)),
        }
        self.forms = OPERATORS | function_forms(f"{{}}{suffix}", absolute=f"fabs{suffix}") | forms
        if rounds_once and is_float:
            self.forms |= {each: Form(f"({kind}){each.name}((double){{}})", UNARY, (CALL,)) for each in ROUNDED_ONCE}

    def number(self, number: float) -> Text:
        return self.missing if math.isnan(number) else c_number(self.dtype.type(number))

    def remark(self, text: str) -> str:
        return f"/* {comment(text)} */"

    def form(self, step: Step) -> Form:
        """Return the form of a step; a maximum or minimum with a number has a short form that preserves NaN."""
        numbers = [index for index, operand in enumerate(step.operands) if isinstance(operand, float)]
        if step.operation in (operations.MAXIMUM, operations.MINIMUM) and numbers:
            return extreme_form(step.operation, numbers[-1])
        return super().form(step)

    def stored(self, operation: Operation, text: Text) -> Text:
        """Return a mask as a comparison: it is stored as a number, which is no condition."""
        zero = self.number(0.0).code
        return Text(f"{text.within(SUM)} != {zero}", COMPARISON) if operation.kind == "mask" else text

    def dense(self, source: Variable, target: Variable, weight: str, bias: str | None) -> list[str]:
        """Return a call of the helper, or loops of known length if there are too few outputs for its vectors."""
        inputs, outputs = source.features, target.features
        if outputs >= DENSE_VECTOR:
            return super().dense(source, target, weight, bias)
        start = Variable(bias, outputs).at(outputs) if bias else self.number(0.0)
        if inputs == 1:
            product = f"{Variable(weight, outputs).at(outputs).code} * {source.at(1).code}"
            return self.fill(target, Text(f"{start.code} + {product}" if bias else product, SUM))
        row = "j" if outputs == 1 else f"j * {outputs} + i"
        number = f"j + {source.low}" if source.low else "j"
        item = f"{source.name}[{number}]"
        added = self.loop(outputs, [f"{target.at(outputs).code} += {weight}[{row}] * {item};"])
        return [*self.fill(target, start), *self.loop(inputs, added, "j")]


class _WideC(C):
    """C99 in which all numbers are double, for the derivatives of a network in float32 or float64."""

    def __init__(self, real: np.dtype[Any]) -> None:
        super().__init__(FLOAT64, "double", FLOAT64)
        if real != FLOAT64:
            self.wide, self.widening = "wide_", "(double){}"


class CTarget(Target):
    title = "C"
    suffix = ".c"
    adds_in_order = rounds_once = True
    gives_derivatives = gives_training = True
    is_program = True
    writes_float32 = True
    gives_intervals = True
    takes_teams = True
    takes_words = True

    def with_derivatives(self, program: Program) -> Program:
        return program.with_derivatives(TEXT_EXPANSIONS, shares_float32=False)

    def render(self, program: Program, path: Path) -> dict[Path, bytes]:
        header = path.with_suffix(".h")
        _refuse(program, header.name)
        facts = _facts(program, identifier(path), header.name)
        return {header: rendered("header.h", **facts).encode(), path: rendered("source.c", **facts).encode()}

    def run(self, program: Program, path: Path, rows: RawColumns) -> ExportAnswers:
        with tempfile.TemporaryDirectory() as folder:
            compile_harness(program, path, Path(folder), find_compiler(), ("-std=c99", "-O1"))
            return run_harness(program, f"{folder}/run", rows)

    def run_training(
        self, program: Program, path: Path, rows: RawColumns, targets: Array, batches: Sequence[slice]
    ) -> TrainingSteps:
        with tempfile.TemporaryDirectory() as folder:
            compile_harness(program, path, Path(folder), find_compiler(), ("-std=c99", "-O1"))
            given = _row_bytes(program, rows) + targets.astype(program.answer_dtype).tobytes()
            command = [f"{folder}/run", *map(str, (len(rows), batches[0].stop, len(batches)))]
            return steps_of_bytes(program, _output(command, given).stdout)


TARGET = CTarget()


def find_compiler() -> str:
    """Return the name of a C compiler.

    Raises
    ------
    CannotRunError
        If there is none.
    """
    compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
    if compiler is None:
        raise CannotRunError("no C compiler (cc, gcc or clang)")
    return compiler


def refuse_header(header: str) -> None:
    """Refuse the name of a header that would hide a standard one, or that C cannot include.

    Raises
    ------
    ExportError
    """
    if header.lower().removesuffix(".h") in _HEADERS.split():
        hint = "choose another file name"
        raise ExportError(f"the header {header} of the export would hide a standard header", hint=hint)
    if not header.isprintable() or any(character in header for character in "\"'\\"):
        raise ExportError(f"{header!r} is not a valid name for a header", hint="choose another file name")


def _refuse(program: Program, header: str) -> None:
    refuse_header(header)
    texts = [("label", label) for label in program.labels or () if isinstance(label, str)]
    texts += [("category", text) for column in program.columns for text in column.codes or ()]
    for kind, text in texts:
        if len(text.encode()) > LONGEST_TEXT or "\0" in text:
            raise UnsupportedError(
                f"C does not support the {kind} {text[:40]!r}: it is too long or contains a null character"
            )


_FORWARD = "void {}(const {columns} *x, {answers} *y)"
_LABEL = """\
{{label}} for raw columns{encoding}.
   It means nothing where forward answers NaN: for columns that are not finite, and for what is no category."""
_PREDICT: Mapping[str, tuple[str, str]] = {
    "value": ("{answers} {stem}_predict(const {columns} *x)", "The value for raw columns."),
    "multilabel": ("void {stem}_predict(const {columns} *x, int *y)", "y[{macro}_OUTPUTS]: 0 or 1 for each output."),
    "integer": ("int64_t {stem}_predict(const {columns} *x)", _LABEL.format(encoding="")),
    "text": ("const char *{stem}_predict(const {columns} *x)", _LABEL.format(encoding=", UTF-8")),
}
"""The declaration and description of `predict` by kind of answer; for several values there is only `forward`."""
_TEXT = """\
Put the numbers of a text, UTF-8 that ends with a null byte, into the columns from x[column] on. It may be of any
   length. Case, accents and punctuation do not matter, and a byte that is not UTF-8 separates words. A null pointer is
   a missing cell, which is like a text without words."""


_GRADIENT = """\
Derivatives of {meaning} by raw columns, another array than x: gradient[{macro}_OUTPUTS * {macro}_INPUTS],
   for each output those by all columns, per unit of a column, and per day for dates.
   NAN for columns that are no numbers, and for missing cells. At a kink they are one-sided."""


def _functions(program: Program, stem: str) -> dict[str, tuple[str, str]]:
    """Return for each function that computes answers its declaration, without a workspace, and a description."""
    macro, kind, types = stem.upper(), answer_kind(program), number_types(program)
    meaning = f"From raw columns x[{macro}_INPUTS] to y[{macro}_OUTPUTS], another array: {program.meaning}."
    found = {"forward": (_FORWARD.format(f"{stem}_forward", **types), meaning)}
    label = "The most probable label"
    if program.model.decoder.includes_boundary:
        label = f"{program.prediction[0].upper()}{program.prediction[1:]},"
    if kind in _PREDICT:
        declaration, meaning = (text.format(stem=stem, macro=macro, label=label, **types) for text in _PREDICT[kind])
        found["predict"] = declaration, meaning
    if program.interval is not None:
        found["interval"] = (
            f"void {stem}_interval(const {types['columns']} *x, double *lower, double *upper)",
            f"{program.interval.meaning.capitalize()}, for raw columns:\n"
            f"   lower[{macro}_OUTPUTS] and upper[{macro}_OUTPUTS], other arrays than x.",
        )
    if program.has_derivatives:
        declaration = f"void {stem}_gradient(const {types['columns']} *x, double *gradient)"
        found["gradient"] = declaration, _GRADIENT.format(meaning=program.meaning, macro=macro)
    if program.words:
        declaration = f"void {stem}_text(int column, const char *text, {types['columns']} *x)"
        found["text"] = declaration, _TEXT
    return found


def _with_workspace(declaration: str, suffix: str = "_work") -> str:
    """Return the declaration of the variant of a function that takes a workspace, with a suffix in its name."""
    return declaration.replace("(", f"{suffix}(").replace(")", ", double *workspace)")


def _columns(program: Program, stem: str) -> list[str]:
    """Return a line for each column with its name, if known, and a description of its cells."""
    if not program.model.feature_names and not program.has_cells:
        return []
    indices, lines = [], []
    for number, column in zip(program.starts, program.columns, strict=False):
        meaning = column.meaning.replace("missing", "NAN")
        if column.has_words:
            meaning = f"{stem}_text({number}, text, x)"
        elif column.is_text:
            meaning = f"{stem}_code({number}, text)"
        indices.append(f"x[{number}]" + f" to x[{number + column.features - 1}]" * (column.features > 1))
        words = [comment(column.name), *([meaning] if program.has_cells else [])]
        lines.append(": ".join(filter(None, words)))
    width = max(map(len, indices))
    return [f"{index:{width}} {line}" for index, line in zip(indices, lines, strict=True)]


def _facts(program: Program, stem: str, header: str) -> dict[str, Any]:
    """Return the variables of the templates for header and source."""
    taken, functions = _RESERVED.split(), _functions(program, stem)
    reserved = [
        *taken,
        *(f"{word}f" for word in taken),
        *(_WORD_NAMES.split() if program.words else ()),
        *(LEARNING_NAMES.split() if program.learning else ()),
        f"{stem}_code",
        *(f"{stem}_{name}{end}" for name in _FUNCTION_NAMES for end in ("", "_work")),
    ]
    prepared = C(FLOAT64, "double", program.dtype)
    real = C(program.dtype, "real", program.dtype, rounds_once=program.never_falls)
    loops = Loops(program, prepared, real, reserved)
    derivatives = GradientRoutine(loops, _WideC(program.dtype)) if program.has_derivatives else None
    learning = learning_in_c(loops, program.learning) if program.learning else None
    bodies = [*loops.models, loops.body, *([derivatives] if derivatives else [])]
    lines = [line for body in bodies for line in body.lines] + (learning["lines"] if learning else [])
    called = set(re.findall(r"^ *(\w+)\(", "\n".join(lines), re.MULTILINE))
    models, inner = [], 0
    for body in loops.models:
        inside, used = function_statements(body, program.dtype)
        models.append((f"static {_restricted(_FORWARD.format(body.name, **number_types(program)), '')}", inside))
        inner = max(inner, used)
    statements, used = function_statements(loops.body, program.dtype, program.is_team)
    of_gradient, used_by_gradient = function_statements(derivatives, FLOAT64) if derivatives else ([], 0)
    of_gradient += [f"(void){name};" for name in _unread(derivatives)] if derivatives else []
    answered, answers = _answered(program, stem)
    of_texts = [table for index in program.words for table in program.columns[index].tables]
    counting = max((_doubles_of_text(table) for table in of_texts), default=0)
    workspace = max(1, used + inner + answers * (len(functions) > 1), counting, used_by_gradient)  # no empty arrays
    workspace = max(workspace, learning["workspace"] if learning else 0)
    labels = [text_literal(each) if isinstance(each, str) else integer_literal(each) for each in program.labels or ()]
    tables = _tables(program, loops)
    is_float, kinds = program.dtype == np.float32, (("", "real"), ("wide_", "double"))
    return {
        "program": program,
        "interval": program.interval,
        "stem": stem,
        "macro": stem.upper(),
        "header": header,
        "real": "float" if is_float else "double",
        "other": "double" if is_float else "float",
        "has_integer_labels": answer_kind(program) == "integer",
        "workspace": workspace,
        "fits_stack": workspace * FLOAT64.itemsize <= MAX_STACK,
        "columns": _columns(program, stem),
        "cell": number_types(program)["columns"],
        "answers": number_types(program)["answers"],
        "functions": functions,
        "tables": [
            table_text(numbers, name, "real" if numbers.dtype == program.dtype else "double", has_members)
            for name, (numbers, has_members) in tables.items()
        ],
        "number_bytes": sum(numbers.nbytes for numbers, _ in tables.values()) + (learning["bytes"] if learning else 0),
        "vector": DENSE_VECTOR,
        "dense": [(wide, kind) for wide, kind in kinds if f"{wide}dense" in called],
        "grouped": [(wide, kind) for wide, kind in kinds if f"{wide}grouped" in called],
        "activations": [function.rstrip("\n") for function in loops.functions],
        **(_codes(program) if program.texts else {}),
        **(_texts(program) if program.words else {}),
        "models": models,
        "statements": statements,
        "of_gradient": of_gradient,
        "learning": learning,
        "helpers": called,
        "answered": answered,
        "labels": labels,
        "boundary": number_literal(program.dtype.type(program.model.boundary)),
        "interval_tables": interval_tables(program),
        "comment": comment,
        "with_workspace": _with_workspace,
        "restricted": _restricted,
        "call_of": _call_of,
    }


def _unread(derivatives: GradientRoutine) -> list[str]:
    """Return the arrays of columns that are not read, since derivatives of a linear network depend on no column."""
    text = "\n".join(derivatives.lines)
    filled = derivatives.columns != "x" and len(re.findall(rf"\b{derivatives.columns}\b", text)) == 1
    return [derivatives.columns] * filled + ["x"] * (not re.search(r"\bx\b", text))


def _tables(program: Program, loops: Loops) -> dict[str, tuple[Array, bool]]:
    """Return for each table its numbers and whether they have an axis of members, by name.

    Those of preprocessing and of derivatives alone are double, but for the weights of groups in the preprocessing.
    """
    around = [stage for model in program.networks for stage in (model.prepare, model.finish)]
    weights = {step.operands[1] for stage in around for step in stage.steps if step.operation is GROUPED}
    doubles = {table for stage in around for table in stage.tables} - weights
    doubles |= loops.tables.keys() - {
        table for model in program.networks for stage in model.stages for table in stage.tables
    }
    return {
        name: (loops.numbers(table).astype(FLOAT64 if table in doubles else program.dtype), table.has_members)
        for table, name in loops.tables.items()
    }


def _restricted(declaration: str, suffix: str = "_work") -> str:
    """Return the declaration with a workspace for the source; headers omit `restrict`, which C++ lacks."""
    return re.sub(r"(real|double) \*", r"\1 *restrict ", _with_workspace(declaration, suffix))


def _call_of(declaration: str) -> str:
    """Return the C statement that calls the `_work` variant of a declared function, and returns its result if any."""
    called = re.findall(r"(\w+)(?=[(,)])", declaration)
    returned = "" if declaration.startswith("void ") else "return "
    return f"{returned}{called[0]}_work({', '.join([*called[1:], 'workspace'])})"


def _codes(program: Program) -> dict[str, list[Any]]:
    """Return all texts with codes, the index of each column's first text, and each column's code of a missing cell."""
    starts, missing, found = [0], [], list[str]()
    for column in program.columns:
        codes = column.codes or {}
        found += [text_literal(text) for text in codes if text]  # in byte order, as strcmp compares
        starts += [len(found)] * column.features
        missing += [codes.get("", 0)] * column.features
    return {"texts": found or ["0"], "starts": starts, "missing": missing}


def _doubles_of_text(table: TokenVectors) -> int:
    """Return the workspace of a text in doubles: its numbers, and the counts of all tokens."""
    return table.size + doubles_of(len(table.arrays()["hashes"]), np.dtype(np.uint32))


def _texts(program: Program) -> dict[str, Any]:
    """Return the variables of the template that makes vectors of texts."""
    special, ranges, expansions = {"nothing": "NOTHING", "separator": "SEPARATOR"}, [], list[str]()
    for first, last, step, what in folding_ranges():
        to = special.get(what, what)
        if " " in to:
            to = f"EXPANDED + {len(expansions)}"
            expansions += [*what.split(), "0"]
        ranges.append(f"{{{first}, {last}, {step}, {to}}}")
    arrays, rows, longest = {}, [], 1
    for index in program.words:
        start = program.starts[index]
        for number, table in enumerate(program.columns[index].tables):
            name, found = f"text_{index}_{number}", table.arrays()
            kinds = {"hashes": "uint32_t", "idf": "double", "means": "double", "vectors": "float"}
            arrays[name] = [_text_table(f"{name}_{key}", found[key], kind) for key, kind in kinds.items()]
            sizes = [program.starts[index], start, table.size, table.words, len(found["hashes"]), int(table.pairs)]
            pointers = [f"{name}_{key}" for key in kinds]
            rows.append(f"{{{', '.join(map(str, [*sizes, *table.lengths, *pointers]))}}}")
            start, longest = start + table.size, max(longest, table.lengths[1])
    return {
        "folding": filled(ranges, ""),
        "expansions": filled(expansions, ""),
        "text_arrays": arrays,
        "text_rows": rows,
        "longest": longest,
    }


def _text_table(name: str, array: Array, kind: str) -> str:
    """Return the definition of a table of tokens; C has no empty arrays."""
    literal = "{}u".format if kind == "uint32_t" else number_literal
    numbers = list(map(literal, array.reshape(-1))) or ["0"]
    return "\n".join([f"static const {kind} {name}[] = {{", *filled(numbers, "    "), "};"])


def _answered(program: Program, stem: str) -> tuple[list[str], int]:
    """Return the C statements that store the outputs of `forward` in an array `p`, and its size in the workspace.

    The size is in doubles; 0 if `p` is a local array.
    """
    kind, doubles, rest = number_types(program)["answers"], 0, "workspace"
    outputs = f"{kind} p[{stem.upper()}_OUTPUTS];"
    if program.outputs > LOCAL_NUMBERS:
        doubles = doubles_of(program.outputs, program.answer_dtype)
        outputs, rest = f"{kind} *p = {workspace_pointer(0, program.answer_dtype)};", f"workspace + {doubles}"
    return [outputs, f"{stem}_forward_work(x, p, {rest});"], doubles


def identifier(path: Path) -> str:
    """Return the prefix of the names that a file defines: the file's stem as a valid C identifier."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", path.stem).lstrip("_")
    return name if name[:1].isalpha() else f"network_{name}".rstrip("_")


def answer_kind(program: Program) -> str:
    """Return the kind of result of `predict`: that of the program's answer, or the type of labels, integer or text."""
    if program.labels is None:
        return program.answer
    return "text" if isinstance(program.labels[0], str) else "integer"


def number_types(program: Program) -> dict[str, str]:
    """Return the C types of raw columns and of answers, as `columns` and `answers`."""
    wide = {"columns": program.columns_are_wide, "answers": program.answers_are_wide}
    return {name: "double" if is_wide else "real" for name, is_wide in wide.items()}


def compile_harness(program: Program, path: Path, folder: Path, compiler: str, flags: Sequence[str]) -> None:
    """Compile an export into a program, ``run``, that writes the answers for rows from standard input.

    Raises
    ------
    ExportError
        If compilation fails.
    """
    stem = identifier(path)
    main = rendered(
        "harness.c",
        program=program,
        kind=answer_kind(program),
        header=path.with_suffix(".h").name,
        stem=stem,
        macro=stem.upper(),
        kinds="".join("w" if column.has_words else "t" if column.is_text else "n" for column in program.columns),
        text_buffer=_TEXT_BUFFER,
        learning_rows=ROWS,
        **number_types(program),
    )
    (folder / "main.c").write_text(main)
    sources = [str(folder / "main.c"), str(path)]
    command = [compiler, *flags, "-iquote", str(path.parent), *sources, "-o", str(folder / "run"), "-lm"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise ExportError(f"the file does not compile: {ended.stderr.strip()}")


def run_harness(program: Program, executable: str, rows: RawColumns) -> ExportAnswers:
    """Run a compiled export on rows, and return its answers."""
    ended = _output([executable], _row_bytes(program, rows))
    kind, size = answer_kind(program), (program.outputs,)
    ends = [("ends", np.float64, (2, *size))] if program.interval else []
    ends += [("gradient", np.float64, (*size, program.starts[-1]))] if program.has_derivatives else []
    answered = np.frombuffer(ended.stdout, [("outputs", program.answer_dtype, size), *ends])
    outputs = answered["outputs"]
    derivatives = answered["gradient"][:, :, program.starts[:-1]] if program.has_derivatives else None
    if kind in ("value", "values"):
        intervals = np.moveaxis(answered["ends"], 1, 2) if program.interval else None
        return ExportAnswers(outputs, None, intervals, derivatives)
    predictions = np.array(ended.stderr.decode().split("\0")[:-1])
    if kind == "text":
        return ExportAnswers(outputs, predictions, derivatives=derivatives)
    shape = (len(rows), program.outputs) if kind == "multilabel" else (len(rows),)
    return ExportAnswers(outputs, predictions.astype(np.int64).reshape(shape), derivatives=derivatives)


def _output(command: Sequence[str], given: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run a compiled export, and return what it writes."""
    ended = subprocess.run(command, input=given, capture_output=True, check=False)
    if ended.returncode:
        raise ExportError(f"the program fails with status {ended.returncode}: {ended.stderr[-2000:].decode()}")
    return ended


def _row_bytes(program: Program, rows: RawColumns) -> bytes:
    """Return rows as bytes for the compiled program: numbers, and zero-terminated texts."""
    if not program.texts and not program.words:
        return rows.X.astype(program.column_dtype).tobytes()
    texts, numbers = texts_of(program.columns, rows), rows.X.astype(program.column_dtype)
    return b"".join(
        texts[column][row].encode() + b"\0" if column in texts else numbers[row, column].tobytes()
        for row in range(len(rows))
        for column in range(program.inputs)
    )
