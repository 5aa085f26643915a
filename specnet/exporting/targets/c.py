"""C99 source and header: no heap, no globals that change, scratch on the stack."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from specnet.compiler.literals import number_literal
from specnet.data import RawColumns
from specnet.errors import ExportError, UnsupportedError
from specnet.exporting.formula import GROUPED
from specnet.exporting.languages.c_harness import AnswerKind, answer_kind, compile_harness, identifier, run_harness
from specnet.exporting.languages.c_language import DENSE_VECTOR, C, comment, integer_literal, text_literal
from specnet.exporting.languages.row_loops import Body, Loops
from specnet.exporting.model_program import Program
from specnet.exporting.target import CannotRunError, ExportAnswers, Target
from specnet.parts.arrays import Array

LONGEST_TEXT = 4095
"""Bytes of a text that every C99 compiler takes."""

_HEADERS = """
assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic stdbool
stdbit stdckdint stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype
"""
"""The names of C's own headers."""
_RESERVED = """
auto break case char const continue default do double else enum extern float for goto if inline int long register
restrict return short signed sizeof static struct switch typedef union unsigned void volatile while _Bool _Complex
_Imaginary real dense grouped x y i j k g p a b c d row sums weight bias groups inputs outputs label labels best
INFINITY NAN main acos asin atan atan2 cos sin tan acosh asinh atanh cosh sinh tanh exp exp2 expm1 frexp ilogb ldexp
log log10 log1p log2 logb modf scalbn scalbln cbrt fabs hypot pow sqrt erf erfc lgamma tgamma ceil floor nearbyint rint
lrint llrint round lround llround trunc fmod remainder remquo copysign nan nextafter nexttoward fdim fmax fmin fma j0
j1 jn y0 y1 yn gamma signgam isnan isinf isfinite isnormal signbit fpclassify abs labs llabs abort exit atexit malloc
calloc realloc free alloca printf puts putchar memcpy memset memmove memcmp strlen strcpy strcmp signal raise int32_t
int64_t INT64_C
"""


class CTarget(Target):
    suffix = ".c"
    is_program = True
    writes_float32 = True
    gives_intervals = True
    takes_teams = True

    def render(self, program: Program, path: Path) -> dict[Path, bytes]:
        stem, header = identifier(path), path.with_suffix(".h")
        _refuse(program, header.name)
        return {header: _header(program, stem).encode(), path: _source(program, stem, header.name).encode()}

    def run(self, program: Program, path: Path, rows: RawColumns) -> ExportAnswers:
        compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
        if compiler is None:
            raise CannotRunError("no C compiler (cc, gcc or clang)")
        with tempfile.TemporaryDirectory() as folder:
            executable = f"{folder}/run"
            compile_harness(program, path, Path(folder), compiler, ("-std=c99", "-O1"))
            return run_harness(program, executable, rows)


TARGET = CTarget()


def _refuse(program: Program, header: str) -> None:
    if header.lower().removesuffix(".h") in _HEADERS.split():
        hint = "choose another file name"
        raise ExportError(f"the header {header} of the export would hide a standard header", hint=hint)
    if not header.isprintable() or any(sign in header for sign in "\"'\\"):
        raise ExportError(f"{header!r} is not a valid name for a header", hint="choose another file name")
    texts = [("label", label) for label in program.labels or () if isinstance(label, str)]
    texts += [("category", text) for column in program.columns for text in column.codes or ()]
    for kind, text in texts:
        if len(text.encode()) > LONGEST_TEXT or "\0" in text:
            raise UnsupportedError(
                f"C does not support the {kind} {text[:40]!r}: it is too long or contains a null character"
            )


def _header(program: Program, stem: str) -> str:
    macro, real, kind = stem.upper(), "float" if program.dtype == np.float32 else "double", answer_kind(program)
    other = "FLOAT" if real == "double" else "DOUBLE"
    classes = f"#define {macro}_CLASSES {len(program.labels)}\n" if program.labels is not None else ""
    predict = "\n/* {} */\n{};\n".format(*_PREDICT[kind]) if kind in _PREDICT else ""
    predict = predict.format(stem=stem, macro=macro)
    if program.interval is not None:
        predict += _INTERVAL_DECLARATION.format(stem=stem, macro=macro, meaning=program.interval.meaning.capitalize())
    integers = "#include <stdint.h>\n\n" if kind == "integer" else ""
    columns, code = _columns(program, stem), _CODE_DECLARATION.format(stem=stem) if program.texts else ""
    return f"""\
/* {comment(program.name)}: from {program.summary}.

   {program.origin} */

#ifndef {macro}_H
#define {macro}_H

{integers}#define {macro}_INPUTS {program.inputs}
#define {macro}_OUTPUTS {program.outputs}
{classes}
#ifdef SPECNET_REAL_{other}
#error "a network in {other.lower()} is included too: real can be one type in a source file"
#endif
#ifndef SPECNET_REAL_{real.upper()}
#define SPECNET_REAL_{real.upper()}
typedef {real} real;
#endif

#ifdef __cplusplus
extern "C" {{
#endif

{columns}/* From raw columns x[{macro}_INPUTS] to y[{macro}_OUTPUTS], another array: {program.meaning}. */
void {stem}_forward(const real *x, real *y);
{code}{predict}
#ifdef __cplusplus
}}
#endif

#endif
"""


