"""C99 source and header: no heap and no globals that change; intermediate results go to the caller's workspace."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from specnet.compiler.expressions import number_literal
from specnet.data import RawColumns
from specnet.errors import ExportError, UnsupportedError
from specnet.exporting.c_language import (
    DENSE_VECTOR,
    AnswerKind,
    C,
    answer_kind,
    comment,
    compile_harness,
    identifier,
    integer_literal,
    number_types,
    run_harness,
    text_literal,
)
from specnet.exporting.export_plan import GROUPED
from specnet.exporting.model_program import ExportInterval, Program
from specnet.exporting.row_loops import Loops, Routine
from specnet.exporting.target import CannotRunError, ExportAnswers, Target
from specnet.parts.arrays import Array

LONGEST_TEXT = 4095
"""Bytes of a text that every C99 compiler takes."""
MAX_STACK = 16 * 1024
"""Bytes of a workspace up to which there are functions that put it on the stack."""
_LOCAL_NUMBERS, _LOCAL_DOUBLES = 16, 64
"""Numbers of an array that compilers may store in registers, and doubles that a function has of such arrays."""

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
int64_t INT64_C workspace
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
        source, workspace = _source(program, stem, header.name)
        return {header: _header(program, stem, workspace).encode(), path: source.encode()}

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
    if not header.isprintable() or any(character in header for character in "\"'\\"):
        raise ExportError(f"{header!r} is not a valid name for a header", hint="choose another file name")
    texts = [("label", label) for label in program.labels or () if isinstance(label, str)]
    texts += [("category", text) for column in program.columns for text in column.codes or ()]
    for kind, text in texts:
        if len(text.encode()) > LONGEST_TEXT or "\0" in text:
            raise UnsupportedError(
                f"C does not support the {kind} {text[:40]!r}: it is too long or contains a null character"
            )


def _header(program: Program, stem: str, workspace: int) -> str:
    """Return the header of a source whose functions need so many doubles of workspace."""
    macro, real, kind = stem.upper(), "float" if program.dtype == np.float32 else "double", answer_kind(program)
    other = "FLOAT" if real == "double" else "DOUBLE"
    classes = f"#define {macro}_CLASSES {len(program.labels)}\n" if program.labels is not None else ""
    declared = ""
    for declaration, meaning in _functions(program, stem).items():
        simple = f"{declaration};\n" if _fits_stack(workspace) else ""
        declared += f"\n/* {meaning} */\n{simple}{_with_workspace(declaration)};\n"
    size = (_WORKSPACE if _fits_stack(workspace) else _LARGE_WORKSPACE).format(macro=macro, doubles=workspace)
    integers = "#include <stdint.h>\n\n" if kind == "integer" else ""
    columns, code = _columns(program, stem), _CODE_DECLARATION.format(stem=stem) if program.texts else ""
    return f"""\
/* {comment(program.name)}: from {program.summary}.

   {program.origin} */

#ifndef {macro}_H
#define {macro}_H

{integers}#define {macro}_INPUTS {program.inputs}
#define {macro}_OUTPUTS {program.outputs}
{classes}{size}
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

{columns}{_wide(program)}{declared.lstrip()}{code}
#ifdef __cplusplus
}}
#endif

#endif
"""


_WORKSPACE = """\
/* The functions that end with _work put intermediate results into a workspace, an array of so many doubles: each is
   written before it is read, and threads need one each. The functions without it have it on the stack. */
#define {macro}_WORKSPACE {doubles}
"""
_LARGE_WORKSPACE = """\
/* Functions put intermediate results into a workspace, an array of so many doubles: each is written before it is read,
   and threads need one each. It is too large for the stack: there are no functions without it. */
#define {macro}_WORKSPACE {doubles}
"""
_CODE_DECLARATION = """
/* The code of a text, UTF-8, in the column x[column]; that of a missing cell for an empty text or a null pointer.
   Texts are compared as they are, space around them included; 0 for all that have no code. */
