"""Networks with monotone columns: the order of each feature on the graph, and mistakes that would break it."""

from collections.abc import Iterable, Sequence
from typing import Any

from specnet.errors import Path
from specnet.parts.layers import Dense
from specnet.parts.mirrored import forms_of
from specnet.parts.orders import Orders
from specnet.parts.preprocessing import Preprocessing
from specnet.spec.document import ColumnGroup, Spec
from specnet.spec.reading.hints import shown
from specnet.spec.resolving.graph import INPUT_INDEX, Node, Report
from specnet.spec.resolving.problems import Problems
from specnet.suggestions import perhaps

PATH: Path = ("network", "monotone")
FREE_SHARE = 0.5
"""Fraction of the units of a hidden layer that read only features without an order, if there are any.

Free units let the other columns enter through several layers with weights of either sign."""


def with_orders(spec: Spec, nodes: Sequence[Node], columns: int, outputs: int, problems: Problems) -> tuple[Node, ...]:
    """Return the layers of a network with the orders of their features; report what does not keep them.

    Parameters
    ----------
    spec : Spec
    nodes : sequence of Node
    columns : int
        Number of raw columns; 0 if it is unknown.
    outputs : int
        Number of outputs; 0 if it is unknown.
    problems : Problems
        Collector of the mistakes.
    """
    _check_settings(spec, outputs, problems)
    signs = _signs(spec, columns, problems)
    _check_target(spec, problems)
    inputs = _prepared(spec, signs, columns, problems)
    sizes = [node.size for node in nodes]
    if inputs is None or not outputs or not all(sizes):
        _check_roughly(nodes, problems.report)
        return tuple(nodes)
    if problems:
        return tuple(nodes)
    return _Orders(inputs, _output_orders(spec, outputs), problems.report).of(nodes)


def check_without_orders(nodes: Sequence[Node], problems: Problems) -> None:
    """Report activations of units that monotone columns would move."""
    for node in nodes:
        if getattr(node.layer, "monotone", None) is not None:
            message = "monotone has no effect in a network without monotone columns"
            hint = "name columns in [network.monotone], or remove monotone"
            problems.report("monotone", message, (*node.path, "monotone"), hint=hint)


def _check_settings(spec: Spec, outputs: int, problems: Problems) -> None:
    """Report directions that do not suit the outputs."""
    monotone, loss = spec.network.monotone or {}, spec.training.loss
    labels = {column.of for column in monotone.values()}
    for name, column in monotone.items():
        path = (*PATH, name)
        if loss.target == "values" or (loss.target == "binary" and outputs > 1):
            if column.of is not None:
                message = f"of names a label, but {loss.part_name()} has no classes"
                problems.report("monotone", message, path, hint="remove of; all outputs get this direction")
        elif column.of is None and outputs > 2:
            message = f"of {outputs} classes, the one whose probability is monotone must be named"
            hint = f'write {{ direction = "{column.direction}", of = "label" }}'
            problems.report("monotone", message, path, hint=hint)
        elif len(labels) > 1:
            message = "all monotone columns must name the same label"
            problems.report("monotone", message, path, hint="use one label, and turn the direction of the others")


def _check_target(spec: Spec, problems: Problems) -> None:
    for index, step in enumerate(spec.network.target_preprocessing):
        if not step.keeps_order:
            message = f"{step.part_name()} does not keep the order of predictions, but the network has monotone columns"
            problems.report("monotone", message, ("network", "target_preprocessing", index))


def _signs(spec: Spec, columns: int, problems: Problems) -> dict[int | str, int]:
    """Return 1 or -1 for each monotone column, by its name or else by its number."""
    names, found = spec.feature_names, dict[int | str, int]()
    for key, column in (spec.network.monotone or {}).items():
        sign = 1 if column.direction == "increasing" else -1
        if names is None and key.isdecimal() and (not columns or int(key) < columns):
            found[int(key)] = sign
        elif (names is None and spec.data is not None) or (names is not None and key in names):
            found[key] = sign  # without names, those of a table that is not read yet
        else:
            numbers = "without names of columns use their numbers, counted from 0, as text"
            hint = numbers if names is None else perhaps(key, names)
            problems.report("unknown-column", f"no input column {shown(key)}", (*PATH, key), hint=hint)
    return found


def _prepared(spec: Spec, signs: dict[int | str, int], columns: int, problems: Problems) -> Orders | None:
    """Return the orders of the network's inputs, or None if their number is unknown; report steps that break them."""
    written, names = spec.network.preprocessing or (), spec.feature_names
    keys: Sequence[int | str] = range(columns) if names is None else names
    groups = {index: group for index, group in enumerate(written) if isinstance(group, ColumnGroup)}
    steps_of_all = [(index, step) for index, step in enumerate(written) if isinstance(step, Preprocessing)]
    plain = [(("network", "preprocessing", index), step) for index, step in steps_of_all if "numeric" in step.takes]
    grouped = {name for group in groups.values() for name in group.columns}
    rest = [key for key in (keys or signs) if key not in grouped]
    made = [_through(signs, rest, plain, problems)]
    for index, group in groups.items():
        path = ("network", "preprocessing", index, "steps")
        steps = [((*path, number), step) for number, step in enumerate(group.steps)]
        made.append(_through(signs, group.columns, steps, problems))
    if not columns or (groups and rest):  # other columns get steps by their kinds, when the rows are read
        return None
    known = [orders for orders in made if orders is not None]
    return tuple(order for orders in known for order in orders) if len(known) == len(made) else None


