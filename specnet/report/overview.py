"""A network in words: the formula of each layer, traced from its `apply`, and tables of sizes and parameter counts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from specnet.compiler import BATCH, Value, input_value, state_value
from specnet.compiler.expressions import CALL, NAME, PRODUCT, SUM, UNARY, Form, Forms, Text
from specnet.compiler.operations import AFFINE, CONCATENATE, MATMUL, SQRT
from specnet.compiler.reverse import postorder
from specnet.compiler.value import ADD, CONSTANT, DIVIDE, EXPAND, INPUT, MULTIPLY, NEGATIVE, STATE, SUBTRACT
from specnet.network.programs import LayerRequests, LayerScope
from specnet.number_texts import count, counted, size
from specnet.parts.part import described
from specnet.report.terminal.terminal_output import TextTable

if TYPE_CHECKING:
    from specnet.spec import Resolved
    from specnet.spec.resolving.graph import Node


LONGEST = 64
"""Most characters of a formula; a layer with a longer formula is written as its type."""

_FORMS: Forms = {
    ADD: Form("{} + {}", SUM, (SUM, SUM)),
    SUBTRACT: Form("{} − {}", SUM, (SUM, PRODUCT)),
    MULTIPLY: Form("{}·{}", PRODUCT, (PRODUCT, PRODUCT)),
    DIVIDE: Form("{}/{}", PRODUCT, (PRODUCT, UNARY)),
    NEGATIVE: Form("−{}", UNARY, (CALL,)),
    SQRT: Form("√({})", CALL),
    EXPAND: Form("{}", NAME, (NAME,)),
}


def formula(node: Node, inputs: Sequence[str]) -> str:
    """Return the formula of a layer in prediction, such as ``relu(W·x + b)``.

    Parameters
    ----------
    node : Node
    inputs : sequence of str
        Names of the arrays that the layer reads.
    """
    layer, activation = node.layer.split_activation()
    text = inputs[0]
    if layer is not None:
        text = _written(node, inputs) or f"{layer.type}({', '.join(inputs)})"
    if activation is None or (activation.is_identity and not activation.parametric):
        return text
    fields = described(activation).removeprefix(activation.type).strip("()")
    return f"{activation.type}({', '.join(filter(None, [text, fields]))})"


def _written(node: Node, inputs: Sequence[str]) -> str:
    """Return the formula of a layer before its activation; empty if it is the input, too long, or not arithmetic."""
    sources, value = layer_value(node, inputs)
    texts: dict[Value, Text] = {}
    for each in postorder([value], lambda value: value.arguments):
        text = _text(each, [texts[argument] for argument in each.arguments])
        if text is None or len(text.code) > LONGEST:
            return ""
        texts[each] = text
    return "" if value in sources else texts[value].code


def layer_value(node: Node, inputs: Sequence[str]) -> tuple[list[Value], Value]:
    """Return symbolic inputs of a layer, and its symbolic value in prediction before its activation."""
    layer, _ = node.layer.split_activation()
    assert layer is not None, "it is more than an activation"
    sources = [input_value(name, (size, BATCH)) for name, size in zip(inputs, node.input_sizes, strict=True)]
    blocks = layer.parameters(node.input_sizes)
    learned = [state_value(block.tensors[0].name, block.shape) for block in blocks]
    return sources, layer.apply(LayerScope(LayerRequests(training=False), node), sources, learned)


def _text(value: Value, operands: list[Text]) -> Text | None:
    operation = value.operation
    if operation is CONSTANT:
        return Text(f"{value.attributes:.3g}")
    if operation in (INPUT, STATE):
        name = str(value.attributes)
        return Text(name if operation is INPUT else name.rpartition(".")[2].removeprefix("running_"))
    if operation.role == "name":
        return operands[0]
    if operation is AFFINE:
        return Text(f"W·{operands[1].within(CALL)} + b", SUM)
    if operation is MATMUL and value.arguments[0].operation is STATE:
        return Text(f"W·{operands[1].within(CALL)}", PRODUCT)
    if operation is CONCATENATE:
        return Text(f"[{', '.join(operand.code for operand in operands)}]")
    return _FORMS[operation].write(operands) if operation in _FORMS else None


LONGEST_SUMMARY = 9
"""Most layers in a one-line summary, with the input; of a deeper network it shows only the first and the last."""


class Overview:
    """The layers of a network in order, with sizes and parameter counts."""

    def __init__(self, resolved: Resolved) -> None:
        self.spec, self.nodes = resolved.spec, resolved.nodes
        self.input_size, self._output_size, self._batch_size = resolved.inputs, resolved.outputs, resolved.batch_size
        self.parameter_counts = [node.layer.parameter_count(node.input_sizes) for node in self.nodes]
        self.parameter_count = sum(self.parameter_counts)
        self.bytes = self.parameter_count * (4 if self.spec.network.dtype == "float32" else 8)

    def summary(self) -> str:
        """Return the network in one line, such as ``2 → 5 relu → 1 sigmoid``."""
        steps = [str(self.input_size), *map(self._step, self.nodes)]
        if len(steps) > LONGEST_SUMMARY:
            head, tail = LONGEST_SUMMARY // 2, LONGEST_SUMMARY // 3
            steps = [*steps[:head], f"… {count(len(steps) - head - tail)} more …", *steps[-tail:]]
        return " → ".join(steps)

    def _step(self, node: Node) -> str:
        _, activation = node.layer.split_activation()
        word = activation.type if activation is not None else node.layer.type
        sized = node.layer.declared_size() is not None or node.size != node.input_sizes[0]
        return f"{node.size} {word}" if sized else word

    def parameters(self) -> str:
        """Return the number of parameters, with the number of ensemble members: ``5 members of 21 parameters``."""
        members = self.spec.training.members
        parameters = counted(self.parameter_count, "parameter")
        return parameters if members == 1 else f"{count(members)} members of {parameters}"

    def totals(self) -> str:
        """Return the number of parameters and their size in bytes, such as ``21 parameters, 168 B``."""
        return f"{self.parameters()}, {size(self.spec.training.members * self.bytes)}"

    def training(self) -> str:
        """Return a line with the loss, optimizer, number of epochs and batch size."""
        training = self.spec.training
        batches = "full batch" if self._batch_size == "full" else f"batches of {self._batch_size}"
        means = f"{described(training.loss)} by {described(training.optimizer)}"
        return f"{means}, {counted(training.epochs, 'epoch')}, {batches}"

    def table(self) -> TextTable:
        """Return a table with a row for the input and for each layer; in a terminal each row is one line.

        The type of a layer is in its formula or after its key; its settings follow the formula.
        """
        header = ("layer", "out", "parameters", "first weights", "formula")
        rows = [("input", count(self.input_size), "", "", "x")]
        for number, (node, parameters) in enumerate(zip(self.nodes, self.parameter_counts, strict=True)):
            sizes = count(node.size), count(parameters) if parameters else ""
            formula, settings = self._formula(number), node.layer.summary().removeprefix(node.layer.type)
            layer, activation = node.layer.split_activation()
            # A layer that is only an activation has the name of the activation.
            word = activation.type if layer is None and activation is not None else node.layer.type
            name = node.key if formula.startswith(f"{word}(") else f"{node.key} {node.layer.type}"
            text = ", ".join(filter(None, [formula, settings[1:-1]]))
            rows.append((name, *sizes, _first_weights(node), text))
        return TextTable(header, rows, right=frozenset({1, 2}), folded=frozenset({0}), cut=frozenset({4}))

    def _formula(self, number: int) -> str:
        """Return the formula of a layer; x is the output of the previous layer, other inputs have their spec names."""
        node = self.nodes[number]
        names = [re.sub(r"^layers\.(?!\d)", "", name) for name in self._input_names(node)]
        return formula(node, ["x" if at == number - 1 else name for at, name in zip(node.inputs, names, strict=True)])

    def _input_names(self, node: Node) -> list[str]:
        return ["input" if index < 0 else self.nodes[index].key for index in node.inputs]

    def as_dict(self) -> dict[str, Any]:
        """Return the table as plain data for ``--format json``."""
        return {
            "name": self.spec.name,
            "dtype": self.spec.network.dtype,
            "input_size": self.input_size,
            "output_size": self._output_size,
            "parameters": self.parameter_count,
            "bytes": self.bytes,
            "layers": [
                {
                    "key": node.key,
                    "inputs": self._input_names(node),
                    "size": node.size,
                    "parameters": parameters,
                    "first_weights": _first_weights(node) or None,
                    "formula": self._formula(number),
                    **node.layer.model_dump(mode="json", exclude_none=True, exclude={"inputs"}),
                }
                for number, (node, parameters) in enumerate(zip(self.nodes, self.parameter_counts, strict=True))
            ],
        }


def _first_weights(node: Node) -> str:
    """Return the initializer of a layer's first parameters, usually its weights, as text; empty without parameters."""
    for block in node.layer.parameters(node.input_sizes):
        return block.tensors[0].initializer.summary(block.tensors[0].fans)
    return ""