int {stem}_code(int column, const char *text);
"""
_INTERVAL = """\
{tables}{forward}    for (int i = 0; i < {macro}_OUTPUTS; i++) {{
        double width = reach[i];
{following}        lower[i] = p[i] - width;
        upper[i] = p[i] + width;
{limited}    }}
"""
_FOLLOWING = """\
        for (int k = 0; k < {knots}; k++) {{
            double part = p[i] - starts[i][k];
            width += slopes[i][k] * (part < 0 ? 0 : part > gaps[i][k] ? gaps[i][k] : part);
        }}
"""
_LIMITED = """\
        if (not_negative[i] && lower[i] < 0)
            lower[i] = 0;
        if (not_negative[i] && upper[i] < 0)
            upper[i] = 0;
"""
_FORWARD = "void {}(const {columns} *x, {answers} *y)"
_LABEL = """\
The most probable label for raw columns{encoding}.
   It means nothing where forward answers NaN: for columns that are not finite, and for what is no category."""
_PREDICT: Mapping[AnswerKind, tuple[str, str]] = {
    "value": ("{answers} {stem}_predict(const {columns} *x)", "The value for raw columns."),
    "multilabel": ("void {stem}_predict(const {columns} *x, int *y)", "y[{macro}_OUTPUTS]: 0 or 1 for each output."),
    "integer": ("int64_t {stem}_predict(const {columns} *x)", _LABEL.format(encoding="")),
    "text": ("const char *{stem}_predict(const {columns} *x)", _LABEL.format(encoding=", UTF-8")),
}
"""Its declaration, and what it answers; several values are those of forward."""


def _functions(program: Program, stem: str) -> dict[str, str]:
    """Return the declarations of the functions that compute answers, without a workspace, and what they answer."""
    macro, kind, types = stem.upper(), answer_kind(program), number_types(program)
    found = {
        _FORWARD.format(f"{stem}_forward", **types): (
            f"From raw columns x[{macro}_INPUTS] to y[{macro}_OUTPUTS], another array: {program.meaning}."
        )
    }
    if kind in _PREDICT:
        declaration, meaning = (text.format(stem=stem, macro=macro, **types) for text in _PREDICT[kind])
        found[declaration] = meaning
    if program.interval is not None:
        found[f"void {stem}_interval(const {types['columns']} *x, double *lower, double *upper)"] = (
            f"{program.interval.meaning.capitalize()}, for raw columns:\n"
            f"   lower[{macro}_OUTPUTS] and upper[{macro}_OUTPUTS], other arrays than x."
        )
    return found


def _wide(program: Program) -> str:
    """Return a comment that says what is double in the header of a network in float."""
    what = ["columns"] * program.columns_are_wide + ["answers"] * program.answers_are_wide
    return f"/* {' and '.join(what).capitalize()} are double: float does not hold their digits. */\n\n" if what else ""


def _with_workspace(declaration: str, suffix: str = "_work") -> str:
    """Return the declaration of the function that takes a workspace too, with a suffix of its name."""
    return declaration.replace("(", f"{suffix}(").replace(")", ", double *workspace)")


def _fits_stack(workspace: int) -> bool:
    return workspace * np.dtype(np.float64).itemsize <= MAX_STACK


def _columns(program: Program, stem: str) -> str:
    """Return a comment that says which column is which, where the model knows that, and what it holds."""
    if not program.model.feature_names and not program.has_cells:
        return ""
    width = len(f"x[{program.inputs - 1}]")
    lines = ""
    for number, column in enumerate(program.columns):
        meaning = f"{stem}_code({number}, text)" if column.is_text else column.meaning.replace("missing", "NAN")
        words = [comment(column.name), *([meaning] if program.has_cells else [])]
        lines += f"     {f'x[{number}]':{width}} {': '.join(filter(None, words))}\n"
    return f"/* The columns:\n{lines}*/\n\n"


def _source(program: Program, stem: str, header: str) -> tuple[str, int]:
    """Return the source, and how many doubles of workspace its functions need."""
    taken = _RESERVED.split()
    reserved = [
        *taken,
        *(f"{word}f" for word in taken),
        f"{stem}_code",
        *(f"{stem}_{name}{end}" for name in ("forward", "predict", "interval") for end in ("", "_work")),
    ]
    prepared = C(np.dtype(np.float64), "double", program.dtype)
    loops = Loops(program, prepared, C(program.dtype, "real", program.dtype), reserved)
    around = [stage for model in program.models for stage in (model.prepare, model.finish)]
    in_double = [step for stage in around for step in stage.steps]
    weights = {step.operands[1] for step in in_double if step.operation is GROUPED}  # of the type that it computes in
    doubles = {table for stage in around for table in stage.tables} - weights
    tables = "".join(
        _table(table.array, name, "double")
        if table in doubles
        else _table(loops.numbers(table).astype(program.dtype), name, "real", table.has_members)
        for table, name in loops.tables.items()
    )
    lines = [line for body in (*loops.models, loops.body) for line in body.lines]
    called = set(re.findall(r"^ *(\w+)\(", "\n".join(lines), re.MULTILINE))
    helpers = "".join(text for name, text in _HELPERS.items() if name in called)
    functions = "".join(f"{function}\n" for function in loops.functions)
    entries, workspace = _entries(program, stem, loops)
    strings, code = ("#include <string.h>\n", _code(program, stem)) if program.texts else ("", "")
    source = f"""\
