"""What a layer computes, as a line of mathematics: what its own `apply` says over symbols."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from specnet.compiler import BATCH, Value, input_value, state_value
from specnet.compiler.expressions import CALL, NAME, PRODUCT, SIGN, SUM, Form, Forms, Text
from specnet.compiler.operations import AFFINE, CONCATENATE, MATMUL, SQRT
from specnet.compiler.reverse import postorder
from specnet.compiler.value import ADD, CONSTANT, DIVIDE, EXPAND, INPUT, MULTIPLY, NEGATIVE, STATE, SUBTRACT
from specnet.network.programs import LayerRequests, LayerScope
from specnet.parts.part import described

if TYPE_CHECKING:
    from specnet.spec.resolving.graph import Node

LONGEST = 64
"""Characters of a formula; of a layer that needs more, only the name is told."""

_FORMS: Forms = {
    ADD: Form("{} + {}", SUM, (SUM, SUM)),
    SUBTRACT: Form("{} − {}", SUM, (SUM, PRODUCT)),
    MULTIPLY: Form("{}·{}", PRODUCT, (PRODUCT, PRODUCT)),
    DIVIDE: Form("{}/{}", PRODUCT, (PRODUCT, SIGN)),
    NEGATIVE: Form("−{}", SIGN, (CALL,)),
    SQRT: Form("√({})", CALL),
    EXPAND: Form("{}", NAME, (NAME,)),
}


def formula(node: Node, inputs: Sequence[str]) -> str:
    """Return what a layer computes when it predicts: ``relu(W·x + b)``.

    Parameters
    ----------
    node : Node
    inputs : sequence of str
        What to call each array that it reads.
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
    """Return what a layer says before its activation, or nothing where that is its input, long, or not arithmetic."""
    sources, value = layer_value(node, inputs)
    texts: dict[Value, Text] = {}
    for each in postorder([value], lambda value: value.arguments):
        text = _text(each, [texts[argument] for argument in each.arguments])
        if text is None or len(text.code) > LONGEST:
            return ""
        texts[each] = text
    return "" if value in sources else texts[value].code


def layer_value(node: Node, inputs: Sequence[str]) -> tuple[list[Value], Value]:
    """Return symbols of what a layer reads, and its value when it predicts, before its activation."""
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
