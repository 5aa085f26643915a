"""Consistency checks: between the sizes, between the loss and the data or output, between metrics and the loss.

Each check takes a spec and reports conflicts to `Problems`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from specnet.errors import Path
from specnet.number_texts import counted
from specnet.parts.data import DataSizes
from specnet.parts.layers import Layer
from specnet.parts.losses import Loss
from specnet.parts.metrics import Metric
from specnet.parts.preprocessing import Preprocessing, prepared_size, raw_size
from specnet.parts.registry import Registry
from specnet.parts.watchers import LOSS, VALIDATION
from specnet.spec.column_names import PATH, differences, wrong_groups
from specnet.spec.document import ColumnGroup, Spec, StepsOrGroups, raising
from specnet.spec.reading.hints import either, shown
from specnet.spec.resolving.graph import (
    INPUT_INDEX,
    LAYERS,
    Node,
    averaged_terms,
    before_activation,
    layer_count,
    linear_part,
    logits_nodes,
)
from specnet.spec.resolving.problems import Problems
from specnet.suggestions import Assigned, Removed, Replaced, Suggestion, removing

VECTORS = 5
"""Number of arrays as long as the parameters during training: parameters, gradient, best parameters, two of adam."""
_ENSEMBLE: Path = ("training", "ensemble")
_EQUAL = Suggestion('set weights = "equal", or end networks with dense', Replaced("equal"))
_FACTORS = ("learning_rate_factor", "weight_decay_factor", "bias_learning_rate_factor")
_NAMED = 3
"""Maximum number of suitable losses or metrics that a hint names."""
_TASKS = {
    "binary": "two classes",
    "classes": "more than two classes",
    "multilabel": "several binary outputs",
    "values": "numbers",
}

_DISTRIBUTIONS = {"binary": "sigmoid", "classes": "softmax"}
"""The activation that turns logits into probabilities, by the target of the loss."""
_DOMAINS = {
    "not negative": "non-negative targets",
    "positive": "positive targets",
    "distribution": "distributions that sum to 1",
}


class Claim(NamedTuple):
    """A size specified by the spec, the data or an argument, with words for a message; an argument has no path."""

    size: int
    words: str
    path: Path | None


class Given(NamedTuple):
    """Sizes given in addition to the spec.

    Attributes
    ----------
    inputs, outputs : int or None
        Numbers of raw columns and of outputs of the network.
    rows : int or None
        Number of training rows if the sizes come from X and y; None if they are arguments.
    """

    inputs: int | None = None
    outputs: int | None = None
    rows: int | None = None


def outputs_for(loss: Loss, sizes: DataSizes) -> int | None:
    """Return the number of outputs that a loss needs for data of these sizes, or None if it is unknown."""
    if loss.target == "classes":
        return sizes.classes
    if sizes.classes is not None:
        return 1 if sizes.classes == 2 else None
    return None if sizes.outputs is None else sizes.outputs * loss.outputs_per_target


def data_sizes(spec: Spec) -> DataSizes:
    """Return the sizes of a spec's data as far as they are known before the data are read."""
    return spec.data.sizes() if spec.data is not None else DataSizes()


def column_count(spec: Spec, inputs: int, argument: int | None) -> int:
    """Return the number of raw columns, or 0 if it is unknown.

    It is given by the column names, the data or the argument, or computed from the network's inputs and preprocessing.
    """
    names = spec.network.feature_names
    given = len(names) if names is not None else data_sizes(spec).inputs or argument
    return given or _raw_columns(spec.network.preprocessing or (), inputs) or 0


def input_claims(spec: Spec, given: Given) -> Iterator[Claim]:
    """Yield the numbers of inputs specified by the network, the data and the arguments, in this order."""
    network, sizes = spec.network, data_sizes(spec)
    if network.input_size is not None:
        yield Claim(network.input_size, f"input_size is {network.input_size}", ("network", "input_size"))
    if network.feature_names is not None:
        size = len(network.feature_names)
        yield from _columns_claim(
            spec, size, f"feature_names has {counted(size, 'name')}", ("network", "feature_names")
        )
    if network.layer_sizes is not None:
        size = network.layer_sizes[0]
        yield Claim(size, f"layer_sizes has {counted(size, 'input')}", ("network", "layer_sizes", 0))
    if spec.data is not None and sizes.inputs is not None:
        words = f"{spec.data.part_name()} has {counted(sizes.inputs, 'column')}"
        yield from _columns_claim(spec, sizes.inputs, words, ("data",))
    if given.inputs is not None:
        words = f"the argument inputs is {given.inputs}"
        if given.rows is not None:
            words = f"X has {counted(given.inputs, 'column')}"
        yield from _columns_claim(spec, given.inputs, words, None)


