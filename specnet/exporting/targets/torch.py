"""Export to PyTorch: a readable module, and a file with its state dict."""

from __future__ import annotations

import io
import math
import runpy
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from specnet.compiler import operations
from specnet.compiler.expressions import CALL, Form, Text, number_text
from specnet.compiler.value import EXPAND
from specnet.data import RawColumns
from specnet.exporting.array_functions import (
    PYTHON_WORDS,
    RowWriter,
    in_lines,
    library_forms,
)
from specnet.exporting.export_plan import LINEAR, Constants, NetworkPlan, Stage, Step
from specnet.exporting.expression_text import TEXT_EXPANSIONS, FreeNames, python_number
from specnet.exporting.model_program import Program
from specnet.exporting.target import ExportAnswers, Target, refuse_module_name, refuse_texts, required
from specnet.model import Model
from specnet.model.gradients import has_derivatives
from specnet.parts.arrays import FLOAT64, Array
from specnet.parts.layers import Layer

_WORDS = PYTHON_WORDS | {"torch", "nn", "self"}
_FAR = 8.0
"""Distance of a mean from 0 in standard deviations, above which batch normalization is computed in float64."""


_ANSWERS = {
    "value": "self(X)[:, 0]",
    "values": "self(X)",
    "multilabel": "(self(X) {above}).long()",
    "binary": "[LABELS[index] for index in (self(X)[:, {last}] {above}).long()]",
    "classes": "[LABELS[index] for index in self(X).argmax(dim=1)]",
}


class TorchTarget(Target):
    title = "PyTorch"
    suffix = ".py"
    is_program = True
    gives_intervals = True
    gives_derivatives = True
    takes_teams = True

    def program(self, model: Model, dtype: np.dtype[Any]) -> Program:
        required("torch", "torch")
        return Program(model, dtype, {operations.SOFTPLUS: TEXT_EXPANSIONS[operations.SOFTPLUS]})

    def with_derivatives(self, program: Program) -> Program:
        program.has_derivatives = True  # by autograd, so that they are still right after further training
        return program

    def render(self, program: Program, path: Path) -> dict[Path, bytes]:
        refuse_module_name(path, "torch")
        refuse_texts(program, "PyTorch")
        torch, weights = required("torch", "torch"), path.with_suffix(".pt")
        writer, content = _TorchWriter(program), io.BytesIO()
        text = writer.module(weights.name)
        state = {name: torch.from_numpy(np.array(array)) for name, array in writer.state.items()}
        torch.save(state, content)
        return {weights: content.getvalue(), path: text.encode()}

    def run(self, program: Program, path: Path, rows: RawColumns) -> ExportAnswers:
        torch, module = required("torch", "torch"), runpy.run_path(str(path))
        network, columns = module["load"](), torch.from_numpy(rows.X)
        derivatives = network.gradient(columns).numpy() if program.has_derivatives else None
        if program.task == "values":
            outputs = network.predict(columns).numpy().reshape(len(rows), -1)
            ends = network.interval(columns).numpy().reshape(*outputs.shape, 2) if program.interval else None
            return ExportAnswers(outputs, None, ends, derivatives)
        answers = network.predict(columns)
        labels = answers.numpy() if program.task == "multilabel" else np.array(answers)
        return ExportAnswers(network(columns).detach().numpy(), labels, derivatives=derivatives)


TARGET = TorchTarget()


def _field(value: Any) -> str:
    """Return the value of an activation's field as an argument for PyTorch."""
    if isinstance(value, bool):  # `approximate` of gelu; `parametric` is never an argument
        return "tanh" if value else "none"
    return python_number(value).code if isinstance(value, float) else str(value)


