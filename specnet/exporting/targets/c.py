"""C99 source and header: no heap, no globals that change, scratch on the stack."""

from __future__ import annotations

import shutil
import string
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.compiler import operations as op
from specnet.compiler.value import CAST
from specnet.exporting.formula import GROUPED, LINEAR, Step
from specnet.exporting.language import Language, Place
from specnet.exporting.loops import Loops
from specnet.exporting.program import Program
from specnet.exporting.target import REMARK, Answers, CannotRunError, ExportError, Target
from specnet.exporting.text import (
    ARITHMETIC,
    CALL,
    CHOICE,
    COMPARISON,
    NAME,
    SIGN,
    Form,
    Forms,
    Names,
    Text,
    number_text,
)

Array = NDArray[Any]

LONGEST_LABEL = 4095
"""Bytes of a text that every C99 compiler takes."""
_PLAIN = frozenset(string.ascii_letters + string.digits + " _.-")
FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror")

_FUNCTIONS = {
    op.EXP: "exp",
    op.EXPM1: "expm1",
    op.LOG: "log",
    op.LOG1P: "log1p",
    op.SQRT: "sqrt",
    op.SIN: "sin",
    op.COS: "cos",
    op.TANH: "tanh",
    op.ERF: "erf",
    op.ABSOLUTE: "fabs",
}
_RESERVED = """
auto break case char const continue default do double else enum extern float for goto if inline int long register
restrict return short signed sizeof static struct switch typedef union unsigned void volatile while _Bool _Complex
_Imaginary real dense grouped x y i j g p row sums weight bias groups inputs outputs label labels best INFINITY NAN main
acos asin atan atan2 cos sin tan acosh asinh atanh cosh sinh tanh exp exp2 expm1 frexp ilogb ldexp log log10 log1p log2
logb modf scalbn scalbln cbrt fabs hypot pow sqrt erf erfc lgamma tgamma ceil floor nearbyint rint lrint llrint round
lround llround trunc fmod remainder remquo copysign nan nextafter nexttoward fdim fmax fmin fma j0 j1 jn y0 y1 yn gamma
signgam isnan isinf isfinite isnormal signbit fpclassify
"""


class _C(Language):
    name = "c"
    twice = MappingProxyType({op.MAXIMUM: (0, 1), op.MINIMUM: (0, 1), op.SIGN: (0,)})

    def __init__(self, dtype: np.dtype[Any], kind: str) -> None:
        super().__init__(dtype)
        self.kind = kind
        self.is_float = dtype == np.float32

    @property
    def forms(self) -> Forms:
        suffix = "f" if self.is_float else ""
        zero = self.number(0.0).code
        return (
            ARITHMETIC
            | {operation: Form(f"{function}{suffix}({{}})") for operation, function in _FUNCTIONS.items()}
            | {
                op.MAXIMUM: Form("{0} < {1} || {1} != {1} ? {1} : {0}", CHOICE, (NAME, NAME)),
                op.MINIMUM: Form("{1} < {0} || {1} != {1} ? {1} : {0}", CHOICE, (NAME, NAME)),
                op.WHERE: Form("{} ? {} : {}", CHOICE, (COMPARISON, COMPARISON, CHOICE)),
                op.SIGN: Form(f"({self.kind})(({{0}} > {zero}) - ({{0}} < {zero}))", SIGN, (NAME,)),
                CAST: Form(f"({self.kind}){{}}", SIGN, (CALL,)),
            }
        )

    def form(self, step: Step, forms: Forms) -> Form:
        """Return the short form of a maximum or minimum with a number: what is no number then stays so."""
        if step.operation in (op.MAXIMUM, op.MINIMUM) and any(isinstance(x, float) for x in step.operands):
            sign = "<" if step.operation is op.MAXIMUM else ">"
            first, second = ("{0}", "{1}") if isinstance(step.operands[1], float) else ("{1}", "{0}")
            return Form(f"{first} {sign} {second} ? {second} : {first}", CHOICE, (NAME, NAME))
        return forms[step.operation]

    def number(self, number: float) -> Text:
        text = _number(np.float32(number) if self.is_float else number)
        return Text(text, SIGN if text[0] == "-" else NAME)

    def constant(self, name: str, code: str) -> str:
        return f"const {self.kind} {name} = {code};"

    def variable(self, name: str, code: str) -> str:
        return f"{self.kind} {name} = {code};"

    def loop(self, count: int) -> str:
        return f"for (int i = 0; i < {count}; i++)"

    def function(self, name: str, parameters: Sequence[str], body: Sequence[str], summary: str) -> str:
        *lines, result = body
        head = f"static real {name}({', '.join(f'real {parameter}' for parameter in parameters)})"
        inside = "".join(f"    {line}\n" for line in [*lines, f"return {result};"])
        return f"/* {_comment(summary)} */\n{head}\n{{\n{inside}}}\n"

    def part(self, place: Place) -> str:
        return f"{place.name} + {place.low}"

    def lookup(self, table: str, place: str, category: str, categories: int) -> str:
        return f"{category} >= 0 && {category} < {categories} ? {table}[{place}] : NAN"

    def whole(self, number: str) -> str:
        return f"(int){number}"

    def quotient(self, dividend: str, divisor: int) -> str:
        return f"{dividend} / {divisor}"

    @property
    def smallest(self) -> str:
        return "-INFINITY"