/* {comment(program.name)}: from {program.summary}.

   {program.origin}
   Neither compile nor link it with -ffast-math, which changes how the whole program computes. */

#include <math.h>
{strings}
#include "{header}"

{tables}
{helpers}{functions}{(code + entries).lstrip()}"""
    return source, workspace


def _entries(program: Program, stem: str, loops: Loops) -> tuple[str, int]:
    """Return the functions from raw columns to answers, and how many doubles of workspace they need."""
    models, inner = "", 0
    for body in loops.models:
        statements, doubles = _statements(body, program.dtype)
        models += _definition(
            f"static {_restricted(_FORWARD.format(body.name, **number_types(program)), '')}", statements
        )
        inner = max(inner, doubles)
    forward, doubles = _statements(loops.body, program.dtype, program.is_team)
    workspace, bodies = doubles + inner, [forward]
    answered, doubles = _answered(program, stem)
    if answer_kind(program) in _PREDICT:
        bodies.append(_predict(program, stem, answered))
    if program.interval is not None:
        bodies.append(_interval(program, program.interval, stem, answered))
    workspace += doubles * (len(bodies) > 1)
    workspace = max(1, workspace)  # C has no arrays of nothing
    entries = ""
    for declaration, statements in zip(_functions(program, stem), bodies, strict=True):
        entries += _definition(_restricted(declaration), statements)
        if _fits_stack(workspace):
            entries += _on_stack(declaration, stem.upper())
    return models + entries, workspace


def _statements(body: Routine, dtype: np.dtype[Any], calls_models: bool = False) -> tuple[str, int]:
    """Return the statements of a function from raw columns to answers, and how many doubles of workspace it takes.

    Those of a function that calls the models of a team pass the rest of the workspace on to them.
    """
    lines, used, on_stack = [], 0, 0
    for array, size in body.sizes.items():
        kind = np.dtype(np.float64) if array in body.wide else dtype
        word, doubles = "double" if array in body.wide else "real", _doubles(size, kind)
        if size <= _LOCAL_NUMBERS and on_stack + doubles <= _LOCAL_DOUBLES:
            on_stack += doubles
            lines.append(f"{word} {array}[{size}];")
        else:
            lines.append(f"{word} *restrict {array} = {_pointer(used, kind)};")
            used += doubles
    if calls_models:
        lines.append(f"workspace += {used};")
    elif not used:
        lines.append("(void)workspace;")
    return "".join(f"    {line}\n" for line in [*lines, *body.lines]), used


def _pointer(start: int, dtype: np.dtype[Any]) -> str:
    """Return the workspace from a double on, as an array of a type."""
    pointer = f"workspace + {start}" if start else "workspace"
    return pointer if dtype == np.float64 else f"(real *)({pointer})"


def _doubles(numbers: int, dtype: np.dtype[Any]) -> int:
    """Return how many doubles take as many bytes as so many numbers."""
    return -(-numbers * dtype.itemsize // np.dtype(np.float64).itemsize)


def _restricted(declaration: str, suffix: str = "_work") -> str:
    """Return that declaration as a source has it; headers are read by C++, which lacks the word restrict."""
    return re.sub(r"(real|double) \*", r"\1 *restrict ", _with_workspace(declaration, suffix))


def _definition(declaration: str, statements: str) -> str:
    return f"\n{declaration}\n{{\n{statements}}}\n"


def _on_stack(declaration: str, macro: str) -> str:
    """Return the definition of the function that has its workspace on the stack."""
    before = "" if declaration.startswith("void ") else "return "
    called = re.findall(r"(\w+)(?=[(,)])", declaration)
    call = f"{called[0]}_work({', '.join([*called[1:], 'workspace'])})"
    return _definition(declaration, f"    double workspace[{macro}_WORKSPACE];\n    {before}{call};\n")


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
    "value": "{forward}    return p[0];\n",
    "binary": "{labels}{forward}    return labels[p[0] > {boundary}];\n",
    "multilabel": """\
{forward}    for (int i = 0; i < {macro}_OUTPUTS; i++)
        y[i] = p[i] > {boundary};
