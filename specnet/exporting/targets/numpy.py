"""Export to a Python file that needs only NumPy: one function for each activation, one line for each layer."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
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
    PYTHON_WORDS,
    WIDTH,
    RowWriter,
    filled,
    in_lines,
    library_forms,
)
from specnet.exporting.export_columns import texts_of
from specnet.exporting.export_plan import LINEAR, NetworkPlan, Step
from specnet.exporting.expression_text import ROUNDED_ONCE, FreeNames
from specnet.exporting.model_program import Program
from specnet.exporting.target import CannotRunError, ExportAnswers, Target, refuse_module_name
from specnet.parts.arrays import FLOAT64, Array
from specnet.parts.data import Csv
from specnet.parts.data.notations import SECONDS, DatetimeFormat, DurationFormat, Notation, NumberFormat
from specnet.parts.data.tables.cells import PAIRS, SPACE
from specnet.parts.preprocessing import folding_lines

MOST_LITERALS = 2000
"""The largest count of numbers that are written into the Python file; more are stored in an .npz file."""

_WORDS = PYTHON_WORDS | {"np", "math", "csv", "re", "sys", "erf"}
_RESERVED = """
X FEATURES LABELS REACH KNOTS GAPS SLOPES CODES OPTIONAL BOOLEANS WORDS DATES SHORT_YEARS NUMBERS DURATIONS MARKERS
MISSING TEXTS FOLDING START PRIME folding hash_of tokens_of vector_of vectors_of
datetime timedelta timezone array_of text_of numbers_as_written number_of numbers_of numbered days_of is_number
read_cell read_rows print_answers dense source file error stored outputs predict predict_proba interval gradient
"""
"""The names that the template uses."""


class NumpyTarget(Target):
    title = "NumPy"
    suffix = ".py"
    adds_in_order = rounds_once = True
    is_program = True
    gives_intervals = True
    gives_derivatives = True
    takes_teams = True
    takes_words = True

    def render(self, program: Program, path: Path) -> dict[Path, bytes]:
        refuse_module_name(path, "numpy")
        writer = _NumpyWriter(program)
        stored = sum(table.numbers.size for table in program.tables) > MOST_LITERALS or bool(program.words)
        text = writer.module(path.with_suffix(".npz").name if stored else None)
        archive = {path.with_suffix(".npz"): writer.archive()} if stored else {}
        return {**archive, path: text.encode()}

    def run(self, program: Program, path: Path, rows: RawColumns) -> ExportAnswers:
        if not sys.executable:
            raise CannotRunError("no Python interpreter")
        with tempfile.TemporaryDirectory() as folder:
            np.save(f"{folder}/X.npy", rows.X)
            Path(folder, "texts.json").write_text(json.dumps(texts_of(program.columns, rows)))
            arguments = [sys.executable, "-I", "-c", _RUN, str(path), folder]  # only installed packages
            ended = subprocess.run(arguments, capture_output=True, text=True, check=False)
            if ended.returncode:
                raise ExportError(f"the file fails: {ended.stderr.strip()}")
            outputs, predictions = (np.load(f"{folder}/{name}.npy") for name in ("outputs", "predictions"))
            derivatives = np.load(f"{folder}/gradient.npy") if program.has_derivatives else None
            ends = np.load(f"{folder}/interval.npy").reshape(*outputs.shape, 2) if program.interval else None
            return ExportAnswers(outputs, None if program.task == "values" else predictions, ends, derivatives)


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
np.save(folder + "/predictions.npy", module["predict"](X))
for name in ("outputs", "interval", "gradient"):
    if name in module:
        np.save(f"{folder}/{name}.npy", module[name](X))
"""


_ANSWERS = {
    "value": "outputs(X)[:, 0]",
    "values": "outputs(X)",
    "multilabel": "(outputs(X) {above}).astype(np.int64)",
    "binary": "LABELS[(outputs(X)[:, {last}] {above}).astype(np.intp)]",
    "classes": "LABELS[outputs(X).argmax(axis=1)]",
}