class CTarget(Target):
    suffix = ".c"
    is_program = True
    writes_float32 = True

    def render(self, program: Program, path: Path) -> dict[Path, bytes]:
        _refuse(program)
        stem = Names().new(path.stem)
        header = path.with_suffix(".h")
        return {
            header: _header(program, stem).encode(),
            path: _source(program, stem, header.name).encode(),
        }

    def run(self, program: Program, path: Path, X: Array) -> Answers:
        compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
        if compiler is None:
            raise CannotRunError("no C compiler (cc, gcc or clang)")
        with tempfile.TemporaryDirectory() as folder:
            executable = f"{folder}/run"
            compile_harness(program, path, Path(folder), compiler, (*FLAGS, "-O1"))
            return run_harness(program, executable, X)


TARGET = CTarget()


def compile_harness(program: Program, path: Path, folder: Path, compiler: str, flags: Sequence[str]) -> None:
    """Compile an export with a program around it, ``run``, that answers rows from standard input.

    Raises
    ------
    ExportError
        If it does not compile.
    """
    stem = Names().new(path.stem)
    predict = _PREDICTIONS[_answer_kind(program)].format(stem=stem, macro=stem.upper())
    main = _HARNESS.format(header=path.with_suffix(".h").name, stem=stem, macro=stem.upper(), predict=predict)
    (folder / "main.c").write_text(main)
    sources = [str(folder / "main.c"), str(path)]
    command = [compiler, *flags, f"-I{path.parent}", *sources, "-o", str(folder / "run"), "-lm"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise ExportError(f"the file does not compile: {ended.stderr.strip()}")


def run_harness(program: Program, executable: str, X: Array) -> Answers:
    """Return what a compiled export answers."""
    ended = subprocess.run([executable], input=X.astype(program.dtype).tobytes(), capture_output=True, check=False)
    if ended.returncode:
        raise ExportError(f"the program fails with status {ended.returncode}: {ended.stderr[-2000:].decode()}")
    outputs = np.frombuffer(ended.stdout, program.dtype).reshape(len(X), program.outputs)
    kind = _answer_kind(program)
    if kind in ("value", "values"):
        return Answers(outputs, None)
    predictions = np.array(ended.stderr.decode().split("\0")[:-1])
    if kind == "text":
        return Answers(outputs, predictions)
    shape = (len(X), program.outputs) if kind == "multilabel" else (len(X),)
    return Answers(outputs, predictions.astype(np.int64).reshape(shape))


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


def _answer_kind(program: Program) -> str:
    """Return what `predict` gives: an integer or text label, a value, or several."""
    if program.task == "values":
        return "value" if program.outputs == 1 else "values"
    if program.task == "multilabel":
        return "multilabel"
    assert program.labels is not None
    return "text" if isinstance(program.labels[0], str) else "integer"


def _refuse(program: Program) -> None:
    for label in program.labels or ():
        if isinstance(label, str) and (len(label.encode()) > LONGEST_LABEL or "\0" in label):
            raise ExportError(f"c cannot say the label {label[:40]!r}: it is too long, or has a null character in it")


def _header(program: Program, stem: str) -> str:
    macro, real = stem.upper(), "float" if program.dtype == np.float32 else "double"
    classes = f"#define {macro}_CLASSES {len(program.labels)}\n" if program.labels is not None else ""
    predict = {
        "value": f"/* The value for raw columns. */\nreal {stem}_predict(const real *x);\n",
        "values": "",
        "multilabel": f"/* 0 or 1 for each output. */\nvoid {stem}_predict(const real *x, int *y);\n",
        "integer": f"/* The most probable label for raw columns. */\nint64_t {stem}_predict(const real *x);\n",
        "text": f"/* The most probable label for raw columns, UTF-8. */\nconst char *{stem}_predict(const real *x);\n",
    }[_answer_kind(program)]
    integers = "#include <stdint.h>\n\n" if _answer_kind(program) == "integer" else ""
    return f"""\
/* {_comment(program.name)}: from {program.answers()}.

   Written by specnet from the spec with SHA-256 {program.spec_hash}.
   {REMARK} */

#ifndef {macro}_H
#define {macro}_H

{integers}#define {macro}_INPUTS {program.inputs}
#define {macro}_OUTPUTS {program.outputs}
{classes}
#ifndef SPECNET_REAL_{real.upper()}
#define SPECNET_REAL_{real.upper()}
typedef {real} real;
#endif

/* From raw columns x[{macro}_INPUTS] to y[{macro}_OUTPUTS]: {program.meaning}. */
void {stem}_forward(const real *x, real *y);

{predict}
#endif
"""


def _source(program: Program, stem: str, header: str) -> str:
    taken = _RESERVED.split()
    names = Names([*taken, *(f"{word}f" for word in taken), f"{stem}_forward", f"{stem}_predict"])
    loops = Loops(program, _C(np.dtype(np.float64), "double"), _C(program.dtype, "real"), names)
    body = [f"real {name}[{size}];" for name, size in loops.pool.items()] + loops.lines
    prepared = {*program.prepare.tables, *program.finish.tables}
    tables = "".join(
        _table(table.array, name, "double")
        if table in prepared
        else _table(loops.array(table).astype(program.dtype), name, "real")
        for table, name in loops.tables.items()
    )
    helpers = "".join(text for operation, text in _HELPERS.items() if operation in program.operations)
    functions = "".join(f"{function}\n" for function in loops.functions)
    inside = "".join(f"    {line}\n" for line in body)
    forward = f"void {stem}_forward(const real *x, real *y)\n{{\n{inside}}}\n"
    return f"""\
/* {_comment(program.name)}: from {program.answers()}.

   Written by specnet from the spec with SHA-256 {program.spec_hash}.
   {REMARK}
   Neither compile nor link it with -ffast-math, which changes how the whole program computes. */

#include <math.h>

#include "{header}"

{tables}
{helpers}{functions}{forward}{_predict(program, stem)}"""


_HELPERS = {
    LINEAR: """\
/* y = bias + weight times x. A weight's row belongs to an input, so that compilers make vectors of the outputs. */
static void dense(int inputs, int outputs, const real *weight, const real *bias, const real *restrict x,
                  real *restrict y)
{
    for (int j = 0; j < outputs; j++)
        y[j] = bias ? bias[j] : 0;
    for (int i = 0; i < inputs; i++) {
        const real *row = weight + (long)i * outputs;
        for (int j = 0; j < outputs; j++)
            y[j] += row[j] * x[i];
    }
}

""",
    GROUPED: """\
/* y = weight times x for each of some groups, whose numbers take turns. */
static void grouped(int groups, int inputs, int outputs, const real *weight, const real *restrict x,
                    real *restrict y)
{
    for (int j = 0; j < outputs; j++) {
        real *sums = y + (long)j * groups;
        for (int g = 0; g < groups; g++)
            sums[g] = 0;
        for (int i = 0; i < inputs; i++) {
            const real *row = weight + ((long)j * inputs + i) * groups;
            for (int g = 0; g < groups; g++)
                sums[g] += row[g] * x[i * groups + g];
        }
    }
}

""",
}


def _predict(program: Program, stem: str) -> str:
    macro, kind = stem.upper(), _answer_kind(program)
    boundary = _number(program.dtype.type(program.boundary))
    forward = f"    real y[{macro}_OUTPUTS];\n    {stem}_forward(x, y);\n"
    if kind == "values":
        return ""
    if kind == "value":
        return f"\nreal {stem}_predict(const real *x)\n{{\n{forward}    return y[0];\n}}\n"
    if kind == "multilabel":
        return (
            f"\nvoid {stem}_predict(const real *x, int *y)\n{{\n"
            f"    real p[{macro}_OUTPUTS];\n    {stem}_forward(x, p);\n"
            f"    for (int i = 0; i < {macro}_OUTPUTS; i++)\n        y[i] = p[i] > {boundary};\n}}\n"
        )
    assert program.labels is not None
    shown = ", ".join(_text(label) if isinstance(label, str) else _integer(label) for label in program.labels)
    if kind == "text":
        labels, result = f"static const char *const labels[] = {{{shown}}};", "const char *"
    else:
        labels, result = f"static const int64_t labels[] = {{{shown}}};", "int64_t "
    if program.task == "binary":
        best = f"    return labels[y[0] > {boundary}];\n"
    else:
        best = f"    int best = 0;\n    for (int i = 1; i < {macro}_OUTPUTS; i++)\n        if (y[i] > y[best])\n"
        best += "            best = i;\n    return labels[best];\n"
    return f"\n{result}{stem}_predict(const real *x)\n{{\n    {labels}\n{forward}{best}}}\n"


def _table(array: Array, name: str, kind: str) -> str:
    """Return a table's definition."""
    rows = array.reshape(-1, array.shape[-1])
    lines = "".join(f"    {', '.join(map(_number, row))},\n" for row in rows)
    return f"static const {kind} {name}[{array.size}] = {{\n{lines}}};\n"


def _number(number: Any) -> str:
    text = number_text(number)
    if text.lstrip("-") in ("inf", "nan"):
        text = text.replace("inf", "INFINITY").replace("nan", "NAN")
    elif isinstance(number, np.float32):
        text += "f"
    return text


def _integer(label: int) -> str:
    return f"INT64_C({label})" if label > -(2**63) else "-INT64_C(9223372036854775807) - 1"


def _text(label: str) -> str:
    """Return a text as a C string in UTF-8; three octal digits end where they end, whatever follows."""
    signs = (chr(byte) if chr(byte) in _PLAIN else f"\\{byte:03o}" for byte in label.encode())
    return f'"{"".join(signs)}"'


def _comment(text: str) -> str:
    return text.replace("*/", "* /").replace("/*", "/ *")
