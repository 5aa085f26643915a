"""PyTorch: a readable module, and its state dict beside it."""

from __future__ import annotations

import io
import runpy
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from specnet.compiler import operations
from specnet.compiler.expressions import CALL, Form, Text, number_text
from specnet.compiler.value import EXPAND
from specnet.data import RawColumns
from specnet.exporting.formula import GROUPED, LINEAR, LOOKUP, TEXT_EXPANSIONS, FreeNames, Step, python_number
from specnet.exporting.libraries.array_functions import (
    GROUPED_HELPER,
    LOOKUP_HELPER,
    PYTHON_WORDS,
    Library,
    RowWriter,
    in_lines,
    library_forms,
    quoted,
)
from specnet.exporting.libraries.torch_network import Modules, far_normalizations
from specnet.exporting.model_program import Program
from specnet.exporting.model_steps import ModelSteps, Stage
from specnet.exporting.target import ExportAnswers, Target, refuse_module_name, refuse_texts, required
from specnet.model import Model
from specnet.parts.arrays import Array

_HELPERS = {
    LOOKUP: LOOKUP_HELPER.format(whole="long()", found="nn.functional.embedding(number, table)"),
    GROUPED: GROUPED_HELPER.format("torch"),
}
"""What PyTorch does not have."""
_WORDS = PYTHON_WORDS | {"torch", "nn", "self"}


_ANSWERS = {
    "value": "self(X)[:, 0]",
    "values": "self(X)",
    "multilabel": "(self(X) > {boundary}).long()",
    "binary": "[LABELS[index] for index in (self(X)[:, 0] > {boundary}).long()]",
    "classes": "[LABELS[index] for index in self(X).argmax(dim=1)]",
}


class TorchTarget(Target):
    suffix = ".py"
    is_program = True
    gives_intervals = True
    takes_teams = True

    def program(self, model: Model, dtype: np.dtype[Any]) -> Program:
        required("torch", "torch")
        return Program(model, dtype, {operations.SOFTPLUS: TEXT_EXPANSIONS[operations.SOFTPLUS]})

    def render(self, program: Program, path: Path) -> dict[Path, bytes]:
        refuse_module_name(path, "torch")
        refuse_texts(program, "PyTorch")
        torch, weights = required("torch", "torch"), path.with_suffix(".pt")
        writer, content = _Writer(program), io.BytesIO()
        text = writer.module(weights.name)
        state = {name: torch.from_numpy(np.array(array)) for name, array in writer.state.items()}
        torch.save(state, content)
        return {weights: content.getvalue(), path: text.encode()}

    def run(self, program: Program, path: Path, rows: RawColumns) -> ExportAnswers:
        torch, module = required("torch", "torch"), runpy.run_path(str(path))
        network, columns = module["load"](), torch.from_numpy(rows.X)
        if program.task == "values":
            outputs = network.predict(columns).numpy().reshape(len(rows), -1)
            ends = network.interval(columns).numpy().reshape(*outputs.shape, 2) if program.interval else None
            return ExportAnswers(outputs, None, ends)
        answers = network.predict(columns)
        labels = answers.numpy() if program.task == "multilabel" else np.array(answers)
        return ExportAnswers(network(columns).detach().numpy(), labels)


TARGET = TorchTarget()