def output_claims(spec: Spec, given: Given) -> Iterator[Claim]:
    """Yield the numbers of outputs specified by the spec, its data and the arguments, without the last layer's size."""
    network, sizes, loss = spec.network, data_sizes(spec), spec.training.loss
    if network.output_size is not None:
        yield Claim(network.output_size, f"output_size is {network.output_size}", ("network", "output_size"))
    needed = outputs_for(loss, sizes)
    if spec.data is not None and needed is not None:
        if sizes.classes is not None:
            has = f"{sizes.classes} classes ({counted(needed, 'output')} with {loss.part_name()})"
        else:
            has = counted(needed // loss.outputs_per_target, "target column")
            if loss.outputs_per_target > 1:
                has += f" ({counted(needed, 'output')} with {loss.part_name()})"
        yield Claim(needed, f"{spec.data.part_name()} has {has}", ("data",))
    if given.outputs is not None:
        words = f"the argument outputs is {given.outputs}"
        if given.rows is not None:
            words = f"the target needs {counted(given.outputs, 'output')}"
        yield Claim(given.outputs, words, None)


def last_layer_claim(nodes: Sequence[Node]) -> Claim | None:
    """Return the number of outputs of the layers, with the path of the layer that sets it; None if it is unknown."""
    if not nodes or nodes[-1].size == 0:
        return None
    node = nodes[-1]
    while node.layer.declared_size() is None and len(node.inputs) == 1 and node.inputs[0] != INPUT_INDEX:
        node = nodes[node.inputs[0]]
    return Claim(nodes[-1].size, f"the network has {counted(nodes[-1].size, 'output')}", node.size_path)


def agreed(claims: Sequence[Claim], problems: Problems) -> int:
    """Return the size of the first claim, or 0 without claims; report claims with other sizes as one mistake."""
    clashing = [other for other in claims[1:] if other.size != claims[0].size]
    if clashing:
        first, other = claims[0], clashing[0]
        notes = [problems.note(claim.words, claim.path) for claim in clashing if claim.path]
        assert first.path is not None, "of all claims an argument comes last"
        problems.report("size-clash", f"{first.words}, but {other.words}", first.path, notes=notes)
    return claims[0].size if claims else 0


def _columns_claim(spec: Spec, columns: int, words: str, path: Path | None) -> Iterator[Claim]:
    """Yield the number of inputs after preprocessing of a number of raw columns, if it is known."""
    size = prepared_columns(spec.network.preprocessing or (), columns)
    if size is not None:
        yield Claim(size, words if size == columns else f"{words}, {counted(size, 'input')} after preprocessing", path)


def prepared_columns(written: StepsOrGroups, columns: int) -> int | None:
    """Return the number of inputs after preprocessing of raw columns; None if it depends on the rows."""
    groups = [group for group in written if isinstance(group, ColumnGroup)]
    if not groups:
        return prepared_size((step for step in written if isinstance(step, Preprocessing)), columns)
    sizes = [prepared_size(group.steps, len(group.columns)) for group in groups]
    known = [size for size in sizes if size is not None]
    is_whole = len(known) == len(written) and sum(len(group.columns) for group in groups) >= columns
    return sum(known) if is_whole else None  # other columns get steps by their kinds


def _raw_columns(written: StepsOrGroups, inputs: int) -> int | None:
    """Return the number of raw columns from the number of inputs; None if it depends on column names or rows."""
    steps = [step for step in written if isinstance(step, Preprocessing)]
    return raw_size(steps, inputs) if len(steps) == len(written) else None


def check_before_layers(spec: Spec, problems: Problems) -> None:
    """Report conflicts in a spec that can be found before its layers are built."""
    _check_target(spec, problems)
    _check_columns(spec, problems)
    _check_layer_count(spec, problems)


def check_network(
    spec: Spec, layers: Sequence[Layer], nodes: Sequence[Node], inputs: int, outputs: int, problems: Problems
) -> None:
    """Report conflicts in a spec with these layers and sizes; unknown sizes are 0."""
    _check_output(spec, layers, outputs, problems)
    _check_training(spec, outputs, problems)
    _check_rules(spec, nodes, problems)
    _check_calibration(spec, nodes, problems)
    _check_weights(spec, nodes, problems)
    if not problems and inputs and outputs:
        _check_plan(spec, nodes, inputs, problems)


def _check_layer_count(spec: Spec, problems: Problems) -> None:
    """Raise an error for a network with too many layers before they are unrolled, at the field that sets the number."""
    limit, network = spec.origin.limits.layers, spec.network
    path: Path = LAYERS
    if network.layers is not None:
        counts = [layer_count([layer]) for layer in network.layers]
        count, largest = sum(counts), max(counts, default=0)
        if largest > limit:
            path = (*LAYERS, counts.index(largest), "repeat")
    elif network.layer_sizes is not None:
        count, path = len(network.layer_sizes) - 1, ("network", "layer_sizes")
    else:
        count, path = len(network.hidden_layer_sizes or ()) + 1, ("network", "hidden_layer_sizes")
    if count > limit:
        problems.report(
            "too-many-layers", f"{shown(count)} layers exceed the limit of {limit}", path, hint=raising("layers", count)
        )
        problems.raise_all()


def _check_target(spec: Spec, problems: Problems) -> None:
    """Report a loss that does not support the kind of target in the data."""
    if spec.data is None:
        return
    loss, sizes, data = spec.training.loss, data_sizes(spec), spec.data.part_name()
    target = "values" if sizes.target == "values" else "binary" if sizes.classes == 2 else "classes"
    if loss.target != "values" and sizes.target == "values":
        needed, words = "classes", f"the target of {data} is numeric"
    elif loss.target == "values" and (sizes.classes or 2) > 2:
        needed, words = "numbers", f"{data} has {sizes.classes} classes"
    elif loss.target == "binary" and (sizes.classes or 2) > 2:
        needed, words = "two classes", f"{data} has {sizes.classes} classes"
    else:
        return
    hint = _use(part for part in _losses(spec.registry) if part.target == target)
    message, notes = f"{loss.part_name()} needs {needed}, but {words}", [problems.note(words, ("data",))]
    problems.report("loss-target", message, ("training", "loss"), hint=hint, notes=notes)


def _check_columns(spec: Spec, problems: Problems) -> None:
    """Report column names that differ from the data, and groups with unknown columns."""
    names, features = spec.network.feature_names, spec.data.feature_names if spec.data is not None else None
    for index, message in differences(names or (), features or ()):
        notes = [problems.note("the data's column names are set here", ("data", "features"))]
        problems.report("feature-names", message, (*PATH, index), notes=notes)
    for wrong in wrong_groups(spec, known) if (known := features or names) else ():
        problems.report(wrong.code, wrong.message, wrong.path, hint=wrong.hint)


def _check_output(spec: Spec, layers: Sequence[Layer], outputs: int, problems: Problems) -> None:
    """Report a number of outputs (0 if unknown) or an output activation that the loss does not support."""
    loss = spec.training.loss
    if loss.target == "classes" and outputs == 1 and not problems.has("size-clash"):
        binary = (part for part in _losses(spec.registry) if part.target == "binary")
        hint = _use(binary, "for two classes with one output, use")
        message = f"{loss.part_name()} needs one output per class, got 1 output"
        problems.report("output-size", message, ("training", "loss"), hint=hint)
    if outputs % loss.outputs_per_target:
        message = f"{loss.part_name()} needs {loss.outputs_per_target} outputs per target, got {outputs} outputs"
        problems.report("output-size", message, ("training", "loss"))
    last, activation = layers[-1], layers[-1].split_activation()[1]
    path = (*LAYERS, len(layers) - 1, *filter(None, [last.activation_field]))
    accepted = loss.accepted_activations
    if accepted is None or activation is None:
        return
    name = activation.part_name()
    if activation.parametric:
        message = f"{loss.part_name()} reads raw outputs; a parametric output activation is not supported"
        problems.report("output-activation", message, path)
    elif name not in accepted:
        takers = [p for p in _losses(spec.registry) if not p.accepted_activations or name in p.accepted_activations]
        alike, asking = [p for p in takers if p.target == loss.target], [p for p in takers if p.accepted_activations]
        hint = _use(alike or asking or takers, f"use {either(sorted(accepted))}, or change the loss to")
        message = f"{loss.part_name()} needs output activation {either(sorted(accepted))}, got {shown(name)}"
        problems.report("output-activation", message, path, hint=hint)


def _check_training(spec: Spec, outputs: int, problems: Problems) -> None:
    """Report settings of the training and the target that conflict with the loss or the optimizer."""
    training, loss = spec.training, spec.training.loss
    if training.optimizer.full_batch_only and training.batch_size not in (None, "full"):
        message = f"{training.optimizer.part_name()} needs the full batch, got batch_size {training.batch_size}"
        problems.report(
            "batch-size",
            message,
            ("training", "batch_size"),
            hint=Suggestion('use batch_size = "full"', Replaced("full")),
        )
    tasks = set(tasks_of(loss, outputs))
    for index, metric in enumerate(training.metrics):
        if problems.has("loss-target"):  # the metrics may suit the loss that the data need
            break
        check_metric(spec, type(metric), tasks, ("training", "metrics", index), problems)
    unweighable = {
        "values": f"class_weight needs a classification loss, got {loss.part_name()}",
        "binary": f"class_weight needs one class per row, but {loss.part_name()} with {outputs} outputs has several",
    }
    if training.class_weight is not None and (loss.target == "values" or (loss.target == "binary" and outputs > 1)):
        problems.report("class-weight", unweighable[loss.target], ("training", "class_weight"))
    _check_threshold(training.decision_threshold, loss, outputs, problems)
    if training.optimizer.stepping is None:
        for key in ("clip_norm", "clip_value", "average_weights"):
            if getattr(training, key) is not None:
                message = f"{key} has no effect with {training.optimizer.part_name()}"
                problems.report("optimizer-option", message, ("training", key))
    for path, who in training.watchers():
        _check_monitor(spec, who.monitor, tasks, ("training", *path, "monitor"), problems)
    _check_ensemble(spec, problems)
    _check_teacher(spec, problems)
    _check_target_preprocessing(spec, problems)


def _check_threshold(threshold: float | None, loss: Loss, outputs: int, problems: Problems) -> None:
    """Report a decision threshold of a network that predicts no probabilities of two classes."""
    message = None
    if threshold is None or problems.has("loss-target"):  # the threshold may suit the loss that the data need
        return
    if loss.target == "values":
        message = f"decision_threshold needs two classes, but {loss.part_name()} predicts numbers"
    elif not loss.gives_probabilities:
        message = f"decision_threshold needs probabilities, but {loss.part_name()} outputs margins"
    elif outputs > (1 if loss.target == "binary" else 2):
        kind = "binary outputs" if loss.target == "binary" else "classes"
        message = f"decision_threshold needs two classes, but the network predicts {outputs} {kind}"
    if message is not None:
        path = ("training", "decision_threshold")
        problems.report("decision-threshold", message, path, hint=removing("training.decision_threshold"))


def _check_target_preprocessing(spec: Spec, problems: Problems) -> None:
    path: Path = ("network", "target_preprocessing")
    steps, loss = spec.network.target_preprocessing, spec.training.loss
    if steps and loss.target != "values":
        message = f"target_preprocessing needs a numeric target, but {loss.part_name()} has classes"
        problems.report("target-preprocessing", message, path)
    elif steps and loss.domain != "any":
        message = f"{loss.part_name()} needs {_DOMAINS[loss.domain]}; target_preprocessing does not keep them so"
        hint = Suggestion("remove target_preprocessing; this loss takes the target in its own units", Removed())
        problems.report("target-preprocessing", message, path, hint=hint)
    for index, step in enumerate(steps):
        if not step.invertible:
            message = f"target_preprocessing needs steps that can be undone, got {step.part_name()}"
            known: Any = spec.registry.of_kind(Preprocessing.kind)
            names = [part.part_name() for part in known if part.invertible]
            hint = Suggestion(f"choose from {', '.join(names)}", *map(Replaced, names))
            problems.report("target-preprocessing", message, (*path, index), hint=hint)


def check_metric(
    spec: Spec, metric: type[Metric], tasks: set[str], path: Path, problems: Problems, prefix: str = ""
) -> None:
    """Report a metric that the loss does not support; `prefix` precedes names of metrics in the hint."""
    loss = spec.training.loss
    hint = None
    if loss.target == "values" and "values" not in metric.task:
        message = f"{metric.part_name()} needs classes, but {loss.part_name()} predicts numbers"
        words = f"use {prefix}r2 for numbers; for classes use a classification loss such as categorical_crossentropy"
        hint = Suggestion(words, Replaced(f"{prefix}r2"))
    elif not tasks & metric.task:
        message = f"{metric.part_name()} is for {_listed(metric.task)}, but {loss.part_name()} is for {_listed(tasks)}"
    elif metric.response == "probability" and not loss.gives_probabilities:
        message = f"{metric.part_name()} needs probabilities, but {loss.part_name()} outputs margins"
    else:
        return
    names = [prefix + name for name in _metrics_like(metric, loss, tasks, spec.registry)]
    hint = hint or Suggestion(f"use {either(names)}", *map(Replaced, names))
    problems.report("metric-task", message, path, hint=hint)


def _metrics_like(metric: type[Metric], loss: Loss, tasks: set[str], registry: Registry) -> list[str]:
    """Return names of metrics that the loss supports and that extend the metric's name, or else "accuracy"."""
    found = [part for part in registry.of_kind(Metric.kind) if issubclass(part, Metric) and tasks & part.task]
    names = [part.part_name() for part in found if part.response == "prediction" or loss.gives_probabilities]
    alike = [name for name in names if name.startswith(f"{metric.part_name()}_")]
    return alike[:_NAMED] or ["accuracy"]


def _check_calibration(spec: Spec, nodes: Sequence[Node], problems: Problems) -> None:
    """Report a calibration that the loss or the layers do not support, or that has no validation rows."""
    training, loss, path = spec.training, spec.training.loss, ("training", "calibration")
    if training.calibration is None:
        return
    if training.calibration == "linear":
        _check_linear_part(loss, nodes, path, problems)
    elif not _sees_logits(loss):
        alike = (part for part in _losses(spec.registry) if loss.target in ("values", part.target))
        message = f"calibration needs a loss of probabilities, got {loss.part_name()}"
        hint = f"remove training.calibration, or {_use(part for part in alike if _sees_logits(part))} as the loss"
        problems.report("calibration", message, path, hint=hint)
    elif not problems.has("output-activation") and not logits_nodes(nodes):
        notes = [problems.note("the logits are the outputs of this layer", nodes[before_activation(nodes)].path)]
        hint = "let the last layer be dense, with nothing between it and the output activation"
        problems.report("calibration", "calibration needs logits from a dense layer", path, hint=hint, notes=notes)
    _check_validation(spec, "calibration", path, problems)


def _check_linear_part(loss: Loss, nodes: Sequence[Node], path: Path, problems: Problems) -> None:
    from specnet.parts.losses import MeanSquaredError

    if not isinstance(loss, MeanSquaredError):
        message = f"a linear model minimizes the squared error, and {loss.part_name()} another one"
        hint = removing("training.calibration")
        if _sees_logits(loss):
            hint = Suggestion('use training.calibration = "temperature"', Replaced("temperature"))
        problems.report("calibration", message, path, hint=hint)
    elif linear_part(nodes) is None:
        hint = Suggestion(
            'end with { type = "dense", name = "network", … }, { type = "dense", name = "linear", inputs = ["input"], '
            '… } and { type = "add", inputs = ["network", "linear"] }'
        )
        message = "a linear model needs an output that is a sum of dense layers, one of them of the input"
        problems.report("calibration", message, path, hint=hint)


def _check_weights(spec: Spec, nodes: Sequence[Node], problems: Problems) -> None:
    """Report weights of averaged networks that cannot be fitted to held-out rows."""
    activation = nodes[-1].layer.split_activation()[1]
    reads_raw = spec.training.loss.accepted_activations is not None or activation is None or activation.is_identity
    for path, node in (((*node.path, "weights"), node) for node in nodes if node.layer.fits_weights):
        if not reads_raw or not averaged_terms(nodes):
            message = f"fitted weights of {node.layer.type} need dense inputs that nothing else reads or activates"
            problems.report("layer-inputs", message, path, hint=_EQUAL)
        _check_validation(spec, f"{node.layer.type} with fitted weights", path, problems)


def _sees_logits(loss: Loss | type[Loss]) -> bool:
    """Return whether a loss is computed from logits, which its output activation turns into probabilities."""
    return loss.target in _DISTRIBUTIONS and loss.accepted_activations == frozenset({_DISTRIBUTIONS[loss.target]})


def _check_validation(spec: Spec, words: str, path: Path, problems: Problems) -> None:
    """Report a setting, named by `words`, that needs validation rows if there are none."""
    ensemble, split = spec.training.ensemble, None if spec.data is None else spec.data.split
    lacks_validation = split is not None and not split.has_validation
    if ensemble is not None and ensemble.validation == "none":
        message = f"{words} needs validation rows, but the ensemble has none"
        hint = Suggestion('use training.ensemble.validation = "folds"', Assigned((*_ENSEMBLE, "validation"), "folds"))
        problems.report("no-validation", message, path, hint=hint)
    elif spec.training.folds is None and lacks_validation:
        hint = Suggestion("set data.split.validation_size = 0.2", Assigned(("data", "split", "validation_size"), 0.2))
        message = f"{words} needs validation rows, but validation_size is 0"
        problems.report("no-validation", message, path, hint=hint)


def _check_monitor(spec: Spec, monitor: str, tasks: set[str], path: Path, problems: Problems) -> None:
    """Report a monitored metric that cannot be computed: there are no validation rows, or it does not suit the loss."""
    if monitor != LOSS:
        _check_validation(spec, f"monitoring {monitor}", path[:-1], problems)
    metric = spec.registry.find(Metric.kind, monitor.removeprefix(VALIDATION))
    if metric is None or problems.has("loss-target"):  # None if a loss is monitored
        return
    assert issubclass(metric, Metric), "a registry's parts of a kind are of the kind's base class"
    needed = [name for name, field in metric.model_fields.items() if field.is_required()]
    if needed and all(listed.type != metric.part_name() for listed in spec.training.metrics):
        hint = f"add it to training.metrics with {', '.join(needed)}"
        problems.report("missing-key", f"{metric.part_name()} needs settings", path, hint=hint)
    check_metric(spec, metric, tasks, path, problems, prefix=VALIDATION)


def _check_ensemble(spec: Spec, problems: Problems) -> None:
    """Report a split that conflicts with the validation of an ensemble's members."""
    ensemble, split = spec.training.ensemble, None if spec.data is None else spec.data.split
    if ensemble is None or ensemble.validation == "split" or split is None:
        return
    idle = {key: f"{key} has" for key in ("validation_size", "validation") if getattr(split, key)}
    if split.folded_part == "validation":
        idle["folds"] = "folds for validation have"
    for key, words in idle.items():
        message = f'{words} no effect with training.ensemble.validation = "{ensemble.validation}"'
        problems.report("ensemble", message, ("data", "split", key), hint=ensemble.validated_together())


def _check_teacher(spec: Spec, problems: Problems) -> None:
    """Report settings that cannot be combined with a teacher, or that need one."""
    training, loss = spec.training, spec.training.loss
    by_columns = spec.data is not None and spec.data.has_teacher
    if training.teacher is None and training.mixtures is not None:
        message = "mixtures has no effect without training.teacher"
        hint = Suggestion("set training.teacher, or remove it", Removed())
        problems.report("teacher", message, ("training", "mixtures"), hint=hint)
    if training.teacher is None and not by_columns:
        return
    path: Path = ("data", "teacher_columns") if by_columns else ("training", "teacher")
    if by_columns and training.teacher is not None:
        message = "training.teacher cannot be combined with data.teacher_columns"
        problems.report(
            "teacher", message, ("training", "teacher"), hint=Suggestion("remove one of them", Removed(), Removed(path))
        )
    if loss.target != "values" and not loss.takes_soft_targets:
        supported = (part for part in _losses(spec.registry) if part.target == loss.target and part.takes_soft_targets)
        message = f"{loss.part_name()} does not support a teacher, whose targets are probabilities"
        problems.report("teacher", message, path, hint=_use(supported))
    if training.ensemble is not None:
        message = "an ensemble cannot be combined with a teacher"
        problems.report("teacher", message, _ENSEMBLE, hint=removing("training.ensemble"))
    if training.class_weight is not None:
        message = "class_weight cannot be combined with a teacher, whose targets are probabilities"
        problems.report("teacher", message, ("training", "class_weight"), hint=removing("training.class_weight"))


def _check_rules(spec: Spec, nodes: Sequence[Node], problems: Problems) -> None:
    """Report factors and schedules of a layer if the optimizer makes no steps."""
    optimizer = spec.training.optimizer
    if optimizer.stepping is not None:
        return
    for node in nodes:
        given = [key for key in _FACTORS if getattr(node.layer, key, None) not in (None, 1)]
        for key in (*given, *node.layer.schedules):
            message = f"{key} has no effect with {optimizer.part_name()}"
            problems.report("optimizer-option", message, (*node.path, key))


def _check_plan(spec: Spec, nodes: Sequence[Node], inputs: int, problems: Problems) -> None:
    """Report a network that exceeds its limits, before any memory is allocated for it."""
    limits, network, training = spec.origin.limits, spec.network, spec.training
    counts = [node.layer.parameter_count(node.input_sizes) for node in nodes]
    parameters = sum(counts)
    path = nodes[counts.index(max(counts))].size_path
    total, words, cause = training.members * parameters, f"{training.members} members of {parameters}", _ENSEMBLE
    if parameters > limits.parameters:
        total, words, cause = parameters, str(parameters), path
    if total > limits.parameters:
        message = f"{words} parameters exceed the limit of {limits.parameters}"
        problems.report("too-many-parameters", message, cause, hint=raising("parameters", total))
        return
    rows = spec.data.row_count if spec.data is not None else None
    if isinstance(training.batch_size, int):
        rows = training.batch_size if rows is None else min(rows, training.batch_size)
    values = inputs + sum(node.layer.value_count(node.input_sizes) for node in nodes)
    size = training_bytes(values, parameters, rows or 1, network.dtype)
    if size > limits.memory:
        alone = training_bytes(values, parameters, 1, network.dtype)
        if alone <= limits.memory and training.batch_size is not None:
            path = ("training", "batch_size")
        message = f"about {size / 2**30:.3g} GiB of memory exceed the limit of {limits.memory / 2**30:.3g} GiB"
        problems.report("too-much-memory", message, path, hint=raising("memory", size))


def training_bytes(values: int, parameters: int, rows: int, dtype: str) -> int:
    """Return the estimated memory of training in bytes, given the values per row and the rows of a batch."""
    return (VECTORS * parameters + rows * 2 * values) * (4 if dtype == "float32" else 8)


def tasks_of(loss: Loss, outputs: int) -> Iterator[str]:
    """Yield the possible tasks of a loss with a number of outputs, which is 0 if unknown."""
    if loss.target == "values":
        yield "values"
    elif loss.target == "binary":
        yield from [task for task, fits in (("binary", outputs <= 1), ("multilabel", outputs != 1)) if fits]
    else:
        yield from [task for task, fits in (("binary", outputs in (0, 2)), ("classes", outputs != 2)) if fits]


def _listed(tasks: Iterable[str]) -> str:
    return " or ".join(sorted(_TASKS[task] for task in tasks))


def _use(losses: Iterable[type[Loss]], words: str = "use") -> Suggestion | None:
    """Return the hint to use one of the first losses, or None if there are none."""
    names = [loss.part_name() for loss in losses][:_NAMED]
    edits = (Assigned(("training", "loss"), name) for name in names)
    return Suggestion(f"{words} {either(names)}", *edits) if names else None


def _losses(registry: Registry) -> list[type[Loss]]:
    return [part for part in registry.of_kind(Loss.kind) if issubclass(part, Loss)]
