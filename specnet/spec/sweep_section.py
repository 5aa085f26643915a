"""The section ``[sweep]``: the searched keys of a spec and the settings of the search. Only sweeps use it."""

import math
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from annotated_types import Ge, Gt
from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from specnet.errors import Path
from specnet.files.plain_data import toml_value
from specnet.parts.fields import Integer, PositiveInteger, Seed
from specnet.parts.forms import WrittenForm
from specnet.parts.part import FieldProblem, Section
from specnet.parts.registry import KIND_KEY
from specnet.parts.searches import Pruner, Sampler, Tpe
from specnet.parts.watchers import VALIDATION_LOSS, SearchedMetric
from specnet.suggestions import close_match, instead, is_certain

TRIALS = 50
"""The default number of trials."""

RANGE = "range"
"""The name of the definition of a range in the JSON Schema of specs."""

SEARCHED = ("network", "training", "random_generator")
"""The top-level keys of a spec that may be searched, themselves or their inner keys."""

_KEY = re.compile(rf"^({'|'.join(SEARCHED)})(\.[^.]+)*$")
_SETTING = re.compile(r"^random_generator$|\.")


def _as_written(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    check(value)
    return value


Number = Annotated[float, WrapValidator(_as_written), PlainSerializer(lambda number: number)]
"""A number that stays an integer if it is written as one."""


class Range(Section):
    """Numbers from low to high, both included; integers if both are written as integers."""

    low: Number = Field(description="smallest value")
    high: Number = Field(description="largest value")
    log: bool = Field(False, description="draw the logarithm of the value uniformly, for scales such as learning rates")
    step: Annotated[Number, Gt(0)] | None = Field(None, description="distance between values; default: 1 for integers")

    @property
    def of_integers(self) -> bool:
        """Whether the range contains only integers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def problems(self) -> Iterator[FieldProblem]:
        if self.low >= self.high:
            yield FieldProblem(("high",), f"low must be less than high, got {self.low} and {self.high}", "bounds-order")
        elif self.log and self.low <= 0:
            yield FieldProblem(("low",), f"a logarithmic range must start above 0, got {self.low}")
        if self.step is None:
            return
        if self.log:
            yield FieldProblem(("step",), "step cannot be combined with log")
        elif self.of_integers and not float(self.step).is_integer():
            yield FieldProblem(("step",), f"a range of integers needs an integer as step, got {self.step}")
        elif self.low < self.high:
            low, high, step = (Decimal(repr(number)) for number in (self.low, self.high, self.step))
            try:
                rest = (high - low) % step
            except InvalidOperation:  # more steps than a number has digits
                yield FieldProblem(("step",), f"steps of {self.step} are too small from {self.low} to {self.high}")
                return
            if rest:
                last = high - rest
                message = f"steps of {self.step} from {self.low} do not reach {self.high}"
                if last > low:
                    message += f"; the last one before it is {last.normalize():f}"
                yield FieldProblem(("high",), message)


def is_range(value: Any) -> bool:
    """Return whether a value inside an entry's table is a range."""
    return isinstance(value, Mapping) and "low" in value and "high" in value


def is_unquoted(value: Any) -> bool:
    """Return whether a value of the space is a table that results from a dotted key without quotes."""
    return isinstance(value, Mapping) and bool(value) and not value.keys() & Range.model_fields.keys()


def _read_inner(value: Any) -> Any:
    return Range.model_validate(value) if is_range(value) else value


def _read_entry(value: Any, handler: ValidatorFunctionWrapHandler, _: Any) -> Any:
    if isinstance(value, Range):
        return value
    if isinstance(value, list | tuple):
        return handler(value)
    if isinstance(value, Mapping):
        if is_unquoted(value):
            raise PydanticCustomError("unquoted-key", "keys of the space are written in quotes")
        return Range.model_validate(value)
    words = {"words": "a list of values, or a table with low and high"}
    raise PydanticCustomError("unknown-value", "neither a list nor a range", words)


# Editors distinguish the tables by "not" better than by "if", and need to know that other tables allow any keys.
_OTHERS = {"type": "object", "not": {"required": ["low", "high"]}, "additionalProperties": True}
_INNER = {"anyOf": [{KIND_KEY: RANGE}, _OTHERS, {"type": ["string", "number", "boolean", "array"]}]}
_CHOICES = {"type": "array", "minItems": 1, "items": {"additionalProperties": _INNER}}
_SPACE = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"pattern": _KEY.pattern},
    "additionalProperties": {"anyOf": [_CHOICES, {KIND_KEY: RANGE}]},
}
_CANDIDATE = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"pattern": _KEY.pattern.replace("*$", "+$") + "|^random_generator$"},
}