class _NumpyWriter(RowWriter):
    """Writer of a program's NumPy file."""

    name, words, forms = "numpy", _WORDS, library_forms("np", erf="erf")
    shapes = MappingProxyType(
        {
            "sum": "{{}}.sum(axis=1, keepdims=True)",
            "max": "{{}}.max(axis=1, keepdims=True)",
            "rows": "{{}}[:, {at[0]}:{at[1]}]",
            "concatenate": "np.concatenate([{all}], axis=1)",
            "repeat": "np.tile({{}}, (1, {at[0]}))",
            "each": "np.repeat({{}}, {at[0]}, axis=1)",
            "pad": "np.pad({{}}, ((0, 0), ({at[0]}, {after})))",
            "fold": "{{}}.reshape(len({array}), {at[0]}, {features}).sum(axis=1)",
            "fold_each": "{{}}.reshape(len({array}), {features}, {at[0]}).sum(axis=2)",
            "expand": "np.broadcast_to({{}}, (len({array}), {features}))",
            "cast": "{{}}.astype(np.{dtype})",
        }
    )

    def __init__(self, program: Program) -> None:
        names = FreeNames(_WORDS.union(_RESERVED.split()))
        self.stored = {table: names.new(name) for table, name in program.tables.items()}
        averaged = [model for model in program.networks if model.is_averaged]
        self.networks = {model: names.new("network") for model in averaged}
        self.texts = {
            names.new(f"texts_{index}"): table for index in program.words for table in program.columns[index].tables
        }
        self.member = names.new("member") if averaged else ""
        self.models = [names.new(f"model_{number}") for number in range(len(program.networks)) if program.is_team]
        tables = {table: f"{name}[{self.member}]" if table.has_members else name for table, name in self.stored.items()}
        super().__init__(program, names, tables)

    def form(self, step: Step, operands: Sequence[Text], array: str, dtype: np.dtype[Any]) -> Form:
        if step.operation is LINEAR and self.program.never_falls:
            return Form(f"dense({', '.join(['{}'] * len(operands))})")
        if step.operation in ROUNDED_ONCE and self.program.never_falls and dtype != FLOAT64:
            return Form(f"np.{step.operation.name}({{}}.astype(np.float64)).astype(np.{dtype})", CALL, (CALL,))
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

    def gradient(self) -> list[str]:
        """Return the lines that compute derivatives (rows, outputs, columns) from `x`, the raw columns."""
        program, of_outputs = self.program, self.lines
        if not program.has_derivatives:
            return []
        several, self.lines = program.is_team or any(model.is_averaged for model in program.networks), []
        if program.outputs > 1:
            self._assign("weights", Text(f"np.tile(np.eye({program.outputs}), (len(x), 1))"))
            self._assign("x", Text(f"np.repeat(x, {program.outputs}, axis=0)"))
        if several:
            self._assign("total", Text("0"))
        for model in program.networks:
            assert model.gradient is not None, "the program has derivatives"
            before, self.lines = self.lines, []
            found = self._inline(model.gradient, [Text("x"), Text("weights")][: len(model.gradient.sources)], FLOAT64)
            if several:
                share = number_text(model.share / program.shares / len(model.members))
                self._assign("total", Text(f"total + {share} * {found.within(CALL)}"))
                found = Text("total")
            if model.is_averaged:
                head = f"for {self.member} in range({len(model.members)}):"
                self.lines = [head, *(f"    {line}" for line in self.lines)]
            self.lines = [*before, *self.lines]
        made = f"{found.within(CALL)}.reshape(-1, {program.outputs}, {program.starts[-1]})"
        columns = f"[:, :, {program.starts[:-1]}]" if program.words else ""
        lines, self.lines = [*self.lines, f"return {made}{columns}"], of_outputs
        return lines

    def archive(self) -> bytes:
        """Return the content of an .npz file with the tables."""
        content = io.BytesIO()
        named = ((name, table.numbers) for table, name in self.stored.items())
        arrays: dict[str, Any] = {name: np.ascontiguousarray(array) for name, array in named}
        for name, table in self.texts.items():
            arrays |= {f"{name}_{key}": array for key, array in table.arrays().items()}
        np.savez(content, **arrays)
        return content.getvalue()

    def module(self, archive: str | None) -> str:
        """Return the text of the Python file; the tables are part of it if `archive`, an .npz file name, is None."""
        program = self.program
        networks = [
            {
                "name": self.models[number] if program.is_team else "",
                "lines": lines,
                "network": self.networks.get(model, ""),
                "member_lines": member_lines,
            }
            for number, (model, (lines, member_lines)) in enumerate(zip(program.networks, self.bodies, strict=True))
        ]
        return self.text(
            interval_arrays={name.upper(): array for name, array in program.interval_arrays.items()},
            cells=_cell_facts(program),
            space=SPACE,
            has_probabilities=program.model.gives_probabilities,
            has_erf=operations.ERF in program.operations,
            library="np",
            whole="astype(np.intp)",
            found="table[number]",
            archive=archive,
            tables={name: table.numbers for table, name in self.stored.items()},
            networks=networks,
            member=self.member,
            of_gradient=self.gradient(),
            prediction=program.answered(_ANSWERS),
            answer_columns=self._answer_columns(),
            array_text=_array_text,
            text_tables=self.texts,
            text_columns=self._text_columns(),
            folding=folding_lines() if program.words else (),
        )

    def _text_columns(self) -> dict[int, list[str]]:
        """Return the names of the tables of texts by the index of their column."""
        names = iter(self.texts)
        return {index: [next(names) for _ in self.program.columns[index].tables] for index in self.program.words}

    def _answer_columns(self) -> list[str]:
        """Return the lines that compute the printed columns."""
        program, names = self.program, repr(self.program.model.target_names or range(self.program.outputs))
        columns = ['columns = {"prediction": predict(X)}']
        if program.answer in ("values", "multilabel"):
            columns = [f'columns = {{f"prediction_{{name}}": column for name, column in zip({names}, predict(X).T)}}']
        if program.interval is not None:
            columns.append(_ENDS[program.answer].replace("NAMES", names))
        if program.model.gives_probabilities:
            pairs = f"zip({names if program.task == 'multilabel' else 'LABELS'}, predict_proba(X).T)"
            columns.append(f'columns |= {{f"probability_{{name}}": column for name, column in {pairs}}}')
        return columns