""",
    "classes": """\
{labels}{forward}    int best = 0;
    for (int i = 1; i < {macro}_OUTPUTS; i++)
        if (p[i] > p[best])
            best = i;
    return labels[best];
""",
}


def _answered(program: Program, stem: str) -> tuple[str, int]:
    """Return the statements that call forward with an array `p`, and the doubles of workspace that it takes."""
    kind, doubles, rest = number_types(program)["answers"], 0, "workspace"
    outputs = f"{kind} p[{stem.upper()}_OUTPUTS];"
    if program.outputs > _LOCAL_NUMBERS:
        doubles = _doubles(program.outputs, program.answer_dtype)
        outputs, rest = f"{kind} *p = {_pointer(0, program.answer_dtype)};", f"workspace + {doubles}"
    return f"    {outputs}\n    {stem}_forward_work(x, p, {rest});\n", doubles


def _predict(program: Program, stem: str, answered: str) -> str:
    """Return the statements of the function that answers as `_PREDICT` says."""
    texts = [text_literal(each) if isinstance(each, str) else integer_literal(each) for each in program.labels or ()]
    of = "char *const" if answer_kind(program) == "text" else "int64_t"
    return _BODIES[program.answer].format(
        stem=stem,
        macro=stem.upper(),
        boundary=number_literal(program.dtype.type(program.model.boundary)),
        forward=answered,
        labels=f"    static const {of} labels[] = {{{', '.join(texts)}}};\n",
    )


def _interval(program: Program, interval: ExportInterval, stem: str, answered: str) -> str:
    """Return the statements of the function that gives intervals, in double whatever the network's own type."""
    tables, following = {"reach": interval.reach[:, 0]}, ""
    if interval.follows:
        tables |= {"starts": interval.knots[:, :-1], "gaps": interval.gaps, "slopes": interval.slopes}
        following = _FOLLOWING.format(knots=interval.gaps.shape[1])
    if interval.not_negative:
        tables["not_negative"] = np.isin(np.arange(program.outputs), interval.not_negative).astype(np.float64)
    return _INTERVAL.format(
        macro=stem.upper(),
        tables="".join(f"    static const double {_numbers(*each)}" for each in tables.items()),
        forward=answered,
        following=following,
        limited=_LIMITED if interval.not_negative else "",
    )


def _numbers(name: str, array: Array) -> str:
    """Return the name and the numbers of a small table, (outputs,) or (outputs, knots)."""
    sizes = "".join(f"[{size}]" for size in array.shape)
    rows = [", ".join(map(number_literal, row)) for row in array.reshape(len(array), -1)]
    return f"{name}{sizes} = {{{', '.join(rows if array.ndim == 1 else [f'{{{row}}}' for row in rows])}}};\n"


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
