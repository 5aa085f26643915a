"""Several networks in one model."""

from typing import Any, Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from specnet.parts.fields import PositiveInteger
from specnet.parts.part import Section


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
        """The number of folds, None if members are not validated on them."""
        return self.members if self.validation == "folds" else None

    def with_members(self, count: int) -> "Ensemble":
        """Return the same with so many members."""
        return self.model_copy(update={"members": count})

    def validated_on(self, *words: str) -> str:
        """Return the hint to validate the members on something else, whole: a spec may have their number alone."""
        tables = (f'{{ members = {self.members}, validation = "{word}" }}' for word in words)
        return f"set training.ensemble = {' or '.join(tables)}"

    def validated_together(self) -> str:
        """Return the hint where there are validation rows that are not used."""
        return f"{self.validated_on('split')} to validate all members on these rows"


def of_members(value: Any) -> Any:
    """Return the table of an ensemble that is written as its number of members alone."""
    if isinstance(value, str | bool):
        raise PydanticCustomError("unknown-value", "no such word", {"words": "an integer or a table"})
    return {"members": value} if isinstance(value, int | float) else value
