"""PyTorch: a readable module, and its state dict beside it."""

from __future__ import annotations

import builtins
import io
import keyword
import runpy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.compiler import operations as op
from specnet.compiler.groups import REPEAT
from specnet.compiler.value import CAST, EXPAND, SUM
from specnet.exporting.formula import GROUPED, LINEAR, LOOKUP, Step, Table
from specnet.exporting.program import Program
from specnet.exporting.rows import Library, Rows, quoted
from specnet.exporting.target import REMARK, Answers, ExportError, Target, required
from specnet.exporting.text import ARITHMETIC, CALL, TEXT_EXPANSIONS, Form, Names, Text, python_number
from specnet.model import Model

Array = NDArray[Any]

_FUNCTIONS = {
    op.EXP: "torch.exp",
    op.EXPM1: "torch.expm1",
    op.LOG: "torch.log",
    op.LOG1P: "torch.log1p",
    op.SQRT: "torch.sqrt",
    op.SIN: "torch.sin",
    op.COS: "torch.cos",
    op.TANH: "torch.tanh",
    op.ERF: "torch.erf",
    op.SIGMOID: "torch.sigmoid",
    op.ABSOLUTE: "torch.abs",
    op.SIGN: "torch.sign",
}
FORMS = (
    ARITHMETIC
    | {operation: Form(f"{function}({{}})") for operation, function in _FUNCTIONS.items()}
    | {
        op.MAXIMUM: Form("torch.maximum({}, {})"),
        op.MINIMUM: Form("torch.minimum({}, {})"),
        op.WHERE: Form("torch.where({}, {}, {})"),
        GROUPED: Form("grouped({}, {})"),
        LOOKUP: Form("nn.functional.embedding({}[:, 0].long(), {})", CALL, (CALL, 0)),
    }
)
_GROUPED = '''
def grouped(x, weight):
    """Weight (outputs, inputs, groups) times x (rows, inputs · groups), for each of the groups, which take turns."""
    outputs, inputs, groups = weight.shape
    return torch.einsum("nig,oig->nog", x.reshape(-1, inputs, groups), weight).reshape(-1, outputs * groups)
'''
_WORDS = frozenset({*keyword.kwlist, *dir(builtins), "torch", "nn", "Path", "x", "self", "grouped"})


class TorchTarget(Target):
    suffix = ".py"
    is_program = True

    def program(self, model: Model, dtype: np.dtype[Any]) -> Program:
        required("torch", "torch")
        return Program(model, dtype, {op.SOFTPLUS: TEXT_EXPANSIONS[op.SOFTPLUS]})

    def render(self, program: Program, path: Path) -> dict[Path, bytes]:
        torch, weights = required("torch", "torch"), path.with_suffix(".pt")
        writer, content = _Writer(program), io.BytesIO()
        text = writer.module(weights.name)
        state = {name: torch.from_numpy(np.array(table.array)) for table, name in writer.tables.items()}
        torch.save(state, content)
        return {weights: content.getvalue(), path: text.encode()}

    def run(self, program: Program, path: Path, X: Array) -> Answers:
        torch, module = required("torch", "torch"), runpy.run_path(str(path))
        network, columns = module["load"](), torch.from_numpy(X)
        with torch.no_grad():
            outputs = network(columns).numpy()
            return Answers(outputs, None if program.task == "values" else np.array(network.predict(columns)))


TARGET = TorchTarget()


class _Torch(Library):
    words = _WORDS

    def form(self, step: Step, operands: Sequence[Text], array: str, dtype: np.dtype[Any]) -> Form:
        operation, attributes = step.operation, step.attributes
        if operation in (op.MAXIMUM, op.MINIMUM) and any(isinstance(operand, float) for operand in step.operands):
            bound = "min" if operation is op.MAXIMUM else "max"
            first, second = (0, 1) if isinstance(step.operands[1], float) else (1, 0)
            return Form(f"torch.clamp({{{first}}}, {bound}={{{second}}})")
        if operation in FORMS:
            return FORMS[operation]
        if operation is LINEAR and operands[1].code.startswith("self."):
            return Form(f"{operands[1].code.removesuffix('.weight')}({{}})")
        if operation is LINEAR:
            return Form(f"nn.functional.linear({', '.join(['{}'] * len(operands))})")
        if operation is SUM and attributes == "features":
            return Form("{}.sum(dim=1, keepdim=True)", CALL, (CALL,))
        if operation is op.MAX and attributes == "features":
            return Form("{}.amax(dim=1, keepdim=True)", CALL, (CALL,))
        if operation is op.ROWS:
            low, high = attributes
            return Form(f"{{}}[:, {low}:{high}]", CALL, (CALL,))
        if operation is op.CONCATENATE:
            return Form(f"torch.cat([{', '.join(['{}'] * len(operands))}], dim=1)")
        if operation is EXPAND and isinstance(step.operands[0], float):
            return Form(f"torch.full((len({array}), {step.features}), {{}}, dtype=torch.{dtype.name})")
        if operation is EXPAND:
            return Form(f"{{}}.expand(len({array}), {step.features})", CALL, (CALL,))
        if operation is CAST:
            return Form(f"{{}}.to(torch.{dtype.name})", CALL, (CALL,))
        if operation is REPEAT:
            count, each = attributes
            return Form(
                f"{{}}.repeat_interleave({count}, dim=1)" if each else f"{{}}.repeat(1, {count})", CALL, (CALL,)
            )
        raise ExportError(f"torch has no form of the operation {operation.name}")

    def number(self, number: float) -> Text:
        return python_number(number)

    def converted(self, array: Text, dtype: np.dtype[Any]) -> Text:
        return Text(f"{array.within(CALL)}.to(torch.{dtype.name})", CALL)


