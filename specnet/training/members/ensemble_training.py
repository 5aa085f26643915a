"""What the members of an ensemble have in common, and the training of one of them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from specnet.files.interruptions import Interruptions
from specnet.network import Network
from specnet.parts.arrays import Array
from specnet.training.checkpoint import Checkpoint
from specnet.training.epoch_metrics import Monitor
from specnet.training.loop import TrainingResult, train
from specnet.training.observer import Observer
from specnet.training.steps.engine_choice import Choice
from specnet.training.training_rows import TrainingRows

Start = tuple[Array, Mapping[str, Array] | None]
"""Parameters and layer states to start from."""
MemberKeeper = Callable[[int, Checkpoint], None]
"""Saves a checkpoint of a member, given its number."""
RowsOfMember = Callable[[int], tuple[TrainingRows, Mapping[str, Monitor]]]
"""Takes the number of a member; returns the rows that it is trained on, and its monitors."""


@dataclass(frozen=True)
class EnsembleTraining:
    """What is known of all members before they are trained.

    Attributes
    ----------
    network : Network
        Of each member.
    starts : sequence of (theta, state)
        One for each member.
    rows_of : callable
    choice : Choice
        The engine that trains them all.
    records : bool
        Whether the training of the first one is recorded.
    """

    network: Network
    starts: Sequence[Start]
    rows_of: RowsOfMember
    choice: Choice
    records: bool = False

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def is_for_threads(self) -> bool:
        """Whether threads of one process can train members side by side: as far as compiled functions do.

        What monitors a metric sets filters of warnings meanwhile, which are the process's.
        """
        spec = self.network.spec
        is_bare = all(spec.monitored_metric(who.monitor) is None for _, who in spec.training.watchers())
        return is_bare and self.choice.engine == "compiled"

    def train(
        self,
        member: int,
        observer: Observer,
        checkpoint: Checkpoint | None,
        interruptions: Interruptions | None,
        keep: MemberKeeper | None = None,
    ) -> TrainingResult:
        """Train a member, as `train` does a network."""
        observer.member_started(member, len(self))
        theta, state = self.starts[member]
        rows, monitors = self.rows_of(member)
        return train(
            self.network,
            theta,
            rows,
            monitors=monitors,
            observer=observer,
            keep_checkpoint=keep and partial(keep, member),
            checkpoint=checkpoint,
            state=state,
            interruptions=interruptions,
            member=member,
            choice=self.choice,
            records=self.records and not member,
        )

    def trained(
        self,
        first: int,
        checkpoint: Checkpoint | None,
        *,
        observer: Observer,
        interruptions: Interruptions | None,
        keep: MemberKeeper,
    ) -> Generator[TrainingResult, None, None]:
        """Train the members from `first` on, which may resume, one after the other, and yield what each reaches."""
        for member in range(first, len(self)):
            yield self.train(member, observer, checkpoint if member == first else None, interruptions, keep)