_CODE_DECLARATION = """
/* The code of a text, UTF-8, in the column x[column]; that of a missing cell for an empty text or a null pointer.
   Texts are compared as they are, space around them included; 0 for all that have no code. */
int {stem}_code(int column, const char *text);
"""
_INTERVAL_DECLARATION = """
/* {meaning}, for raw columns:
   lower[{macro}_OUTPUTS] and upper[{macro}_OUTPUTS], other arrays than x. */
void {stem}_interval(const real *x, real *lower, real *upper);
"""
_INTERVAL = """
void {stem}_interval(const real *x, real *lower, real *upper)
{{
    static const real reach[{macro}_OUTPUTS] = {{{reach}}};
    {stem}_forward(x, lower);
    for (int i = 0; i < {macro}_OUTPUTS; i++) {{
        upper[i] = lower[i] + reach[i];
        lower[i] = lower[i] - reach[i];
    }}
}}
"""
_LABEL = """\
The most probable label for raw columns{encoding}.
   It means nothing where forward answers NaN: for columns that are not finite, and for what is no category."""
_PREDICT: Mapping[AnswerKind, tuple[str, str]] = {
    "value": ("The value for raw columns.", "real {stem}_predict(const real *x)"),
    "multilabel": ("y[{macro}_OUTPUTS]: 0 or 1 for each output.", "void {stem}_predict(const real *x, int *y)"),
    "integer": (_LABEL.format(encoding=""), "int64_t {stem}_predict(const real *x)"),
    "text": (_LABEL.format(encoding=", UTF-8"), "const char *{stem}_predict(const real *x)"),
}
"""What it answers, and its declaration; several values are those of forward."""


def _columns(program: Program, stem: str) -> str:
    """Return a comment that says which column is which, where the model knows that, and what it holds."""
    if not program.model.feature_names and not program.has_cells:
        return ""
    width = len(f"x[{program.inputs - 1}]")
    lines = ""
    for number, column in enumerate(program.columns):
        said = f"{stem}_code({number}, text)" if column.is_text else column.meaning.replace("missing", "NAN")
        words = [comment(column.name), *([said] if program.has_cells else [])]
        lines += f"     {f'x[{number}]':{width}} {': '.join(filter(None, words))}\n"
    return f"/* The columns:\n{lines}*/\n\n"


def _source(program: Program, stem: str, header: str) -> str:
    taken = _RESERVED.split()
    reserved = [
        *taken,
        *(f"{word}f" for word in taken),
        *(f"{stem}_{name}" for name in ("forward", "predict", "code", "interval")),
    ]
    prepared = C(np.dtype(np.float64), "double", program.dtype)
    loops = Loops(program, prepared, C(program.dtype, "real", program.dtype), reserved)
    around = [formula for model in program.models for formula in (model.prepare, model.finish)]
    in_double = [step for formula in around for step in formula.steps]
    weights = {step.operands[1] for step in in_double if step.operation is GROUPED}  # of the type that it computes in
    doubles = {table for formula in around for table in formula.tables} - weights
    tables = "".join(
        _table(table.array, name, "double")
        if table in doubles
        else _table(loops.numbers(table).astype(program.dtype), name, "real", program.has_members(table))
        for table, name in loops.tables.items()
    )
    lines = [line for body in (*loops.models, loops.body) for line in body.lines]
    called = set(re.findall(r"^ *(\w+)\(", "\n".join(lines), re.MULTILINE))
    helpers = "".join(text for name, text in _HELPERS.items() if name in called)
    functions = "".join(f"{function}\n" for function in loops.functions)
    models = "".join(f"static {_function(body.name, body)}\n" for body in loops.models)
    forward = models + _function(f"{stem}_forward", loops.body)
    strings, code = ("#include <string.h>\n", _code(program, stem)) if program.texts else ("", "")
    return f"""\
/* {comment(program.name)}: from {program.summary}.

   {program.origin}
   Neither compile nor link it with -ffast-math, which changes how the whole program computes. */

#include <math.h>
{strings}
#include "{header}"

{tables}
{helpers}{functions}{forward}{code}{_predict(program, stem)}{_interval(program, stem)}"""


def _function(name: str, body: Body) -> str:
    """Return the definition of a function from raw columns to answers."""
    kinds = {array: "double" if array in body.wide else "real" for array in body.arrays}
    lines = [f"{kinds[array]} {array}[{size}];" for array, size in body.arrays.items()] + body.lines
    inside = "".join(f"    {line}\n" for line in lines)
    return f"void {name}(const real *x, real *y)\n{{\n{inside}}}\n"