class _TorchWriter(RowWriter):
    """Writer of a program's PyTorch module.

    Attributes
    ----------
    state : dict
        The state dict of the network as arrays.
    """

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

    def __init__(self, program: Program) -> None:
        used = "FEATURES LABELS Network load forward predict interval gradient training X"
        names = FreeNames({*_WORDS, *used.split()})
        self.stored, self.members = list[_Modules](), list[tuple[str, _Modules] | None]()
        for model in program.networks:
            own = _Modules(
                model, (model.prepare, model.finish), () if model.is_averaged else model.layers, [model.prefix]
            )
            self.stored.append(own)
            self.members.append(None)
            if model.is_averaged:
                self.members[-1] = member = names.new("Member"), _Modules(model, (), model.layers, model.members)
                count = len(model.members)
                own.setup.append(f"self.members = nn.ModuleList({member[0]}() for _ in range({count}))")
        self.models = [names.new(f"Model{number}") for number in range(len(self.stored)) if program.is_team]
        pairs = zip(self.stored, self.members, strict=True)
        modules = [each for own, member in pairs for each in (own, *([member[1]] if member else []))]
        self.state = {name: array for each in modules for name, array in each.state.items()}
        self.calls = {stage: call for each in modules for stage, call in each.calls.items()}
        super().__init__(program, names, {table: name for each in modules for table, name in each.references.items()})

    def call(self, stage: Stage, operands: Sequence[Text], tables: Mapping[str, str]) -> Text | None:
        x = operands[0]
        if stage in self.calls:
            return Text(self.calls[stage].format(x.within(CALL)), CALL)
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

    def each_member(self, model: NetworkPlan) -> tuple[str, Text]:
        return "for member in self.members:", Text("member(x)", CALL)

    def called_model(self, number: int) -> Text:
        return Text(f"self.models[{number}](x)", CALL)

    def module(self, weights: str) -> str:
        """Return the text of the Python file, given the name of the file with its state."""
        program, classes = self.program, []
        for number, (lines, member_lines) in enumerate(self.bodies):
            own, member = self.stored[number], self.members[number]
            if member:
                about = {"about": "A member of the ensemble.", "returned": "Return its outputs for prepared columns."}
                classes.append({"name": member[0], **about, "setup": member[1].setup, "lines": member_lines})
            if self.models:
                about = {"about": "A model of the team.", "returned": "Return what it answers for raw columns."}
                classes.append({"name": self.models[number], **about, "setup": own.setup, "lines": lines})
        models = in_lines([f"{name}()" for name in self.models], "self.models = nn.ModuleList([", "])")
        prepares = any(not model.prepare.is_identity for model in program.networks)
        return self.text(
            library="torch",
            whole="long()",
            found="nn.functional.embedding(number, table)",
            classes=classes,
            setup=[models] if self.models else self.stored[0].setup,
            is_raw=prepares or program.dtype == np.float64,  # otherwise a later line converts to float32
            prediction=program.answered(_ANSWERS),
            weights=weights,
            without=np.flatnonzero(~has_derivatives(program.networks[0].trained)).tolist(),
            tensor_text=_tensor_text,
        )


class _Modules:
    """The contents of one module class: PyTorch modules, parameters and buffers, each created by one line.

    Parameters
    ----------
    model : NetworkPlan
    stages : iterable of Stage
        The stages of preprocessing, whose tables are not trained.
    layers : iterable of tuple of Stage
    prefixes : sequence of str
        For each instance of the class, the prefix of its names in the state dict of the whole network.

    Attributes
    ----------
    setup : list of str
        Lines that create the modules, parameters and buffers.
    references : dict of Constants to str
        The expression of each table in the code.
    calls : dict of Stage to str
        Templates of calls of the layers that are complete PyTorch modules.
    """

    def __init__(
        self, model: NetworkPlan, stages: Iterable[Stage], layers: Iterable[tuple[Stage, ...]], prefixes: Sequence[str]
    ) -> None:
        self.model, self.prefixes, self._in_double = model, prefixes, _far_normalizations(model)
        self.setup: list[str] = []
        self.references: dict[Constants, str] = {}
        self.calls: dict[Stage, str] = {}
        self._states: list[dict[str, Array]] = [{} for _ in prefixes]
        self._attributes = FreeNames({*dir(required("torch", "torch").nn.Module), "predict", "interval", "gradient"})
        for stage in stages:
            self._store(stage)
        for stage in (stage for layer in layers for stage in layer if not stage.is_identity):
            self._add(stage)

    @property
    def state(self) -> dict[str, Array]:
        """The stored arrays, by their names in the state dict of the whole network."""
        states = zip(self.prefixes, self._states, strict=True)
        return {prefix + name: array for prefix, state in states for name, array in state.items()}

    def _add(self, stage: Stage) -> None:
        """Store the parameters and states of a stage, in a PyTorch module or as parameters and buffers."""
        part, key = stage.part, stage.node.key
        if isinstance(part, Layer) and part.names.torch[1]:
            self._add_layer(stage, key)
            return
        for step in stage.steps if len(stage.steps) <= 2 else ():
            if step.operation is LINEAR:
                self._add_linear(step, key)
        self._store(stage, is_periodic=part.type == "periodic_embedding")

    def _add_layer(self, stage: Stage, key: str) -> None:
        """Add the PyTorch module that is equivalent to a whole layer."""
        part, dtype, call = stage.part, self.model.dtype, "self.{name}({{}})"
        if key in self._in_double:
            dtype, call = FLOAT64, "self.{name}({{}}.to(torch.float64)).to(torch.float32)"
        fields = {name: getattr(part, name) for name in type(part).model_fields}
        size = len(next(iter(stage.arrays[0].values())))
        line = part.names.torch[1].format(size=size, dtype=dtype.name, **fields)
        states = []
        for arrays in stage.arrays:
            named = zip(part.names.torch[2:], arrays.values(), strict=True)
            states.append({name: array.astype(dtype) for name, array in named})
            if part.type == "batch_normalization":
                states[-1]["num_batches_tracked"] = np.array(0)
        self.calls[stage] = call.format(name=self._module(key, line, states))

    def _add_linear(self, step: Step, key: str) -> None:
        weight, *bias = (operand for operand in step.operands if isinstance(operand, Constants))
        outputs, inputs = weight.array.shape
        no_bias, dtype = "" if bias else ", bias=False", self.model.dtype.name
        line = f"nn.Linear({inputs}, {outputs}{no_bias}, dtype=torch.{dtype})"
        tables = {"weight": weight} | dict(zip(["bias"], bias, strict=False))
        states = [{name: table.arrays[n] for name, table in tables.items()} for n in range(len(weight.arrays))]
        module = self._module(key, line, states)
        self.references |= {table: f"self.{module}.{name}" for name, table in tables.items()}

    def _module(self, key: str, line: str, states: Sequence[Mapping[str, Array]]) -> str:
        """Add a PyTorch module with the state of each instance, and return its attribute name."""
        name = self._attributes.new(key)
        self.setup.append(f"self.{name} = {line}")
        for own, state in zip(self._states, states, strict=True):
            own |= {f"{name}.{each}": array for each, array in state.items()}
        return name

    def _store(self, stage: Stage, is_periodic: bool = False) -> None:
        """Store a stage's tables, as parameters if they are trained and as buffers otherwise.

        If all arrays of the stage are trained, tables computed from them count as trained too.
        """
        learned = stage.arrays[0].keys() - self.model.trained.state.keys()
        are_all = len(learned) == len(stage.arrays[0]) > 0
        for table in stage.tables:
            if table in self.references:
                continue
            each = [(table.name, array, "{}") for array in table.arrays]
            if is_periodic:
                each = [_of_waves(table.name, *pair) for pair in zip(table.arrays, stage.arrays, strict=True)]
            wish, array, form = each[0]
            name = self._attributes.new(wish)
            zeros = f"torch.zeros({', '.join(map(str, array.shape))}, dtype=torch.{array.dtype.name})"
            if wish in learned or are_all:
                self.setup.append(f"self.{name} = nn.Parameter({zeros})")
            else:
                self.setup.append(f'self.register_buffer("{name}", {zeros})')
            for state, (_, array, _) in zip(self._states, each, strict=True):
                state[name] = array
            self.references[table] = form.format(f"self.{name}")


