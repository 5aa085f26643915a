"""Watchers, such as early stopping and `ReduceOnPlateau`: rules that monitor a figure, and their memory of it.

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
"""The name of the training loss; all other monitored figures are for validation rows."""
VALIDATION = "validation_"
VALIDATION_LOSS = VALIDATION + LOSS
MONITOR = "monitored_metric"
"""The name of the definition in the spec's schema that lists the figures that can be monitored."""
SEARCHED_METRIC = "searched_metric"
"""The name of the definition that lists the figures by which trials of a sweep can be compared."""


class Memory(NamedTuple):
    """The state of a watcher after some epochs.

    Attributes
    ----------
    best : float or None
        Smallest figure that counted as an improvement; None before the first epoch.
    waited : int
        Number of epochs since the last improvement, or since the last action of the watcher.
    rate_factor : float
        Factor on the learning rate from now on.
    ends : bool
        Whether training ends after this epoch.
    """

    best: float | None = None
    waited: int = 0
    rate_factor: float = 1.0
    ends: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the memory as plain data, from which `Memory(**data)` restores it."""
        return self._asdict()


class Watcher(Protocol):
    """A rule that reads a figure after each epoch. It has no state: all state is in the memory."""

    @property
    def monitor(self) -> str:
        """The name of the figure."""

    def after(self, memory: Memory, figure: float) -> Memory:
        """Return the memory after a further epoch, given its figure, which is better if smaller."""


def monitored_names(registry: Registry) -> list[str]:
    """Return the names of the figures that can be monitored: both losses, and each metric on validation rows."""
    return [VALIDATION_LOSS, LOSS, *(VALIDATION + metric.part_name() for metric in registry.of_kind("metric"))]


def searched_names(registry: Registry) -> list[str]:
    """Return the names of the figures by which the trials of a sweep can be compared."""
    return [VALIDATION_LOSS, *(metric.part_name() for metric in registry.of_kind("metric"))]


@dataclass(frozen=True)
class _OneOfThese:
    """Annotates the name of a figure; the known names come from the registry in the validation's context."""

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
