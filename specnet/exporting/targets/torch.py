"""PyTorch: a readable module, and its state dict beside it."""

from __future__ import annotations

import builtins
import io
import keyword
import math
import runpy
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np

from specnet.compiler.operations import functions, pieces, reductions, selection
from specnet.compiler.value import CAST, EXPAND, SUM
from specnet.data import RawColumns
from specnet.errors import UnsupportedError
from specnet.exporting.formula import GROUPED, LINEAR, LOOKUP, Constants, Formula, Step
from specnet.exporting.layer_steps import Stage
from specnet.exporting.program import Program
from specnet.exporting.rows import Library, RowWriter, in_lines, quoted
from specnet.exporting.target import Answers, Target, refuse_module_name, refuse_texts, required
from specnet.exporting.text import ARITHMETIC, CALL, TEXT_EXPANSIONS, Form, Names, Text, python_number
from specnet.model import Model
from specnet.parts.arrays import Array
from specnet.parts.layers import Layer

_FUNCTIONS = {
    functions.EXP: "torch.exp",
    functions.EXPM1: "torch.expm1",
    functions.LOG: "torch.log",
    functions.LOG1P: "torch.log1p",
    functions.SQRT: "torch.sqrt",
    functions.SIN: "torch.sin",
    functions.COS: "torch.cos",
    functions.TANH: "torch.tanh",
    functions.ERF: "torch.erf",
    functions.SIGMOID: "torch.sigmoid",
    functions.ABSOLUTE: "torch.abs",
    functions.SIGN: "torch.sign",
    functions.FLOOR: "torch.floor",
}
FORMS = (
    ARITHMETIC
    | {operation: Form(f"{function}({{}})") for operation, function in _FUNCTIONS.items()}
    | {
        selection.MAXIMUM: Form("torch.maximum({}, {})"),
        selection.MINIMUM: Form("torch.minimum({}, {})"),
        selection.WHERE: Form("torch.where({}, {}, {})"),
        GROUPED: Form("grouped({}, {})"),
        LOOKUP: Form("lookup({}, {})"),
    }
)
_FAR = 8.0
"""Standard deviations from 0 to a mean, beyond which PyTorch's batch normalization needs more than float32."""

_HELPERS = {
    LOOKUP: '''
def lookup(category, table):
    """The rows of a table whose numbers are given, (rows, 1)."""
    number = category[:, 0].long()
    if not ((number == category[:, 0]) & (number >= 0) & (number < len(table))).all():
        raise ValueError(f"expected categories from 0 to {len(table) - 1}")
    return nn.functional.embedding(number, table)
''',
    GROUPED: '''
def grouped(x, weight):
    """Weight (outputs, inputs, groups) times x (rows, inputs · groups), for each of the groups, which take turns."""
    outputs, inputs, groups = weight.shape
    return torch.einsum("nig,oig->nog", x.reshape(-1, inputs, groups), weight).reshape(-1, outputs * groups)
''',
}
"""What PyTorch does not have."""
_WORDS = frozenset({*keyword.kwlist, *dir(builtins), "torch", "nn", "Path", "x", "self", "grouped", "lookup"})


class TorchTarget(Target):
    suffix = ".py"
    is_program = True

    def program(self, model: Model, dtype: np.dtype[Any]) -> Program:
        required("torch", "torch")
        return Program(model, dtype, {functions.SOFTPLUS: TEXT_EXPANSIONS[functions.SOFTPLUS]})

    def render(self, program: Program, path: Path) -> dict[Path, bytes]:
        refuse_module_name(path, "torch")
        refuse_texts(program, "PyTorch")
        torch, weights = required("torch", "torch"), path.with_suffix(".pt")
        writer, content = _Writer(program), io.BytesIO()
        text = writer.module(weights.name)
        state = {name: torch.from_numpy(np.array(array)) for name, array in writer.state.items()}
        torch.save(state, content)
        return {weights: content.getvalue(), path: text.encode()}

    def run(self, program: Program, path: Path, rows: RawColumns) -> Answers:
        torch, module = required("torch", "torch"), runpy.run_path(str(path))
        network, columns = module["load"](), torch.from_numpy(rows.X)
        if program.task == "values":
            return Answers(network.predict(columns).numpy().reshape(len(rows), -1), None)
        answers = network.predict(columns)
        labels = answers.numpy() if program.task == "multilabel" else np.array(answers)
        return Answers(network(columns).detach().numpy(), labels)


TARGET = TorchTarget()