_HELPERS = {
    "dense": f"""\
/* y = bias + weight times x. A weight's row belongs to an input, so that compilers make vectors of the outputs:
   {DENSE_VECTOR} in a loop of fixed length, with four inputs at a time, so that y is read and written less often. */
static void dense(int inputs, int outputs, const real *weight, const real *bias, const real *restrict x,
                  real *restrict y)
{{
    for (int j = 0; j < outputs; j++)
        y[j] = bias ? bias[j] : 0;
    int i = 0;
    for (; i < inputs - 3; i += 4) {{
        const real *a = weight + (long)i * outputs, *b = a + outputs, *c = b + outputs, *d = c + outputs;
        int j = 0;
        for (; j < outputs - {DENSE_VECTOR - 1}; j += {DENSE_VECTOR})
            for (int k = j; k < j + {DENSE_VECTOR}; k++)
                y[k] = y[k] + a[k] * x[i] + b[k] * x[i + 1] + c[k] * x[i + 2] + d[k] * x[i + 3];
        for (; j < outputs; j++)
            y[j] = y[j] + a[j] * x[i] + b[j] * x[i + 1] + c[j] * x[i + 2] + d[j] * x[i + 3];
    }}
    for (; i < inputs; i++) {{
        const real *row = weight + (long)i * outputs;
        for (int j = 0; j < outputs; j++)
            y[j] += row[j] * x[i];
    }}
}}

""",
    "grouped": """\
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


def _code(program: Program, stem: str) -> str:
    """Return the function from texts to codes."""
    starts, missing, lines = [0], [], ""
    for column in program.columns:
        codes = column.codes or {}
        texts = [text for text in codes if text]  # in the order of their bytes, as strcmp has it
        lines += "".join(f"        {text_literal(text)},\n" for text in texts)
        starts.append(starts[-1] + len(texts))
        missing.append(codes.get("", 0))
    return _CODE.format(
        stem=stem,
        macro=stem.upper(),
        texts=lines or "        0,\n",
        starts=", ".join(map(str, starts)),
        missing=", ".join(map(str, missing)),
    )


_CODE = """
int {stem}_code(int column, const char *text)
{{
    static const char *const texts[] = {{
{texts}    }};
    static const int starts[] = {{{starts}}};
    static const int missing[] = {{{missing}}};
    if (column < 0 || column >= {macro}_INPUTS)
        return 0;
    if (!text || !*text)
        return missing[column];
    int low = starts[column], high = starts[column + 1];
    while (low < high) {{
        int middle = low + (high - low) / 2, order = strcmp(text, texts[middle]);
        if (!order)
            return middle - starts[column] + 1;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }}
    return 0;
}}
"""


_BODIES = {
    "value": "{forward}    return y[0];\n",
    "binary": "{labels}{forward}    return labels[y[0] > {boundary}];\n",
    "multilabel": """\
    real p[{macro}_OUTPUTS];
    {stem}_forward(x, p);
    for (int i = 0; i < {macro}_OUTPUTS; i++)
        y[i] = p[i] > {boundary};
""",
    "classes": """\
{labels}{forward}    int best = 0;
    for (int i = 1; i < {macro}_OUTPUTS; i++)
        if (y[i] > y[best])
            best = i;
    return labels[best];
""",
}


def _predict(program: Program, stem: str) -> str:
    macro, kind = stem.upper(), answer_kind(program)
    if kind not in _PREDICT:
        return ""
    texts = [text_literal(each) if isinstance(each, str) else integer_literal(each) for each in program.labels or ()]
    of = "char *const" if kind == "text" else "int64_t"
    body = _BODIES[program.answer].format(
        stem=stem,
        macro=macro,
        boundary=number_literal(program.dtype.type(program.model.boundary)),
        forward=f"    real y[{macro}_OUTPUTS];\n    {stem}_forward(x, y);\n",
        labels=f"    static const {of} labels[] = {{{', '.join(texts)}}};\n",
    )
    return f"\n{_PREDICT[kind][1].format(stem=stem)}\n{{\n{body}}}\n"


def _interval(program: Program, stem: str) -> str:
    if program.interval is None:
        return ""
    reach = ", ".join(map(number_literal, np.asarray(program.interval.reach, program.dtype)))
    return _INTERVAL.format(stem=stem, macro=stem.upper(), reach=reach)


def _table(array: Array, name: str, kind: str, has_members: bool = False) -> str:
    """Return a table's definition; that of an ensemble's members has them as its first axis."""
    if has_members:
        size, lines = f"{len(array)}][{array[0].size}", "".join(f"{{\n{_lines(each)}}},\n" for each in array)
    else:
        size, lines = str(array.size), _lines(array)
    return f"static const {kind} {name}[{size}] = {{\n{lines}}};\n"


def _lines(array: Array) -> str:
    rows = array.reshape(-1, array.shape[-1])
    return "".join(f"    {', '.join(map(number_literal, row))},\n" for row in rows)