_ENDS = {
    "value": 'columns |= zip(("lower", "upper"), interval(X).T)',
    "values": "for name, ends in zip(NAMES, interval(X).swapaxes(0, 1)):\n"
    '        columns |= zip((f"lower_{name}", f"upper_{name}"), ends.T)',
}


def _cell_facts(program: Program) -> dict[str, Any]:
    """Return the variables of the template that describe the cells of raw columns and the CSV format.

    Columns are identified by their indices.
    """
    names, data = program.model.feature_names, program.model.spec.data
    kinds = [column.kind for column in program.columns]
    specified = program.model.spec.feature_kinds or {}
    found = {index: specified.get(column.name) for index, column in enumerate(program.columns)}
    notations = {index: kind for index, kind in found.items() if isinstance(kind, Notation)}
    csv = data if isinstance(data, Csv) else None
    dates = {index: _date_format(notations.get(index)) for index, kind in enumerate(kinds) if kind == "datetime"}
    codes = []
    for index, column in enumerate(program.columns):
        if column.codes is not None:
            items = [f"{text!r}: {code}" for text, code in column.codes.items()]
            line = f"    {index}: {{{', '.join(items)}}},"
            codes += [line] if len(line) <= WIDTH else [f"    {index}: {{", *filled(items, " " * 8), "    },"]
    number, others = "cell", sorted({*dates, *notations})
    if csv is not None and csv.decimal == ",":
        number = 'cell.replace(",", ".")' + f" if index not in {others} else cell" * bool(others)
    markers = csv.missing_values if csv else Csv.model_fields["missing_values"].default
    tables = _notation_tables(notations)
    return {
        "optional": _optional(program),
        "are_taken": program.has_cells or bool(names),
        "dates": dates,
        "booleans": [index for index, kind in enumerate(kinds) if kind == "boolean"],
        "words": {word: float(word == pair[0]) for pair in PAIRS for word in pair},
        "codes": "\n".join(codes),
        "use_patterns": bool(program.texts or program.words or dates or notations)
        or (csv is not None and csv.delimiter is None),
        "notation_tables": tables,
        **{name.lower(): entries for name, _, entries in tables},
        "missing_texts": tuple(dict.fromkeys(["", *markers])),
        "csv_number": number,
        "reader_lines": _reader_lines(csv),
        "is_headless": bool(names) and csv is not None and not csv.header,
        "encoding": "utf-8-sig" if csv is None or csv.encoding in ("utf-8", "utf8") else csv.encoding,
    }


