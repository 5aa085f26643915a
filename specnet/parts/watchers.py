"""What early stopping and `ReduceOnPlateau` have in common: a figure that they monitor, and a memory of it.

The rule of patience is `EarlyStopping.after` in `specnet.spec.document`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, Protocol

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from specnet.parts.registry import KIND_KEY, Registry, registry_of

LOSS = "loss"
"""The figure of training rows that can be monitored; all others are of validation rows."""
VALIDATION = "validation_"
VALIDATION_LOSS = VALIDATION + LOSS
MONITOR = "monitored_metric"
"""The definition of the figures that can be monitored, in the spec's schema."""
SEARCHED_METRIC = "searched_metric"
"""The definition of the figures that the trials of a sweep can be compared by."""


class Memory(NamedTuple):
    """The state of a watcher after some epochs.

    Attributes
    ----------
    best : float or None
        The smallest figure that counted as an improvement; None before the first one.
    waited : int
        Epochs since then, or since what the watcher last did.
    rate_factor : float
        On the learning rate, from now on.
    ends : bool
        Whether training ends here.
    """

    best: float | None = None
    waited: int = 0
    rate_factor: float = 1.0
    ends: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the memory as plain data, of which `Memory(**data)` is equal."""
        return self._asdict()


class Watcher(Protocol):
    """A rule that reads a figure after each epoch. It changes nothing itself: all its state is in the memory."""

    @property
    def monitor(self) -> str:
        """The name of the figure."""

    def after(self, memory: Memory, figure: float) -> Memory:
        """Return the memory after another epoch that ended with this figure, of which less is better."""


def monitored_names(registry: Registry) -> list[str]:
    """Return the names of the figures that can be monitored: losses, and each metric of the validation rows."""
    return [VALIDATION_LOSS, LOSS, *(VALIDATION + metric.part_name() for metric in registry.of_kind("metric"))]


def searched_names(registry: Registry) -> list[str]:
    """Return the names of the figures that the trials of a sweep can be compared by."""
    return [VALIDATION_LOSS, *(metric.part_name() for metric in registry.of_kind("metric"))]


@dataclass(frozen=True)
class _OneOfThese:
    """Annotates the name of a figure; the registry comes from the validation's context, as for parts."""

    names: Callable[[Registry], list[str]]
    code: str
    definition: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_after_validator_function(self._check, handler(source))

    def _check(self, name: str, info: ValidationInfo) -> str:
        # The default comes first: only other names need the registry.
        if name != VALIDATION_LOSS and name not in self.names(registry_of(info)):
            raise PydanticCustomError(self.code, "no such figure")
        return name

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {KIND_KEY: self.definition}


Monitored = Annotated[str, _OneOfThese(monitored_names, "unknown-monitor", MONITOR)]
SearchedMetric = Annotated[str, _OneOfThese(searched_names, "unknown-metric", SEARCHED_METRIC)]