def _through(
    signs: dict[int | str, int], keys: Sequence[int | str], steps: Iterable[tuple[Path, Any]], problems: Problems
) -> Orders | None:
    """Return the orders of columns after steps."""
    orders: Orders = tuple(signs.get(key, 0) for key in keys)
    moved = ", ".join(str(key) for key in keys if key in signs)
    for path, step in steps:
        made = step.orders(orders)
        if made is None:
            message = f"{step.part_name()} does not keep the order of the monotone column {moved}"
            problems.report("monotone", message, path, hint="use standardize, robust, quantile or other scaling")
            return None
        if step.output_size(len(orders)) is None:
            return None
        orders = made
    return orders


def _output_orders(spec: Spec, outputs: int) -> Orders:
    """Return the orders of the outputs: those of values, of each label, or of the one label that has a direction.

    The probability of a label rises if its logit does and the others stay, so that these are free of monotone columns.
    Of a distribution's parameters only the prediction has an order.
    """
    loss = spec.training.loss
    column = next(iter((spec.network.monotone or {}).values()))
    if loss.target == "values":
        predicted = outputs // loss.outputs_per_target
        return (1,) * predicted + (0,) * (outputs - predicted)
    if outputs == 1:
        return (-1 if column.output == 0 else 1,)
    if loss.target == "binary":
        return (1,) * outputs
    return tuple(int(number == (outputs - 1 if column.output is None else column.output)) for number in range(outputs))


def _check_roughly(nodes: Sequence[Node], report: Report) -> None:
    """Report layers that do not keep an order, as far as this does not depend on the columns that they read."""
    moved, last = list[bool](), _output_nodes(nodes)
    for number, node in enumerate(nodes):
        picks_columns = getattr(node.layer, "columns", None) is not None
        moves = any(source == INPUT_INDEX or (source >= 0 and moved[source]) for source in node.inputs)
        # Monotone columns are among those that a layer passes on, if it does not refuse them itself.
        moved.append(moves and not (picks_columns and not getattr(node.layer, "keep_others", True)))
        if moved[number]:
            if (
                not (picks_columns or isinstance(node.layer, Dense))
                and node.layer.orders([(1, 0)] * len(node.inputs)) is None
            ):
                _report_layer(node, report)
            _check_activation(node, number in last, report)


def _report_layer(node: Node, report: Report) -> None:
    message = f"{node.layer.part_name()} does not keep the order of monotone columns"
    report("monotone", message, node.path, hint="let it read other columns only, or remove it")


def _check_activation(node: Node, is_output: bool, report: Report) -> None:
    """Report an activation that may fall; a softmax of one logit with an order does not at the output."""
    activation, field = node.ordered_activation, node.layer.activation_field
    if activation is None or activation.keeps_order:
        return
    if is_output and activation.part_name() in ("softmax", "log_softmax"):
        return
    words = "with a learned mixture " if activation.parametric else ""
    message = f"{activation.part_name()} {words}may fall, but the network has monotone columns"
    field = field if activation is node.layer.split_activation()[1] else "monotone"
    path = node.path if field is None else (*node.path, field)
    report("monotone", message, path, hint="use one that does not, such as relu, elu, softplus or tanh")


class _Orders:
    """The orders of all features of a graph."""

    def __init__(self, inputs: Orders, outputs: Orders, report: Report) -> None:
        self.inputs, self.outputs, self.report = inputs, outputs, report

    def of(self, nodes: Sequence[Node]) -> tuple[Node, ...]:
        last, made = _output_nodes(nodes), list[Node]()
        for number, node in enumerate(nodes):
            sources = tuple(self.inputs if source == INPUT_INDEX else made[source].orders for source in node.inputs)
            is_output = number in last
            orders = self._orders(node, sources, is_output)
            activation, own = node.ordered_activation, node.layer.split_activation()[1]
            forms: tuple[int, ...] = ()
            if activation is not None and any(orders):
                _check_activation(node, is_output, self.report)
                mirrors = activation.is_one_sided and not is_output
                forms = forms_of(orders, mirrors=mirrors) if mirrors or activation is not own else ()
            made.append(node._replace(orders=orders, input_orders=sources, forms=forms))
        if made[-1].orders != self.outputs:
            message = "the order of the outputs does not follow from the layers"
            self.report("monotone", message, nodes[-1].path, hint="end with a dense layer")
        return tuple(made)

    def _orders(self, node: Node, sources: tuple[Orders, ...], is_output: bool) -> Orders:
        touched = any(map(any, sources))
        if isinstance(node.layer, Dense) and is_output:
            return self.outputs if len(self.outputs) == node.size else (1,) * node.size
        if not touched:
            return (0,) * node.size
        if isinstance(node.layer, Dense):
            free = 0 if all(sources[0]) else round(FREE_SHARE * node.size)
            return (0,) * free + (1,) * (node.size - free)
        found = node.layer.orders(sources)
        if found is None:
            _report_layer(node, self.report)
        return found or (0,) * node.size


def _output_nodes(nodes: Sequence[Node]) -> set[int]:
    """Return the indices of the layers after which only layers follow that keep each feature apart."""
    found, waiting = set[int](), [len(nodes) - 1]
    while waiting:
        number = waiting.pop()
        if number >= 0 and number not in found:
            found.add(number)
            waiting += () if isinstance(nodes[number].layer, Dense) else nodes[number].inputs
    return found
