"""The sections of a spec and their keys.

`Limits` limits the size of a network, which is computed before any memory is allocated.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FolderPath
from typing import Annotated, Any, Literal, Unpack, cast, get_args

from pydantic import Field, PrivateAttr, SerializationInfo, ValidationInfo, ValidatorFunctionWrapHandler
from pydantic_core import PydanticCustomError

from specnet.errors import Diagnostic, Path, SpecError
from specnet.parts.activations import Activation
from specnet.parts.averaging import Averaging
from specnet.parts.data import ColumnKind, Data, TargetKind
from specnet.parts.fields import (
    ColumnName,
    ColumnNames,
    FilePath,
    NonNegativeInteger,
    NonNegativeNumber,
    OpenFraction,
    PositiveInteger,
    PositiveNumber,
    Seed,
    SpecName,
)
from specnet.parts.forms import WrittenForm, or_short, or_word, switched
from specnet.parts.initializers import Initializer
from specnet.parts.layers import Layer
from specnet.parts.losses import Loss
from specnet.parts.metrics import Metric
from specnet.parts.optimizers import Adam, Optimizer
from specnet.parts.part import FieldProblem, Part, Section, named_twice
from specnet.parts.preprocessing import Preprocessing
from specnet.parts.registry import KIND_KEY, Registry, installed_registry
from specnet.parts.watchers import LOSS, VALIDATION, VALIDATION_LOSS, Memory, Monitored, Watcher
from specnet.spec.expectations import Expectation
from specnet.spec.reading.source_document import Details, Document
from specnet.spec.sweep_section import SweepSpec
from specnet.suggestions import Assigned, Suggestion


@dataclass(frozen=True)
class Limits:
    """Limits on the size of a network. Pass larger limits to `parse_spec` for a spec that you trust.

    Attributes
    ----------
    layers : int
        Number of layers, with blocks unrolled.
    parameters : int
        Number of parameters.
    memory : int
        Estimated memory of training in bytes: for the parameters, and for two numbers per value of a batch.
    """

    layers: int = 1_000
    parameters: int = 100_000_000
    memory: int = 8 * 2**30


def raising(limit: str, needed: int | str = "N") -> str:
    """Return the hint for an error about a limit, which says how to raise the limit to the needed value."""
    return f"raise it with --limit {limit}={needed}, or in Python with limits=Limits({limit}={needed})"


class Ensemble(Section):
    """Train several networks of the same layers, each with its own random numbers, and average their predictions."""

    members: PositiveInteger = Field(description="number of networks")
    validation: Literal["folds", "split", "none"] = Field(
        "folds",
        description='what members are validated on; "folds": each on one of as many parts of the training set, and '
        'trained on the others; "split": all on the validation set of data.split; "none": nothing',
    )

    @property
    def folds(self) -> int | None:
        """The number of folds, or None if members are not validated on folds."""
        return self.members if self.validation == "folds" else None

    def with_members(self, count: int) -> "Ensemble":
        """Return a copy with another number of members."""
        return self.model_copy(update={"members": count})

    def validated_on(self, *words: str) -> Suggestion:
        """Return the hint to set `validation` to one of some words.

        The hint shows the whole table, because the spec may only have the number of members.
        """
        tables = (f'{{ members = {self.members}, validation = "{word}" }}' for word in words)
        edits = (Assigned(("training", "ensemble"), {"members": self.members, "validation": word}) for word in words)
        return Suggestion(f"set training.ensemble = {' or '.join(tables)}", *edits)

    def validated_together(self) -> Suggestion:
        """Return the hint for validation rows that are not used: validate all members on them."""
        hint = self.validated_on("split")
        return Suggestion(f"{hint} to validate all members on these rows", *hint.edits)


def of_members(value: Any) -> Any:
    """Return the table of an ensemble; a number stands for its members."""
    if isinstance(value, str | bool):
        raise PydanticCustomError("unknown-value", "no such word", {"words": "an integer or a table"})
    return {"members": value} if isinstance(value, int | float) else value


def _dumped(value: Activation | tuple[Activation, ...], info: Any) -> Any:
    return [Activation.dump(one, info) for one in value] if isinstance(value, tuple) else Activation.dump(value, info)


Activations = Annotated[
    Activation | tuple[Activation, ...],
    WrittenForm(
        tuple[Activation, ...],
        lambda value, read, info: read(value) if isinstance(value, list | tuple) else Activation.read(value, info),
        lambda several: {"anyOf": [several["items"], several]},
        _dumped,
    ),
]
ClassWeight = Annotated[
    dict[str, float] | Literal["balanced"], or_word(dict[str, NonNegativeNumber], "a table", "balanced")
]
BatchSize = Annotated[int | Literal["full"], or_word(PositiveInteger, "an integer", "full")]
Shuffle = Annotated[bool | Literal["blocks"], or_word(bool, "true, false", "blocks")]


class ColumnGroup(Section):
    """Columns with preprocessing steps of their own, which other steps then leave alone."""

    columns: ColumnNames = Field(description="names of the columns")
    steps: tuple[Preprocessing, ...] = Field(
        description="preprocessing steps, in order; none leaves numbers as they are"
    )

    def problems(self) -> Iterator[FieldProblem]:
        yield from named_twice("columns", self.columns)


def _read_step(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    is_table = isinstance(value, Mapping) and "type" not in value and not value.keys().isdisjoint(_GROUP_KEYS)
    return handler(value) if is_table or isinstance(value, ColumnGroup) else Preprocessing.read(value, info)


def _dump_step(value: Any, info: SerializationInfo) -> Any:
    if isinstance(value, Preprocessing):
        return Preprocessing.dump(value, info)
    return {"columns": list(value.columns), "steps": [Preprocessing.dump(step, info) for step in value.steps]}


_GROUP_KEYS = frozenset(ColumnGroup.model_fields)
StepOrGroup = Annotated[
    Preprocessing | ColumnGroup,
    WrittenForm(ColumnGroup, _read_step, lambda group: {"anyOf": [{KIND_KEY: Preprocessing.kind}, group]}, _dump_step),
]
"""A preprocessing step, or a group of columns; a table with ``columns`` or ``steps`` and no ``type`` is a group."""
StepsOrGroups = Sequence[Preprocessing | ColumnGroup]

Baseline = Literal["constant", "linear", "neighbours", "trees"]


class MonotoneColumn(Section):
    """The direction in which predictions move, or stay, if a column rises and all others remain."""

    direction: Literal["increasing", "decreasing"] = Field(description="direction of the prediction")
    of: str | None = Field(
        None, description="label whose probability moves; default: the second of two classes, or all outputs"
    )
    output: NonNegativeInteger | None = Field(None, description="number of the label; found when rows are read")


Monotone = Annotated[
    MonotoneColumn,
    or_short(
        MonotoneColumn,
        lambda value: {"direction": value} if isinstance(value, str) else value,
        {"enum": ["increasing", "decreasing"]},
    ),
]

FORMS = ("layer_sizes", "hidden_layer_sizes", "layers")
OF_STACKS = ("activations", "weight_initializer", "bias_initializer")
"""Keys that only `layer_sizes` and `hidden_layer_sizes` support, the two forms of a stack of dense layers."""


class NetworkSpec(Section):
    """The network, in exactly one of three forms: `layer_sizes`, `hidden_layer_sizes` or `layers`."""

    dtype: Literal["float32", "float64"] = Field("float32", description="number format used by the network")
    input_size: PositiveInteger | None = Field(None, description="number of inputs; inferred from the data if omitted")
    output_size: PositiveInteger | None = Field(
        None, description="number of outputs; inferred from the data if omitted"
    )
    feature_names: ColumnNames | None = Field(
        None, description="names of the input columns, in order; CSV files and data frames have their own"
    )
    feature_kinds: dict[ColumnName, ColumnKind] | None = Field(
        None, description="kinds of the input columns of a data frame; tables have theirs in data.columns"
    )
    preprocessing: tuple[StepOrGroup, ...] | None = Field(
        None,
        description="preprocessing steps, fitted on the training set and stored in the model; "
        "{ columns = […], steps = […] } gives columns their own; default: by kind for the columns of tables, else none",
    )
    target_preprocessing: tuple[Preprocessing, ...] = Field(
        (), description="preprocessing steps for a numeric target; predictions are transformed back to its units"
    )
    target_range: Annotated[tuple[float, float], Field(strict=False)] | None = Field(
        None, description="least and largest possible value: predictions are clipped to it, and targets in training"
    )
    layer_sizes: Annotated[tuple[PositiveInteger, ...], Field(min_length=2)] | None = Field(
        None, description="sizes of all layers of a stack of dense layers, from inputs to outputs"
    )
    hidden_layer_sizes: tuple[PositiveInteger, ...] | None = Field(
        None, description="sizes of the hidden layers of a stack; the number of inputs and outputs comes from the data"
    )
    activations: Activations | None = Field(
        None,
        description="activation of all hidden layers of a stack, or a list with one per layer including the output; "
        "default: relu for hidden layers",
    )
    weight_initializer: Initializer | None = Field(None, description="initializer of all weights of a stack")
    bias_initializer: Initializer | None = Field(None, description="initializer of all biases of a stack")
    layers: tuple[Layer, ...] | None = Field(None, description="layers of any type, in order")
    monotone: dict[ColumnName, Monotone] | None = Field(
        None,
        description="columns with which predictions never fall (increasing) or never rise (decreasing), by name, or by "
        "number as text if columns have no names; weights and activations of the network are built so",
    )

    def problems(self) -> Iterator[FieldProblem]:
        yield from named_twice("feature_names", self.feature_names or ())
        if self.target_range is not None and self.target_range[1] <= self.target_range[0]:
            yield FieldProblem(("target_range",), "expected the least value and a larger one")
        if self.weight_initializer is not None and self.weight_initializer.needs_vector:
            message = f"{self.weight_initializer.part_name()} is for biases and cannot initialize weights"
            yield FieldProblem(("weight_initializer",), message, "weight-initializer")
        if self.bias_initializer is not None and self.bias_initializer.needs_matrix:
            message = f"{self.bias_initializer.part_name()} needs a matrix and cannot initialize a bias"
            yield FieldProblem(("bias_initializer",), message, "bias-initializer")


EARLY_STOPPING: Path = ("early_stopping",)
"""The path of early stopping within the training section."""


class EarlyStopping(Section):
    """Stop when the monitored metric has not improved for some epochs."""

    monitor: Monitored = Field(
        VALIDATION_LOSS,
        description='metric to monitor: "validation_loss", "loss" of the training set, or "validation_" and the name '
        "of a metric, computed on the validation set",
    )
    patience: PositiveInteger = Field(10, description="epochs without improvement before training stops")
    min_delta: NonNegativeNumber = Field(0.0, description="smallest change that counts as an improvement")
    restore_best: bool = Field(
        True,
        description="restore the weights of the best epoch, the last that improved by min_delta; "
        "false keeps the last ones",
    )

    def after(self, memory: Memory, figure: float) -> Memory:
        """Return the memory updated after an epoch with the monitored value `figure`; smaller is better."""
        if memory.best is None or figure < memory.best - self.min_delta:
            return Memory(figure)
        waited = memory.waited + 1
        return Memory(memory.best, waited, ends=waited >= self.patience)


class TrainingSpec(Section):
    """Training of the network and its evaluation afterwards."""

    loss: Loss = Field(description="loss function to minimize")
    optimizer: Optimizer = Field(Adam(), description="optimizer that updates the parameters")
    epochs: PositiveInteger = Field(100, description="number of passes over the training data")
    batch_size: BatchSize | None = Field(
        None,
        description='rows per step, or "full" for all of them; default: 32, or "full" if the optimizer requires it',
    )
    shuffle: Shuffle | None = Field(
        None,
        description='shuffle the rows before each epoch; "blocks": 32 blocks of 4096 rows at a time, for rows that do '
        'not fit into memory; default: true, or "blocks" if the inputs of all training rows exceed 512 MiB',
    )
    metrics: tuple[Metric, ...] = Field((), description="metrics computed on every split after training")
    baselines: tuple[Baseline, ...] = Field(
        ("constant", "linear", "neighbours"),
        description="predictors that the model is compared with on validation and test rows: constant, the best "
        "prediction that is the same for all rows; linear, logistic or ridge regression; neighbours, the 15 nearest "
        "training rows; trees, gradient boosting (scikit-learn's HistGradientBoosting); default: all but trees",
    )
    log_every: PositiveInteger | None = Field(
        None, description="epochs between two lines of the history; default: at most about 1000 lines"
    )
    class_weight: ClassWeight | None = Field(
        None,
        description='weight per label, as in { yes = 2.0 }, 1 for the others; "balanced": inverse to the frequency',
    )
    decision_threshold: OpenFraction | None = Field(
        None,
        description="probability from which on the second of two classes is predicted; default: the more probable "
        "class",
    )
    l1: NonNegativeNumber = Field(
        0.0, description="factor of the L1 penalty l1·Σ|w| over all weights; independent of the batch size"
    )
    l2: NonNegativeNumber = Field(
        0.0, description="factor of the L2 penalty l2·Σw² over all weights; independent of the batch size"
    )
    clip_norm: PositiveNumber | None = Field(None, description="maximum Euclidean norm of the gradient")
    clip_value: PositiveNumber | None = Field(None, description="maximum absolute value of each gradient entry")
    average_weights: Averaging | None = Field(None, description="keep averaged weights instead of the last ones")
    early_stopping: Annotated[EarlyStopping | None, or_short(EarlyStopping | None, switched, {"type": "boolean"})] = (
        Field(None, description="stop when the monitored metric no longer improves; true uses the default settings")
    )
    ensemble: Annotated[Ensemble | None, or_short(Ensemble | None, of_members, {"type": "integer", "minimum": 1})] = (
        Field(None, description="train several networks and average their predictions; a number sets ensemble.members")
    )
    calibration: Literal["temperature", "linear"] | None = Field(
        None,
        description="correct the outputs after training, by rows that networks were not trained on: the validation "
        "set, or the folds of an ensemble; temperature: divide the logits by the number that minimizes the log loss "
        "(Guo et al. 2017); linear: mix values with those of a linear model, by the share that minimizes the squared "
        "error",
    )
    teacher: FilePath | None = Field(
        None,
        description="model file of an ensemble, in the folder of its run or of its sweep's team; its predictions "
        "replace the targets: out-of-fold predictions for training rows, means of all members for mixed rows",
    )
    mixtures: NonNegativeInteger | None = Field(
        None,
        description="number of mixed rows for each training row; each of their cells is from a training row or one of "
        "its nearest neighbours; default with a teacher: 39",
    )
    checkpoint_every: PositiveInteger | None = Field(
        None, description="epochs between two checkpoints, from which an interrupted run can be resumed"
    )
    engine: Literal["auto", "numpy", "compiled"] = Field(
        "auto",
        description="what computes the steps: numpy; compiled, functions in C made for the network, which need a C "
        "compiler; or auto, compiled where NumPy would need over half a second",
    )

    def problems(self) -> Iterator[FieldProblem]:
        yield from named_twice("baselines", self.baselines)

    @property
    def members(self) -> int:
        """The number of networks to train."""
        return 1 if self.ensemble is None else self.ensemble.members

    @property
    def folds(self) -> int | None:
        """The number of folds on which ensemble members are validated, or None."""
        return None if self.ensemble is None else self.ensemble.folds

    @property
    def watches_validation(self) -> bool:
        """Whether a metric of validation rows determines the best epoch or the learning rate."""
        return any(who.monitor != LOSS for _, who in self.watchers())

    def watchers(self) -> Iterator[tuple[Path, Watcher]]:
        """Yield the watchers, which monitor a metric after each epoch, with their paths within the training section."""
        if self.early_stopping is not None:
            yield EARLY_STOPPING, self.early_stopping
        for path, plateau in self.optimizer.plateaus():
            yield ("optimizer", *path), plateau


@dataclass(frozen=True)
class Origin:
    """The document from which a spec was read, and the parts and limits that applied.

    Attributes
    ----------
    document : Document
    registry : Registry
        Parts that the spec may name.
    limits : Limits
        Limits on the size of the network.
    written : mapping
        Paths in the document by paths in the resolved spec, where they differ.
    """

    document: Document = field(default_factory=lambda: Document({}))
    registry: Registry = field(default_factory=installed_registry)
    limits: Limits = field(default_factory=Limits)
    written: Mapping[Path, Path] = field(default_factory=dict)

    def path_of(self, path: Path) -> Path:
        """Map a path in the resolved spec to the path in the document."""
        return written_path(self.written, path)


def written_path(written: Mapping[Path, Path], path: Path) -> Path:
    """Return a path with its longest prefix that is a key of `written` replaced by the path stored for it."""
    for depth in range(len(path), 0, -1):
        if path[:depth] in written:
            return (*written[path[:depth]], *path[depth:])
    return path


class Spec(Section):
    """A network, its training and its data.

    It is created by `parse_spec`. Two specs are equal if all their values are, even if they come from different files.
    """

    name: SpecName | None = Field(None, description="name of the run; also the name of its folder")
    seed: Seed = Field(0, description="seed for everything random without a random_state of its own")
    random_generator: Literal["pcg64", "legacy"] = Field(
        "pcg64", description="generator of the initial weights; legacy: numpy.random.RandomState(seed).randn"
    )
    data: Data | None = Field(None, description="data to train and evaluate on; required by `specnet run`")
    network: NetworkSpec = Field(description="layers of the network: layer_sizes, hidden_layer_sizes or layers")
    training: TrainingSpec = Field(description="training settings; loss is required")
    sweep: SweepSpec | None = Field(
        None, description="search for good values of some keys by `specnet sweep`; other commands ignore it"
    )
    expect: tuple[Expectation, ...] | None = Field(
        None, description="what the trained model must satisfy; judged after training, and without effect on it"
    )

    _origin: Origin = PrivateAttr(default_factory=Origin)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spec) and self.__dict__ == other.__dict__

    __hash__ = Section.__hash__

    @property
    def origin(self) -> Origin:
        """The document, parts and limits with which the spec was read."""
        return self._origin

    @property
    def document(self) -> Document:
        """The document from which the spec was read."""
        return self._origin.document

    @property
    def registry(self) -> Registry:
        """The parts that the spec may name."""
        return self._origin.registry

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The names of the input columns in order, or None if they are unknown."""
        names = self.data.feature_names if self.data is not None else None
        return names or self.network.feature_names

    @property
    def feature_kinds(self) -> dict[str, ColumnKind] | None:
        """The kinds of the input columns by name, for a table or a data frame; otherwise None."""
        kinds = self.data.column_kinds if self.data is not None else self.network.feature_kinds
        return None if kinds is None else {name: kinds[name] for name in self.feature_names or () if name in kinds}

    @property
    def target_kind(self) -> TargetKind:
        """The kind of target that the loss needs."""
        return "values" if self.training.loss.target == "values" else "classes"

    @property
    def fits_weights(self) -> bool:
        """Whether the last layer has weights that are fitted to rows which its networks were not trained on."""
        return any(layer.fits_weights for layer in self.network.layers or ())

    @property
    def needs_validation(self) -> bool:
        """Whether training needs validation rows."""
        return self.training.watches_validation or self.training.calibration is not None or self.fits_weights

    def monitored_metric(self, monitor: str) -> Metric | None:
        """Return the metric of validation rows that `monitor` names, or None if it names a loss."""
        return None if monitor in (LOSS, VALIDATION_LOSS) else self.metric(monitor.removeprefix(VALIDATION))

    def metric(self, name: str) -> Metric:
        """Return the metric of a valid name; if `training.metrics` lists it, with its settings there."""
        for metric in self.training.metrics:
            if metric.type == name:
                return metric
        part = self.registry.find(Metric.kind, name)
        assert part is not None, "the name was checked"
        return cast(Metric, part.model_validate({"type": name}))

    @property
    def folder(self) -> FolderPath:
        """The folder to which the relative paths in the spec refer."""
        return self.document.folder or FolderPath()

    def with_origin(self, origin: Origin) -> "Spec":
        """Return a copy of the spec with another origin."""
        spec = self.model_copy()
        spec._origin = origin
        return spec

    @property
    def sha256(self) -> str:
        """The SHA-256 of the spec's JSON, which identifies a resolved spec."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def with_network(self, **changes: Any) -> "Spec":
        """Return a copy whose network section has `changes`, new values by field name."""
        return self.model_copy(update={"network": self.network.model_copy(update=changes)})

    def with_training(self, **changes: Any) -> "Spec":
        """Return a copy whose training section has `changes`, new values by field name."""
        return self.model_copy(update={"training": self.training.model_copy(update=changes)})

    def with_dtype(self, dtype: str) -> "Spec":
        """Return a copy whose network computes in another dtype."""
        return self.with_network(dtype=dtype)

    def to_json(self) -> str:
        """Return the spec as JSON without nulls; `parse_spec` turns it into an equal spec."""
        return json.dumps(self.model_dump(exclude_none=True), indent=2, ensure_ascii=False) + "\n"

    def diagnostic(self, code: str, message: str, path: Path, **details: Unpack[Details]) -> Diagnostic:
        """Return a diagnostic at the location of a path's value, with a code, a message and details."""
        return self.document.diagnostic(code, message, self._origin.path_of(path), **details)

    def error(self, code: str, message: str, path: Path, **details: Unpack[Details]) -> SpecError:
        """Return a `SpecError` with one diagnostic, for later stages to raise. Arguments are those of `diagnostic`."""
        return SpecError(self.diagnostic(code, message, path, **details))


def default_part(path: Path) -> str | None:
    """Return the name of the part that is the default at a path of a spec, or None if the default is no part."""
    value: Any = Spec
    for step in path:
        field = value.model_fields.get(str(step)) if isinstance(value, type) and issubclass(value, Section) else None
        if field is None:
            return None
        value = None if field.is_required() else field.get_default(call_default_factory=True)
        if value is None:  # the section has no default value of its own: search in its class
            tables = (field.annotation, *get_args(field.annotation))
            value = next((each for each in tables if isinstance(each, type) and issubclass(each, Section)), None)
    return value.part_name() if isinstance(value, Part) else None