def plain(value: Any) -> Any:
    """Return an entry of the space, or a value inside an entry, as plain data."""
    if isinstance(value, Range):
        return value.model_dump(exclude_unset=True)
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def ranges_inside(choice: Any) -> dict[str, Range]:
    """Return the ranges by key in the table that is an entry of a list; an empty dict for other entries."""
    if not isinstance(choice, Mapping):
        return {}
    return {key: value for key, value in choice.items() if isinstance(value, Range)}


def may_be_searched(key: str) -> bool:
    """Return whether a key has the form of a key that can be searched; whether it exists is not checked."""
    return _KEY.search(key) is not None


def _checked_key(key: str) -> str:
    if may_be_searched(key):
        return key
    first = key.partition(".")[0]
    message = f'"{key[:100]}" cannot be searched'
    hint: str | None = "choose a key of network or training, such as training.l2"
    if first == "data":
        message, hint = "keys of data cannot be searched: all trials use the same rows", None
    elif first == "seed":
        hint = "set sweep.seeds to average each trial over several seeds"
    elif first not in SEARCHED and (close := close_match(first, SEARCHED)):
        hint = instead(close + key[len(first) :], is_certain(close, first, SEARCHED))
    elif first in SEARCHED:
        message, hint = f'invalid key "{key[:100]}"', 'write it as for --set, such as "training.l2"'
    raise PydanticCustomError("space-key", "no key of the space", {"message": message, "hint": hint})


def _checked_setting(key: str) -> str:
    if _SETTING.search(_checked_key(key)):
        return key
    hint = 'write a setting in quotes, such as "training.l2" = 0.0001'
    message = f'"{key}" is a whole table, and no setting of a candidate'
    raise PydanticCustomError("space-key", "no setting of a candidate", {"message": message, "hint": hint})


SpaceKey = Annotated[str, AfterValidator(_checked_key)]
Choice = Annotated[
    Any,
    WrittenForm(
        dict[str, Annotated[Any, PlainValidator(_read_inner)]],
        lambda value, read, _: read(value) if isinstance(value, Mapping) else value,
        lambda table: {},
    ),
]
"""An entry of a list: a value of any kind; a table may contain ranges instead of values."""
Choices = Annotated[tuple[Choice, ...], Field(min_length=1)]
Entry = Annotated[
    tuple[Any, ...] | Range, WrittenForm(Choices, _read_entry, lambda choices: choices, lambda entry, _: plain(entry))
]
Candidate = Annotated[
    dict[Annotated[str, AfterValidator(_checked_setting)], Any],
    Field(min_length=1),
    WithJsonSchema(_CANDIDATE),
]
Space = Annotated[dict[SpaceKey, Entry], Field(min_length=1), WithJsonSchema(_SPACE)]


