"""C99 as a language of loops, its literals, and a program around an export that answers rows, to prove it."""

from __future__ import annotations

import re
import string
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from specnet.compiler import operations
from specnet.compiler.expressions import CALL, CHOICE, NAME, OPERATORS, SIGN, SUM, Form, Text, c_number, extreme_form
from specnet.compiler.value import CAST
from specnet.data import RawColumns
from specnet.errors import ExportError
from specnet.exporting.export_columns import texts_of
from specnet.exporting.export_plan import Step
from specnet.exporting.expression_text import function_forms
from specnet.exporting.language import Language, Variable
from specnet.exporting.model_program import Program
from specnet.exporting.target import ExportAnswers

DENSE_VECTOR = 8
"""Outputs that the helper of dense layers computes in a loop of fixed length."""
_PLAIN = frozenset(string.ascii_letters + string.digits + " _.-")


class C(Language):
    """C99.

    Parameters
    ----------
    dtype : numpy.dtype
        Of numbers in the expressions.
    kind : str
        The type of such numbers.
    real : numpy.dtype
        Of arrays.
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

    def __init__(self, dtype: np.dtype[Any], kind: str, real: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.constant, self.variable = f"const {kind} {{}} = {{}};", f"{kind} {{}} = {{}};"
        is_float = dtype == np.float32
        suffix, zero = "f" if is_float else "", self.number(0.0).code
        is_one = f"{{category}} >= 0 && {{category}} < {{categories}} && {{category}} == ({kind})(int){{category}}"
        nothing = "NAN" if is_float else f"({kind})NAN"  # which is a float
        self.lookup = f"{is_one} ? {{table}}[{{index}}] : {nothing}"
        self.reading, self.storing = (f"({kind})", "(real)") if dtype != real else ("", "")
        forms = {
            operations.MAXIMUM: Form("{0} < {1} || {1} != {1} ? {1} : {0}", CHOICE, (SUM, SUM)),
            operations.MINIMUM: Form("{1} < {0} || {1} != {1} ? {1} : {0}", CHOICE, (SUM, SUM)),
            operations.SIGN: Form(f"({kind})(({{0}} > {zero}) - ({{0}} < {zero}))", SIGN, (NAME,)),
            CAST: Form(f"({kind}){{}}", SIGN, (CALL,)),
        }
        self.forms = OPERATORS | function_forms(f"{{}}{suffix}", absolute=f"fabs{suffix}") | forms

    def number(self, number: float) -> Text:
        return c_number(self.dtype.type(number))

    def remark(self, text: str) -> str:
        return f"/* {comment(text)} */"

    def form(self, step: Step) -> Form:
        """Return the short form of a maximum or minimum with a number: what is no number then stays so."""
        numbers = [index for index, operand in enumerate(step.operands) if isinstance(operand, float)]
        if step.operation in (operations.MAXIMUM, operations.MINIMUM) and numbers:
            return extreme_form(step.operation, numbers[-1])
        return super().form(step)

    def dense(self, source: Variable, target: Variable, weight: str, bias: str | None) -> list[str]:
        """Return the call of the helper, or loops of known length where there are too few outputs for its vectors."""
        inputs, outputs = source.features, target.features
        if outputs >= DENSE_VECTOR:
            return super().dense(source, target, weight, bias)
        start = Variable(bias, outputs).at(outputs) if bias else self.number(0.0)
        row = "j" if outputs == 1 else f"j * {outputs} + i"
        factor = Variable(weight, outputs).at(outputs).code if inputs == 1 else f"{weight}[{row}]"
        number = f"j + {source.low}" if source.low else "j"
        item = source.at(1).code if inputs == 1 else f"{source.name}[{number}]"
        added = self.loop(outputs, [f"{target.at(outputs).code} += {factor} * {item};"])
        return [*self.fill(target, start), *self.loop(inputs, added, "j")]


def integer_literal(number: int) -> str:
    """Return an integer of 64 bits, of which the smallest has no literal."""
    return f"INT64_C({number})" if number > -(2**63) else "-INT64_C(9223372036854775807) - 1"


def text_literal(text: str) -> str:
    """Return a text in UTF-8; three octal digits end where they end, whatever follows."""
    characters = (chr(byte) if chr(byte) in _PLAIN else f"\\{byte:03o}" for byte in text.encode())
    return f'"{"".join(characters)}"'


def comment(text: str) -> str:
    """Return a text that neither ends a comment nor begins one, nor turns what is around it."""
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )
    for character in ("*/", "/*"):
        shown = shown.replace(character, " ".join(character))
    return re.sub(r"\?(?=\?)", "? ", shown)  # a trigraph may say a backslash


AnswerKind = Literal["value", "values", "multilabel", "integer", "text"]

_PREDICTIONS = {
    "value": "(void){stem}_predict_work(x, workspace);",
    "values": "",
    "multilabel": "int z[{macro}_OUTPUTS];\n        {stem}_predict_work(x, z, workspace);\n"
    '        for (int i = 0; i < {macro}_OUTPUTS; i++) fprintf(stderr, "%d%c", z[i], 0);',
    "integer": 'fprintf(stderr, "%lld%c", (long long){stem}_predict_work(x, workspace), 0);',
    "text": "const char *z = {stem}_predict_work(x, workspace);\n        fwrite(z, 1, strlen(z) + 1, stderr);",
}
_HARNESS = """
#include <stdio.h>
#include <string.h>
#include "{header}"