def _optional(program: Program) -> str:
    """Return the columns of `x` that may be missing, as code: those of `OPTIONAL` unless texts shift them."""
    if not program.words:
        return "OPTIONAL"
    return str([program.starts[index] for index in program.missing])


def _date_format(notation: Notation | None) -> str | None:
    """Return the format of a column of dates; two-digit years that are completed become four-digit years."""
    if not isinstance(notation, DatetimeFormat):
        return None
    return notation.format if notation.last_year is None else notation.with_whole_years[0]


def _notation_tables(notations: Mapping[int, Notation]) -> list[tuple[str, str, dict[int, tuple[Any, ...]]]]:
    """Return the constants of notations: the name, a comment, and the entries by column index."""
    numbers: dict[int, tuple[Any, ...]] = {}
    durations: dict[int, tuple[Any, ...]] = {}
    years: dict[int, tuple[Any, ...]] = {}
    markers: dict[int, tuple[Any, ...]] = {}
    for index, each in notations.items():
        if isinstance(each, NumberFormat):
            numbers[index] = (each.pattern, each.separators, each.around if each.unit else "")
        elif isinstance(each, DurationFormat):
            forms = [(pattern, [SECONDS[unit] for unit in units]) for pattern, units in each.forms]
            durations[index] = (forms, SECONDS[each.duration])
        elif isinstance(each, DatetimeFormat) and each.last_year is not None:
            years[index] = (each.with_whole_years[1], each.last_year)
        if each.missing_values:
            markers[index] = (each.missing_values, each.missing_numbers)
    return [
        (
            "NUMBERS",
            "For columns of numbers that are written otherwise: how, what to leave out, and the unit around them.",
            numbers,
        ),
        ("DURATIONS", "For columns of durations: forms, the seconds of their parts and of the unit.", durations),
        ("SHORT_YEARS", "For columns of dates with years of two digits: where, and the last year.", years),
        ("MARKERS", "For columns in which some texts and numbers mean that a value is missing: these.", markers),
    ]


def _reader_lines(data: Csv | None) -> list[str]:
    """Return the lines that split a file into records."""
    delimiter, quote, skipped, lines = "", "", "", []
    if data is not None:
        lines.append(f"lines = list(lines)[{data.skip}:]" if data.skip else "lines = list(lines)")
        skipped = f" + {data.skip}" if data.skip else ""
        quote = f", quotechar={data.quote!r}" if data.quote != '"' else ""
        delimiter = f", delimiter={data.delimiter!r}"
        if data.delimiter is None:
            mark = re.escape(data.quote)
            quoted = f"{mark}[^{mark}]*{mark}"
            lines.append(f"first = re.sub({quoted!r}, '', next(filter(str.strip, lines), ''))")
            delimiter = ', delimiter=max(",;\\t|", key=first.count)'
    lines.append(f"reader = csv.reader(lines{delimiter}{quote})")
    lines.append(f"rows = [(reader.line_num{skipped}, row) for row in reader if row]")
    return lines


def _array_text(name: str, array: Array) -> str:
    """Return the code that assigns an array to a name, with exact numbers."""
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