class _Torch(Library):
    """PyTorch; `modules` has the template of a call for each layer that is a module as a whole."""

    name, words = "torch", _WORDS
    forms = MappingProxyType(library_forms("torch") | {operations.SIGMOID: Form("torch.sigmoid({})")})
    shapes = MappingProxyType(
        {
            "sum": "{{}}.sum(dim=1, keepdim=True)",
            "max": "{{}}.amax(dim=1, keepdim=True)",
            "rows": "{{}}[:, {at[0]}:{at[1]}]",
            "concatenate": "torch.cat([{all}], dim=1)",
            "repeat": "{{}}.repeat(1, {at[0]})",
            "each": "{{}}.repeat_interleave({at[0]}, dim=1)",
            "expand": "{{}}.expand(len({array}), {features})",
            "cast": "{{}}.to(torch.{dtype})",
        }
    )

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
        operation, are_numbers = step.operation, [isinstance(operand, float) for operand in step.operands]
        if operation in (operations.MAXIMUM, operations.MINIMUM) and any(are_numbers):
            bound = "min" if operation is operations.MAXIMUM else "max"
            first, second = (0, 1) if are_numbers[1] else (1, 0)
            return Form(f"torch.clamp({{{first}}}, {bound}={{{second}}})")
        if operation is LINEAR and operands[1].code.startswith("self."):
            return Form(f"{operands[1].code.removesuffix('.weight')}({{}})")
        if operation is LINEAR:
            return Form(f"nn.functional.linear({', '.join(['{}'] * len(operands))})")
        if operation is EXPAND and are_numbers[0]:
            return Form(f"torch.full((len({array}), {step.features}), {{}}, dtype=torch.{dtype.name})")
        return super().form(step, operands, array, dtype)

    def each_member(self, model: ModelSteps) -> tuple[str, Text]:
        return "for member in self.members:", Text("member(x)", CALL)

    def called_model(self, number: int) -> Text:
        return Text(f"self.models[{number}](x)", CALL)


def _field(value: Any) -> str:
    """Return an activation's field as PyTorch has it."""
    if isinstance(value, bool):  # of gelu; `parametric` no call has
        return "tanh" if value else "none"
    return python_number(value).code if isinstance(value, float) else str(value)


class _Writer:
    """Writes one program.

    Attributes
    ----------
    state : dict
        What the network keeps, by its name in the state dict.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        names = FreeNames(
            {*_WORDS, "FEATURES", "LABELS", "Network", "load", "forward", "predict", "interval", "training", "X"}
        )
        self.models = [_Kept(model, names) for model in program.models]
        self.names = [names.new(f"Model{number}") for number in range(len(self.models)) if program.is_team]
        self.state = {name: array for kept in self.models for name, array in kept.state.items()}
        calls = {stage: call for kept in self.models for stage, call in kept.calls.items()}
        references = {table: name for kept in self.models for table, name in kept.references.items()}
        self.rows = RowWriter(program, _Torch(calls), names, references)

    def module(self, weights: str) -> str:
        """Return the file's text, with the name of the file that has its state."""
        program = self.program
        names, labels = program.model.feature_names, program.labels
        constants = [in_lines(list(map(repr, names)), "FEATURES = [", "]")] if names else []
        constants += [in_lines(list(map(repr, labels)), "LABELS = [", "]")] if labels is not None else []
        prepares = any(not model.prepare.is_identity for model in program.models)
        raw = prepares or program.dtype == np.float64  # float32 is what a line says that follows
        pieces = [
            _HEAD.format(
                title=quoted(f"{program.name}: from {program.summary}, with PyTorch."),
                origin=program.origin,
                columns="The columns are those of `FEATURES`, in that order.\n" if names else "",
                constants="\n".join(["\n", *constants]) if constants else "",
            ),
            *(text for operation, text in _HELPERS.items() if operation in program.operations),
            *self.rows.definitions,
            *(text for number in range(len(self.models)) for text in self._classes(number)),
            _NETWORK.format(
                inputs=program.inputs,
                outputs=program.outputs,
                answers=program.summary,
                setup=_inside(["super().__init__()", *self._setup()]),
                inside=_inside([*(["x = x.to(torch.float64)"] if raw else []), *self.rows.lines]),
                said=program.prediction,
                result=program.answered(_ANSWERS),
            )
            + self._interval(),
            _LOAD.format(weights=weights),
        ]
        return "\n\n\n".join(piece.strip("\n") for piece in pieces) + "\n"

    def _interval(self) -> str:
        """Return the method that gives intervals, if it is asked for."""
        interval = self.program.interval
        if interval is None:
            return ""
        arrays, following = {"reach": interval.reach[:, 0]}, []
        if interval.follows:
            arrays |= {"knots": interval.knots[:, :-1], "gaps": interval.gaps, "slopes": interval.slopes}
            passed = "torch.minimum((values[:, :, None] - knots).clamp(min=0), gaps)"
            following = [f"reach = reach + ({passed} * slopes).sum(dim=2)"]
        lines = [in_lines(*_tensor(name, array)) for name, array in arrays.items()]
        lines += [*following, "ends = torch.stack([values - reach, values + reach], dim=2)"]
        if interval.not_negative:
            lines.append(f"ends[:, {interval.not_negative}] = ends[:, {interval.not_negative}].clamp(min=0)")
        return _INTERVAL.format(
            said=interval.meaning,
            inside=_inside("\n".join(lines).split("\n")),
            first="[:, 0]" * (self.program.outputs == 1),
        )

    def _setup(self) -> list[str]:
        """Return the lines that make what the network keeps."""
        if not self.names:
            return self.models[0].setup
        return [in_lines([f"{name}()" for name in self.names], "self.models = nn.ModuleList([", "])")]

    def _classes(self, number: int) -> list[str]:
        """Return the class of the members of an ensemble, and that of a model of a team."""
        kept, body, found = self.models[number], self.rows.bodies[number], []
        if kept.members:
            said = "A member of the ensemble.", "Return its outputs for prepared columns."
            found.append(_class(kept.member, *said, kept.members[0].setup, body.member))
        if self.names:
            said = "A model of the team.", "Return what it answers for raw columns."
            found.append(_class(self.names[number], *said, kept.setup, body.lines))
        return found