{read}
int main(void)
{{
    static {columns} x[{macro}_INPUTS];
    static {answers} y[{macro}_OUTPUTS];
    static double workspace[{macro}_WORKSPACE];
    while ({reads}) {{
        {stem}_forward_work(x, y, workspace);
        fwrite(y, sizeof *y, {macro}_OUTPUTS, stdout);
        {predict}{interval}
    }}
    return 0;
}}
"""
_INTERVAL = """
        static double ends[2][{macro}_OUTPUTS];
        {stem}_interval_work(x, ends[0], ends[1], workspace);
        fwrite(ends, sizeof(double), 2 * {macro}_OUTPUTS, stdout);"""
_READS_NUMBERS = "fread(x, sizeof *x, {macro}_INPUTS, stdin) == {macro}_INPUTS"
_READ = """
static int read_row({columns} *x)
{{
    static const char kinds[] = "{kinds}";
    static char text[{size}];
    for (int i = 0; i < {macro}_INPUTS; i++) {{
        if (kinds[i] == 'n' && fread(x + i, sizeof *x, 1, stdin) != 1)
            return 0;
        if (kinds[i] == 't') {{
            int length = 0, byte;
            while ((byte = getchar()) > 0)
                text[length++] = (char)byte;
            text[length] = 0;
            if (byte == EOF)
                return 0;
            x[i] = {stem}_code(i, text);
        }}
    }}
    return 1;
}}
"""
_LONGEST_TEXT = 2**16
"""Bytes of a text that is read, with the zero at its end."""


def identifier(path: Path) -> str:
    """Return how names begin that a file defines: as the file's does, but without characters that C reserves."""
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


def number_types(program: Program) -> dict[str, str]:
    """Return the types of the numbers in raw columns and of those that are answered, by these names."""
    wide = {"columns": program.columns_are_wide, "answers": program.answers_are_wide}
    return {name: "double" if is_wide else "real" for name, is_wide in wide.items()}


def compile_harness(program: Program, path: Path, folder: Path, compiler: str, flags: Sequence[str]) -> None:
    """Compile an export with a program around it, ``run``, that answers rows from standard input.

    Raises
    ------
    ExportError
        If it does not compile.
    """
    stem = identifier(path)
    names = {"stem": stem, "macro": stem.upper(), **number_types(program)}
    read, reads = "", _READS_NUMBERS.format(**names)
    if program.texts:
        kinds = "".join("t" if column.is_text else "n" for column in program.columns)
        read, reads = _READ.format(kinds=kinds, size=_LONGEST_TEXT, **names), "read_row(x)"
    predict = _PREDICTIONS[answer_kind(program)].format(**names)
    interval = "" if program.interval is None else _INTERVAL.format(**names)
    given = {"predict": predict, "interval": interval, "read": read, "reads": reads}
    main = _HARNESS.format(header=path.with_suffix(".h").name, **given, **names)
    (folder / "main.c").write_text(main)
    sources = [str(folder / "main.c"), str(path)]
    command = [compiler, *flags, "-iquote", str(path.parent), *sources, "-o", str(folder / "run"), "-lm"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise ExportError(f"the file does not compile: {ended.stderr.strip()}")


def run_harness(program: Program, executable: str, rows: RawColumns) -> ExportAnswers:
    """Return what a compiled export answers."""
    ended = subprocess.run([executable], input=_row_bytes(program, rows), capture_output=True, check=False)
    if ended.returncode:
        raise ExportError(f"the program fails with status {ended.returncode}: {ended.stderr[-2000:].decode()}")
    kind, size = answer_kind(program), (program.outputs,)
    ends = [("ends", np.float64, (2, *size))] if program.interval else []
    answered = np.frombuffer(ended.stdout, [("outputs", program.answer_dtype, size), *ends])
    outputs = answered["outputs"]
    if kind in ("value", "values"):
        return ExportAnswers(outputs, None, np.moveaxis(answered["ends"], 1, 2) if program.interval else None)
    predictions = np.array(ended.stderr.decode().split("\0")[:-1])
    if kind == "text":
        return ExportAnswers(outputs, predictions)
    shape = (len(rows), program.outputs) if kind == "multilabel" else (len(rows),)
    return ExportAnswers(outputs, predictions.astype(np.int64).reshape(shape))


def _row_bytes(program: Program, rows: RawColumns) -> bytes:
    """Return rows as the program around the export reads them: numbers, and texts with a zero at their end."""
    if not program.texts:
        return rows.X.astype(program.column_dtype).tobytes()
    texts, numbers = texts_of(program.columns, rows), rows.X.astype(program.column_dtype)
    return b"".join(
        texts[column][row].encode() + b"\0" if column in texts else numbers[row, column].tobytes()
        for row in range(len(rows))
        for column in range(program.inputs)
    )