class _Writer:
    """Writes one program. A state's name is that of the model's, with one dot left for the linear modules."""

    def __init__(self, program: Program) -> None:
        self.program = program
        names = Names({*_WORDS, "LABELS", "Network", "load", "forward", "predict", "training", "X"})
        attributes = Names(dir(required("torch", "torch").nn.Module))
        self.linear: dict[str, tuple[Table, bool]] = {}
        self.tables: dict[Table, str] = {}
        for formula in program.formulas:
            for step in formula.steps:
                if step.operation is LINEAR and len(formula.steps) <= 2:
                    weight, *bias = (operand for operand in step.operands if isinstance(operand, Table))
                    name = attributes.new(weight.name.removesuffix(".weight"))
                    self.linear[name] = weight, bool(bias)
                    self.tables |= {weight: f"{name}.weight"} | dict.fromkeys(bias, f"{name}.bias")
        for table in program.tables:
            if table not in self.tables:
                self.tables[table] = attributes.new(table.name)
        references = {table: f"self.{name}" for table, name in self.tables.items()}
        self.rows = Rows(program, _Torch(), names, references)

    def module(self, weights: str) -> str:
        program = self.program
        setup = [
            f"self.{name} = nn.Linear({table.array.shape[1]}, {table.array.shape[0]}{'' if bias else ', bias=False'}"
            f", dtype=torch.{program.dtype.name})"
            for name, (table, bias) in self.linear.items()
        ]
        for table, name in self.tables.items():
            if "." not in name:
                zeros = f"torch.zeros({table.array.shape}, dtype=torch.{table.array.dtype.name})"
                setup.append(f'self.register_buffer("{name}", {zeros})')
        above = f"> {program.boundary}"
        match program.task:
            case "values":
                said, result = program.meaning, "self(X)[:, 0]" if program.outputs == 1 else "self(X)"
            case "multilabel":
                said, result = "0 or 1 for each output", f"(self(X) {above}).long()"
            case "binary":
                said, result = "the more probable label", f"[LABELS[index] for index in (self(X)[:, 0] {above}).long()]"
            case "classes":
                said, result = "the most probable label", "[LABELS[index] for index in self(X).argmax(dim=1)]"
        pieces = [
            _HEAD.format(
                title=quoted(f"{program.name}: from {program.answers()}, with PyTorch."),
                hash=program.spec_hash,
                remark=REMARK,
                labels="" if program.labels is None else f"\n\nLABELS = {program.labels!r}",
            ),
            *([_GROUPED] if GROUPED in program.operations else []),
            *self.rows.definitions,
            _NETWORK.format(
                inputs=program.inputs,
                outputs=program.outputs,
                answers=program.answers(),
                setup="\n        ".join(["super().__init__()", *setup]),
                inside="\n        ".join([*self.rows.lines, f"return {self.rows.result}"]),
                said=said,
                result=result,
            ),
            _LOAD.format(weights=weights),
        ]
        return "\n\n\n".join(piece.strip("\n") for piece in pieces) + "\n"


_HEAD = '''
"""{title}

`load()` returns the network with the weights of the file beside this one; called with raw columns it returns the
outputs, and `predict` the answers.

Written by specnet from the spec with SHA-256 {hash}.
{remark}
"""

from pathlib import Path

import torch
from torch import nn{labels}
'''
_NETWORK = '''
class Network(nn.Module):
    """From {answers}."""

    def __init__(self):
        {setup}

    def forward(self, x):
        """Return the outputs for raw columns (rows, {inputs}): (rows, {outputs})."""
        x = x.to(torch.float64)
        {inside}

    def predict(self, X):
        """Return {said} for each row of raw columns."""
        return {result}
'''
_LOAD = '''
def load():
    """Return the network with its weights, ready to predict."""
    network = Network()
    network.load_state_dict(torch.load(Path(__file__).with_name("{weights}"), weights_only=True))
    return network.eval()
'''