def _of_waves(name: str, array: Array, learned: Mapping[str, Array]) -> tuple[str, Array, str]:
    """Return the trained array behind a table of a periodic embedding: its name, the array, and an expression."""
    key, _, word = name.rpartition(".")
    arrays = _by_last_word(learned)
    frequency, bias = arrays["frequency"].reshape(-1), arrays["bias"].reshape(-1)
    if word == "weight" and array.shape != arrays["weight"].shape:
        return name, arrays["weight"], f"{{}}.expand(-1, -1, {array.shape[2]})"
    if word in arrays:
        return name, array, "{}"
    if np.array_equal(array, frequency * (2 * math.pi)):
        return f"{key}.frequency", frequency, "{}.mul(2 * torch.pi)"
    return f"{key}.bias", bias, f"{{}}.repeat_interleave({array.size // bias.size})"


def _far_normalizations(model: NetworkPlan) -> set[str]:
    """Return the keys of float32 batch normalizations whose means are so far from 0 that float32 is too imprecise.

    All ensemble members use the same code, so one affected member is enough.
    """
    normalizations = (stage for layer in model.layers for stage in layer if stage.part.type == "batch_normalization")
    is_far = {
        stage.node.key: any(_is_far(stage.part, _by_last_word(arrays)) for arrays in stage.arrays)
        for stage in (normalizations if model.dtype == np.float32 else ())
    }
    return {key for key, far in is_far.items() if far}


def _is_far(part: Any, arrays: Mapping[str, Array]) -> bool:
    deviation = np.sqrt(arrays["running_variance"] + part.epsilon)
    return bool((abs(arrays["running_mean"] * arrays["scale"]) / deviation).max() > _FAR)


def _by_last_word(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name.rpartition(".")[2]: array for name, array in arrays.items()}


def _tensor_text(name: str, array: Array) -> str:
    """Return the code that assigns a float64 tensor to a name."""
    items = (
        list(map(number_text, array)) if array.ndim == 1 else [f"[{', '.join(map(number_text, row))}]" for row in array]
    )
    return in_lines(items, f"{name} = torch.tensor([", "], dtype=torch.float64)")
