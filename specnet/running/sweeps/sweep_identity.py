"""The identity of a sweep: the same spec, space and data give the same trials."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from specnet.errors import FileError
from specnet.spec.sweep_section import SweepSpec
from specnet.training import RunIdentity
from specnet.training.run_identity import SpecDifference


class SweepIdentity(NamedTuple):
    """The identity of a sweep.

    Attributes
    ----------
    run : RunIdentity
        Of its spec without ``[sweep]``, and of its data.
    sweep : str
        The table without the number of trials, as JSON.
    """

    run: RunIdentity
    sweep: str

    @classmethod
    def of(cls, run: RunIdentity, sweep: SweepSpec) -> SweepIdentity:
        """Return the identity of a sweep."""
        table = sweep.model_copy(update={"trials": None}).model_dump(mode="json", exclude_none=True)
        return cls(run, json.dumps(table, ensure_ascii=False))

    def data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "spec": json.loads(self.run.spec),
            "sweep": json.loads(self.sweep),
            "spec_sha256": self.run.spec_sha256,
            "data_sha256": self.run.data_sha256,
        }

    @classmethod
    def from_data(cls, data: Any) -> SweepIdentity:
        """Return the identity that plain data say.

        Raises
        ------
        FileError
        """
        if not isinstance(data, Mapping) or not {"spec", "sweep", "data_sha256"} <= data.keys():
            raise FileError("not a valid record of a sweep: its identity is missing")
        if not isinstance(data["sweep"], Mapping):
            raise FileError('not a valid record of a sweep: "sweep" must be a table')
        run = RunIdentity(json.dumps(data["spec"], ensure_ascii=False), str(data["data_sha256"]))
        return cls(run, json.dumps(data["sweep"], ensure_ascii=False))

    def differences(self, now: SweepIdentity) -> list[SpecDifference]:
        """Return the differences of another sweep, in the order of the spec, the data last."""
        spec, sweep = self.run.differences(now.run), RunIdentity(self.sweep, "").differences(RunIdentity(now.sweep, ""))
        of_data = [each for each in spec if each.key == "the data"]
        searched = [SpecDifference(f"sweep.{key}", then, now) for key, then, now in sweep]
        return [*(each for each in spec if each not in of_data), *searched, *of_data]