class _Kept:
    """What a model keeps.

    Parameters
    ----------
    model : ModelSteps
    names : FreeNames
        Of classes.

    Attributes
    ----------
    member : str
        The name of the class of the members of an ensemble.
    members : list of Modules
        Of an ensemble.
    setup : list of str
        Lines that make what is kept.
    state : dict
        That, by its name in the state dict of the whole network.
    calls, references : dict
        As of `Modules`.
    """

    def __init__(self, model: ModelSteps, names: FreeNames) -> None:
        self.model, in_double = model, far_normalizations(model)
        own = Modules(model, (model.prepare, model.finish), () if model.is_averaged else model.steps, in_double)
        members = model.members if model.is_averaged else ()
        self.members = [Modules(model, (), member.steps, in_double) for member in members]
        self.member = names.new("Member") if members else ""
        self.setup = own.setup
        if members:
            self.setup.append(f"self.members = nn.ModuleList({self.member}() for _ in range({len(members)}))")
        prefixes = [model.prefix, *(member.prefix for member in members)]
        kept = zip(prefixes, (own, *self.members), strict=True)
        self.state = {prefix + name: array for prefix, each in kept for name, array in each.state.items()}
        first = self.members[0] if members else own
        self.calls, self.references = first.calls, own.references | first.references


def _class(name: str, about: str, returned: str, setup: Sequence[str], lines: Sequence[str]) -> str:
    setup = ["super().__init__()", *setup]
    return _CLASS.format(name=name, about=about, returned=returned, setup=_inside(setup), inside=_inside(lines))


def _inside(lines: Sequence[str]) -> str:
    """Return lines as they stand in a method."""
    return "\n".join(lines).replace("\n", "\n        ")


_HEAD = '''
"""{title}

`load()` returns the network with the weights of the file beside this one; called with raw columns it returns the
outputs, and `predict` the answers. What was learned are its parameters, so that it can be trained further.
{columns}
{origin}
"""

from pathlib import Path

import torch
from torch import nn{constants}
'''
_CLASS = '''
class {name}(nn.Module):
    """{about}"""

    def __init__(self):
        {setup}

    def forward(self, x):
        """{returned}"""
        {inside}
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


def _tensor(name: str, array: Array) -> tuple[list[str], str, str]:
    """Return what `in_lines` makes a tensor in float64 of."""
    if array.ndim == 1:
        return list(map(number_text, array)), f"{name} = torch.tensor([", "], dtype=torch.float64)"
    rows = [f"[{', '.join(map(number_text, row))}]" for row in array]
    return rows, f"{name} = torch.tensor([", "], dtype=torch.float64)"


_INTERVAL = '''
    @torch.no_grad()
    def interval(self, X):
        """Return the {said}, for each row of raw columns."""
        values = self(X).to(torch.float64)
        {inside}
        return ends{first}
'''
_LOAD = '''
def load():
    """Return the network with its weights, ready to predict."""
    network = Network()
    network.load_state_dict(torch.load(Path(__file__).with_name({weights!r}), weights_only=True))
    return network.eval()
'''