class SweepSpec(Section):
    """Search for good values of some keys of the spec, as `specnet sweep` does; other commands ignore it."""

    metric: SearchedMetric = Field(
        VALIDATION_LOSS,
        description='metric of the validation set that the best trial is chosen by: "validation_loss", or the name of '
        "one of training.metrics",
    )
    trials: PositiveInteger | None = Field(
        None,
        description=f"number of trials, of which the first is the spec as it is written; default: {TRIALS}, or all "
        "combinations of a grid besides what is written",
    )
    sampler: Sampler = Field(Tpe(), description="how the values of a trial are chosen")
    pruner: Pruner | None = Field(
        None,
        description="rule that ends unpromising trials early: median and halving, by the validation loss, need "
        "data.split.validation_size; wilcoxon, by the losses of rows, needs folds or an ensemble on folds",
    )
    folds: Annotated[Integer, Ge(2)] | None = Field(
        None,
        description="number of folds for validation; the metric of a trial is the mean over them, and "
        "data.split.validation_size is not needed",
    )
    seeds: PositiveInteger = Field(1, description="number of seeds; the metric of a trial is the mean over them")
    parallel: PositiveInteger = Field(
        4,
        description="number of trials that may run at once, their results unknown to the sampler; decides which values "
        "are drawn, whatever the number of processes. Default for random and grid without a pruner: twice the number "
        "of processes if that is more",
    )
    seed: Seed | None = Field(None, description="seed of the sampler; default: the seed of the spec")
    candidates: tuple[Candidate, ...] = Field(
        (),
        description='tables of keys in quotes, as in "training.l2", with the values that a trial has there; they are '
        "tried after the spec as it is written, and before others are drawn",
    )
    space: Space = Field(
        description='keys to search, in quotes as in "training.l2"; each with a list of values, or a range '
        "{ low = 1e-6, high = 1e-2, log = true }, which in a table of a list may also stand for a value"
    )

    @property
    def combinations(self) -> int | None:
        """The number of combinations of all lists, or None if there are ranges."""
        if any(self._ranges()):
            return None
        return math.prod(len(entry) for entry in self.space.values() if isinstance(entry, tuple))

    @property
    def adapts(self) -> bool:
        """Whether a trial depends on the results of earlier trials."""
        return self.sampler.adapts or self.pruner is not None

    def at_once(self, jobs: int | None) -> int:
        """Return the number of trials that may run at the same time, given the number of processes if it is known."""
        if jobs is None or self.adapts or "parallel" in self.model_fields_set:
            return self.parallel
        return max(self.parallel, 2 * jobs)

    @property
    def given(self) -> int:
        """The number of trials that are not drawn: the spec itself and the candidates."""
        return 1 + len(self.candidates)

    @property
    def trial_count(self) -> int:
        """The number of trials of the sweep."""
        if self.sampler.enumerates:
            assert self.combinations is not None, "a grid has no ranges"
            return self.given + self.combinations
        return self.trials or TRIALS

    def problems(self) -> Iterator[FieldProblem]:
        for key, entry in self.space.items():
            yield from _repeated(key, entry)
        if self.pruner is not None and not self.pruner.of_folds:
            for name, used in (("folds", self.folds is not None), ("seeds", self.seeds > 1)):
                if used:
                    yield FieldProblem(("pruner",), f"pruner cannot be combined with {name}")
        if not self.sampler.enumerates:
            return
        for path in self._ranges():
            yield FieldProblem(path, f"{self.sampler.type} needs lists of values, got a range")
        count = self.combinations
        if count is not None and self.trials is not None and self.trials < count:
            message = f"expected at least the {count} combinations of the {self.sampler.type}, got {self.trials}"
            yield FieldProblem(("trials",), message)

    def _ranges(self) -> Iterator[Path]:
        """Yield the path of each range within the sweep section."""
        for key, entry in self.space.items():
            if isinstance(entry, Range):
                yield "space", key
            else:
                for index, choice in enumerate(entry):
                    yield from (("space", key, index, name) for name in ranges_inside(choice))


def _repeated(key: str, entry: tuple[Any, ...] | Range) -> Iterator[FieldProblem]:
    """Yield a mistake for each duplicate value in a list."""
    seen = set()
    for index, choice in enumerate(entry if isinstance(entry, tuple) else ()):
        text = toml_value(plain(choice))
        if text in seen:
            yield FieldProblem(("space", key, index), "duplicate value")
        seen.add(text)