class _Torch(Library):
    """PyTorch; `modules` has the template of a call for each layer that is a module as a whole."""

    words = _WORDS

    def __init__(self, modules: Mapping[Stage, str]) -> None:
        self.modules = modules

    def call(self, stage: Stage, operands: Sequence[Text], tables: Mapping[str, str]) -> Text | None:
        x = operands[0]
        if stage in self.modules:
            return Text(self.modules[stage].format(x.within(CALL)), CALL)
        template = stage.part.names.torch[1]
        if not template:
            return None
        fields = {name: _field(getattr(stage.part, name)) for name in type(stage.part).model_fields}
        return Text(template.format(x=x.code, **fields, **tables), CALL)

    def form(self, step: Step, operands: Sequence[Text], array: str, dtype: np.dtype[Any]) -> Form:
        operation, attributes = step.operation, step.attributes
        if operation in (selection.MAXIMUM, selection.MINIMUM) and any(
            isinstance(operand, float) for operand in step.operands
        ):
            bound = "min" if operation is selection.MAXIMUM else "max"
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
        if operation is reductions.MAX and attributes == "features":
            return Form("{}.amax(dim=1, keepdim=True)", CALL, (CALL,))
        if operation is pieces.ROWS:
            low, high = attributes
            return Form(f"{{}}[:, {low}:{high}]", CALL, (CALL,))
        if operation is pieces.CONCATENATE:
            return Form(f"torch.cat([{', '.join(['{}'] * len(operands))}], dim=1)")
        if operation is EXPAND and isinstance(step.operands[0], float):
            return Form(f"torch.full((len({array}), {step.features}), {{}}, dtype=torch.{dtype.name})")
        if operation is EXPAND:
            return Form(f"{{}}.expand(len({array}), {step.features})", CALL, (CALL,))
        if operation is CAST:
            return Form(f"{{}}.to(torch.{dtype.name})", CALL, (CALL,))
        if operation is pieces.REPEAT:
            count, each = attributes
            return Form(
                f"{{}}.repeat_interleave({count}, dim=1)" if each else f"{{}}.repeat(1, {count})", CALL, (CALL,)
            )
        raise UnsupportedError(f"torch has no form of the operation {operation.name}")

    def number(self, number: float) -> Text:
        return python_number(number)

    def converted(self, array: Text, dtype: np.dtype[Any]) -> Text:
        return Text(f"{array.within(CALL)}.to(torch.{dtype.name})", CALL)


def _field(value: Any) -> str:
    """Return an activation's field as PyTorch has it."""
    if isinstance(value, bool):  # of gelu; `parametric` no call has
        return "tanh" if value else "none"
    return python_number(value).code if isinstance(value, float) else str(value)


def _of_waves(table: Constants, arrays: Mapping[str, Array]) -> tuple[str, Array, str]:
    """Return which of a periodic embedding's arrays a table was computed from, and how, so that it can be learned."""
    key, _, word = table.name.rpartition(".")
    frequency, bias = arrays["frequency"].reshape(-1), arrays["bias"].reshape(-1)
    if word == "weight" and table.array.shape != arrays["weight"].shape:
        return table.name, arrays["weight"], f"{{}}.expand(-1, -1, {table.array.shape[2]})"
    if word in arrays:
        return table.name, table.array, "{}"
    if np.array_equal(table.array, frequency * (2 * math.pi)):
        return f"{key}.frequency", frequency, "{}.mul(2 * torch.pi)"
    return f"{key}.bias", bias, f"{{}}.repeat_interleave({table.array.size // bias.size})"


def _is_far(part: Any, arrays: Mapping[str, Array]) -> bool:
    """Whether a batch normalization takes differences of numbers that are far larger than they are."""
    deviation = np.sqrt(arrays["running_variance"] + part.epsilon)
    return bool((abs(arrays["running_mean"] * arrays["scale"]) / deviation).max() > _FAR)


class _Writer:
    """Writes one program.

    Attributes
    ----------
    setup : list of str
        Lines that make what the network keeps.
    state : dict
        That, by its name in the state dict.
    """

    def __init__(self, program: Program) -> None:
        self.program, self.dtype = program, f"torch.{program.dtype.name}"
        self.setup: list[str] = []
        self.state: dict[str, Array] = {}
        self._attributes = Names({*dir(required("torch", "torch").nn.Module), "predict"})
        self._references: dict[Constants, str] = {}
        self._modules: dict[Stage, str] = {}
        for formula in (program.prepare, program.finish):
            self._keep(formula, frozenset())
        for step in program.steps:
            for stage in step.stages:
                self._place(stage, step.node.key)
        names = Names({*_WORDS, "FEATURES", "LABELS", "Network", "load", "forward", "predict", "training", "X"})
        self.rows = RowWriter(program, _Torch(self._modules), names, self._references)

    def _place(self, stage: Stage, key: str) -> None:
        """Give all that a stage learned and keeps its place: in a module of PyTorch's, or by itself."""
        part: Any = stage.part
        arrays = {name.rpartition(".")[2]: array for name, array in stage.arrays.items()}
        if isinstance(part, Layer) and part.names.torch[1]:
            self._made(stage, key, arrays)
        else:
            for step in stage.formula.steps if len(stage.formula.steps) <= 2 else ():
                if step.operation is LINEAR:
                    self._linear(step, key)
            self._keep(stage.formula, stage.arrays.keys(), arrays if part.type == "periodic_embedding" else {})

    def _made(self, stage: Stage, key: str, arrays: Mapping[str, Array]) -> None:
        """Make the module of a part that is one as a whole."""
        part, dtype, call = stage.part, self.program.dtype, "self.{name}({{}})"
        if part.type == "batch_normalization" and dtype == np.float32 and _is_far(part, arrays):
            dtype, call = np.dtype(np.float64), "self.{name}({{}}.to(torch.float64)).to(torch.float32)"
        size, fields = len(next(iter(arrays.values()))), {name: getattr(part, name) for name in type(part).model_fields}
        made = part.names.torch[1].format(size=size, dtype=dtype.name, **fields)
        kept = zip(part.names.torch[2:], arrays.values(), strict=True)
        state = {name: array.astype(dtype) for name, array in kept}
        if part.type == "batch_normalization":
            state["num_batches_tracked"] = np.array(0)
        self._modules[stage] = call.format(name=self._module(key, made, state))

    def _linear(self, step: Step, key: str) -> None:
        weight, *bias = (operand for operand in step.operands if isinstance(operand, Constants))
        outputs, inputs = weight.array.shape
        made = f"nn.Linear({inputs}, {outputs}{'' if bias else ', bias=False'}, dtype={self.dtype})"
        name = self._module(key, made, {"weight": weight.array} | ({"bias": bias[0].array} if bias else {}))
        self._references |= {weight: f"self.{name}.weight"} | dict.fromkeys(bias, f"self.{name}.bias")

    def _module(self, key: str, made: str, state: Mapping[str, Array]) -> str:
        """Make a module of PyTorch's with a state, and return its name."""
        name = self._attributes.new(key)
        self.setup.append(f"self.{name} = {made}")
        self.state |= {f"{name}.{each}": array for each, array in state.items()}
        return name

    def _keep(self, formula: Formula, names: Set[str], waves: Mapping[str, Array] | None = None) -> None:
        """Keep a formula's tables: as parameters what was learned, and as buffers what was not.

        Parameters
        ----------
        formula : Formula
        names : set of str
            Of what its layer learned and keeps. Where all that is learned, what is computed from it counts so too.
        waves : mapping, optional
            The arrays of a periodic embedding.
        """
        kept = self.program.model.state.keys() & names
        for table in formula.tables:
            if table not in self._references:
                wish, array, form = _of_waves(table, waves) if waves else (table.name, table.array, "{}")
                name = self._attributes.new(wish)
                zeros = f"torch.zeros({', '.join(map(str, array.shape))}, dtype=torch.{array.dtype.name})"
                if wish in names - kept or (names and not kept):
                    self.setup.append(f"self.{name} = nn.Parameter({zeros})")
                else:
                    self.setup.append(f'self.register_buffer("{name}", {zeros})')
                self.state[name] = array
                self._references[table] = form.format(f"self.{name}")

    def module(self, weights: str) -> str:
        """Return the file's text, with the name of the file that has its state."""
        program = self.program
        names, labels = program.model.feature_names, program.labels
        constants = [in_lines(list(map(repr, names)), "FEATURES = [", "]")] if names else []
        constants += [in_lines(list(map(repr, labels)), "LABELS = [", "]")] if labels is not None else []
        raw = not program.prepare.is_identity or program.dtype == np.float64  # float32 is what a line says that follows
        above = f"> {program.model.boundary}"
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
                title=quoted(f"{program.name}: from {program.summary}, with PyTorch."),
                hash=program.model.spec.sha256,
                columns="The columns are those of `FEATURES`, in that order.\n" if names else "",
                constants="\n".join(["\n", *constants]) if constants else "",
            ),
            *(text for operation, text in _HELPERS.items() if operation in program.operations),
            *self.rows.definitions,
            _NETWORK.format(
                inputs=program.inputs,
                outputs=program.outputs,
                answers=program.summary,
                setup="\n        ".join(["super().__init__()", *self.setup]),
                inside="\n        ".join([*(["x = x.to(torch.float64)"] if raw else []), *self.rows.lines]),
                said=said,
                result=result,
            ),
            _LOAD.format(weights=weights),
        ]
        return "\n\n\n".join(piece.strip("\n") for piece in pieces) + "\n"


_HEAD = '''
"""{title}

`load()` returns the network with the weights of the file beside this one; called with raw columns it returns the
outputs, and `predict` the answers. What was learned are its parameters, so that it can be trained further.
{columns}
Written by specnet from the spec with SHA-256 {hash}.
"""

from pathlib import Path

import torch
from torch import nn{constants}
'''
_NETWORK = '''
class Network(nn.Module):
    """From {answers}."""

    def __init__(self):
        {setup}

    def forward(self, x):
        """Return the outputs for raw columns (rows, {inputs}): (rows, {outputs})."""
        if x.ndim != 2 or x.shape[1] != {inputs}:
            raise ValueError(f"X has shape {{tuple(x.shape)}}; expected (rows, {inputs})")
        {inside}

    @torch.no_grad()
    def predict(self, X):
        """Return {said} for each row of raw columns."""
        return {result}
'''
_LOAD = '''
def load():
    """Return the network with its weights, ready to predict."""
    network = Network()
    network.load_state_dict(torch.load(Path(__file__).with_name({weights!r}), weights_only=True))
    return network.eval()
'''
